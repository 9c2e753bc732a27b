//! What the table's errors mean.

use std::error::Error;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, CancellationReason},
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use ports::StoreError;
use thiserror::Error;

use super::{ITEM_BYTES_MAX, Item};
use crate::failed::{Asked, HasStatus, asked, unavailable};

pub(super) const WRITING: &str = "write to the table";

/// Why something was not written.
#[derive(Debug, Error)]
pub enum Refused {
    /// The conditions of the writes at these places do not hold; nothing was written.
    #[error("an item is not as it was expected to be")]
    Conditions(Vec<usize>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refused> for StoreError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Conditions(_) => Self::Conflict,
            Refused::Store(error) => error,
        }
    }
}

impl Refused {
    pub(super) fn of_transaction<R>(error: SdkError<TransactWriteItemsError, R>) -> Self
    where
        R: HasStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        use TransactWriteItemsError as Failed;
        match error.as_service_error() {
            Some(Failed::TransactionCanceledException(cancelled)) => {
                of_reasons(cancelled.cancellation_reasons())
                    .unwrap_or_else(|| unavailable(WRITING, error).into())
            }
            // The token came with other writes: ours are not there, and whose are tells a load.
            Some(Failed::IdempotentParameterMismatchException(_)) => StoreError::Conflict.into(),
            // The first sending of this very request is still under way.
            Some(Failed::TransactionInProgressException(_)) => StoreError::Ambiguous.into(),
            Some(_) | None => outcome(error).into(),
        }
    }
}

/// What cancelled a transaction: the reasons stand in the order of its writes.
fn of_reasons(reasons: &[CancellationReason]) -> Option<Refused> {
    let with = |code: &str| {
        let places = reasons.iter().enumerate();
        let places = places.filter(|(_, reason)| reason.code() == Some(code));
        places.map(|(place, _)| place).collect::<Vec<_>>()
    };
    let conditions = with("ConditionalCheckFailed");
    if !conditions.is_empty() {
        return Some(Refused::Conditions(conditions));
    }
    // Another transaction, or another write, was under way on one of the items.
    if !with("TransactionConflict").is_empty() {
        return Some(StoreError::Conflict.into());
    }
    let is_large = |reason: &&CancellationReason| {
        let message = reason.message().unwrap_or_default();
        reason.code() == Some("ValidationError") && message.contains("size")
    };
    let large = reasons.iter().position(|reason| is_large(&reason))?;
    Some(Refused::Store(StoreError::TooLarge {
        what: format!("item {} of a transaction", large + 1),
        bytes: ITEM_BYTES_MAX + 1,
        limit: ITEM_BYTES_MAX,
    }))
}

/// The store's error for a write that failed.
fn outcome<E, R>(error: SdkError<E, R>) -> StoreError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: HasStatus + std::fmt::Debug + Send + Sync + 'static,
{
    match asked(&error) {
        Asked::Unknown => StoreError::Ambiguous,
        Asked::Refused | Asked::Throttled | Asked::Unsent => unavailable(WRITING, error),
    }
}

/// What became of one sending of one write.
pub(super) enum Single {
    /// Its condition does not hold; the item that is there, if there is one.
    Condition(Option<Item>),
    /// No answer came.
    Unknown,
    /// Nothing was done, and may be later.
    Busy(StoreError),
    Refused(StoreError),
}

impl<E, R> From<SdkError<E, R>> for Single
where
    E: Error + ProvideErrorMetadata + OldItem + Send + Sync + 'static,
    R: HasStatus + std::fmt::Debug + Send + Sync + 'static,
{
    fn from(error: SdkError<E, R>) -> Self {
        if let Some(old) = error.as_service_error().and_then(OldItem::failed_condition) {
            return Self::Condition(old.cloned().map(Item::of));
        }
        let code = error.as_service_error().and_then(|it| it.code());
        let is_contended = code == Some("TransactionConflictException");
        match asked(&error) {
            Asked::Unknown => Self::Unknown,
            Asked::Throttled => Self::Busy(unavailable(WRITING, error)),
            _ if is_contended => Self::Busy(unavailable(WRITING, error)),
            Asked::Refused | Asked::Unsent => Self::Refused(unavailable(WRITING, error)),
        }
    }
}

type Attributes = std::collections::HashMap<String, AttributeValue>;

/// An error that tells of a failed condition, with the item that did not meet it.
pub(super) trait OldItem {
    fn failed_condition(&self) -> Option<Option<&Attributes>>;
}

macro_rules! old_item {
    ($($module:ident :: $error:ident),*) => { $(
        impl OldItem for aws_sdk_dynamodb::operation::$module::$error {
            fn failed_condition(&self) -> Option<Option<&Attributes>> {
                match self {
                    Self::ConditionalCheckFailedException(failed) => Some(failed.item()),
                    _ => None,
                }
            }
        }
    )* };
}

old_item!(
    put_item::PutItemError,
    update_item::UpdateItemError,
    delete_item::DeleteItemError
);
