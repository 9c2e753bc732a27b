//! A person decides (spec 30 §14).

use expect_test::expect;

use crate::script::check;

/// spec 30 §14.
#[test]
fn an_approval_lets_the_execution_pass() {
    check(
        r#"
            pipeline: Source > Approve? > Deploy
            start e1
            finish e1 Source
            approve e1 Approve looks good
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Approve STARTED, Approve/Approve STARTED (asks)
                = e1 in Approve (Approve …)
            0:00  approve e1 Approve looks good
                e1: Approve/Approve SUCCEEDED, Approve SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …)
        "#]],
    );
}

#[test]
fn a_rejection_fails_the_stage() {
    check(
        r#"
            pipeline: Source > Approve? > Deploy
            start e1
            finish e1 Source
            reject e1 Approve not on a Friday
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Approve STARTED, Approve/Approve STARTED (asks)
                = e1 in Approve (Approve …)
            0:00  reject e1 Approve not on a Friday
                e1: Approve/Approve FAILED (JobFailed: Rejected by ann: not on a Friday), Approve FAILED, FAILED
                = idle
        "#]],
    );
}

/// A worker that shows the very token of the attempt is no person.
#[test]
fn the_result_of_a_worker_ends_no_approval() {
    check(
        r#"
            pipeline: Source > Approve? > Deploy
            start e1
            finish e1 Source
            finish e1 Approve
            fail e1 Approve
            approve e1 Approve
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Approve STARTED, Approve/Approve STARTED (asks)
                = e1 in Approve (Approve …)
            0:00  finish e1 Approve
                = e1 in Approve (Approve …)
            0:00  fail e1 Approve
                = e1 in Approve (Approve …)
            0:00  approve e1 Approve
                e1: Approve/Approve SUCCEEDED, Approve SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …)
        "#]],
    );
}

/// `ApprovalAlreadyCompletedException`, also after the end.
#[test]
fn a_second_answer_comes_too_late() {
    check(
        r#"
            pipeline: Source > Approve{ann?|bob?} > Deploy
            start e1
            finish e1 Source
            approve e1 ann
            reject e1 ann
            approve e1 bob
            approve e1 bob
            finish e1 Deploy
            approve e1 bob
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Approve STARTED, Approve/ann STARTED (asks), Approve/bob STARTED (asks)
                = e1 in Approve (ann …, bob …)
            0:00  approve e1 ann
                e1: Approve/ann SUCCEEDED
                = e1 in Approve (ann ✓, bob …)
            0:00  reject e1 ann
                refused: ApprovalAlreadyCompletedException: the approval was answered already
                = e1 in Approve (ann ✓, bob …)
            0:00  approve e1 bob
                e1: Approve/bob SUCCEEDED, Approve SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …)
            0:00  approve e1 bob
                refused: ApprovalAlreadyCompletedException: the approval was answered already
                = e1 in Deploy (Deploy …)
            0:00  finish e1 Deploy
                e1: Deploy/Deploy SUCCEEDED, Deploy SUCCEEDED, SUCCEEDED
                = idle
            0:00  approve e1 bob
                refused: ApprovalAlreadyCompletedException: the approval was answered already
                = idle
        "#]],
    );
}

#[test]
fn a_token_that_was_never_issued_is_refused() {
    check(
        r#"
            pipeline: Source > Approve? > Deploy
            start e1
            finish e1 Source
            approve e1 Approve with a foreign token
            approve e1 Nobody
            forge e1 Approve
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Approve STARTED, Approve/Approve STARTED (asks)
                = e1 in Approve (Approve …)
            0:00  approve e1 Approve with a foreign token
                refused: InvalidApprovalTokenException: the token does not belong to an open approval of this action
                = e1 in Approve (Approve …)
            0:00  approve e1 Nobody
                refused: StageNotFoundException: the pipeline has no stage `Nobody`
                = e1 in Approve (Approve …)
            0:00  forge e1 Approve
                = e1 in Approve (Approve …)
        "#]],
    );
}

/// spec 30 §14, §18: a timed-out approval is treated like a rejected one.
#[test]
fn nobody_answers_in_time() {
    check(
        r#"
            pipeline: Source > Approve? > Deploy
              Approve timeout 10
            start e1
            finish e1 Source
            wait 10m
            approve e1 Approve
            tick
            approve e1 Approve
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Approve STARTED, Approve/Approve STARTED (asks)
                = e1 in Approve (Approve …)
            0:10  approve e1 Approve
                refused: InvalidApprovalTokenException: the token does not belong to an open approval of this action
                = e1 in Approve (Approve …)
            0:10  tick
                e1: Approve/Approve FAILED (JobFailed: The action timed out after 10 minutes), Approve FAILED, FAILED
                = idle
            0:10  approve e1 Approve
                refused: InvalidApprovalTokenException: the token does not belong to an open approval of this action
                = idle
        "#]],
    );
}

#[test]
fn an_approval_waits_seven_days_unless_told_otherwise() {
    check(
        r#"
            pipeline: Source > Approve?
            start e1
            finish e1 Source
            show e1 Approve
            wait 7d
            tick
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Approve STARTED, Approve/Approve STARTED (asks)
                = e1 in Approve (Approve …)
                the job of Approve of e1:
                  up to 10080 minutes
            7d 0:00  tick
                e1: Approve/Approve FAILED (JobFailed: The action timed out after 10080 minutes), Approve FAILED, FAILED
                = idle
        "#]],
    );
}

#[test]
fn a_retry_asks_with_a_new_token() {
    check(
        r#"
            pipeline: Source > Approve? > Deploy
            start e1
            finish e1 Source
            reject e1 Approve
            retry e1 Approve failed
            approve e1 Approve#1
            approve e1 Approve#2
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Approve STARTED, Approve/Approve STARTED (asks)
                = e1 in Approve (Approve …)
            0:00  reject e1 Approve
                e1: Approve/Approve FAILED (JobFailed: Rejected by ann), Approve FAILED, FAILED
                = idle
            0:00  retry e1 Approve failed
                e1: RESUMED (attempt 2), Approve RESUMED, Approve/Approve#2 STARTED (asks)
                = e1 in Approve (Approve …)
            0:00  approve e1 Approve#1
                refused: InvalidApprovalTokenException: the token does not belong to an open approval of this action
                = e1 in Approve (Approve …)
            0:00  approve e1 Approve#2
                e1: Approve/Approve#2 SUCCEEDED, Approve SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …)
        "#]],
    );
}

#[test]
fn a_person_cannot_answer_for_a_worker() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            finish e1 Source
            approve e1 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:00  approve e1 Build
                refused: InvalidApprovalTokenException: the token does not belong to an open approval of this action
                = e1 in Build (Build …)
        "#]],
    );
}
