//! Chance.

use uuid::Uuid;

/// Draws ids that nobody can guess and that never repeat.
pub trait Random: Send + Sync {
    /// A UUID of version 4.
    fn uuid(&self) -> Uuid;

    /// Fills `bytes` with what nobody can guess: keys, tokens, nonces.
    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = [0; DRAWN_BYTES];
        for chunk in bytes.chunks_mut(DRAWN_BYTES) {
            let id = self.uuid().into_bytes();
            drawn[..6].copy_from_slice(&id[..6]);
            drawn[6] = id[7];
            drawn[7..].copy_from_slice(&id[9..]);
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
    }
}

/// The bytes of a UUID that are chance alone: two hold its version and its variant.
const DRAWN_BYTES: usize = 14;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    /// All bytes of the first id are 1, of the second 2.
    #[derive(Default)]
    struct Counting(AtomicU8);

    impl Random for Counting {
        fn uuid(&self) -> Uuid {
            let byte = self.0.fetch_add(1, Ordering::SeqCst) + 1;
            uuid::Builder::from_random_bytes([byte; 16]).into_uuid()
        }
    }

    #[test]
    fn only_chance_fills_the_bytes() {
        let mut bytes = [0; 30];
        Counting::default().fill(&mut bytes);
        let expected = [[1; 14].as_slice(), &[2; 14], &[3; 2]].concat();
        assert_eq!(bytes.as_slice(), expected);
    }
}
