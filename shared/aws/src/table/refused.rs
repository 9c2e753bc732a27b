//! What the table's errors mean.

use std::error::Error;

use aws_sdk_dynamodb::{
    error::SdkError, operation::transact_write_items::TransactWriteItemsError,
    types::CancellationReason,
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

/// What became of one sending of a transaction.
pub(super) enum Sent {
    /// No answer came, or the sending before is still under way.
    Unknown,
    /// Nothing was done, and may be later.
    Busy(StoreError),
    Refused(Refused),
}

impl Sent {
    pub(super) fn of<R>(error: SdkError<TransactWriteItemsError, R>) -> Self
    where
        R: HasStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        use TransactWriteItemsError as Failed;
        match error.as_service_error() {
            Some(Failed::TransactionCanceledException(cancelled)) => {
                let reasons = cancelled.cancellation_reasons();
                match of_reasons(reasons) {
                    Some(refused) => Self::Refused(refused),
                    None if has(reasons, &BUSY) => Self::Busy(unavailable(WRITING, error)),
                    None => Self::Refused(unavailable(WRITING, error).into()),
                }
            }
            // The token came with other writes: ours are not there, and whose are tells a load.
            Some(Failed::IdempotentParameterMismatchException(_)) => {
                Self::Refused(StoreError::Conflict.into())
            }
            Some(Failed::TransactionInProgressException(_)) => Self::Unknown,
            Some(_) | None => match asked(&error) {
                Asked::Unknown => Self::Unknown,
                Asked::Throttled => Self::Busy(unavailable(WRITING, error)),
                Asked::Refused | Asked::Unsent => Self::Refused(unavailable(WRITING, error).into()),
            },
        }
    }
}

/// Reasons that say that the table is asked too much.
const BUSY: [&str; 2] = ["ThrottlingError", "ProvisionedThroughputExceeded"];

fn has(reasons: &[CancellationReason], codes: &[&str]) -> bool {
    let mut found = reasons.iter().filter_map(CancellationReason::code);
    found.any(|code| codes.contains(&code))
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

/// What a write whose condition does not hold found.
pub(super) struct There {
    pub(super) item: Option<Item>,
}

/// What became of one sending of one write.
pub(super) enum Single {
    Condition(There),
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
            return Self::Condition(old);
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

/// An error that tells of a failed condition, with the item that did not meet it.
pub(super) trait OldItem {
    fn failed_condition(&self) -> Option<There>;
}

macro_rules! old_item {
    ($($module:ident :: $error:ident),*) => { $(
        impl OldItem for aws_sdk_dynamodb::operation::$module::$error {
            fn failed_condition(&self) -> Option<There> {
                match self {
                    Self::ConditionalCheckFailedException(failed) => {
                        let item = failed.item().cloned().map(Item::of);
                        Some(There { item })
                    }
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
