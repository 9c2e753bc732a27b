//! Random pipelines and random inputs, among them repeated, late and forged ones and a clock that
//! goes back: [`Watched`] checks every step, and in the end everything can be brought to an end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{
    ActionCategory, ActionOutput, Effect, ExecutionId, Input, Job, PipelineDeclaration, Rejection,
    declaration::{ExecutionMode, RetryMode},
    input::{ApprovalDecision, Start},
    job::{ActionResult, ErrorDetails},
    state::{Trigger, TriggerType},
};
use proptest::{collection::vec, prelude::*, sample::Index};
use uuid::Uuid;

use crate::{
    declare::{action, pipeline, plain_stage},
    engine,
    oracle::Watched,
    transcript::BEGINNING,
};

/// More steps than any random history needs to come to its end.
const ENDING_STEPS_MAX: usize = 4_000;

/// What happens next; the indices choose among what there is by then.
#[derive(Clone, Debug)]
enum Event {
    Start {
        by_event: bool,
    },
    Report {
        job: Index,
        outcome: Outcome,
    },
    Answer {
        job: Index,
        approved: bool,
        forged: bool,
    },
    Transition {
        stage: Index,
        enabled: bool,
    },
    Stop {
        execution: Index,
        abandon: bool,
    },
    Retry {
        stage: Index,
        execution: Index,
        mode: RetryMode,
    },
    Update {
        declaration: Index,
    },
    Tick,
    Wait {
        minutes: u32,
    },
    Back {
        minutes: u32,
    },
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Succeeded,
    Failed,
    Progress,
    Forged,
}

fn declarations() -> impl Strategy<Value = Vec<PipelineDeclaration>> {
    let mode = prop_oneof![
        Just(ExecutionMode::Superseded),
        Just(ExecutionMode::Queued),
        Just(ExecutionMode::Parallel)
    ];
    // Each number is one action: its group, and whether a person does it or it cannot begin.
    let stage = vec((1_u32..=3, 0_u8..10), 1..=7);
    let one = (mode, vec(stage, 2..=4)).prop_map(|(mode, stages)| declaration(mode, &stages));
    vec(one, 1..=3)
}

fn declaration(mode: ExecutionMode, stages: &[Vec<(u32, u8)>]) -> PipelineDeclaration {
    let stage = |(at, actions): (usize, &Vec<(u32, u8)>)| {
        let one = |(number, (run_order, kind)): (usize, &(u32, u8))| {
            let name = format!("a{number}");
            let (category, provider) = match kind {
                _ if at == 0 => (ActionCategory::Source, "S3"),
                0 | 1 => (ActionCategory::Approval, "Manual"),
                _ => (ActionCategory::Test, "CodeBuild"),
            };
            let mut action = action(&name, category, provider, *run_order);
            if *kind == 9 {
                action
                    .configuration
                    .insert("K".into(), "#{Nobody.Said}".into());
            }
            action
        };
        plain_stage(
            &format!("S{at}"),
            actions.iter().enumerate().map(one).collect(),
        )
    };
    let mut declaration = pipeline(stages.iter().enumerate().map(stage).collect());
    declaration.execution_mode = mode;
    declaration
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let outcome = prop_oneof![
        6 => Just(Outcome::Succeeded),
        2 => Just(Outcome::Failed),
        1 => Just(Outcome::Progress),
        1 => Just(Outcome::Forged),
    ];
    let mode = prop_oneof![Just(RetryMode::FailedActions), Just(RetryMode::AllActions)];
    let index = any::<Index>;
    let event = prop_oneof![
        4 => any::<bool>().prop_map(|by_event| Event::Start { by_event }),
        20 => (index(), outcome).prop_map(|(job, outcome)| Event::Report { job, outcome }),
        4 => (index(), any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(job, approved, forged)| Event::Answer { job, approved, forged }),
        2 => (index(), any::<bool>())
            .prop_map(|(stage, enabled)| Event::Transition { stage, enabled }),
        2 => (index(), any::<bool>())
            .prop_map(|(execution, abandon)| Event::Stop { execution, abandon }),
        4 => (index(), index(), mode)
            .prop_map(|(stage, execution, mode)| Event::Retry { stage, execution, mode }),
        1 => index().prop_map(|declaration| Event::Update { declaration }),
        2 => Just(Event::Tick),
        2 => prop_oneof![1_u32..30, 400_u32..600, 40_000_u32..50_000]
            .prop_map(|minutes| Event::Wait { minutes }),
        1 => (1_u32..600).prop_map(|minutes| Event::Back { minutes }),
    ];
    vec(event, 1..120)
}

