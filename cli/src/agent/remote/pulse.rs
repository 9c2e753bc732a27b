//! The pulse tells the API how far the build is, and that it lives; the answer may be to end it.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use model::build::{BuildPhase, note_phase};

use super::{
    api::{Api, ApiError},
    stop::Stop,
};

/// How often the API hears of a build at least.
const BEAT: Duration = Duration::from_secs(30);

/// How long the phases of a build are gathered: most of them are over at once.
const GATHER: Duration = Duration::from_secs(2);

/// Ends when it is let go of.
pub(super) struct Pulse {
    phases: Arc<Mutex<Vec<BuildPhase>>>,
    beat: mpsc::SyncSender<()>,
}

impl Pulse {
    pub(super) fn begin(api: &Api, phases: &[BuildPhase], stop: &Stop) -> io::Result<Self> {
        let phases = Arc::new(Mutex::new(phases.to_vec()));
        let (beat, beats) = mpsc::sync_channel(1);
        let (api, stop, told) = (api.clone(), stop.clone(), Arc::clone(&phases));
        thread::Builder::new()
            .name("pulse".to_owned())
            .spawn(move || {
                while !matches!(
                    beats.recv_timeout(BEAT),
                    Err(mpsc::RecvTimeoutError::Disconnected)
                ) {
                    let so_far = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    match api.tell(&so_far) {
                        // A build that the API has given up is nobody's any more.
                        Ok(heard) if heard.is_stopping => stop.raise(),
                        Err(ApiError::Gone) => stop.raise(),
                        // The next beat comes.
                        Ok(_) | Err(_) => {}
                    }
                    thread::sleep(GATHER);
                }
            })?;
        Ok(Self { phases, beat })
    }

    /// A phase began or ended.
    pub(super) fn tell(&self, phase: BuildPhase) {
        let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        note_phase(&mut phases, phase);
        // When one waits already, it will tell this, too.
        let _ = self.beat.try_send(());
    }
}
