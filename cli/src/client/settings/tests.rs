//! Where the settings come from, case by case.

use std::{collections::BTreeMap, fs};

use expect_test::{Expect, expect};
use tempfile::TempDir;

use super::*;

/// A home and a server's folder, both as they are written here.
struct World {
    folder: TempDir,
    variables: BTreeMap<String, String>,
    connection: Connection,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let home = folder.path().display().to_string();
        Self {
            folder,
            variables: BTreeMap::from([("HOME".to_owned(), home)]),
            connection: Connection::default(),
        }
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("make");
        fs::write(path, text).expect("write");
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn profile(mut self, name: &str) -> Self {
        self.connection.profile = Some(name.to_owned());
        self
    }

    fn endpoint(mut self, url: &str) -> Self {
        self.connection.endpoint_url = Some(url.to_owned());
        self
    }

    fn server(self) -> Self {
        self.file(
            "data/config",
            "[profile pipewright]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:7780\n",
        )
        .file(
            "data/credentials",
            "[pipewright]\naws_access_key_id = LOCAL\naws_secret_access_key = s\n",
        )
    }

    fn user(self) -> Self {
        self.file(".aws/config", "[default]\nregion = eu-west-1\n")
            .file(
                ".aws/credentials",
                "[default]\naws_access_key_id = HOME\naws_secret_access_key = s\n",
            )
    }

    fn check(&self, expected: &Expect) {
        let variable = |name: &str| self.variables.get(name).cloned();
        let around = Around {
            variable: &variable,
            local: self.folder.path().join("data"),
        };
        let shown = match resolve(&self.connection, &around) {
            Ok(settings) => format!(
                "{} in {} at {} and {}",
                settings.credentials.access_key,
                settings.region,
                settings.endpoint(Service::CodePipeline),
                settings.endpoint(Service::CodeBuild)
            ),
            Err(failure) => {
                let finding = &failure.findings[0];
                format!(
                    "{}: {}; {}",
                    failure.exit.code(),
                    finding.message,
                    finding.help.clone().unwrap_or_default()
                )
            }
        };
        let folder = self.folder.path().display().to_string();
        expected.assert_eq(&shown.replace(&folder, "~"));
    }
}

#[test]
fn a_server_of_this_folder_is_meant_when_nothing_is_named() {
    World::new().server().check(&expect![
        "LOCAL in us-east-1 at http://127.0.0.1:7780 and http://127.0.0.1:7780"
    ]);
}

#[test]
fn beside_a_server_the_users_own_profile_must_be_named() {
    let beside = || World::new().server().user();
    let local = expect!["LOCAL in us-east-1 at http://127.0.0.1:7780 and http://127.0.0.1:7780"];
    beside().check(&local);
    beside().profile("pipewright").check(&local);
    beside().profile("default").check(&expect!["HOME in eu-west-1 at https://codepipeline.eu-west-1.amazonaws.com and https://codebuild.eu-west-1.amazonaws.com"]);
}

#[test]
fn an_endpoint_may_be_named_without_a_key() {
    World::new()
        .server()
        .endpoint("http://127.0.0.1:9")
        .check(&expect![
            "LOCAL in us-east-1 at http://127.0.0.1:9 and http://127.0.0.1:9"
        ]);
    World::new()
        .endpoint("http://127.0.0.1:9")
        .check(&expect!["5: no access key is given; start a server in this folder, `pipewright serve`, which leaves one in ~/data; or name one with --profile or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"]);
}

#[test]
fn variables_come_before_files_and_the_narrower_one_first() {
    World::new()
        .user()
        .variable("AWS_ACCESS_KEY_ID", "ENV")
        .variable("AWS_SECRET_ACCESS_KEY", "s")
        .variable("AWS_REGION", "ap-south-1")
        .variable("AWS_DEFAULT_REGION", "eu-north-1")
        .variable("AWS_ENDPOINT_URL", "http://all")
        .variable("AWS_ENDPOINT_URL_CODEPIPELINE", "http://one")
        .check(&expect!["ENV in ap-south-1 at http://one and http://all"]);
}

#[test]
fn a_profile_on_the_command_line_comes_before_the_environments_key() {
    let files = World::new()
        .file(
            ".aws/config",
            "[profile dev]\nregion = eu-west-2\nservices = mine\nendpoint_url = http://profile\n\
             [services mine]\ncodebuild =\n  endpoint_url = http://builds\n",
        )
        .file(
            ".aws/credentials",
            "[dev]\naws_access_key_id = DEV\naws_secret_access_key = s\n",
        )
        .variable("AWS_ACCESS_KEY_ID", "ENV")
        .variable("AWS_SECRET_ACCESS_KEY", "s");
    let by_variable = World {
        connection: Connection::default(),
        ..files.variable("AWS_PROFILE", "dev")
    };
    by_variable.check(&expect![
        "ENV in eu-west-2 at http://profile and http://builds"
    ]);
    by_variable.profile("dev").check(&expect![
        "DEV in eu-west-2 at http://profile and http://builds"
    ]);
}

#[test]
fn files_may_be_elsewhere_and_endpoints_may_be_ignored() {
    World::new()
        .file(
            "elsewhere",
            "[default]\naws_access_key_id = E\naws_secret_access_key = s\n",
        )
        .file("other", "[default]\nregion = cn-north-1\nendpoint_url = http://no\n")
        .variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
        .within("AWS_SHARED_CREDENTIALS_FILE", "elsewhere")
        .within("AWS_CONFIG_FILE", "other")
        .check(&expect!["E in cn-north-1 at https://codepipeline.cn-north-1.amazonaws.com.cn and https://codebuild.cn-north-1.amazonaws.com.cn"]);
}

impl World {
    /// A variable that names a file of this world.
    fn within(self, name: &str, file: &str) -> Self {
        let path = self.folder.path().join(file).display().to_string();
        self.variable(name, &path)
    }
}

#[test]
fn what_is_missing_is_said_with_what_to_do() {
    World::new().user().profile("defualt").check(&expect![
        "2: there is no profile `defualt`; did you mean `default`?"
    ]);
    World::new().profile("x").check(&expect![
        "2: there is no profile `x`; `aws configure` makes one"
    ]);
    World::new()
        .file(".aws/config", "[profile sso]\nsso_session = corp\n")
        .profile("sso")
        .check(&expect![[r#"5: the profile `sso` holds no access key; let the AWS CLI get one: eval "$(aws configure export-credentials --profile sso --format env)""#]]);
    World::new()
        .file(".aws/config", "[profile p]\nregion = x\n")
        .profile("p")
        .check(&expect!["5: the profile `p` holds no access key; give it `aws_access_key_id` and `aws_secret_access_key`"]);
    World::new()
        .variable("AWS_ACCESS_KEY_ID", "ENV")
        .variable("AWS_SECRET_ACCESS_KEY", "s")
        .check(&expect![
            "2: no region is named; name it with --region REGION or AWS_REGION"
        ]);
    World::new()
        .user()
        .variable("AWS_REGION", "evil.example/")
        .check(&expect![
            "2: `evil.example/` is no region; a region is written like `us-east-1`"
        ]);
}

#[test]
fn a_secret_is_never_shown() {
    let credentials = Credentials {
        access_key: "KEY".into(),
        secret: "hush".into(),
        session_token: Some("token".into()),
    };
    assert_eq!(format!("{credentials:?}"), "Credentials(KEY)");
}
