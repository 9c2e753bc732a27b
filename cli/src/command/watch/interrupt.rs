//! An interrupt ends the watching and not what is watched; so it is waited for like time.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

use crate::failure::Failure;

/// How many interrupts are kept that nobody has asked for yet.
const KEPT_MAX: usize = 1;

/// What happens when somebody presses Ctrl-C.
pub(super) struct Interrupts {
    received: Receiver<()>,
}

impl Interrupts {
    /// Listens from now on, in a thread that ends with the process.
    pub(super) fn listen() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::system("listen to signals", &error);
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let listening = runtime.block_on(async { signal(SignalKind::interrupt()) });
        let mut interrupts = listening.map_err(failed)?;
        let (send, received) = sync_channel(KEPT_MAX);
        let listen = move || {
            runtime.block_on(async {
                while interrupts.recv().await.is_some() {
                    // One that waits to be seen says it all.
                    let _ = send.try_send(());
                }
            });
        };
        thread::Builder::new()
            .name("pipewright-signals".to_owned())
            .spawn(listen)
            .map_err(failed)?;
        Ok(Self { received })
    }

    /// Waits that long; whether somebody interrupted.
    pub(super) fn wait(&self, time: Duration) -> bool {
        match self.received.recv_timeout(time) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(time);
                false
            }
        }
    }
}
