//! What must never be.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/licences.rs"]
mod licences;
#[path = "tidy/text.rs"]
mod text;
