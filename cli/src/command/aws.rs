//! `aws`: the AWS CLI, told where the server is and with whose key to ask.

use std::{io, os::unix::process::CommandExt as _, process::Command};

use crate::{
    args::AwsArgs,
    client::{
        Service,
        settings::{self, Settings},
    },
    exit::Exit,
    failure::Failure,
};

/// The name of the AWS CLI.
const PROGRAM: &str = "aws";

/// Becomes the AWS CLI; comes back only if that is not possible.
pub(super) fn run(args: &AwsArgs) -> Result<Exit, Failure> {
    let settings = settings::of_process(&args.connection)?;
    let error = command(&settings, args).exec();
    let message = format!("failed to call `{PROGRAM}`: {error}");
    Err(if error.kind() == io::ErrorKind::NotFound {
        Failure::not_found("the AWS CLI is not installed: there is no `aws` on the PATH").with_help(
            "install it (`pip install awscli`), or use this program's own commands: pipewright \
             pipeline list",
        )
    } else {
        Failure::new(Exit::Internal, message)
    })
}

fn command(settings: &Settings, args: &AwsArgs) -> Command {
    let mut command = Command::new(PROGRAM);
    let credentials = &settings.credentials;
    command
        .args(&args.arguments)
        .env("AWS_ACCESS_KEY_ID", &credentials.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &credentials.secret)
        .env("AWS_REGION", &settings.region)
        .env("AWS_DEFAULT_REGION", &settings.region)
        // The key of a profile would come before the one that is given here.
        .env_remove("AWS_PROFILE");
    match &credentials.session_token {
        Some(token) => command.env("AWS_SESSION_TOKEN", token),
        None => command.env_remove("AWS_SESSION_TOKEN"),
    };
    for (service, variable) in [
        (Service::CodePipeline, "AWS_ENDPOINT_URL"),
        (Service::CodePipeline, "AWS_ENDPOINT_URL_CODEPIPELINE"),
        (Service::CodeBuild, "AWS_ENDPOINT_URL_CODEBUILD"),
        (Service::Logs, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"),
    ] {
        if settings.is_named(service) {
            command.env(variable, settings.endpoint(service));
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{args::Connection, client::settings::Around};

    #[test]
    fn the_aws_cli_is_told_where_and_who() {
        let variable = |name: &str| {
            let value = match name {
                "AWS_ACCESS_KEY_ID" => "KEY",
                "AWS_SECRET_ACCESS_KEY" => "secret",
                "AWS_REGION" => "eu-west-1",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let around = Around {
            variable: &variable,
            local: "/nonexistent".into(),
        };
        let args = AwsArgs {
            connection: Connection {
                endpoint_url: Some("http://127.0.0.1:7780".into()),
                ..Connection::default()
            },
            arguments: vec!["codepipeline".into(), "list-pipelines".into()],
        };
        let settings = settings::resolve(&args.connection, &around).expect("settings");
        let command = command(&settings, &args);
        let set: BTreeMap<_, _> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)))
            .collect();
        assert_eq!(set["AWS_ACCESS_KEY_ID"], "KEY");
        assert_eq!(set["AWS_ENDPOINT_URL"], "http://127.0.0.1:7780");
        assert_eq!(set["AWS_ENDPOINT_URL_CODEBUILD"], "http://127.0.0.1:7780");
        assert_eq!(set["AWS_REGION"], "eu-west-1");
        assert!(!set.contains_key("AWS_SESSION_TOKEN"));
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments, ["codepipeline", "list-pipelines"]);
    }
}
