//! How far a build that runs has come, for whoever asks before its report is there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::build::{BuildPhase, note_phase};

/// The phases of one build so far; clones are the same course.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course(Arc<Mutex<Vec<BuildPhase>>>);

impl Course {
    pub(crate) fn phases(&self) -> Vec<BuildPhase> {
        self.lock().clone()
    }

    pub(crate) fn tell(&self, phase: BuildPhase) {
        note_phase(&mut self.lock(), phase);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<BuildPhase>> {
        // A list is whole whatever happened to the thread that changed it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
