//! Telling others: one loop for each target, woken when something was committed.

use std::{panic::AssertUnwindSafe, path::Path, sync::Arc, time::Duration};

use embedded::{Cursors as CursorStore, Secrets};
use futures_util::FutureExt as _;
use model::declaration::read::Format;
use notification::{Config, Links, Next, Notifier};
use ports::Cursors;
use tokio::{sync::watch, time::timeout};

use super::log::{Level, Log};
use crate::{
    args::ServeArgs,
    exit::Exit,
    failure::{Failure, Finding, Source},
    local::{Local, secrets},
};

/// How long a target rests after the store or the loop itself failed, and how often it is looked at
/// when nothing seems to happen.
const PAUSE: Duration = Duration::from_secs(5);

/// Tells one target, until it is dropped.
pub async fn tell(
    notifier: Arc<Notifier>,
    target: usize,
    mut news: watch::Receiver<u64>,
    log: Log,
) {
    loop {
        news.mark_unchanged();
        let next = match AssertUnwindSafe(notifier.run_once(target))
            .catch_unwind()
            .await
        {
            Ok(Ok(ran)) => {
                for trouble in ran.troubles {
                    log.write(
                        Level::Warning,
                        "a notification did not arrive",
                        [
                            ("target", trouble.target.clone().into()),
                            ("pipeline", trouble.pipeline.clone().into()),
                            ("event", trouble.event.to_string().into()),
                            ("attempt", trouble.attempt.into()),
                            ("error", trouble.to_string().into()),
                        ],
                    );
                }
                ran.next
            }
            Ok(Err(error)) => {
                let text = crate::failure::chain(&error);
                log.write(
                    Level::Warning,
                    "notifications cannot go on",
                    [("error", text.into())],
                );
                Next::After(PAUSE)
            }
            Err(_) => {
                log.write(Level::Error, "notifications failed unexpectedly", []);
                Next::After(PAUSE)
            }
        };
        match next {
            Next::Now => {}
            Next::After(pause) => tokio::time::sleep(pause).await,
            Next::OnCommit => {
                let _ = timeout(PAUSE, news.changed()).await;
            }
        }
    }
}

/// Reads who is to be told what, and begins where nothing was told yet.
pub async fn notifier(
    args: &ServeArgs,
    local: &Local,
    links: Links,
) -> Result<Option<Arc<Notifier>>, Failure> {
    let Some(path) = &args.notifications else {
        return Ok(None);
    };
    let config = read_config(path, &secrets(args.secrets.as_deref())?)?;
    let cursors = CursorStore::open(&local.directory)
        .map_err(|error| Failure::system("open the cursors of notifications", &error))?;
    let cursors: Arc<dyn Cursors> = Arc::new(cursors);
    let notifier = Notifier::new(local.world.clone(), cursors, links, config);
    let moved = notifier
        .begin()
        .await
        .map_err(|error| Failure::system("begin with notifications", &error))?;
    // A warning is written however quiet the server is.
    let log = Log::new(args.log, false);
    for moved in moved {
        log.write(
            Level::Warning,
            "the cursor of a notification was beyond the end of the journal",
            [
                ("target", moved.target.clone().into()),
                ("from", moved.from.into()),
                ("to", moved.to.into()),
                ("error", moved.to_string().into()),
            ],
        );
    }
    Ok(Some(Arc::new(notifier)))
}

fn read_config(path: &Path, secrets: &Secrets) -> Result<Config, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Exit::NotFound, format!("cannot read {name}: {error}")))?;
    let format = Format::of_file_name(&name).unwrap_or(Format::Yaml);
    let lookup = notification::rules::Lookup {
        secret: &|name| secrets.secret(name).map(str::to_owned),
        env: &|name| std::env::var(name).ok(),
    };
    Config::read(&text, format, &lookup).map_err(|problems| {
        let source = Arc::new(Source { name, text });
        let findings = problems
            .iter()
            .map(|problem| Finding::of_problem(problem, Some(&source)))
            .collect();
        Failure {
            exit: Exit::Invalid,
            findings,
        }
    })
}
