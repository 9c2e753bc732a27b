//! A state change was announced: who is told, and how.
