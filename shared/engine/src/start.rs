//! An execution begins (spec 30 §2, §4; spec 10, `StartPipelineExecution`).

use std::{collections::BTreeMap, sync::Arc};

use model::{
    Execution, ExecutionId, ExecutionStatus, Rejection, Subject,
    change::EventState,
    declaration::{
        ActionCategory, ActionDeclaration, ExecutionMode, PipelineDeclaration, PipelineType,
    },
    input::Start,
    state::{Position, RevisionType, SourceRevisionOverride, TriggerType},
};

use crate::{
    limits::{
        CONCURRENT_EXECUTIONS_MAX, REVISION_CHARACTERS_MAX, START_BYTES_MAX,
        VARIABLE_CHARACTERS_MAX,
    },
    turn::Turn,
};

impl Turn<'_> {
    /// Begins an execution; the same execution again changes nothing.
    pub(crate) fn start(&mut self, start: &Start) -> Result<(), Rejection> {
        if self.state.executions.contains_key(&start.execution) {
            return Ok(());
        }
        let Some(definition) = self.state.current_definition().cloned() else {
            return Err(Rejection::PipelineNotFound(
                self.state.head.pipeline.clone(),
            ));
        };
        match self.admit(&definition, start) {
            Ok(variables) => {
                self.begin_execution(&definition, start, variables);
                self.arrive(start.execution, 0);
            }
            // A caller is told; what an event asked for is kept as a failed execution.
            Err(rejection) if has_caller(start.trigger.kind) => return Err(rejection),
            Err(rejection) => {
                self.begin_execution(&definition, start, BTreeMap::new());
                self.refuse(start.execution, &rejection);
            }
        }
        Ok(())
    }

    fn admit(
        &self,
        definition: &PipelineDeclaration,
        start: &Start,
    ) -> Result<BTreeMap<String, String>, Rejection> {
        if definition.pipeline_type == PipelineType::V1
            && !(start.variables.is_empty() && start.overrides.is_empty())
        {
            let message = "variables and source revisions can only be given to V2 pipelines";
            return Err(Rejection::Validation(message.to_owned()));
        }
        let variables = variables(definition, &start.variables)?;
        check_overrides(definition, &start.overrides)?;
        check_size(&variables, &start.overrides)?;
        self.check_concurrency(definition.execution_mode)?;
        Ok(variables)
    }

    /// QUEUED and PARALLEL pipelines run a limited number of executions (spec 30 §4).
    pub(crate) fn check_concurrency(&self, mode: ExecutionMode) -> Result<(), Rejection> {
        let limited = match mode {
            ExecutionMode::Superseded => false,
            ExecutionMode::Queued | ExecutionMode::Parallel => true,
        };
        let in_progress = self
            .state
            .executions
            .values()
            .filter(|e| !e.status.is_terminal());
        if limited && in_progress.count() >= CONCURRENT_EXECUTIONS_MAX {
            let limit = CONCURRENT_EXECUTIONS_MAX;
            return Err(Rejection::ConcurrentPipelineExecutionsLimitExceeded { limit });
        }
        Ok(())
    }

    fn begin_execution(
        &mut self,
        definition: &PipelineDeclaration,
        start: &Start,
        variables: BTreeMap<String, String>,
    ) {
        self.state.head.sequence += 1;
        let execution = Execution {
            id: start.execution,
            sequence: self.state.head.sequence,
            definition: self.state.head.definition,
            mode: definition.execution_mode,
            status: ExecutionStatus::InProgress,
            status_summary: None,
            trigger: start.trigger.clone(),
            started: self.now,
            updated: self.now,
            position: Position::Inbound {
                stage: 0,
                since: self.now,
            },
            variables,
            overrides: start.overrides.clone(),
            revisions: BTreeMap::new(),
            stages: BTreeMap::new(),
            stop: None,
            cancelling: false,
            attempt: 1,
            changes: 0,
            secret: start.secret,
        };
        self.state
            .executions
            .insert(start.execution, Arc::new(execution));
        let trigger = Some(start.trigger.clone());
        let subject = Subject::Pipeline {
            state: EventState::Started,
            trigger,
            comment: None,
        };
        self.announce(start.execution, subject);
    }

    fn refuse(&mut self, id: ExecutionId, rejection: &Rejection) {
        let summary = match rejection {
            Rejection::ConcurrentPipelineExecutionsLimitExceeded { .. } => {
                "concurrent execution limit reached".to_owned()
            }
            other => other.to_string(),
        };
        let execution = self.execution(id);
        execution.status = ExecutionStatus::Failed;
        execution.status_summary = Some(summary);
        execution.position = Position::Done;
        self.announce_pipeline(id, EventState::Failed);
    }
}

