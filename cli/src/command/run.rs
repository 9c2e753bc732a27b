//! `run`: a pipeline here and now, with everything in this process.

mod approvals;
mod finish;
mod follow;
mod prepare;
mod results;

use std::{future::Future, path::PathBuf};

use embedded::Isolation;
use model::{ActionCategory, ActionDeclaration, PipelineDeclaration};
use tempfile::TempDir;
use tokio::runtime;

use crate::{
    args::{Approve, Output, PlanFormat, RunArgs, Runner},
    diagnostics,
    exit::Exit,
    failure::{Failure, Finding, Severity},
    file::PipelineFile,
    local::{Local, LocalOptions},
    plan::Plan,
    select::Selection,
    state::{self, DEFAULT_DIRECTORY},
    terminal::{self, Terminal},
};

use super::sources::Sources;
use approvals::Policy;
use follow::Ending;

/// A run before anything is done: what, from where, and where its state is.
struct Order {
    file: PipelineFile,
    declaration: PipelineDeclaration,
    sources: Sources,
    policy: Policy,
    args: RunArgs,
    data: Data,
}

/// Where the state of a run is.
enum Data {
    /// Gone with the run.
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Data {
    fn path(&self) -> PathBuf {
        match self {
            // The state is a folder of its own, so that its mode is its maker's choice.
            Self::Temporary(folder) => folder.path().join("state"),
            Self::Kept(path) => path.clone(),
        }
    }

    fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }
}

impl Order {
    /// The directory that is told to people and takes the results.
    fn results_folder(&self) -> PathBuf {
        self.args
            .data
            .clone()
            .unwrap_or_else(|| PathBuf::from(DEFAULT_DIRECTORY))
    }

    /// A warning when an approval will come that nobody here answers.
    fn unanswered(&self) -> Vec<String> {
        if self.policy.how != Approve::Fail {
            return Vec::new();
        }
        let mut stages = self.declaration.stages.iter();
        let approval = stages.find_map(|stage| {
            let is_approval =
                |a: &&ActionDeclaration| a.action_type_id.category == ActionCategory::Approval;
            Some((stage, stage.actions.iter().find(is_approval)?))
        });
        let Some((stage, action)) = approval else {
            return Vec::new();
        };
        let keep = if self.data.is_kept() {
            ""
        } else {
            ", or --keep to continue it later"
        };
        vec![format!(
            "warning: {}/{} will wait for an answer, and nobody is here to give one: use \
             --approve auto{keep}",
            stage.name, action.name
        )]
    }

    /// The command that continues an execution of a kept state.
    fn resume_command(&self, execution: &str) -> String {
        let data = match &self.args.data {
            Some(data) => format!(" --data {}", data.display()),
            None => String::new(),
        };
        format!(
            "pipewright run {} --resume {execution}{data}",
            self.args.file.display()
        )
    }
}

pub(super) fn run(args: &RunArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let order = order(args, terminal)?;
    if args.dry_run {
        return within_runtime(dry_run(order, terminal));
    }
    within_runtime(execute(order, terminal))
}

fn order(args: &RunArgs, terminal: Terminal) -> Result<Order, Failure> {
    let file = PipelineFile::load(&args.file)?;
    let selection = Selection {
        only: args.only.clone(),
        from: args.from.clone(),
        until: args.until.clone(),
    };
    let declaration = selection.apply(&file.declaration)?;
    let sources = Sources::of(&file, &declaration, &args.sources)?;
    let policy = Policy::new(match args.approve {
        Some(how) => how,
        None if terminal.interactive => Approve::Prompt,
        None => Approve::Fail,
    });
    let keeps = args.keep || args.data.is_some() || args.resume.is_some();
    let data = if keeps && !args.dry_run {
        Data::Kept(
            args.data
                .clone()
                .unwrap_or_else(|| PathBuf::from(DEFAULT_DIRECTORY)),
        )
    } else {
        let folder = TempDir::with_prefix("pipewright-")
            .map_err(|error| Failure::system("make a temporary directory", &error))?;
        Data::Temporary(folder)
    };
    Ok(Order {
        file,
        declaration,
        sources,
        policy,
        args: args.clone(),
        data,
    })
}

fn within_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("start the threads", &error))?;
    let done = runtime.block_on(work);
    // A thread that waits for a person's answer must not hold up the end.
    runtime.shutdown_background();
    done
}

