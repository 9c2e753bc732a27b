//! What travels between the handlers, and what becomes of it on the way.

use std::sync::Arc;

use model::{AttemptKey, Input, Job};

use crate::{
    chance::Spared,
    scheduler::{Happening, State},
};

/// The longest that a message is under way.
const DELAY_MILLIS_MAX: i64 = 6 * 3_600_000;

#[derive(Clone, Debug)]
pub(crate) enum Message {
    Offer(Arc<Job>),
    Due(Arc<Job>),
    Cancel(AttemptKey),
    Input {
        pipeline: String,
        input: Box<Input>,
    },
    /// An event of a source, as JSON.
    Source(String),
}

impl State {
    /// Puts a message on its way, or loses, repeats or delays it.
    pub(crate) fn send(&mut self, millis: i64, message: &Message) {
        let spared = match self.faults.lose_all {
            None => true,
            Some(Spared::Nothing) => false,
            Some(Spared::Sweep) => self.is_of_sweep,
        };
        let faults = self.faults.clone();
        if !spared || self.chance.happens(faults.lose) {
            self.oracle.sometimes("a message was lost");
            return;
        }
        let mut copies = 1;
        while self.chance.happens(faults.repeat) && copies < 4 {
            copies += 1;
            self.oracle.sometimes("a message was repeated");
        }
        for _ in 0..copies {
            let mut under_way = self.chance.between(1, 200);
            if self.chance.happens(faults.delay) {
                under_way = self.chance.between(1, DELAY_MILLIS_MAX);
                self.oracle.sometimes("a message was late");
            }
            self.after(
                millis + under_way,
                Happening::Deliver(Box::new(message.clone())),
            );
        }
    }
}
