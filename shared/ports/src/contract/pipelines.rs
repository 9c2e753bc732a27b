//! What every [`PipelineStore`] does, one property a function: what a commit does (`commits`), what
//! is to be done (`work`), and what stays to be looked at (`history`).
//!
//! `pipeline_store_contract!` makes a test of each; an adapter gives it a [`Harness`].

#![expect(
    clippy::missing_panics_doc,
    reason = "a property that does not hold is told by a panic: these are the bodies of tests"
)]

mod commits;
pub mod fixture;
mod history;
mod work;

use std::sync::Arc;

use async_trait::async_trait;

use crate::store::PipelineStore;
pub use commits::*;
pub use history::*;
pub use work::*;

/// A store to be tried.
#[async_trait]
pub trait Harness: Send {
    fn store(&self) -> Arc<dyn PipelineStore>;

    /// Ends the store as a crash would and opens it again.
    async fn reopen(&mut self);
}

/// Makes a test of each property, for the adapter that the expression gives a harness of.
#[macro_export]
macro_rules! pipeline_store_contract {
    ($new:expr) => {
        $crate::pipeline_store_contract!(@each $new;
            what_was_committed_is_loaded_after_a_crash
            a_pipeline_that_was_never_created_is_not_there
            a_commit_is_refused_when_the_version_moved
            the_last_commit_shows_its_id
            a_token_starts_one_execution
            an_item_that_does_not_fit_is_refused_whole
            a_commit_is_there_whole
            of_a_refused_commit_there_is_nothing
            an_execution_that_a_commit_does_not_name_stays
            an_execution_that_a_commit_does_not_change_stays
            every_version_of_a_definition_stays
            tags_stay_until_others_replace_them
            a_pipeline_that_went_leaves_its_name_and_its_journal
            a_commit_of_a_pipeline_that_went_is_none_of_the_next_ones
            pipelines_do_not_disturb_each_other
            deadlines_come_due_the_longest_overdue_first
            an_outbox_is_there_until_it_is_delivered
            a_crash_may_repeat_a_delivery_and_never_loses_one
            open_jobs_are_those_that_a_worker_still_has_to_do
            an_approval_is_nobodys_job
            messages_come_back_as_they_were_in_their_order
            outboxes_are_paged_oldest_first
            open_jobs_are_paged_in_order_of_id
            an_attempt_that_ends_where_it_begins_is_never_open
            a_newer_attempt_is_open_and_the_older_one_is_not
            news_of_an_attempt_add_up
            output_variables_come_back_with_the_execution
            an_execution_that_ended_is_loaded_when_it_is_asked_for
            executions_are_listed_newest_first
            the_journal_has_every_commit_in_order
            pipelines_are_listed_by_name
            whoever_watches_a_place_is_found
            attempts_are_listed_in_the_order_in_which_they_began
            the_newest_attempts_of_a_pipeline_come_first_in_pages
            an_ended_execution_goes_on_with_its_record
            news_in_one_commit_add_up
            the_journal_has_the_changes_of_each_commit
        );
    };
    (@each $new:expr; $($property:ident)*) => {
        $(
            #[tokio::test]
            async fn $property() {
                let mut harness = $new;
                $crate::contract::pipelines::$property(&mut harness).await;
            }
        )*
    };
}
