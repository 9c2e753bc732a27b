//! `approvals`, `approve` and `reject`: what waits for a person, and their answer.

use serde_json::json;

use crate::{
    args::{AnswerArgs, ApprovalsArgs, Output},
    client::{
        Client, answer,
        api::now,
        approval::{self, Approval},
        find::{self, short},
        table::Table,
        when,
    },
    exit::Exit,
    failure::Failure,
    terminal::{Style, Terminal, paint},
};

/// The longest summary that the API takes.
const MESSAGE_CHARACTERS_MAX: usize = 512;

pub(super) fn list(args: &ApprovalsArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let client = Client::open(&args.connection)?;
    let mut all = Vec::new();
    for summary in find::pipelines(&client)? {
        let Some(name) = summary["name"].as_str() else {
            continue;
        };
        match approval::of_pipeline(&client, name) {
            Ok(found) => all.extend(found),
            // It was deleted since it was listed.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    all.sort_by_key(|approval| approval.since);
    if terminal.output != Output::Text {
        let documents = all.iter().map(Approval::json).collect();
        answer::list(terminal, "approvals", documents)?;
        return Ok(Exit::Succeeded);
    }
    if let Some(first) = all.first() {
        answer::text(&table(&all).render(terminal.colour))?;
        terminal.say(&paint(
            &format!("\nAnswer: pipewright approve {} -m TEXT", first.name()),
            Style::Dim,
            terminal.colour,
        ));
    } else {
        terminal.say("Nothing waits for an approval.");
    }
    Ok(Exit::Succeeded)
}

fn table(approvals: &[Approval]) -> Table {
    let mut table = Table::new(&["APPROVAL", "EXECUTION", "SINCE", "NEWER", "QUESTION"]);
    let now = now();
    for approval in approvals {
        let behind = match approval.behind {
            0 => String::new(),
            count => format!("{count} waiting"),
        };
        table.row(vec![
            approval.name().into(),
            short(&approval.execution).into(),
            approval
                .since
                .map_or_else(|| "-".to_owned(), |since| when::ago(since, now))
                .into(),
            behind.into(),
            approval.question.as_str().into(),
        ]);
    }
    table
}

pub(super) fn approve(args: &AnswerArgs, terminal: Terminal) -> Result<Exit, Failure> {
    decide(args, true, terminal)
}

pub(super) fn reject(args: &AnswerArgs, terminal: Terminal) -> Result<Exit, Failure> {
    decide(args, false, terminal)
}

fn decide(args: &AnswerArgs, approved: bool, terminal: Terminal) -> Result<Exit, Failure> {
    if args.message.chars().count() > MESSAGE_CHARACTERS_MAX {
        let message = format!("the message is longer than {MESSAGE_CHARACTERS_MAX} characters");
        return Err(Failure::usage(message).with_help("say it in fewer, or with a link"));
    }
    let wanted = Wanted::read(args)?;
    let client = Client::open(&args.connection)?;
    let waiting = approval::answerable(&client, wanted.pipeline)
        .map_err(|error| find::refused(&client, error, wanted.pipeline))?;
    let verb = if approved { "approve" } else { "reject" };
    let approval = wanted.choose(waiting, verb)?;
    let input = json!({
        "pipelineName": approval.pipeline,
        "stageName": approval.stage,
        "actionName": approval.action,
        "token": approval.token,
        "result": {
            "status": if approved { "Approved" } else { "Rejected" },
            "summary": args.message,
        },
    });
    client.call("PutApprovalResult", &input)?;
    let status = if approved { "Approved" } else { "Rejected" };
    let id = short(&approval.execution);
    let line = format!("{status} {} of execution {id}", approval.name());
    let document = json!({"status": status, "approval": approval.json()});
    answer::done(terminal, &line, document)?;
    if approval.behind > 0 {
        let count = approval.behind;
        let (ending, verb) = if count == 1 { ("", "s") } else { ("s", "") };
        terminal.say(&format!(
            "{count} newer execution{ending} wait{verb} behind it."
        ));
    }
    if approved {
        terminal.say(&format!("Watch it: pipewright watch {id}"));
    }
    Ok(Exit::Succeeded)
}

/// Which approval is meant.
#[derive(Clone, Copy, Debug)]
struct Wanted<'a> {
    pipeline: &'a str,
    place: Option<(&'a str, &'a str)>,
    execution: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn read(args: &'a AnswerArgs) -> Result<Self, Failure> {
        let parts: Vec<&str> = args.approval.split('/').collect();
        let (pipeline, place) = match parts[..] {
            [pipeline] => (pipeline, None),
            [pipeline, stage, action] => (pipeline, Some((stage, action))),
            _ => {
                let message = format!("`{}` is not NAME or NAME/STAGE/ACTION", args.approval);
                return Err(Failure::usage(message)
                    .with_help("pipewright approvals lists what waits, as it is written here"));
            }
        };
        Ok(Self {
            pipeline,
            place,
            execution: args.execution.as_deref(),
        })
    }

    /// The one that is meant among those that wait.
    fn choose(&self, waiting: Vec<Approval>, verb: &str) -> Result<Approval, Failure> {
        let is_meant = |approval: &Approval| {
            let is_place = self
                .place
                .is_none_or(|(stage, action)| approval.stage == stage && approval.action == action);
            let is_execution = self
                .execution
                .is_none_or(|id| approval.execution.starts_with(&id.to_ascii_lowercase()));
            is_place && is_execution
        };
        let others: Vec<String> = waiting.iter().map(Approval::name).collect();
        let mut meant: Vec<Approval> = waiting.into_iter().filter(is_meant).collect();
        match meant.len() {
            1 => Ok(meant.remove(0)),
            0 => {
                let message = format!("no approval of `{}` waits for an answer", self.pipeline);
                let failure = Failure::not_found(message);
                if others.is_empty() {
                    let help = format!(
                        "see how it stands: pipewright pipeline show {}",
                        self.pipeline
                    );
                    return Err(failure.with_help(help));
                }
                Err(failure.with_help(format!("there are: {}", others.join(", "))))
            }
            count => {
                let message = format!(
                    "{count} approvals of `{}` wait for an answer",
                    self.pipeline
                );
                let commands: Vec<String> = meant
                    .iter()
                    .map(|approval| {
                        let id = short(&approval.execution);
                        format!("pipewright {verb} {} --execution {id}", approval.name())
                    })
                    .collect();
                Err(Failure::usage(message).with_help(commands.join("\n")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use model::Timestamp;

    use super::*;
    use crate::args::Connection;

    fn args(approval: &str, execution: Option<&str>) -> AnswerArgs {
        AnswerArgs {
            approval: approval.to_owned(),
            message: String::new(),
            execution: execution.map(str::to_owned),
            connection: Connection::default(),
        }
    }

    fn approval(action: &str, execution: &str) -> Approval {
        Approval {
            pipeline: "web".into(),
            stage: "Deploy".into(),
            action: action.into(),
            execution: execution.into(),
            token: "t".into(),
            since: Some(Timestamp(0)),
            question: "Ship it?".into(),
            behind: 2,
        }
    }

    fn choose(args: &AnswerArgs, waiting: Vec<Approval>) -> Result<String, String> {
        let chosen = Wanted::read(args).and_then(|wanted| wanted.choose(waiting, "approve"));
        match chosen {
            Ok(approval) => Ok(approval.name()),
            Err(failure) => Err(format!(
                "{} {failure}; {}",
                failure.exit.code(),
                failure.findings[0].help.clone().unwrap_or_default()
            )),
        }
    }

    #[test]
    fn the_only_one_is_meant_and_of_several_one_must_be_named() {
        let two = || vec![approval("ok", "5f1c"), approval("legal", "5f1c")];
        assert_eq!(
            choose(&args("web", None), vec![approval("ok", "5f1c")]),
            Ok("web/Deploy/ok".to_owned())
        );
        assert_eq!(
            choose(&args("web/Deploy/legal", None), two()),
            Ok("web/Deploy/legal".to_owned())
        );
        expect![[r#"
            2 2 approvals of `web` wait for an answer; pipewright approve web/Deploy/ok --execution 5f1c
            pipewright approve web/Deploy/legal --execution 5f1c"#]]
        .assert_eq(&choose(&args("web", None), two()).expect_err("two"));
        let runs = vec![approval("ok", "5f1c"), approval("ok", "6a2d")];
        assert!(choose(&args("web", Some("6A")), runs).is_ok());
    }

    #[test]
    fn what_does_not_wait_is_not_found() {
        expect!["4 no approval of `web` waits for an answer; see how it stands: pipewright pipeline show web"]
            .assert_eq(&choose(&args("web", None), vec![]).expect_err("none"));
        expect!["4 no approval of `web` waits for an answer; there are: web/Deploy/ok"].assert_eq(
            &choose(&args("web/Deploy/x", None), vec![approval("ok", "5f1c")]).expect_err("none"),
        );
        expect!["2 `web/Deploy` is not NAME or NAME/STAGE/ACTION; pipewright approvals lists what waits, as it is written here"]
            .assert_eq(&choose(&args("web/Deploy", None), vec![]).expect_err("half a name"));
    }

    #[test]
    fn a_list_says_what_to_type() {
        expect![[r#"
            APPROVAL       EXECUTION  SINCE       NEWER      QUESTION
            web/Deploy/ok  5f1c       1970-01-01  2 waiting  Ship it?
        "#]]
        .assert_eq(&table(&[approval("ok", "5f1c")]).render(false));
    }
}
