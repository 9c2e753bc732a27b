//! Settings: which server is asked and with whose key, found where the AWS CLI looks for them and
//! in the same order: options, environment variables, the profile's files. But where options and
//! variables name nothing and a server keeps its data in `.pipewright` of this folder, that server is
//! meant: whoever works beside it must not start a release elsewhere by accident.

use std::{
    env, fmt,
    path::{Path, PathBuf},
};

use model::declaration::problem::nearest;

use super::{Service, ini::Ini};
use crate::{args::Connection, exit::Exit, failure::Failure, state::DEFAULT_DIRECTORY};

/// The profile that nobody has to name.
const DEFAULT_PROFILE: &str = "default";
/// The profile that a server writes for its administrator.
pub const LOCAL_PROFILE: &str = "pipewright";
/// Where a server says that it is when nobody tells it.
const LOCAL_REGION: &str = "us-east-1";

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub access_key: String,
    pub secret: String,
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.access_key)
    }
}

/// Where requests go and how they are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub region: String,
    pub credentials: Credentials,
    /// One endpoint for each service; AWS's own where there is none.
    codepipeline: Option<String>,
    codebuild: Option<String>,
    logs: Option<String>,
    /// Certificates that are trusted instead of the usual ones.
    pub ca_bundle: Option<PathBuf>,
}

impl Settings {
    /// The URL of a service, without a path.
    pub fn endpoint(&self, service: Service) -> String {
        self.named(service).cloned().unwrap_or_else(|| {
            let suffix = if self.region.starts_with("cn-") {
                ".cn"
            } else {
                ""
            };
            let (name, region) = (service.signing_name(), &self.region);
            format!("https://{name}.{region}.amazonaws.com{suffix}")
        })
    }

    /// Whether somebody named an endpoint: if not, it is AWS.
    pub fn is_named(&self, service: Service) -> bool {
        self.named(service).is_some()
    }

    fn named(&self, service: Service) -> Option<&String> {
        let named = match service {
            Service::CodePipeline | Service::Pipewright => &self.codepipeline,
            Service::CodeBuild => &self.codebuild,
            Service::Logs => &self.logs,
        };
        named.as_ref()
    }
}

/// What the surroundings say, so that the resolution can be tested.
pub struct Around<'a> {
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The folder of a server's data.
    pub local: PathBuf,
}

impl Around<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        // An empty variable is one that nobody set.
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn file(&self, variable: &str, name: &str) -> Option<PathBuf> {
        let named = self.variable(variable).map(PathBuf::from);
        named.or_else(|| Some(Path::new(&self.variable("HOME")?).join(".aws").join(name)))
    }
}

/// The settings of this process.
pub fn of_process(connection: &Connection) -> Result<Settings, Failure> {
    let variable = |name: &str| env::var(name).ok();
    let around = Around {
        variable: &variable,
        local: PathBuf::from(DEFAULT_DIRECTORY),
    };
    resolve(connection, &around)
}

/// Both files of a profile, which say different things of it.
struct Files {
    config: Ini,
    credentials: Ini,
}

impl Files {
    fn load(config: Option<&Path>, credentials: Option<&Path>) -> Result<Self, Failure> {
        let load = |path: Option<&Path>| match path {
            Some(path) => Ini::load(path).map_err(|error| unreadable(path, &error)),
            None => Ok(Ini::default()),
        };
        Ok(Self {
            config: load(config)?,
            credentials: load(credentials)?,
        })
    }

    fn section(profile: &str) -> String {
        if profile == DEFAULT_PROFILE {
            profile.to_owned()
        } else {
            format!("profile {profile}")
        }
    }

    fn has(&self, profile: &str) -> bool {
        self.config.has(&Self::section(profile)) || self.credentials.has(profile)
    }

    fn get(&self, profile: &str, key: &str) -> Option<String> {
        let credentials = self.credentials.get(profile, key);
        let value = credentials.or_else(|| self.config.get(&Self::section(profile), key));
        value.map(str::to_owned)
    }

    fn key(&self, profile: &str) -> Option<Credentials> {
        Some(Credentials {
            access_key: self.get(profile, "aws_access_key_id")?,
            secret: self.get(profile, "aws_secret_access_key")?,
            session_token: self.get(profile, "aws_session_token"),
        })
    }

    fn endpoint(&self, profile: &str, service: Service) -> Option<String> {
        let services = self.get(profile, "services");
        let own = services.and_then(|name| {
            let key = format!("{}.endpoint_url", service.setting_name());
            let value = self.config.get(&format!("services {name}"), &key)?;
            Some(value.to_owned())
        });
        own.or_else(|| self.get(profile, "endpoint_url"))
    }

