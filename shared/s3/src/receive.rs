//! Bodies on their way in: into a temporary file, compared with everything that they came with.
//!
//! A digest that does not match is known after the last byte, so nothing is published before. The
//! library forgives an aws-chunked body that ends between two chunks; the length that was announced
//! is therefore compared here.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, header};
use http_body::{Frame, SizeHint};
use md5::{Digest, Md5};
use s3s::{S3Request, S3Result, TrailingHeaders, dto::StreamingBlob, s3_error};
use tempfile::NamedTempFile;

use crate::{
    OBJECT_BYTES_MAX,
    answer::BoxError,
    checksum::{Algorithm, Announced, Sum, Summing},
    failure,
};

/// How many bytes are gathered before they are written.
const BUFFER_BYTES: usize = 256 * 1024;

/// How much of a body may be in memory. The library holds a signed chunk until it has all of it,
/// and takes chunks of any size; clients send some hundred kilobytes.
const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The checksum of bytes that came without one; S3 takes the same.
const DEFAULT: Algorithm = Algorithm::Crc64Nvme;

/// Bytes that are what their sender said.
pub(crate) struct Received {
    pub(crate) file: NamedTempFile,
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) sum: Sum,
    /// Whether the sender chose the checksum.
    pub(crate) was_summed: bool,
}

/// What a body must be.
pub(crate) struct Expected {
    announced: Announced,
    length: u64,
    md5: Option<Vec<u8>>,
    trailing: Option<TrailingHeaders>,
    waiting: Option<Waiting>,
}

impl Expected {
    /// Reads the headers of a request with a body.
    pub(crate) fn of<T>(request: &S3Request<T>) -> S3Result<Self> {
        let headers = &request.headers;
        let length = length(headers)?;
        if length > OBJECT_BYTES_MAX {
            return Err(too_large());
        }
        let md5 = headers.get("content-md5").map(|told| {
            let told = BASE64.decode(told.as_bytes()).ok();
            let told = told.filter(|told| told.len() == 16);
            told.ok_or_else(|| {
                s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid.")
            })
        });
        Ok(Self {
            announced: Announced::of(headers)?,
            length,
            md5: md5.transpose()?,
            trailing: request.trailing_headers.clone(),
            waiting: request.extensions.get::<Waiting>().cloned(),
        })
    }

    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        self.announced.algorithm()
    }
}

fn too_large() -> s3s::S3Error {
    s3_error!(
        EntityTooLarge,
        "Your proposed upload exceeds the maximum allowed size, which is {OBJECT_BYTES_MAX} bytes."
    )
}

/// How many bytes the sender will send, without the frames around chunks.
fn length(headers: &HeaderMap) -> S3Result<u64> {
    let number = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        value.parse::<u64>().ok()
    };
    let found = number("x-amz-decoded-content-length");
    let found = found.or_else(|| number(header::CONTENT_LENGTH.as_str()));
    found.ok_or_else(|| {
        s3_error!(
            MissingContentLength,
            "You must provide the Content-Length HTTP header."
        )
    })
}

/// Reads a body to its end and compares it. `algorithm` is used when the sender announces none.
pub(crate) async fn receive(
    folder: PathBuf,
    body: Option<StreamingBlob>,
    expected: Expected,
    algorithm: Option<Algorithm>,
) -> S3Result<Received> {
    let chosen = expected.algorithm().or(algorithm);
    let mut sink = Sink::new(folder, chosen.unwrap_or(DEFAULT)).await?;
    let mut buffer = Vec::new();
    if let Some(mut body) = body {
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| failure::of_body(&*error))?;
            if let Some(waiting) = &expected.waiting {
                waiting.taken();
            }
            if sink.size + (buffer.len() + bytes.len()) as u64 > expected.length {
                return Err(incomplete());
            }
            buffer.extend_from_slice(&bytes);
            if buffer.len() >= BUFFER_BYTES {
                sink = sink.write(std::mem::take(&mut buffer)).await?;
            }
        }
    }
    let sink = sink.write(buffer).await?;
    if sink.size != expected.length {
        return Err(incomplete());
    }
    let received = Received {
        file: sink.file,
        size: sink.size,
        md5: sink.md5.finalize().into(),
        sum: sink.summing.finish(),
        was_summed: chosen.is_some(),
    };
    if expected.md5.is_some_and(|told| told != received.md5) {
        return Err(s3_error!(
            BadDigest,
            "The Content-MD5 you specified did not match what we received."
        ));
    }
    let trailers = expected.trailing.and_then(|trailing| trailing.take());
    expected.announced.check(&received.sum, trailers.as_ref())?;
    Ok(received)
}

fn incomplete() -> s3s::S3Error {
    s3_error!(
        IncompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header."
    )
}

/// A temporary file with everything that is known of its bytes.
struct Sink {
    file: NamedTempFile,
    size: u64,
    md5: Md5,
    summing: Summing,
}

impl Sink {
    async fn new(folder: PathBuf, algorithm: Algorithm) -> S3Result<Self> {
        let file = blocking(move || {
            NamedTempFile::new_in(folder)
                .map_err(|error| failure::io("make a file for a body", error))
        });
        Ok(Self {
            file: file.await?,
            size: 0,
            md5: Md5::new(),
            summing: Summing::new(algorithm),
        })
    }

    async fn write(mut self, bytes: Vec<u8>) -> S3Result<Self> {
        blocking(move || {
            self.md5.update(&bytes);
            self.summing.update(&bytes);
            self.size += bytes.len() as u64;
            self.file
                .write_all(&bytes)
                .map_err(|error| failure::io("write a body", error))?;
            Ok(self)
        })
        .await
    }
}

