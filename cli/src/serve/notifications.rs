//! Telling others: one loop for each target, woken when something was committed.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use notification::{Next, Notifier};
use tokio::{sync::watch, time::timeout};

use super::log::{Level, Log};

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
