//! Who holds a key, and what they may do with buckets.

use std::{collections::BTreeMap, sync::Arc};

use access::{
    Caller,
    keys::{Holder, Keys, Session},
    policy::Decision,
};
use async_trait::async_trait;
use http::{HeaderMap, Uri};
use jiff::Timestamp as Instant;
use ports::Clock;
use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    path::S3Path,
    s3_error,
};
use subtle::ConstantTimeEq;

use crate::{Context, answer::Seeing};

/// Finds keys for the library, and decides.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Somebody whose signature was good.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    caller: Caller,
    /// Condition keys of this request.
    conditions: BTreeMap<String, Vec<String>>,
}

impl Identity {
    async fn holder(&self, access_key: &str) -> S3Result<Arc<Holder>> {
        let found = self.keys.holder(access_key).await;
        let found = found.map_err(|error| crate::failure::system(&error))?;
        found.ok_or_else(|| {
            s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            )
        })
    }

    /// Temporary credentials are worth nothing without their token, nor after their end.
    fn check_session(&self, session: Option<&Session>, told: Option<&str>) -> S3Result<()> {
        let refused = || {
            s3_error!(
                InvalidToken,
                "The provided token is malformed or otherwise invalid."
            )
        };
        match (session, told) {
            (None, None) => Ok(()),
            (None, Some(_)) | (Some(_), None) => Err(refused()),
            (Some(session), Some(told)) => {
                let token = session.token.reveal().as_bytes();
                if !bool::from(token.ct_eq(told.as_bytes())) {
                    return Err(refused());
                }
                if session.expires <= self.clock.now() {
                    return Err(s3_error!(ExpiredToken, "The provided token has expired."));
                }
                Ok(())
            }
        }
    }

    fn conditions(
        &self,
        context: Option<&Context>,
        query: &Query,
    ) -> BTreeMap<String, Vec<String>> {
        let mut all = context.map(|context| context.0.clone()).unwrap_or_default();
        if let Ok(now) = Instant::from_millisecond(self.clock.now().0) {
            all.entry("aws:currenttime".to_owned())
                .or_insert_with(|| vec![now.to_string()]);
        }
        for (parameter, key) in [
            ("prefix", "s3:prefix"),
            ("delimiter", "s3:delimiter"),
            ("max-keys", "s3:max-keys"),
            ("versionId", "s3:versionid"),
        ] {
            if let Some(value) = query.get(parameter) {
                all.insert(key.to_owned(), vec![value.to_owned()]);
            }
        }
        let how = if query.get("X-Amz-Signature").is_some() {
            "REST-QUERY-STRING"
        } else {
            "REST-HEADER"
        };
        all.insert("s3:authtype".to_owned(), vec![how.to_owned()]);
        let algorithm = vec!["AWS4-HMAC-SHA256".to_owned()];
        all.insert("s3:signatureversion".to_owned(), algorithm);
        all
    }
}

#[async_trait]
impl S3Auth for Identity {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let holder = self.holder(access_key).await?;
        Ok(SecretKey::from(holder.secret.reveal()))
    }
}

#[async_trait]
impl S3Access for Identity {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = cx.s3_op().name().to_owned();
        let resource = arn(cx.s3_path());
        let Some(credentials) = cx.credentials() else {
            return Err(s3_error!(AccessDenied, "The request is not signed."));
        };
        let holder = self.holder(&credentials.access_key).await?;
        let query = Query::of(cx.uri());
        let told = token(cx.headers(), &query);
        self.check_session(holder.session.as_ref(), told)?;
        self.keys.used(&holder.access_key).await;
        let is_of_version = query.get("versionId").is_some();
        let conditions = self.conditions(cx.extensions_mut().get(), &query);
        let asker = Asker {
            caller: Caller::of_key(Arc::clone(&holder), BTreeMap::new()),
            conditions,
        };
        if let Some(seeing) = cx.extensions_mut().get::<Seeing>() {
            seeing.note(|seen| {
                seen.operation = Some(operation.clone());
                seen.access_key = Some(holder.access_key.clone());
                seen.arn = Some(holder.arn.clone());
                seen.resource = Some(resource.clone());
            });
        }
        let Some(needs) = action(&operation, is_of_version) else {
            return Err(s3_error!(NotImplemented, "{operation} is not implemented."));
        };
        if let Needs::Action(action) = needs {
            let resource = if operation == "ListBuckets" {
                "*"
            } else {
                &resource
            };
            asker.check(action, resource)?;
        }
        cx.extensions_mut().insert(asker);
        Ok(())
    }
}

impl Asker {
    /// Refuses what the policies of the key do not allow.
    pub(crate) fn check(&self, action: &str, resource: &str) -> S3Result<()> {
        let why = match self.caller.decide(action, resource, &self.conditions) {
            Decision::Allowed => return Ok(()),
            Decision::NotAllowed => "because no policy of the key allows the action".to_owned(),
            Decision::Denied(None) => "with an explicit deny in a policy of the key".to_owned(),
            Decision::Denied(Some(sid)) => {
                format!("with an explicit deny in the statement `{sid}` of a policy of the key")
            }
        };
        Err(s3_error!(
            AccessDenied,
            "User: {} is not authorized to perform: {action} on resource: \"{resource}\" {why}",
            self.caller.arn()
        ))
    }
}

