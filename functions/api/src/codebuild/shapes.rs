//! The shapes of `CodeBuild`'s members, as its model has them.

use crate::shape::{self, Kind, Member};

pub(super) const NAME: Kind = shape::text(1, usize::MAX);
pub(super) const ANY: Kind = shape::text(0, usize::MAX);
pub(super) const SORT_ORDER: Kind = Kind::OneOf(&["ASCENDING", "DESCENDING"]);

/// Projects have a name that is checked with their other settings.
const DESCRIPTION: Kind = shape::text(0, 255);
pub(super) const TIMEOUT: Kind = Kind::Integer(5, 2160);
pub(super) const QUEUED_TIMEOUT: Kind = Kind::Integer(5, 480);
pub(super) const COUNT: Kind = Kind::Integer(0, i32::MAX.unsigned_abs() as u64);

const SOURCE_TYPES: &[&str] = &[
    "CODECOMMIT",
    "CODEPIPELINE",
    "GITHUB",
    "GITLAB",
    "GITLAB_SELF_MANAGED",
    "S3",
    "BITBUCKET",
    "GITHUB_ENTERPRISE",
    "NO_SOURCE",
];
pub(super) const SOURCE_TYPE: Kind = Kind::OneOf(SOURCE_TYPES);

const SOURCE: Kind = Kind::Structure(&[
    shape::required("type", SOURCE_TYPE),
    shape::optional("location", ANY),
    shape::optional("gitCloneDepth", COUNT),
    shape::optional("gitSubmodulesConfig", Kind::Anything),
    shape::optional("buildspec", ANY),
    shape::optional("auth", Kind::Anything),
    shape::optional("reportBuildStatus", Kind::Flag),
    shape::optional("buildStatusConfig", Kind::Anything),
    shape::optional("insecureSsl", Kind::Flag),
    shape::optional("sourceIdentifier", ANY),
]);

pub(super) const ARTIFACTS: Kind = Kind::Structure(&[
    shape::required("type", Kind::OneOf(&["CODEPIPELINE", "S3", "NO_ARTIFACTS"])),
    shape::optional("location", ANY),
    shape::optional("path", ANY),
    shape::optional("namespaceType", Kind::OneOf(&["NONE", "BUILD_ID"])),
    shape::optional("name", ANY),
    shape::optional("packaging", Kind::OneOf(&["NONE", "ZIP"])),
    shape::optional("overrideArtifactName", Kind::Flag),
    shape::optional("encryptionDisabled", Kind::Flag),
    shape::optional("artifactIdentifier", ANY),
    shape::optional(
        "bucketOwnerAccess",
        Kind::OneOf(&["NONE", "READ_ONLY", "FULL"]),
    ),
]);

static MODE: Kind = Kind::OneOf(&[
    "LOCAL_DOCKER_LAYER_CACHE",
    "LOCAL_SOURCE_CACHE",
    "LOCAL_CUSTOM_CACHE",
]);

pub(super) const CACHE: Kind = Kind::Structure(&[
    shape::required("type", Kind::OneOf(&["NO_CACHE", "S3", "LOCAL"])),
    shape::optional("location", ANY),
    shape::optional("modes", Kind::List(0, 3, &MODE)),
    shape::optional("cacheNamespace", ANY),
]);

pub(super) const ENVIRONMENT_TYPE: Kind = Kind::OneOf(&[
    "WINDOWS_CONTAINER",
    "LINUX_CONTAINER",
    "LINUX_GPU_CONTAINER",
    "ARM_CONTAINER",
    "WINDOWS_SERVER_2019_CONTAINER",
    "WINDOWS_SERVER_2022_CONTAINER",
    "LINUX_LAMBDA_CONTAINER",
    "ARM_LAMBDA_CONTAINER",
    "LINUX_EC2",
    "ARM_EC2",
    "WINDOWS_EC2",
    "MAC_ARM",
]);

