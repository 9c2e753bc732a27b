//! Actions begin, go on and end (spec 30 §5, §18; spec 60 §0.1).

use std::sync::Arc;

use model::{
    ActionOutput, ActionStatus, ActionUpdate, AttemptKey, Effect, ExecutionId, Job, Subject,
    change::{ActionChange, EventState},
    declaration::{ActionDeclaration, catalogue},
    derive,
    job::{ActionResult, ErrorDetails},
    planted::{Bug, planted},
    state::{ActionState, SourceRevision},
};

use crate::{
    approval::is_approval,
    job::{attempt_key, blank_job, outputs, prepare},
    limits::{OUTPUT_VARIABLES_BYTES_MAX, REVISIONS_BYTES_MAX},
    turn::Turn,
};

impl Turn<'_> {
    /// Begins the next attempt of an action, or fails it when it cannot begin.
    pub(crate) fn begin_action(
        &mut self,
        id: ExecutionId,
        stage: &str,
        action: &ActionDeclaration,
    ) {
        let newest = self.state.current_definition().cloned();
        let newest = newest.filter(|_| planted(Bug::DefinitionNotPinned));
        let newest = newest.as_ref().and_then(|newest| newest.stage(stage));
        let newest = newest.and_then(|(_, newest)| newest.action(&action.name));
        let action = newest.unwrap_or(action);
        let now = self.now;
        let until = now.plus_minutes(catalogue::timeout_minutes(action));
        let actions = &mut self.stage_execution(id, stage).actions;
        let attempt = actions.get(&action.name).map_or(0, |state| state.attempt) + 1;
        let state = ActionState {
            attempt,
            status: ActionStatus::InProgress,
            started: now,
            updated: now,
            until: Some(until),
            rerun: false,
            decided: false,
            outputs: Arc::default(),
        };
        actions.insert(action.name.clone(), state);
        let definition = self.definition_of(id);
        let pipeline = self.state.head.pipeline.clone();
        let execution = self.seen(id);
        let mut job = blank_job(&pipeline, execution, &definition, stage, action, attempt);
        (job.started, job.until) = (now, until);
        let prepared = prepare(&mut job, execution, &definition, stage, action);
        let mut change = action_change(&job, EventState::Started);
        change.artifacts.clone_from(&job.inputs);
        self.announce(id, Subject::Action(Box::new(change)));
        match prepared {
            Ok(()) if is_approval(action) => self.effects.push(Effect::Ask(Box::new(job))),
            Ok(()) => self.effects.push(Effect::Dispatch(Box::new(job))),
            Err(error) => {
                self.effects.push(Effect::Refuse(Box::new(job)));
                let output = ActionOutput::default();
                let result = ActionResult::Failed { error, output };
                self.end_action(id, stage, &action.name, &result, None);
            }
        }
    }

    /// Keeps what a worker tells of an attempt in progress.
    pub(crate) fn progress_action(&mut self, key: &AttemptKey, output: &ActionOutput) {
        if !self.is_open(key) {
            return;
        }
        let status = ActionStatus::InProgress;
        self.record(
            key.execution,
            &key.stage,
            &key.action,
            status,
            None,
            None,
            output.clone(),
        );
    }

    /// Ends an attempt with the worker's result; one that is not open any more changes nothing.
    pub(crate) fn finish_action(&mut self, key: &AttemptKey, result: &ActionResult) {
        if self.is_open(key) {
            self.end_action(key.execution, &key.stage, &key.action, result, None);
        }
    }

    /// Whether the bearer of the key holds the attempt that is in progress now, and is to do it: an
    /// approval is ended by a person alone, with [`Turn::decide_approval`].
    fn is_open(&self, key: &AttemptKey) -> bool {
        let Some(execution) = self.state.executions.get(&key.execution) else {
            return false;
        };
        let stage = execution.stages.get(&key.stage);
        let Some(state) = stage.and_then(|stage| stage.actions.get(&key.action)) else {
            return false;
        };
        let definition = self.definition_of(key.execution);
        let declared = definition.stage(&key.stage);
        let declared = declared.and_then(|(_, stage)| stage.action(&key.action));
        if declared.is_some_and(is_approval) {
            return false;
        }
        let token = derive::attempt_token(execution.secret, &key.stage, &key.action, key.attempt);
        let is_its_own = state.attempt == key.attempt && token == key.token;
        state.status == ActionStatus::InProgress && (is_its_own || planted(Bug::AttemptNotChecked))
    }

    /// Ends an action in progress, whoever says so.
    pub(crate) fn end_action(
        &mut self,
        id: ExecutionId,
        stage: &str,
        action: &str,
        result: &ActionResult,
        by: Option<&str>,
    ) {
        let definition = self.definition_of(id);
        let declared = definition
            .stage(stage)
            .and_then(|(_, stage)| stage.action(action));
        let Some(declared) = declared else { return };
        let (error, mut output) = match result {
            ActionResult::Succeeded(output) => (too_many_variables(output), output.clone()),
            ActionResult::Failed { error, output } => (Some(error.clone()), output.clone()),
        };
        if error.is_some() {
            output.variables = Arc::default();
        }
        let status = if error.is_some() {
            ActionStatus::Failed
        } else {
            ActionStatus::Succeeded
        };
        self.settle_state(id, stage, action, status);
        if status == ActionStatus::Succeeded {
            self.keep_output(id, stage, declared, &output);
        }
        let state = match status {
            ActionStatus::Succeeded => EventState::Succeeded,
            ActionStatus::Failed | ActionStatus::InProgress | ActionStatus::Abandoned => {
                EventState::Failed
            }
        };
        let mut change = self.change_of(id, stage, declared, state);
        if status == ActionStatus::Succeeded {
            change.artifacts = outputs(
                &self.state.head.pipeline,
                self.seen(id),
                &definition,
                stage,
                declared,
            );
        }
        change.error.clone_from(&error);
        change.output = Some(output.clone());
        self.record(id, stage, action, status, by, error, output);
        self.announce(id, Subject::Action(Box::new(change)));
        self.release_lock_if_ended(id, stage);
    }

    /// Gives up an action in progress: its result no longer counts.
    pub(crate) fn abandon_action(
        &mut self,
        id: ExecutionId,
        stage: &str,
        action: &ActionDeclaration,
        state: EventState,
    ) {
        let name = &action.name;
        let key = self.key_of(id, stage, name);
        self.settle_state(id, stage, name, ActionStatus::Abandoned);
        let output = ActionOutput::default();
        self.record(id, stage, name, ActionStatus::Abandoned, None, None, output);
        if !is_approval(action) {
            self.effects.push(Effect::Cancel(Box::new(key)));
        }
        let change = self.change_of(id, stage, action, state);
        self.announce(id, Subject::Action(Box::new(change)));
    }

    /// Fails the actions whose time is up (spec 30 §18).
    pub(crate) fn expire(&mut self) {
        for (id, stage, action) in self.overdue() {
            if !self.afford() {
                return;
            }
            let definition = self.definition_of(id);
            let declared = definition
                .stage(&stage)
                .and_then(|(_, stage)| stage.action(&action));
            let Some(declared) = declared else { continue };
            let minutes = catalogue::timeout_minutes(declared);
            let message = format!("The action timed out after {minutes} minutes");
            let error = ErrorDetails::job_failed(message);
            if !is_approval(declared) {
                let key = self.key_of(id, &stage, &action);
                self.effects.push(Effect::Cancel(Box::new(key)));
            }
            let result = ActionResult::Failed {
                error,
                output: ActionOutput::default(),
            };
            self.end_action(id, &stage, &action, &result, None);
        }
    }

    fn overdue(&self) -> Vec<(ExecutionId, String, String)> {
        let mut overdue = Vec::new();
        for execution in self.state.executions.values() {
            for (stage, running) in &execution.stages {
                for (action, state) in &running.actions {
                    let in_progress = state.status == ActionStatus::InProgress;
                    if in_progress && state.until.is_some_and(|until| until <= self.now) {
                        overdue.push((execution.id, stage.clone(), action.clone()));
                    }
                }
            }
        }
        overdue
    }

    fn settle_state(&mut self, id: ExecutionId, stage: &str, action: &str, status: ActionStatus) {
        let now = self.now;
        let actions = &mut self.stage_execution(id, stage).actions;
        let state = actions.get_mut(action).expect("the action is in progress");
        state.status = status;
        state.updated = now;
        state.until = None;
    }

    fn keep_output(
        &mut self,
        id: ExecutionId,
        stage: &str,
        action: &ActionDeclaration,
        output: &ActionOutput,
    ) {
        if action.namespace.is_some() {
            let actions = &mut self.stage_execution(id, stage).actions;
            let state = actions
                .get_mut(&action.name)
                .expect("the action was in progress");
            state.outputs = Arc::clone(&output.variables);
        }
        if let Some(revision) = &output.revision {
            let mut revision = revision.clone();
            // Texts that do not fit here are still in the record of the attempt.
            let kept: usize = self
                .seen(id)
                .revisions
                .values()
                .map(bytes_of_revision)
                .sum();
            if kept + bytes_of_revision(&revision) > REVISIONS_BYTES_MAX {
                revision.revision_summary = None;
                revision.revision_url = None;
            }
            let revisions = &mut self.execution(id).revisions;
            revisions.insert(action.name.clone(), revision);
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of the record, each from elsewhere"
    )]
    fn record(
        &mut self,
        id: ExecutionId,
        stage: &str,
        action: &str,
        status: ActionStatus,
        by: Option<&str>,
        error: Option<ErrorDetails>,
        output: ActionOutput,
    ) {
        let attempt = self.seen(id).stages[stage].actions[action].attempt;
        let update = ActionUpdate {
            execution: id,
            stage: stage.to_owned(),
            action: action.to_owned(),
            attempt,
            action_execution_id: derive::action_execution_id(id, stage, action, attempt),
            status,
            at: self.now,
            by: by.map(str::to_owned),
            error,
            output,
        };
        self.effects.push(Effect::Record(Box::new(update)));
    }

    /// An execution that failed gives its stage free when the last parallel action has ended.
    fn release_lock_if_ended(&mut self, id: ExecutionId, stage: &str) {
        if self.seen(id).status.is_terminal() {
            self.release_lock(id, stage);
        }
    }

    fn key_of(&self, id: ExecutionId, stage: &str, action: &str) -> AttemptKey {
        let execution = self.seen(id);
        let attempt = execution.stages[stage].actions[action].attempt;
        attempt_key(&self.state.head.pipeline, execution, stage, action, attempt)
    }

    fn change_of(
        &self,
        id: ExecutionId,
        stage: &str,
        action: &ActionDeclaration,
        state: EventState,
    ) -> ActionChange {
        let attempt = self.seen(id).stages[stage].actions[&action.name].attempt;
        ActionChange {
            stage: stage.to_owned(),
            action: action.name.clone(),
            attempt,
            state,
            action_execution_id: derive::action_execution_id(id, stage, &action.name, attempt),
            action_type: action.action_type_id.clone(),
            region: action.region.clone(),
            artifacts: Vec::new(),
            error: None,
            output: None,
        }
    }
}

fn too_many_variables(output: &ActionOutput) -> Option<ErrorDetails> {
    let bytes: usize = output
        .variables
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    (bytes > OUTPUT_VARIABLES_BYTES_MAX).then(|| {
        ErrorDetails::job_failed(format!(
            "the output variables take {bytes} bytes, and the most is {OUTPUT_VARIABLES_BYTES_MAX}"
        ))
    })
}

fn bytes_of_revision(revision: &SourceRevision) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    revision.revision_id.len() + text(&revision.revision_summary) + text(&revision.revision_url)
}

fn action_change(job: &Job, state: EventState) -> ActionChange {
    ActionChange {
        stage: job.key.stage.clone(),
        action: job.key.action.clone(),
        attempt: job.key.attempt,
        state,
        action_execution_id: job.action_execution_id,
        action_type: job.action_type.clone(),
        region: job.region.clone(),
        artifacts: Vec::new(),
        error: None,
        output: None,
    }
}
