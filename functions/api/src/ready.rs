//! Answers that are asked for again and again, kept as texts for as long as they are true.
//!
//! Whoever waits for an execution asks for the same state many times a second, from many places.
//! A state follows from the pipeline's last commit, so its text is kept beside the id of that.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use uuid::Uuid;

/// How many texts are kept, and how long each may be; when there are too many, all are dropped.
const TEXTS_MAX: usize = 4_096;
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Texts by what they are about.
#[derive(Debug, Default)]
pub(crate) struct Ready(Mutex<HashMap<String, (Uuid, Bytes)>>);

impl Ready {
    /// The text about `name`, if it was made when `commit` was the last one.
    pub(crate) fn get(&self, name: &str, commit: Uuid) -> Option<Bytes> {
        let texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (made, text) = texts.get(name)?;
        (*made == commit).then(|| text.clone())
    }

    pub(crate) fn put(&self, name: &str, commit: Uuid, text: Bytes) {
        if text.len() > TEXT_BYTES_MAX {
            return;
        }
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if texts.len() >= TEXTS_MAX && !texts.contains_key(name) {
            texts.clear();
        }
        texts.insert(name.to_owned(), (commit, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_good_for_the_commit_that_it_was_made_of() {
        let ready = Ready::default();
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        ready.put("web", one, Bytes::from_static(b"a"));
        assert_eq!(ready.get("web", one), Some(Bytes::from_static(b"a")));
        assert_eq!(ready.get("web", two), None);
        assert_eq!(ready.get("shop", one), None);
        ready.put("web", two, Bytes::from_static(b"b"));
        assert_eq!(ready.get("web", two), Some(Bytes::from_static(b"b")));
    }

    #[test]
    fn there_are_only_so_many_and_none_is_too_long() {
        let ready = Ready::default();
        let one = Uuid::from_u128(1);
        ready.put("long", one, Bytes::from(vec![b'x'; TEXT_BYTES_MAX + 1]));
        assert_eq!(ready.get("long", one), None);
        for number in 0..=TEXTS_MAX {
            ready.put(&number.to_string(), one, Bytes::new());
        }
        assert_eq!(ready.get("0", one), None);
        assert!(ready.get(&TEXTS_MAX.to_string(), one).is_some());
    }
}
