//! A person answers an approval (spec 30 §14).

use model::{
    ActionOutput, ActionStatus, ExecutionId, Rejection,
    declaration::{ActionCategory, ActionDeclaration},
    derive,
    input::ApprovalDecision,
    job::{ActionResult, ErrorDetails},
    planted::{Bug, planted},
};

use crate::turn::Turn;

/// Whether a person does this action, not a worker.
pub(crate) fn is_approval(action: &ActionDeclaration) -> bool {
    action.action_type_id.category == ActionCategory::Approval
}

impl Turn<'_> {
    /// Applies an answer that bears the token of an open approval.
    ///
    /// The token tells which execution is meant: a PARALLEL pipeline may have many at one action.
    pub(crate) fn decide_approval(&mut self, decision: &ApprovalDecision) -> Result<(), Rejection> {
        let (stage, action) = (&decision.stage, &decision.action);
        let Some(id) = self.holder_of_token(decision) else {
            return Err(self.why_no_holder(decision));
        };
        let state = &self.seen(id).stages[stage].actions[action];
        if state.decided {
            return Err(Rejection::ApprovalAlreadyCompleted);
        }
        let is_open = state.status == ActionStatus::InProgress;
        let expired = state.until.is_some_and(|until| until <= self.now);
        if !is_open || (expired && !planted(Bug::ApprovalAfterExpiry)) {
            return Err(Rejection::InvalidApprovalToken);
        }
        let summary = decision.summary.clone();
        let output = ActionOutput {
            summary: (!summary.is_empty()).then(|| summary.clone()),
            ..ActionOutput::default()
        };
        let result = if decision.approved {
            ActionResult::Succeeded(output)
        } else {
            let mut message = format!("Rejected by {}", decision.by);
            if !summary.is_empty() {
                message = format!("{message}: {summary}");
            }
            ActionResult::Failed {
                error: ErrorDetails::job_failed(message),
                output,
            }
        };
        let running = self.stage_execution(id, stage);
        let state = running.actions.get_mut(action).expect("the holder has it");
        state.decided = true;
        self.end_action(id, stage, action, &result, Some(&decision.by));
        Ok(())
    }

    fn holder_of_token(&self, decision: &ApprovalDecision) -> Option<ExecutionId> {
        let (stage, action) = (&decision.stage, &decision.action);
        let mut executions = self.state.executions.values();
        let holder = executions.find(|execution| {
            let state = execution
                .stages
                .get(stage)
                .and_then(|stage| stage.actions.get(action));
            let is_person = self
                .definition_of(execution.id)
                .stage(stage)
                .and_then(|(_, stage)| stage.action(action))
                .is_some_and(is_approval);
            is_person
                && state.is_some_and(|state| {
                    let secret = execution.secret;
                    planted(Bug::TokenIgnored)
                        || derive::attempt_token(secret, stage, action, state.attempt)
                            == decision.token
                })
        });
        holder.map(|execution| execution.id)
    }

    fn why_no_holder(&self, decision: &ApprovalDecision) -> Rejection {
        let definition = self.state.current_definition();
        let Some((_, stage)) = definition.and_then(|d| d.stage(&decision.stage)) else {
            return Rejection::StageNotFound(decision.stage.clone());
        };
        match stage.action(&decision.action) {
            Some(_) => Rejection::InvalidApprovalToken,
            None => Rejection::ActionNotFound {
                stage: decision.stage.clone(),
                action: decision.action.clone(),
            },
        }
    }
}
