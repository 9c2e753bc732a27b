//! Which AWS call a request is, in the words of IAM.

use serde_json::Value;

use crate::http::Message;

/// Who asks when no function does.
pub const CLIENT: &str = "client";

/// A request to a service of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The function's name, or [`CLIENT`].
    pub who: String,
    /// The id of the key that it is signed with.
    pub key: String,
    /// Its service as it signs: `dynamodb`, `sqs`, `s3`.
    pub service: String,
    /// As the service calls it: `TransactWriteItems`; of S3, the method.
    pub operation: String,
    /// What a role must allow for it: `dynamodb:PutItem`.
    pub actions: Vec<String>,
}

impl Call {
    /// The call that a signed request is; none for one that is no call of AWS.
    pub fn of(request: &Message) -> Option<Self> {
        let (key, service) = scope(request)?;
        let target = request.header("x-amz-target");
        let operation = match target.and_then(|target| target.split_once('.')) {
            Some((_, operation)) => operation.to_owned(),
            None if service == "s3" => request.request_line().0.to_owned(),
            None => of_form(&request.body)?,
        };
        let actions = actions(&service, &operation, request);
        Some(Self {
            who: who(request),
            key,
            service,
            operation,
            actions,
        })
    }

    pub fn is(&self, service: &str, operation: &str) -> bool {
        self.service == service && self.operation == operation
    }
}

/// The SDK of a function tells the function's name as that of its application.
fn who(request: &Message) -> String {
    let agents = ["x-amz-user-agent", "user-agent"];
    let mut agents = agents.iter().filter_map(|name| request.header(name));
    let app = agents.find_map(|agent| {
        let mut words = agent.split(' ');
        words.find_map(|word| word.strip_prefix("app/"))
    });
    app.unwrap_or(CLIENT).to_owned()
}

/// The key and the service of `…Credential=<key>/<date>/<region>/<service>/aws4_request`, in a header
/// or pre-signed.
fn scope(request: &Message) -> Option<(String, String)> {
    let (_, target) = request.request_line();
    let scope = if let Some(header) = request.header("authorization") {
        header.split_once("Credential=")?.1.split(',').next()?
    } else {
        target
            .split_once("X-Amz-Credential=")?
            .1
            .split('&')
            .next()?
    };
    let scope = scope.replace("%2F", "/");
    let mut words = scope.split('/');
    let key = words.next()?.to_owned();
    words.nth(2).map(|service| (key, service.to_owned()))
}

/// `Action=Publish&…`
fn of_form(body: &[u8]) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    let mut pairs = body.split('&');
    pairs.find_map(|pair| pair.strip_prefix("Action=").map(str::to_owned))
}

fn actions(service: &str, operation: &str, request: &Message) -> Vec<String> {
    let names = match (service, operation) {
        // IAM knows the parts of a transaction, not the transaction.
        ("dynamodb", "TransactWriteItems" | "TransactGetItems") => parts(&request.body),
        ("sqs", "SendMessageBatch") => vec!["SendMessage"],
        ("s3", method) => vec![of_s3(method, request.request_line().1)],
        (_, operation) => vec![operation],
    };
    let names = names.iter();
    names.map(|name| format!("{service}:{name}")).collect()
}

fn parts(body: &[u8]) -> Vec<&'static str> {
    const KINDS: [(&str, &str); 5] = [
        ("Put", "PutItem"),
        ("Update", "UpdateItem"),
        ("Delete", "DeleteItem"),
        ("ConditionCheck", "ConditionCheckItem"),
        ("Get", "GetItem"),
    ];
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let items = body["TransactItems"].as_array();
    let mut parts = Vec::new();
    for (kind, action) in KINDS {
        let mut items = items.into_iter().flatten();
        if items.any(|item| item.get(kind).is_some()) {
            parts.push(action);
        }
    }
    parts
}

/// The calls of S3 that Pipewright makes.
fn of_s3(method: &str, target: &str) -> &'static str {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let is_object = path.trim_start_matches('/').contains('/');
    let has = |name: &str| {
        query
            .split('&')
            .any(|pair| pair == name || pair.starts_with(&format!("{name}=")))
    };
    match method {
        "GET" if has("versions") => "ListBucketVersions",
        "GET" if has("versioning") => "GetBucketVersioning",
        "GET" | "HEAD" if is_object && has("versionId") => "GetObjectVersion",
        "GET" | "HEAD" if is_object => "GetObject",
        "GET" | "HEAD" => "ListBucket",
        "DELETE" if has("uploadId") => "AbortMultipartUpload",
        "DELETE" if has("versionId") => "DeleteObjectVersion",
        "DELETE" => "DeleteObject",
        _ => "PutObject",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(first: &str, headers: &[(&str, &str)], body: &str) -> Message {
        let headers = headers.iter();
        Message {
            first: first.to_owned(),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn signed(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host"
        )
    }

    #[test]
    fn the_parts_of_a_transaction_are_what_a_role_allows() {
        let body = r#"{"TransactItems":[{"Put":{}},{"Put":{}},{"ConditionCheck":{}}]}"#;
        let headers = [
            ("Authorization", signed("dynamodb")),
            (
                "X-Amz-Target",
                "DynamoDB_20120810.TransactWriteItems".to_owned(),
            ),
            (
                "User-Agent",
                "aws-sdk-rust/1 app/stage-transition".to_owned(),
            ),
        ];
        let headers = headers
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let call = Call::of(&request("POST / HTTP/1.1", &headers, body)).expect("it is a call");
        assert_eq!(call.who, "stage-transition");
        assert!(call.is("dynamodb", "TransactWriteItems"));
        assert_eq!(
            call.actions,
            ["dynamodb:PutItem", "dynamodb:ConditionCheckItem"]
        );
    }

    #[test]
    fn a_form_and_a_pre_signed_request_are_calls_too() {
        let sns = signed("sns");
        let headers = [("Authorization", sns.as_str())];
        let call = Call::of(&request(
            "POST / HTTP/1.1",
            &headers,
            "Action=Publish&Message=a",
        ));
        assert_eq!(call.expect("it is a call").actions, ["sns:Publish"]);
        let first = "GET /b/k?X-Amz-Credential=A%2F1%2Fr%2Fs3%2Faws4_request HTTP/1.1";
        let call = Call::of(&request(first, &[], "")).expect("it is a call");
        assert_eq!(
            (call.who.as_str(), call.actions[0].as_str()),
            (CLIENT, "s3:GetObject")
        );
        assert_eq!(Call::of(&request("GET / HTTP/1.1", &[], "")), None);
    }
}