struct History {
    watched: Watched,
    declarations: Vec<Arc<PipelineDeclaration>>,
    executions: Vec<ExecutionId>,
    jobs: Vec<Job>,
}

impl History {
    fn new(declarations: Vec<PipelineDeclaration>) -> Self {
        let declarations: Vec<_> = declarations.into_iter().map(Arc::new).collect();
        let mut history = Self {
            watched: Watched::new(BEGINNING),
            declarations,
            executions: Vec::new(),
            jobs: Vec::new(),
        };
        let declaration = Arc::clone(&history.declarations[0]);
        history.report(&Input::DefinitionChanged { declaration });
        history
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Start { by_event } => self.start(*by_event),
            Event::Report { job, outcome } => self.result(*job, *outcome),
            Event::Answer {
                job,
                approved,
                forged,
            } => self.answer(*job, *approved, *forged),
            Event::Transition { stage, enabled } => self.set_transition(*stage, *enabled),
            Event::Stop { execution, abandon } => self.stop(*execution, *abandon),
            Event::Retry {
                stage,
                execution,
                mode,
            } => self.retry(*stage, *execution, *mode),
            Event::Update { declaration } => {
                let declaration = Arc::clone(declaration.get(&self.declarations));
                self.report(&Input::DefinitionChanged { declaration });
            }
            Event::Tick => {
                self.report(&Input::Tick);
            }
            Event::Wait { minutes } => {
                self.watched.now = self
                    .watched
                    .now
                    .plus(Duration::from_mins((*minutes).into()));
            }
            Event::Back { minutes } => self.watched.now.0 -= i64::from(*minutes) * 60_000,
        }
    }

    fn result(&mut self, job: Index, outcome: Outcome) {
        if self.jobs.is_empty() {
            return;
        }
        // The newest jobs are the likely ones; old ones are late results.
        let among = self.jobs.len().min(12);
        let job = self.jobs[self.jobs.len() - 1 - job.index(among)].clone();
        let input = report(&job, outcome);
        self.report(&input);
        if !self.watched.state.head.unsettled {
            let effects = self.report(&input);
            let is_note = matches!(outcome, Outcome::Progress);
            assert!(
                is_note || effects.is_empty(),
                "a repeated result: {effects:?}"
            );
        }
    }

    fn set_transition(&mut self, stage: Index, enabled: bool) {
        let definition = self.watched.state.current_definition().expect("saved");
        let stage = stage.get(&definition.stages).name.clone();
        let (reason, by) = (None, "ann".to_owned());
        let input = Input::TransitionSet {
            stage,
            enabled,
            reason,
            by,
        };
        self.ask(&input, None).expect("the stage is there");
    }

    fn stop(&mut self, execution: Index, abandon: bool) {
        if self.executions.is_empty() {
            return;
        }
        let execution = *execution.get(&self.executions);
        let (reason, by) = (None, "ann".to_owned());
        let input = Input::StopRequested {
            execution,
            abandon,
            reason,
            by,
        };
        self.ask(&input, Some(execution)).ok();
    }

    fn retry(&mut self, stage: Index, execution: Index, mode: RetryMode) {
        if self.executions.is_empty() {
            return;
        }
        let execution = *execution.get(&self.executions);
        let stage = format!("S{}", stage.index(4));
        let input = Input::RetryRequested {
            stage,
            execution,
            mode,
        };
        self.ask(&input, Some(execution)).ok();
    }

    fn start(&mut self, by_event: bool) {
        let number = self.executions.len() as u128;
        // Ids that neither rise nor fall: nothing may depend on their order.
        let execution = ExecutionId(Uuid::from_u128(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let kind = if by_event {
            TriggerType::CloudWatchEvent
        } else {
            TriggerType::StartPipelineExecution
        };
        let start = Start {
            execution,
            secret: Uuid::from_u128(number + 1_000_000),
            trigger: Trigger {
                kind,
                detail: "start".to_owned(),
            },
            variables: BTreeMap::new(),
            overrides: Vec::new(),
        };
        let input = Input::Start(Box::new(start));
        if by_event {
            self.report(&input);
            self.executions.push(execution);
        } else if self.ask(&input, None).is_ok() {
            self.executions.push(execution);
        }
    }

    fn answer(&mut self, job: Index, approved: bool, forged: bool) {
        let is_question = |job: &&Job| job.action_type.category == ActionCategory::Approval;
        let questions: Vec<&Job> = self.jobs.iter().rev().filter(is_question).take(6).collect();
        if questions.is_empty() {
            return;
        }
        let key = job.get(&questions).key.clone();
        let decision = ApprovalDecision {
            stage: key.stage,
            action: key.action,
            token: if forged {
                Uuid::from_u128(666)
            } else {
                key.token
            },
            approved,
            summary: String::new(),
            by: "ann".to_owned(),
        };
        let input = Input::ApprovalDecided(decision);
        let given = self.ask(&input, Some(key.execution));
        assert!(!(forged && given.is_ok()), "a forged answer was taken");
        let again = self.ask(&input, Some(key.execution));
        assert!(again.is_err(), "a second answer was taken");
    }

    /// What nobody can reject.
    fn report(&mut self, input: &Input) -> Vec<Effect> {
        let effects = self.watched.step(input, None);
        self.keep(effects.expect("nobody can reject it"))
    }

    /// What a person asks for; a rejection changes nothing.
    fn ask(&mut self, input: &Input, also: Option<ExecutionId>) -> Result<(), Rejection> {
        let effects = self.watched.step(input, also)?;
        self.keep(effects);
        Ok(())
    }

    fn keep(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        for effect in &effects {
            if let Effect::Dispatch(job) | Effect::Ask(job) = effect {
                self.jobs.push((**job).clone());
            }
        }
        effects
    }

    /// Opens every way, answers every question, reports every job: all must end.
    fn end(&mut self) {
        let stages = self
            .watched
            .state
            .current_definition()
            .expect("saved")
            .stages
            .clone();
        for stage in stages {
            let (reason, by) = (None, "ann".to_owned());
            let input = Input::TransitionSet {
                stage: stage.name,
                enabled: true,
                reason,
                by,
            };
            self.ask(&input, None).expect("the stage is there");
        }
        let mut next = 0;
        for _ in 0..ENDING_STEPS_MAX {
            if self.watched.state.head.unsettled {
                self.report(&Input::Tick);
            } else if let Some(job) = self.jobs.get(next) {
                let input = if job.action_type.category == ActionCategory::Approval {
                    self.watched.now = self.watched.now.max(job.until);
                    Input::Tick
                } else {
                    report(job, Outcome::Succeeded)
                };
                self.report(&input);
                next += 1;
            } else {
                let live = self.watched.state.executions.len();
                assert_eq!(live, 0, "nothing is left to do and executions are left");
                assert_eq!(engine::deadline(&self.watched.state), None);
                return;
            }
        }
        panic!("the end does not come");
    }
}

fn report(job: &Job, outcome: Outcome) -> Input {
    let (mut key, output) = (job.key.clone(), ActionOutput::default());
    match outcome {
        Outcome::Succeeded => Input::ActionFinished {
            key,
            result: ActionResult::Succeeded(output),
        },
        Outcome::Failed => {
            let error = ErrorDetails::job_failed("exit 1");
            Input::ActionFinished {
                key,
                result: ActionResult::Failed { error, output },
            }
        }
        Outcome::Progress => Input::ActionProgressed { key, output },
        Outcome::Forged => {
            key.token = Uuid::from_u128(666);
            Input::ActionFinished {
                key,
                result: ActionResult::Succeeded(output),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_step_is_right_and_all_can_end(
        declarations in declarations(),
        events in events(),
    ) {
        let mut history = History::new(declarations);
        for event in &events {
            history.happen(event);
        }
        history.end();
    }
}