/// Whether somebody waits for the answer (spec 30 §4). The first run of a new pipeline has nobody:
/// the pipeline was created all the same (spec 30 §11).
fn has_caller(trigger: TriggerType) -> bool {
    match trigger {
        TriggerType::StartPipelineExecution | TriggerType::PutActionRevision => true,
        TriggerType::CreatePipeline
        | TriggerType::PollForSourceChanges
        | TriggerType::Webhook
        | TriggerType::CloudWatchEvent
        | TriggerType::WebhookV2 => false,
    }
}

/// The pipeline's variables with what was given for them, or their defaults (spec 30 §11).
fn variables(
    definition: &PipelineDeclaration,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Rejection> {
    let is_declared = |name: &String| definition.variables.iter().any(|v| v.name == *name);
    if let Some(unknown) = given.keys().find(|name| !is_declared(name)) {
        let known: Vec<_> = definition
            .variables
            .iter()
            .map(|v| format!("`{}`", v.name))
            .collect();
        let known = if known.is_empty() {
            "it declares none".to_owned()
        } else {
            format!("it declares {}", known.join(", "))
        };
        let message = format!("the pipeline declares no variable `{unknown}`; {known}");
        return Err(Rejection::Validation(message));
    }
    let mut values = BTreeMap::new();
    for variable in &definition.variables {
        let name = &variable.name;
        let value = given
            .get(name)
            .or(variable.default_value.as_ref())
            .ok_or_else(|| {
                let message = format!("variable `{name}` has no default, and no value was given");
                Rejection::Validation(message)
            })?;
        let characters = value.chars().count();
        if !(1..=VARIABLE_CHARACTERS_MAX).contains(&characters) {
            return Err(Rejection::Validation(format!(
                "the value of variable `{name}` has {characters} characters, \
                 and it must have 1 to {VARIABLE_CHARACTERS_MAX}"
            )));
        }
        values.insert(name.clone(), value.clone());
    }
    Ok(values)
}

/// Source revisions may be given for source actions, of the kind that the provider has
/// (spec 30 §12).
fn check_overrides(
    definition: &PipelineDeclaration,
    overrides: &[SourceRevisionOverride],
) -> Result<(), Rejection> {
    let sources = definition.stages.iter().flat_map(|stage| &stage.actions);
    let sources: Vec<_> = sources
        .filter(|a| a.action_type_id.category == ActionCategory::Source)
        .collect();
    for (at, revision) in overrides.iter().enumerate() {
        let name = &revision.action_name;
        let Some(action) = sources.iter().find(|action| action.name == *name) else {
            let message = format!("the pipeline has no source action `{name}`");
            return Err(Rejection::Validation(message));
        };
        if !fits(action, revision.revision_type) {
            let kind = revision.revision_type;
            let message = format!("source action `{name}` takes no revision of type {kind:?}");
            return Err(Rejection::Validation(message));
        }
        let characters = revision.revision_value.chars().count();
        if !(1..=REVISION_CHARACTERS_MAX).contains(&characters) {
            return Err(Rejection::Validation(format!(
                "the revision of source action `{name}` has {characters} characters, \
                 and it must have 1 to {REVISION_CHARACTERS_MAX}"
            )));
        }
        let repeats = |other: &SourceRevisionOverride| {
            other.action_name == *name && other.revision_type == revision.revision_type
        };
        if overrides[..at].iter().any(repeats) {
            let message = format!("more than one revision was given for source action `{name}`");
            return Err(Rejection::Validation(message));
        }
    }
    Ok(())
}

/// Whether the action's provider has revisions of that kind.
fn fits(action: &ActionDeclaration, kind: RevisionType) -> bool {
    let provider = action.action_type_id.provider.as_str();
    match kind {
        RevisionType::CommitId => {
            matches!(
                provider,
                "CodeCommit" | "CodeStarSourceConnection" | "GitHub"
            )
        }
        RevisionType::ImageDigest => provider == "ECR",
        RevisionType::S3ObjectVersionId => provider == "S3",
        RevisionType::S3ObjectKey => {
            let allowed = action.configuration.get("AllowOverrideForS3ObjectKey");
            provider == "S3" && allowed.is_some_and(|value| value.eq_ignore_ascii_case("true"))
        }
    }
}

/// Everything that an execution carries from its start fits into its item.
fn check_size(
    variables: &BTreeMap<String, String>,
    overrides: &[SourceRevisionOverride],
) -> Result<(), Rejection> {
    let of_variables = variables
        .iter()
        .map(|(name, value)| name.len() + value.len());
    let of_overrides = overrides
        .iter()
        .map(|given| given.action_name.len() + given.revision_value.len());
    let bytes: usize = of_variables.chain(of_overrides).sum();
    if bytes > START_BYTES_MAX {
        let message = format!(
            "variables and source revisions take {bytes} bytes, \
             and the most is {START_BYTES_MAX}"
        );
        return Err(Rejection::Validation(message));
    }
    Ok(())
}
