//! A decision that cannot take others down with it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ports::{Decision, NoDecision};

/// Makes a decision; a panic in it is a defect of this one decision, on this one pipeline (R15).
///
/// The state that it was working on is dropped with the error, so nobody sees it half changed.
pub(crate) fn guarded(
    decide: impl FnOnce() -> Result<Decision, NoDecision>,
) -> Result<Decision, NoDecision> {
    catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("without a message");
        Err(NoDecision::Defect(format!("the engine panicked: {text}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_defect_and_anything_else_passes() {
        let defect = |text: &str| Some(NoDecision::Defect(format!("the engine panicked: {text}")));
        let nothing: [u8; 0] = [];
        let at = nothing.len();
        let index = guarded(|| panic!("index {at} is out of range")).err();
        assert_eq!(index, defect("index 0 is out of range"));
        assert_eq!(guarded(|| panic!("plain")).err(), defect("plain"));
        let odd = guarded(|| std::panic::panic_any(7)).err();
        assert_eq!(odd, defect("without a message"));
        assert!(guarded(|| Ok(Decision::default())).is_ok());
    }
}