/// Copies so many bytes into a file of their own.
pub(crate) fn copied(
    folder: &Path,
    from: &mut impl Read,
    length: u64,
    algorithm: Option<Algorithm>,
) -> S3Result<Received> {
    let failed = |error| failure::io("copy bytes", error);
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    let (mut md5, mut summing) = (Md5::new(), Summing::new(algorithm.unwrap_or(DEFAULT)));
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left = length;
    while left > 0 {
        let most = usize::try_from(left).map_or(BUFFER_BYTES, |left| left.min(BUFFER_BYTES));
        from.read_exact(&mut buffer[..most]).map_err(failed)?;
        md5.update(&buffer[..most]);
        summing.update(&buffer[..most]);
        file.write_all(&buffer[..most]).map_err(failed)?;
        left -= most as u64;
    }
    Ok(Received {
        file,
        size: length,
        md5: md5.finalize().into(),
        sum: summing.finish(),
        was_summed: algorithm.is_some(),
    })
}

/// Files block, so they are kept off the threads that run everything else.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> S3Result<T> + Send + 'static,
) -> S3Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| failure::join(&error))?
}

/// How far the reading of a body is.
#[derive(Clone, Default)]
pub(crate) struct Waiting(Arc<Progress>);

#[derive(Default)]
struct Progress {
    /// How much came in since the operation got something of it.
    waiting: AtomicUsize,
    is_read: AtomicBool,
}

impl Waiting {
    fn taken(&self) {
        self.0.waiting.store(0, Ordering::Relaxed);
    }

    /// Whether all of the body was read. Behind one that was not no other request can come.
    pub(crate) fn is_read(&self) -> bool {
        self.0.is_read.load(Ordering::Relaxed)
    }
}

/// A body that ends with an error when too much of it is waiting.
pub(crate) struct Bounded<B> {
    body: Pin<Box<B>>,
    waiting: Waiting,
}

impl<B: http_body::Body> Bounded<B> {
    pub(crate) fn new(body: B, waiting: Waiting) -> Self {
        let is_read = body.is_end_stream();
        waiting.0.is_read.store(is_read, Ordering::Relaxed);
        Self {
            body: Box::pin(body),
            waiting,
        }
    }
}

impl<B> http_body::Body for Bounded<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = std::task::ready!(self.body.as_mut().poll_frame(context));
        let is_read = frame.is_none() || self.body.is_end_stream();
        self.waiting.0.is_read.store(is_read, Ordering::Relaxed);
        let Some(frame) = frame else {
            return Poll::Ready(None);
        };
        let frame = frame.map_err(Into::into)?;
        let length = frame.data_ref().map_or(0, Bytes::len);
        let before = self.waiting.0.waiting.fetch_add(length, Ordering::Relaxed);
        if before + length > WAITING_BYTES_MAX {
            let why = format!("ChunkTooLarge: a chunk has more than {WAITING_BYTES_MAX} bytes");
            return Poll::Ready(Some(Err(why.into())));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    fn expected(length: u64) -> Expected {
        Expected {
            announced: Announced::Nothing,
            length,
            md5: None,
            trailing: None,
            waiting: None,
        }
    }

    async fn received(bytes: &'static [u8], expected: Expected) -> Result<Received, String> {
        let folder = tempfile::tempdir().unwrap();
        let body = StreamingBlob::from(s3s::Body::from(Bytes::from_static(bytes)));
        let got = receive(folder.path().to_owned(), Some(body), expected, None).await;
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, usize::from(got.is_ok()), "what failed leaves nothing");
        got.map_err(|error| error.code().as_str().to_owned())
    }

    #[tokio::test]
    async fn a_body_is_as_long_as_it_was_announced_or_leaves_nothing() {
        let got = received(b"hello", expected(5)).await.unwrap();
        assert_eq!((got.size, got.was_summed), (5, false));
        assert_eq!(hex::encode(got.md5), "5d41402abc4b2a76b9719d911017c592");
        for length in [4, 6] {
            let error = received(b"hello", expected(length)).await.err();
            assert_eq!(error.as_deref(), Some("IncompleteBody"));
        }
    }

    #[tokio::test]
    async fn a_digest_that_does_not_match_leaves_nothing() {
        let mut wrong = expected(5);
        wrong.md5 = Some(vec![0; 16]);
        let error = received(b"hello", wrong).await.err();
        assert_eq!(error.as_deref(), Some("BadDigest"));
        let mut wrong = expected(5);
        wrong.announced = Announced::Header(Algorithm::Crc32, "AAAAAA==".to_owned());
        let error = received(b"hello", wrong).await.err();
        assert_eq!(error.as_deref(), Some("BadDigest"));
    }

    #[test]
    fn the_length_is_that_of_the_bytes_without_their_frames() {
        let mut headers = HeaderMap::new();
        assert!(length(&headers).is_err());
        headers.insert("content-length", "70".parse().unwrap());
        assert_eq!(length(&headers).unwrap(), 70);
        headers.insert("x-amz-decoded-content-length", "5".parse().unwrap());
        assert_eq!(length(&headers).unwrap(), 5);
    }

    #[tokio::test]
    async fn no_more_of_a_body_waits_than_may() {
        let bytes = Bytes::from(vec![0; WAITING_BYTES_MAX]);
        let waiting = Waiting::default();
        let body = Bounded::new(Full::new(bytes.clone()), waiting.clone());
        assert!(!waiting.is_read());
        assert!(body.collect().await.is_ok());
        assert!(waiting.is_read());
        let one_more = || Bounded::new(Full::new(Bytes::from_static(b"x")), waiting.clone());
        assert!(one_more().collect().await.is_err());
        waiting.taken();
        assert!(one_more().collect().await.is_ok());
    }
}
