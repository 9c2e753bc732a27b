//! `stage`: the ways into and out of the stages of a pipeline.

use serde_json::json;

use crate::{
    args::{StageArgs, StageVerb, TransitionArgs},
    client::{Client, answer, find},
    exit::Exit,
    failure::Failure,
    terminal::Terminal,
};

/// The longest reason that the API takes.
const REASON_CHARACTERS_MAX: usize = 300;

pub(super) fn run(args: &StageArgs, terminal: Terminal) -> Result<Exit, Failure> {
    match &args.verb {
        StageVerb::Enable(transition) => {
            let client = Client::open(&args.connection)?;
            change(&client, transition, None, terminal)
        }
        StageVerb::Disable(disable) => {
            check_reason(&disable.message)?;
            let client = Client::open(&args.connection)?;
            change(
                &client,
                &disable.transition,
                Some(&disable.message),
                terminal,
            )
        }
    }
}

/// The API takes few characters, and says so in a way that nobody understands.
fn check_reason(reason: &str) -> Result<(), Failure> {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || "!@ ().*?-".contains(c);
    let length = reason.chars().count();
    if length == 0 || length > REASON_CHARACTERS_MAX {
        let message = format!("a reason has 1 to {REASON_CHARACTERS_MAX} characters");
        return Err(Failure::usage(message).with_help("say why in a few words: -m REASON"));
    }
    match reason.chars().find(|c| !is_taken(*c)) {
        Some(other) => Err(
            Failure::usage(format!("`{other}` may not be part of a reason"))
                .with_help("there may be letters, digits, spaces and ! @ ( ) . * ? -"),
        ),
        None => Ok(()),
    }
}

fn change(
    client: &Client,
    args: &TransitionArgs,
    reason: Option<&str>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let (name, stage) = (&args.name, &args.stage);
    let direction = if args.outbound { "Outbound" } else { "Inbound" };
    let mut input = json!({"pipelineName": name, "stageName": stage, "transitionType": direction});
    let operation = match reason {
        Some(reason) => {
            input["reason"] = json!(reason);
            "DisableStageTransition"
        }
        None => "EnableStageTransition",
    };
    client.call(operation, &input).map_err(|error| {
        let is_stage = error.name() == Some("StageNotFoundException");
        let failure = find::refused(client, error, name);
        if is_stage {
            return failure.with_help(format!("see its stages: pipewright pipeline show {name}"));
        }
        failure
    })?;
    let way = if args.outbound { "out of" } else { "into" };
    let line = match reason {
        Some(_) => format!(
            "Closed the way {way} {stage} of {name}. Open it: pipewright stage enable {name} {stage}{}",
            if args.outbound { " --outbound" } else { "" }
        ),
        None => format!("Opened the way {way} {stage} of {name}"),
    };
    let document = json!({
        "pipeline": name, "stage": stage, "transition": direction, "enabled": reason.is_none(),
    });
    answer::done(terminal, &line, document)?;
    Ok(Exit::Succeeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_checked_before_it_is_sent() {
        check_reason("freeze (until monday)!").expect("plain");
        for (reason, said) in [
            ("", "a reason has 1 to 300 characters"),
            ("a, b", "`,` may not be part of a reason"),
            ("ü", "`ü` may not be part of a reason"),
        ] {
            let failure = check_reason(reason).expect_err("refused");
            assert_eq!(failure.exit, Exit::Usage);
            assert_eq!(failure.to_string(), said);
        }
        assert!(check_reason(&"x".repeat(301)).is_err());
    }
}
