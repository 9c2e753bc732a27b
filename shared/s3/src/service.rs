//! The endpoint as a service that a listener can call.

use std::{
    convert::Infallible,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Version, header, request::Parts};
use s3s::{
    config::{S3Config, StaticConfigProvider},
    s3_error,
    service::{S3Service, S3ServiceBuilder},
};
use thiserror::Error;

use crate::{
    Options,
    answer::{Body, BoxError, Seeing, finish, refusal},
    backend::Backend,
    front,
    identity::Identity,
    receive::{Bounded, Waiting},
    uploads::Uploads,
};

/// The largest document that a request may hold: the list of ten thousand parts, or of a thousand
/// keys, with room to spare.
const DOCUMENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How far the clock of a client may be off, either way, in seconds; as for every other request here.
const SKEW_SECONDS_MAX: u32 = 5 * 60;

/// Why there is no endpoint.
#[derive(Debug, Error)]
#[error("failed to open the folder of uploads {}", folder.display())]
pub struct OpenError {
    folder: PathBuf,
    #[source]
    source: std::io::Error,
}

/// Answers requests as S3 does.
#[derive(Clone)]
pub struct Service {
    library: S3Service,
    region: Arc<str>,
}

/// Makes the endpoint; what a crash left of unfinished requests is removed.
pub fn service(options: Options) -> Result<Service, OpenError> {
    let uploads = Uploads::open(&options.uploads, Arc::clone(&options.clock));
    let uploads = uploads.map_err(|source| OpenError {
        folder: options.uploads.clone(),
        source,
    })?;
    let region = options.account.region.as_str().into();
    let identity = Identity {
        keys: Arc::clone(&options.keys),
        clock: Arc::clone(&options.clock),
    };
    let backend = Backend {
        objects: options.objects,
        uploads: Arc::new(uploads),
        account: options.account,
        on_put: options.on_put,
    };
    let mut config = S3Config::default();
    config.xml_max_body_size = DOCUMENT_BYTES_MAX;
    config.presigned_url_max_skew_time_secs = SKEW_SECONDS_MAX;
    let mut builder = S3ServiceBuilder::new(backend);
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.set_auth(identity.clone());
    builder.set_access(identity);
    Ok(Service {
        library: builder.build(),
        region,
    })
}

impl Service {
    /// Answers one request. [`Seen`](crate::Seen) is an extension of the answer.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (head, body) = request.into_parts();
        let waiting = Waiting::default();
        let body = Bounded::new(body, waiting.clone());
        let is_first_version = head.version < Version::HTTP_2;
        let mut answer = self.answer_bounded(head, body, &waiting).await;
        // The client must not send its next request behind a body that nobody reads.
        if is_first_version && !waiting.is_read() {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(header::CONNECTION, close);
        }
        answer
    }

    async fn answer_bounded<B>(
        &self,
        mut head: Parts,
        body: Bounded<B>,
        waiting: &Waiting,
    ) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let seeing = Seeing::default();
        if let Err(error) = front::check(&head, &self.region) {
            return refusal(error, &seeing);
        }
        head.extensions.insert(seeing.clone());
        head.extensions.insert(waiting.clone());
        let body = s3s::Body::http_body_unsync(body);
        match self.library.call(Request::from_parts(head, body)).await {
            Ok(answer) => finish(answer, &seeing),
            Err(_) => refusal(
                s3_error!(InternalError, "The answer could not be written."),
                &seeing,
            ),
        }
    }
}

impl<B> tower::Service<Request<B>> for Service
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

#[cfg(test)]
mod tests {
    use access::keys::{Holder, Keys, KeysError};
    use async_trait::async_trait;
    use embedded::{ManualClock, Objects};
    use http_body_util::{BodyExt, Full};
    use ports::Account;

    use super::*;
    use crate::Seen;

    struct Nobody;

    #[async_trait]
    impl Keys for Nobody {
        async fn holder(&self, _: &str) -> Result<Option<Arc<Holder>>, KeysError> {
            Ok(None)
        }
    }

    fn options(folder: &std::path::Path) -> Options {
        let clock = Arc::new(ManualClock::new(model::Timestamp(0)));
        Options {
            objects: Arc::new(Objects::temporary(clock.clone()).unwrap()),
            keys: Arc::new(Nobody),
            clock,
            account: Account {
                id: "000000000000".to_owned(),
                region: "us-east-1".to_owned(),
            },
            uploads: folder.to_owned(),
            on_put: Arc::new(|_, _, _| {}),
        }
    }

    #[tokio::test]
    async fn a_refusal_is_a_document_and_ends_the_connection_before_an_unread_body() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(options(folder.path())).unwrap();
        for (body, closes) in [("", false), ("hello", true)] {
            let request = Request::put("/bucket/key").body(Full::new(Bytes::from(body)));
            let answer = service.answer(request.unwrap()).await;
            assert_eq!(answer.status().as_u16(), 403);
            assert_eq!(answer.headers().contains_key("connection"), closes);
            let seen = answer.extensions().get::<Seen>().unwrap();
            assert_eq!(seen.error.as_deref(), Some("AccessDenied"));
            let text = answer.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(text.to_vec()).unwrap();
            assert!(
                text.contains("<Message>The request is not signed"),
                "{text}"
            );
            assert!(text.contains("<RequestId>"), "{text}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_opened_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let error = service(options(&file)).err().unwrap();
        let text = format!("failed to open the folder of uploads {}", file.display());
        assert_eq!(error.to_string(), text);
    }
}
