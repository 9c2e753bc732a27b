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

/// How many bytes the texts may take together; when there are more, all are dropped.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a text takes beside its own bytes.
const TEXT_BYTES: usize = 128;

/// Texts by what they are about.
#[derive(Debug, Default)]
pub(crate) struct Ready(Mutex<Texts>);

#[derive(Debug, Default)]
struct Texts {
    by_name: HashMap<String, (Uuid, Bytes)>,
    bytes: usize,
}

impl Ready {
    /// The text about `name`, if it was made when `commit` was the last one.
    pub(crate) fn get(&self, name: &str, commit: Uuid) -> Option<Bytes> {
        let texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (made, text) = texts.by_name.get(name)?;
        (*made == commit).then(|| text.clone())
    }

    pub(crate) fn put(&self, name: &str, commit: Uuid, text: Bytes) {
        let bytes = name.len() + text.len() + TEXT_BYTES;
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, before)) = texts.by_name.remove(name) {
            texts.bytes -= name.len() + before.len() + TEXT_BYTES;
        }
        if texts.bytes + bytes > BYTES_MAX {
            *texts = Texts::default();
        }
        if bytes <= BYTES_MAX {
            texts.bytes += bytes;
            texts.by_name.insert(name.to_owned(), (commit, text));
        }
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
    fn all_texts_together_have_a_bound() {
        let ready = Ready::default();
        let one = Uuid::from_u128(1);
        ready.put("long", one, Bytes::from(vec![b'x'; BYTES_MAX]));
        assert_eq!(ready.get("long", one), None);
        let third = Bytes::from(vec![b'x'; BYTES_MAX / 3]);
        for name in ["a", "b", "b", "b"] {
            ready.put(name, one, third.clone());
        }
        assert!(ready.get("a", one).is_some() && ready.get("b", one).is_some());
        ready.put("c", one, third);
        assert!(ready.get("a", one).is_none() && ready.get("c", one).is_some());
    }
}