fn options(order: &Order) -> LocalOptions {
    let isolation = match order.args.runner {
        Runner::Auto => Isolation::Auto,
        Runner::Bubblewrap => Isolation::Bubblewrap,
        Runner::Docker => Isolation::Docker,
        Runner::Podman => Isolation::Podman,
        Runner::Process => Isolation::Process,
    };
    LocalOptions {
        data: order.data.path(),
        isolation,
        repositories: order.sources.repositories.clone(),
        fallback: Some(order.sources.fallback.clone()),
        pushed: None,
        cloned: order.sources.cloned.clone(),
        hidden: vec![PathBuf::from(DEFAULT_DIRECTORY), order.results_folder()],
        secrets: order
            .file
            .resources
            .secrets
            .as_ref()
            .map(|path| order.file.resolve(&path.value)),
        keep: false,
    }
}

/// Everything that would stop a run, found before it begins.
fn check_missing(order: &Order) -> Result<(), Failure> {
    let mut findings = order.file.missing(&order.declaration);
    findings.extend(
        order
            .sources
            .missing(&order.file, &order.declaration, order.data.is_kept()),
    );
    findings.extend(order.sources.unknown(&order.file, &order.declaration));
    if findings.is_empty() {
        Ok(())
    } else {
        Err(Failure {
            exit: Exit::NotFound,
            findings,
        })
    }
}

/// Goes as far as a start can without doing anything, in a state that is thrown away.
async fn dry_run(order: Order, terminal: Terminal) -> Result<Exit, Failure> {
    check_missing(&order)?;
    let local = Local::open(options(&order)).await?;
    let isolation = prepare::isolation(&local, &order)?;
    prepare::resources(&local, &order).await?;
    prepare::pipeline(&local, &order).await?;
    // The machine is not started: the execution exists and nothing happens.
    prepare::start(&local, &order).await?;
    let catalogue = providers::Catalogue::standard();
    let plan = Plan::of(&order.declaration, |id| catalogue.find(id).is_ok());
    let format = match terminal.output {
        Output::Text => PlanFormat::Text,
        Output::Json | Output::Jsonl | Output::Yaml => PlanFormat::Json,
    };
    terminal::print(&plan.render(format))
        .map_err(|error| Failure::system("write the plan", &error))?;
    for line in isolation {
        terminal.say(&line);
    }
    let failing = order.file.would_fail(&order.declaration);
    if failing.is_empty() {
        terminal.say("This was a dry run: everything needed is there, and nothing was run.");
        return Ok(Exit::Succeeded);
    }
    let findings = failing.into_iter().map(|finding| Finding {
        severity: Severity::Error,
        ..finding
    });
    Err(Failure {
        exit: Exit::Failed,
        findings: findings.collect(),
    })
}

async fn execute(order: Order, terminal: Terminal) -> Result<Exit, Failure> {
    if order.args.resume.is_none() {
        check_missing(&order)?;
    }
    if let Data::Kept(folder) = &order.data {
        state::make(folder).map_err(|error| {
            let shown = folder.display();
            Failure::usage(format!(
                "failed to make the data directory {shown}: {error}"
            ))
            .with_help("name a directory that you may write to: --data DIR")
        })?;
    }
    let local = Local::open(options(&order)).await?;
    let isolation = prepare::isolation(&local, &order)?;
    prepare::resources(&local, &order).await?;
    let started = if let Some(wanted) = &order.args.resume {
        prepare::find(&local, &order, wanted).await?
    } else {
        prepare::refuse_unfinished(&local, &order).await?;
        prepare::pipeline(&local, &order).await?;
        prepare::start(&local, &order).await?
    };
    results::prepare(&order.results_folder())?;
    let running = local.start()?;
    let mut follower = follow::Follower::new(&order, &running, &started, terminal);
    // The sources of an execution that goes on were taken when it began.
    if order.args.resume.is_none() {
        for warning in order.file.would_fail(&order.declaration) {
            follower.say(&[diagnostics::text(
                &warning,
                terminal.colour,
                terminal.size().0,
            )]);
        }
        follower.say(&order.unanswered());
        follower.say(&order.sources.notes(&order.declaration));
    }
    follower.say(&isolation);
    let ending = follower.follow().await?;
    let exit = finish::finish(&order, &running, follower, &ending, terminal).await?;
    if let (Ending::Waits, true) = (&ending, order.data.is_kept()) {
        return Ok(Exit::WaitingForApproval);
    }
    Ok(exit)
}
