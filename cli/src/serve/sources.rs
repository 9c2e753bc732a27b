//! The look-out: sources are looked at every so often, and at once when something was put or pushed.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use ports::World;
use source_trigger::Event;
use tokio::{sync::Notify, time::timeout};

use super::log::{Level, Log};

/// Looks until it is dropped; `wake` makes it look at once.
pub async fn watch(world: World, every: Duration, wake: Arc<Notify>, log: Log) {
    loop {
        // Either of the two is a reason to look.
        let _ = timeout(every, wake.notified()).await;
        let look = source_trigger::handle(&world, Event::Poll);
        match AssertUnwindSafe(look).catch_unwind().await {
            Ok(Ok(started)) => {
                for one in started {
                    log.write(
                        Level::Info,
                        "a source changed",
                        [
                            ("pipeline", one.pipeline.into()),
                            ("execution_id", one.execution.to_string().into()),
                        ],
                    );
                }
            }
            Ok(Err(error)) => {
                let text = crate::failure::chain(&error);
                log.write(
                    Level::Warning,
                    "a source could not start its pipeline",
                    [("error", text.into())],
                );
            }
            Err(_) => log.write(
                Level::Error,
                "looking at the sources failed unexpectedly",
                [],
            ),
        }
    }
}
