//! SDK clients, made from what the environment says and nothing else.
//!
//! Credentials, region and endpoint are Lambda's own variables. So there is no chain of providers to
//! walk at the start, and no file or metadata service is looked at.

use std::{sync::Arc, time::Duration};

use aws_smithy_async::rt::sleep::AsyncSleep;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion, http::SharedHttpClient, interceptors::SharedInterceptor,
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, app_name::AppName, region::Region};

use crate::{Meter, Settings, SettingsError};

/// How often one request is sent, the first time included.
const ATTEMPTS_MAX: u32 = 4;

/// How long one attempt may take, and all of them with the pauses between.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(5);
const OPERATION_WITHIN: Duration = Duration::from_secs(15);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// The same before an emulator, which shares its machine with whatever tests it.
const EMULATED_ATTEMPT_WITHIN: Duration = Duration::from_secs(20);
const EMULATED_OPERATION_WITHIN: Duration = Duration::from_mins(1);

/// Makes clients that share connections, credentials and a meter.
#[derive(Clone)]
pub struct Clients {
    config: SdkConfig,
    meter: Meter,
}

/// A client of one service, with the meter in it.
macro_rules! client {
    ($name:ident, $sdk:ident, $service:literal) => {
        #[doc = concat!("A client of ", $service, ".")]
        pub fn $name(&self) -> $sdk::Client {
            let config = $sdk::config::Builder::from(&self.config);
            $sdk::Client::from_conf(config.interceptor(self.interceptor()).build())
        }
    };
}

impl Clients {
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let credentials = Credentials::new(
            settings.require("AWS_ACCESS_KEY_ID")?,
            settings.require("AWS_SECRET_ACCESS_KEY")?,
            settings.get("AWS_SESSION_TOKEN").map(str::to_owned),
            None,
            "environment",
        );
        let is_emulated = settings.get("AWS_ENDPOINT_URL").is_some();
        let (attempt, operation) = if is_emulated {
            (EMULATED_ATTEMPT_WITHIN, EMULATED_OPERATION_WITHIN)
        } else {
            (ATTEMPT_WITHIN, OPERATION_WITHIN)
        };
        let mut timeouts = TimeoutConfig::builder();
        timeouts
            .set_connect_timeout(Some(CONNECT_WITHIN))
            .set_operation_attempt_timeout(Some(attempt))
            .set_operation_timeout(Some(operation));
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.require("AWS_REGION")?.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client(settings))
            .sleep_impl(Arc::new(Sleep) as Arc<dyn AsyncSleep>)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
            .timeout_config(timeouts.build());
        config.set_app_name(settings.get("AWS_LAMBDA_FUNCTION_NAME").and_then(app_name));
        config.set_endpoint_url(settings.get("AWS_ENDPOINT_URL").map(str::to_owned));
        Ok(Self {
            config: config.build(),
            meter: Meter::default(),
        })
    }

    /// What was asked of all clients so far.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Whether requests go to an endpoint that the environment names, and not to Amazon's.
    pub fn has_own_endpoint(&self) -> bool {
        self.config.endpoint_url().is_some()
    }

    fn interceptor(&self) -> SharedInterceptor {
        SharedInterceptor::new(self.meter.clone())
    }

    client!(dynamodb, aws_sdk_dynamodb, "DynamoDB");
    client!(ecs, aws_sdk_ecs, "ECS");
    client!(eventbridge, aws_sdk_eventbridge, "EventBridge");
    client!(logs, aws_sdk_cloudwatchlogs, "CloudWatch Logs");
    client!(secrets, aws_sdk_secretsmanager, "Secrets Manager");
    client!(sns, aws_sdk_sns, "SNS");
    client!(sqs, aws_sdk_sqs, "SQS");
    client!(ssm, aws_sdk_ssm, "Parameter Store");

    /// A client of S3; an emulator on loopback has no names of hosts for buckets.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config)
            .interceptor(self.interceptor())
            .force_path_style(self.config.endpoint_url().is_some());
        aws_sdk_s3::Client::from_conf(config.build())
    }
}

#[cfg(test)]
impl Clients {
    /// Clients whose requests a test answers, each once.
    pub(crate) fn answered(http_client: SharedHttpClient) -> Self {
        let of = |name: &str| (name.to_owned(), "test".to_owned());
        let names = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        let clients = Self::new(&Settings::of(names.map(of))).expect("they are all there");
        let config = clients.config.to_builder().http_client(http_client);
        Self {
            config: config.retry_config(RetryConfig::disabled()).build(),
            ..clients
        }
    }
}

/// Every request tells whose it is: in CloudTrail's records, and in the tests that compare what a
/// function does with its role. A name that is no word of a user agent is left out.
fn app_name(function: &str) -> Option<AppName> {
    AppName::new(function.to_owned()).ok()
}

/// Connections without TLS where the endpoint has none: reading the root certificates takes
/// milliseconds of every start.
fn http_client(settings: &Settings) -> SharedHttpClient {
    let is_plain = settings
        .get("AWS_ENDPOINT_URL")
        .is_some_and(|url| url.starts_with("http://"));
    if is_plain {
        return Builder::new().build_http();
    }
    let tls = Provider::Rustls(CryptoMode::Ring);
    Builder::new().tls_provider(tls).build_https()
}

/// Pauses between attempts.
#[derive(Debug)]
struct Sleep;

impl AsyncSleep for Sleep {
    fn sleep(&self, duration: Duration) -> aws_smithy_async::rt::sleep::Sleep {
        aws_smithy_async::rt::sleep::Sleep::new(tokio::time::sleep(duration))
    }
}