/// What an operation needs of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Action(&'static str),
    /// The operation asks for each key that its body names.
    Later,
}

/// The action of an operation in the words of IAM; none for operations that are not here.
fn action(operation: &str, is_of_version: bool) -> Option<Needs> {
    let of = |newest, version| if is_of_version { version } else { newest };
    Some(Needs::Action(match operation {
        "ListBuckets" => "s3:ListAllMyBuckets",
        "CreateBucket" => "s3:CreateBucket",
        "DeleteBucket" => "s3:DeleteBucket",
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "s3:ListBucket",
        "ListObjectVersions" => "s3:ListBucketVersions",
        "ListMultipartUploads" => "s3:ListBucketMultipartUploads",
        "GetBucketLocation" => "s3:GetBucketLocation",
        "GetBucketVersioning" => "s3:GetBucketVersioning",
        "PutBucketVersioning" => "s3:PutBucketVersioning",
        "GetObject" | "HeadObject" => of("s3:GetObject", "s3:GetObjectVersion"),
        "PutObject"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload" => "s3:PutObject",
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        "ListParts" => "s3:ListMultipartUploadParts",
        "DeleteObject" => of("s3:DeleteObject", "s3:DeleteObjectVersion"),
        "DeleteObjects" => return Some(Needs::Later),
        "GetObjectTagging" => of("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
        "PutObjectTagging" => of("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
        "DeleteObjectTagging" => of("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
        _ => return None,
    }))
}

fn arn(path: &S3Path) -> String {
    match path {
        S3Path::Root => "*".to_owned(),
        S3Path::Bucket { bucket } => format!("arn:aws:s3:::{bucket}"),
        S3Path::Object { bucket, key } => object_arn(bucket, key),
    }
}

pub(crate) fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

fn token<'a>(headers: &'a HeaderMap, query: &'a Query) -> Option<&'a str> {
    match headers.get("x-amz-security-token") {
        // A token that is no text is not the right one.
        Some(token) => Some(token.to_str().unwrap_or_default()),
        None => query.get("X-Amz-Security-Token"),
    }
}

struct Query(Vec<(String, String)>);

impl Query {
    fn of(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        Self(
            form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use access::keys::{KeysError, Secret};
    use model::Timestamp;

    use super::*;

    struct Nobody;

    #[async_trait]
    impl Keys for Nobody {
        async fn holder(&self, key: &str) -> Result<Option<Arc<Holder>>, KeysError> {
            match key {
                "broken" => Err(KeysError("the table is locked".into())),
                _ => Ok(None),
            }
        }
    }

    struct At(i64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp(self.0)
        }
    }

    fn identity() -> Identity {
        Identity {
            keys: Arc::new(Nobody),
            clock: Arc::new(At(1_000)),
        }
    }

    #[tokio::test]
    async fn a_key_that_is_unknown_or_cannot_be_looked_up_lets_nobody_in() {
        let unknown = identity().get_secret_key("K").await.err().unwrap();
        assert_eq!(unknown.code().as_str(), "InvalidAccessKeyId");
        let broken = identity().get_secret_key("broken").await.err().unwrap();
        assert_eq!(broken.code().as_str(), "InternalError");
    }

    #[test]
    fn a_session_needs_its_token_in_time() {
        let session = |expires| Session {
            token: Secret::new("token"),
            expires: Timestamp(expires),
        };
        let code = |session: Option<&Session>, told| {
            let checked = identity().check_session(session, told);
            checked.err().map(|error| error.code().as_str().to_owned())
        };
        assert_eq!(code(None, None), None);
        assert_eq!(code(Some(&session(1_001)), Some("token")), None);
        let invalid = Some("InvalidToken".to_owned());
        assert_eq!(code(Some(&session(1_001)), None), invalid);
        assert_eq!(code(Some(&session(1_001)), Some("tokem")), invalid);
        assert_eq!(code(None, Some("token")), invalid);
        let expired = Some("ExpiredToken".to_owned());
        assert_eq!(code(Some(&session(1_000)), Some("token")), expired);
    }

    #[test]
    fn an_operation_on_a_version_is_another_action() {
        let named = Some(Needs::Action("s3:GetObjectVersion"));
        assert_eq!(action("GetObject", true), named);
        assert_eq!(
            action("HeadObject", false),
            Some(Needs::Action("s3:GetObject"))
        );
        assert_eq!(action("DeleteObjects", false), Some(Needs::Later));
        assert_eq!(action("PutBucketPolicy", false), None);
    }

    #[test]
    fn the_conditions_of_a_request_are_what_it_says_and_where_it_is_from() {
        let uri = Uri::from_static("/b?prefix=a%2F&X-Amz-Signature=0");
        let peer = ("aws:sourceip".to_owned(), vec!["127.0.0.1".to_owned()]);
        let context = Context([peer].into());
        let all = identity().conditions(Some(&context), &Query::of(&uri));
        assert_eq!(all["s3:prefix"], ["a/"]);
        assert_eq!(all["s3:authtype"], ["REST-QUERY-STRING"]);
        assert_eq!(all["aws:sourceip"], ["127.0.0.1"]);
        assert_eq!(all["aws:currenttime"], ["1970-01-01T00:00:01Z"]);
    }
}
