//! The limits of what an action may say of itself (spec 60 §0.2).

use std::sync::Arc;

use model::{
    ActionOutput,
    job::{ActionResult, ErrorDetails},
};

const EXTERNAL_ID_MAX: usize = 1_500;
const SUMMARY_MAX: usize = 2_048;
const URL_MAX: usize = 2_048;
const MESSAGE_MAX: usize = 5_000;

/// How many bytes the names and values of one action's variables may take (spec 60 §0.1).
pub(crate) const VARIABLES_BYTES_MAX: usize = 122_880;

/// The result with every text cut to what the API holds.
///
/// Variables are not cut: a later action would get half a value, so too many of them fail the
/// action. A text that is empty is none.
pub fn fit(result: ActionResult) -> ActionResult {
    match result {
        ActionResult::Succeeded(output) => {
            let bytes = variables_bytes(&output);
            let mut output = fit_output(output);
            if bytes <= VARIABLES_BYTES_MAX {
                return ActionResult::Succeeded(output);
            }
            output.variables = Arc::default();
            let error = ErrorDetails::job_failed(format!(
                "the output variables take {bytes} bytes, and the most is {VARIABLES_BYTES_MAX}"
            ));
            ActionResult::Failed { error, output }
        }
        ActionResult::Failed { mut error, output } => {
            cut(&mut error.message, MESSAGE_MAX);
            if error.message.is_empty() {
                "the action failed without a message".clone_into(&mut error.message);
            }
            let mut output = fit_output(output);
            if variables_bytes(&output) > VARIABLES_BYTES_MAX {
                output.variables = Arc::default();
            }
            ActionResult::Failed { error, output }
        }
    }
}

/// The output with every text cut to what the API holds.
pub fn fit_output(mut output: ActionOutput) -> ActionOutput {
    fit_text(&mut output.external_execution_id, EXTERNAL_ID_MAX);
    fit_text(&mut output.external_execution_url, URL_MAX);
    fit_text(&mut output.summary, SUMMARY_MAX);
    if let Some(revision) = &mut output.revision {
        fit_text(&mut revision.revision_summary, SUMMARY_MAX);
        fit_text(&mut revision.revision_url, URL_MAX);
    }
    output
}

fn variables_bytes(output: &ActionOutput) -> usize {
    let sizes = output
        .variables
        .iter()
        .map(|(name, value)| name.len() + value.len());
    sizes.sum()
}

fn fit_text(text: &mut Option<String>, characters: usize) {
    if let Some(inner) = text {
        cut(inner, characters);
    }
    if text.as_deref() == Some("") {
        *text = None;
    }
}

fn cut(text: &mut String, characters: usize) {
    if let Some((at, _)) = text.char_indices().nth(characters) {
        text.truncate(at);
    }
}

#[cfg(test)]
mod tests {
    use model::job::FailureType;

    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters_and_empty_ones_are_none() {
        let output = ActionOutput {
            external_execution_id: Some("i".repeat(2_000)),
            external_execution_url: Some(String::new()),
            summary: Some("ä".repeat(3_000)),
            ..ActionOutput::default()
        };
        let ActionResult::Succeeded(output) = fit(ActionResult::Succeeded(output)) else {
            panic!("it still succeeds");
        };
        assert_eq!(output.external_execution_id.unwrap().len(), 1_500);
        assert_eq!(output.external_execution_url, None);
        assert_eq!(output.summary.unwrap(), "ä".repeat(2_048));
    }

    #[test]
    fn too_many_variables_fail_the_action() {
        let with = |bytes: usize| {
            let variables = [("NAME".to_owned(), "v".repeat(bytes - 4))];
            fit(ActionResult::Succeeded(ActionOutput {
                summary: Some("ok".to_owned()),
                variables: Arc::new(variables.into()),
                ..ActionOutput::default()
            }))
        };
        assert!(matches!(
            with(VARIABLES_BYTES_MAX),
            ActionResult::Succeeded(_)
        ));
        let ActionResult::Failed { error, output } = with(VARIABLES_BYTES_MAX + 1) else {
            panic!("it fails");
        };
        assert_eq!(error.code, FailureType::JobFailed);
        assert_eq!(
            error.message,
            "the output variables take 122881 bytes, and the most is 122880"
        );
        assert_eq!(output.summary.as_deref(), Some("ok"));
        assert!(output.variables.is_empty());
    }

    #[test]
    fn a_failure_always_says_something_and_not_too_much() {
        let fail = |message: String| {
            let error = ErrorDetails::system(message);
            let output = ActionOutput::default();
            match fit(ActionResult::Failed { error, output }) {
                ActionResult::Failed { error, .. } => error.message,
                ActionResult::Succeeded(_) => panic!("it stays failed"),
            }
        };
        assert_eq!(fail("x".repeat(6_000)).len(), 5_000);
        assert_eq!(fail(String::new()), "the action failed without a message");
    }
}
