//! Planted defects: the mistakes that the simulation must find, to show that it would find ours.
//!
//! Without the feature `planted` every question is answered `false` at compile time, and nothing
//! of this is in the program. With it, a test plants one defect in its own thread.

/// A mistake that somebody could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// A commit replaces a newer state than the one it was decided on.
    NoVersionCheck,
    /// A result counts whichever attempt it is of.
    AttemptNotChecked,
    /// An outbox is marked before it is handed out.
    OutboxMarkedFirst,
    /// Nothing is written down that would wake the engine when an action takes too long.
    NoDeadline,
    /// Of two executions at a door the older one stays.
    OlderSupersedes,
    /// Any answer at an open approval counts, whatever its token.
    TokenIgnored,
    /// A stage that succeeded can be retried.
    TerminalMoves,
    /// A disabled transition holds nobody.
    TransitionCrossed,
    /// An approval can be answered after it expired.
    ApprovalAfterExpiry,
    /// A stopping execution begins its next actions.
    StopStartsAnother,
    /// A failed execution gives its stage free while its actions run.
    LockReleasedEarly,
    /// A client request token is not kept.
    RequestTokenNotKept,
    /// A commit whose answer was lost counts as written.
    CommitNotReadBack,
    /// The sweep leaves outboxes alone.
    SweepSkipsOutbox,
    /// Whoever looks first enters, not whoever came first.
    QueueOvertaken,
    /// A job is made from the newest definition.
    DefinitionNotPinned,
    /// Some changes are not announced.
    ChangeNotAnnounced,
}

impl Bug {
    /// Every defect that can be planted.
    pub const ALL: [Self; 17] = [
        Self::NoVersionCheck,
        Self::AttemptNotChecked,
        Self::OutboxMarkedFirst,
        Self::NoDeadline,
        Self::OlderSupersedes,
        Self::TokenIgnored,
        Self::TerminalMoves,
        Self::TransitionCrossed,
        Self::ApprovalAfterExpiry,
        Self::StopStartsAnother,
        Self::LockReleasedEarly,
        Self::RequestTokenNotKept,
        Self::CommitNotReadBack,
        Self::SweepSkipsOutbox,
        Self::QueueOvertaken,
        Self::DefinitionNotPinned,
        Self::ChangeNotAnnounced,
    ];
}

#[cfg(feature = "planted")]
mod thread {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants a defect in this thread, or removes the one that is there.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    /// Whether this defect is planted here.
    pub fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(feature = "planted")]
pub use thread::{plant, planted};

/// Whether this defect is planted here.
#[cfg(not(feature = "planted"))]
#[inline]
pub const fn planted(_bug: Bug) -> bool {
    false
}