    fn profiles(&self) -> Vec<String> {
        let of_config = self.config.sections().filter_map(|section| {
            let name = section.strip_prefix("profile ");
            name.or((section == DEFAULT_PROFILE).then_some(section))
        });
        let all = of_config.chain(self.credentials.sections());
        all.map(str::to_owned).collect()
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("failed to read {}: {error}", path.display());
    Failure::new(Exit::NotAuthorised, message).with_help("mend the file, or name another profile")
}

/// Finds the settings.
pub fn resolve(connection: &Connection, around: &Around<'_>) -> Result<Settings, Failure> {
    let config = around.file("AWS_CONFIG_FILE", "config");
    let credentials = around.file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    let home = Files::load(config.as_deref(), credentials.as_deref())?;
    let local = Files::load(
        Some(&around.local.join("config")),
        Some(&around.local.join("credentials")),
    )?;
    let named = connection.profile.clone();
    let named = named.or_else(|| around.variable("AWS_PROFILE"));
    let is_beside_a_server =
        names_nothing(connection, around) && local.key(LOCAL_PROFILE).is_some();
    let named = named.or_else(|| is_beside_a_server.then(|| LOCAL_PROFILE.to_owned()));
    let profile = named.as_deref().unwrap_or(DEFAULT_PROFILE);
    let files = if is_beside_a_server {
        &local
    } else if home.has(profile) || named.is_none() {
        &home
    } else if local.has(profile) {
        &local
    } else {
        return Err(no_profile(profile, &[&home, &local]));
    };
    // Whoever names a profile on the command line means its key, whatever the environment holds.
    let own = connection.profile.is_none().then(|| environment(around));
    let found = own.flatten().or_else(|| files.key(profile));
    let endpoint = |service| endpoint(connection, around, files, profile, service);
    let mut settings = Settings {
        region: String::new(),
        credentials: match (found.clone(), named.is_some()) {
            (Some(found), _) => found,
            (None, true) => return Err(no_key(files, profile)),
            (None, false) => match local.key(LOCAL_PROFILE) {
                Some(key) => key,
                None => return Err(nobody(around)),
            },
        },
        codepipeline: endpoint(Service::CodePipeline),
        codebuild: endpoint(Service::CodeBuild),
        logs: endpoint(Service::Logs),
        ca_bundle: around.variable("AWS_CA_BUNDLE").map(PathBuf::from),
    };
    if found.is_none() {
        let own = |service| local.endpoint(LOCAL_PROFILE, service);
        if settings.codepipeline.is_none() && settings.codebuild.is_none() {
            settings.codepipeline = own(Service::CodePipeline);
            settings.codebuild = own(Service::CodeBuild);
            settings.logs = own(Service::Logs);
        }
    }
    let named = [
        connection.region.clone(),
        around.variable("AWS_REGION"),
        around.variable("AWS_DEFAULT_REGION"),
        files.get(profile, "region"),
    ];
    let named = named.into_iter().flatten().next();
    settings.region = region(named, settings.codepipeline.is_some(), &local)?;
    Ok(settings)
}

/// Whether neither the command line nor the environment says whom to ask, or as whom.
fn names_nothing(connection: &Connection, around: &Around<'_>) -> bool {
    const NAMES: [&str; 4] = [
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_CODEPIPELINE",
    ];
    connection.profile.is_none()
        && connection.endpoint_url.is_none()
        && NAMES.iter().all(|name| around.variable(name).is_none())
}

/// The region that somebody named, or that any server takes that is not AWS.
fn region(named: Option<String>, has_endpoint: bool, local: &Files) -> Result<String, Failure> {
    let own = || {
        let written = local.get(LOCAL_PROFILE, "region");
        has_endpoint.then(|| written.unwrap_or_else(|| LOCAL_REGION.to_owned()))
    };
    let Some(region) = named.or_else(own) else {
        return Err(Failure::usage("no region is named")
            .with_help("name it with --region REGION or AWS_REGION"));
    };
    if !is_region(&region) {
        return Err(Failure::usage(format!("`{region}` is no region"))
            .with_help("a region is written like `us-east-1`"));
    }
    Ok(region)
}

/// A region becomes part of a host name, and nothing else may.
fn is_region(region: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !region.is_empty() && region.len() <= 63 && region.chars().all(is_plain)
}

fn environment(around: &Around<'_>) -> Option<Credentials> {
    Some(Credentials {
        access_key: around.variable("AWS_ACCESS_KEY_ID")?,
        secret: around.variable("AWS_SECRET_ACCESS_KEY")?,
        session_token: around.variable("AWS_SESSION_TOKEN"),
    })
}

fn endpoint(
    connection: &Connection,
    around: &Around<'_>,
    files: &Files,
    profile: &str,
    service: Service,
) -> Option<String> {
    if let Some(url) = &connection.endpoint_url {
        return Some(url.clone());
    }
    let ignored = around.variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if ignored.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return None;
    }
    let name = service.setting_name().to_ascii_uppercase();
    around
        .variable(&format!("AWS_ENDPOINT_URL_{name}"))
        .or_else(|| around.variable("AWS_ENDPOINT_URL"))
        .or_else(|| files.endpoint(profile, service))
}

fn no_profile(profile: &str, files: &[&Files]) -> Failure {
    let known: Vec<String> = files.iter().flat_map(|files| files.profiles()).collect();
    let failure = Failure::usage(format!("there is no profile `{profile}`"));
    match nearest(profile, known.iter().map(String::as_str)) {
        Some(near) => failure.with_help(format!("did you mean `{near}`?")),
        None if known.is_empty() => failure.with_help("`aws configure` makes one"),
        None => failure.with_help(format!("there are: {}", known.join(", "))),
    }
}

fn no_key(files: &Files, profile: &str) -> Failure {
    const OTHERS: [&str; 6] = [
        "role_arn",
        "sso_session",
        "sso_start_url",
        "credential_process",
        "web_identity_token_file",
        "login_session",
    ];
    let message = format!("the profile `{profile}` holds no access key");
    let failure = Failure::new(Exit::NotAuthorised, message);
    if OTHERS.iter().any(|key| files.get(profile, key).is_some()) {
        return failure.with_help(format!(
            "let the AWS CLI get one: eval \"$(aws configure export-credentials --profile \
             {profile} --format env)\""
        ));
    }
    failure.with_help("give it `aws_access_key_id` and `aws_secret_access_key`")
}

fn nobody(around: &Around<'_>) -> Failure {
    Failure::new(Exit::NotAuthorised, "no access key is given").with_help(format!(
        "start a server in this folder, `pipewright serve`, which leaves one in {}; or name one \
         with --profile or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        around.local.display()
    ))
}

#[cfg(test)]
mod tests;