pub(super) const COMPUTE_TYPE: Kind = Kind::OneOf(&[
    "BUILD_GENERAL1_SMALL",
    "BUILD_GENERAL1_MEDIUM",
    "BUILD_GENERAL1_LARGE",
    "BUILD_GENERAL1_XLARGE",
    "BUILD_GENERAL1_2XLARGE",
    "BUILD_LAMBDA_1GB",
    "BUILD_LAMBDA_2GB",
    "BUILD_LAMBDA_4GB",
    "BUILD_LAMBDA_8GB",
    "BUILD_LAMBDA_10GB",
    "ATTRIBUTE_BASED_COMPUTE",
    "CUSTOM_INSTANCE_TYPE",
]);

static VARIABLE: Kind = Kind::Structure(&[
    shape::required("name", NAME),
    shape::required("value", ANY),
    shape::optional(
        "type",
        Kind::OneOf(&["PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER"]),
    ),
]);

/// How many variables one project or request has at most: names and values go into every build.
const VARIABLES_MAX: usize = 1_000;
pub(super) const VARIABLES: Kind = Kind::List(0, VARIABLES_MAX, &VARIABLE);

pub(super) const PULL_CREDENTIALS: Kind = Kind::OneOf(&["CODEBUILD", "SERVICE_ROLE"]);

const ENVIRONMENT: Kind = Kind::Structure(&[
    shape::required("type", ENVIRONMENT_TYPE),
    shape::required("image", NAME),
    shape::required("computeType", COMPUTE_TYPE),
    shape::optional("computeConfiguration", Kind::Anything),
    shape::optional("fleet", Kind::Anything),
    shape::optional("environmentVariables", VARIABLES),
    shape::optional("privilegedMode", Kind::Flag),
    shape::optional("certificate", ANY),
    shape::optional("registryCredential", Kind::Anything),
    shape::optional("imagePullCredentialsType", PULL_CREDENTIALS),
    shape::optional("dockerServer", Kind::Anything),
]);

const TAG_TEXT: &str = r"^([\p{L}\p{Z}\p{N}_.:/=@+\-]*)$";

fn is_tag_text(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=@+-".contains(c))
}

static TAG: Kind = Kind::Structure(&[
    shape::required("key", shape::pattern(1, 127, TAG_TEXT, is_tag_text)),
    shape::optional("value", shape::pattern(0, 255, TAG_TEXT, is_tag_text)),
]);

const STATUS: Member = shape::required("status", Kind::OneOf(&["ENABLED", "DISABLED"]));

const LOGS_CONFIG: Kind = Kind::Structure(&[
    shape::optional(
        "cloudWatchLogs",
        Kind::Structure(&[
            STATUS,
            shape::optional("groupName", ANY),
            shape::optional("streamName", ANY),
        ]),
    ),
    shape::optional(
        "s3Logs",
        Kind::Structure(&[STATUS, shape::optional("location", ANY)]),
    ),
]);

/// Makes the shape of a request that describes a project; what is needed differs.
macro_rules! project {
    ($needed:path) => {
        &[
            shape::required("name", NAME),
            shape::optional("description", DESCRIPTION),
            $needed("source", SOURCE),
            shape::optional("sourceVersion", ANY),
            $needed("artifacts", ARTIFACTS),
            shape::optional("cache", CACHE),
            $needed("environment", ENVIRONMENT),
            $needed("serviceRole", NAME),
            shape::optional("timeoutInMinutes", TIMEOUT),
            shape::optional("queuedTimeoutInMinutes", QUEUED_TIMEOUT),
            shape::optional("encryptionKey", NAME),
            shape::optional("tags", Kind::List(0, 50, &TAG)),
            shape::optional("badgeEnabled", Kind::Flag),
            shape::optional("logsConfig", LOGS_CONFIG),
            shape::optional("concurrentBuildLimit", COUNT),
            shape::optional("autoRetryLimit", COUNT),
        ]
    };
}

pub(super) static CREATE_PROJECT: &[Member] = project!(shape::required);
pub(super) static UPDATE_PROJECT: &[Member] = project!(shape::optional);
