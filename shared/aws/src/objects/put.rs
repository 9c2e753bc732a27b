//! A put: the file is measured, then sent whole or in parts, on the terms that it is bound to.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::{ByteStream, Length},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use ports::{
    Clock, Random,
    objects::{ObjectError, ObjectInfo, PutObject, PutTerms},
};
use sha2::{Digest, Sha256};

use super::{
    Objects, Place,
    conditions::Condition,
    failed::{self, About, failed, io_failed, system},
    info::{Headers, NO_VERSIONS, with_headers},
    names,
    record::Record,
};
use crate::{SystemClock, SystemRandom};

/// How often a put is begun anew because another one of the same key was under way.
const CONFLICTS_MAX: u32 = 5;

/// How long the first pause before that is; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(50);

/// How many parts an upload may have.
const PARTS_MAX: u64 = 10_000;

/// How many bytes of a file are read at a time.
const CHUNK: usize = 128 * 1024;

type Sha = [u8; 32];

/// A file that is to be put.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) sha256: Sha,
    /// The size of each part but the last, and the digests of all; one of an object sent whole.
    pub(super) part_bytes: u64,
    pub(super) parts: Vec<Sha>,
}

/// Everything that one put sends.
pub(super) struct Put<'a> {
    pub(super) place: Place<'a>,
    pub(super) source: Source,
    pub(super) headers: Headers,
    pub(super) condition: Condition,
}

/// Why a put was not done.
pub(super) enum NotPut {
    /// What the condition says is not so; or it was so, and the answer to this very put was lost.
    Condition,
    /// Another put of the key was under way.
    Conflict,
    Failed(ObjectError),
}

/// What S3 says of an object that it took.
pub(super) struct Taken {
    pub(super) etag: Option<String>,
    pub(super) version_id: Option<String>,
    pub(super) kms_key: Option<String>,
}

impl Objects {
    pub(super) async fn put_one(
        &self,
        object: PutObject<'_>,
        terms: PutTerms<'_>,
    ) -> Result<ObjectInfo, ObjectError> {
        let place = Place {
            bucket: object.bucket,
            key: object.key,
            version: None,
        };
        names::check(place)?;
        let source = measured(object.from, self.limits.part_bytes, place).await?;
        let record = Record {
            put: Some(SystemRandom.uuid()),
            modified: Some(SystemClock.now()),
            sha256: (source.parts.len() > 1).then(|| hex::encode(source.sha256)),
            etag: terms.etag.map(str::to_owned),
            ..Record::default()
        };
        let put = Put {
            place,
            source,
            headers: Headers::of(object.metadata, record),
            condition: self.condition(place, terms, object.create_only).await?,
        };
        let mut pause = PAUSE;
        for _ in 0..CONFLICTS_MAX {
            match self.try_put(&put).await {
                Ok(taken) => return Ok(put.info(taken)),
                Err(NotPut::Failed(error)) => return Err(error),
                Err(NotPut::Conflict) => {}
                Err(NotPut::Condition) => {
                    if let Some(info) = self.after_refusal(&put).await? {
                        return Ok(info);
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        let text = format!("other puts of the key were under way {CONFLICTS_MAX} times");
        Err(system(put.doing(), text))
    }

    async fn try_put(&self, put: &Put<'_>) -> Result<Taken, NotPut> {
        if put.source.parts.len() > 1 {
            self.put_in_parts(put).await
        } else {
            self.put_whole(put).await
        }
    }

    async fn put_whole(&self, put: &Put<'_>) -> Result<Taken, NotPut> {
        let request = self
            .client
            .put_object()
            .bucket(put.place.bucket)
            .key(put.place.key)
            .content_length(length(put.source.size))
            .checksum_sha256(BASE64_STANDARD.encode(put.source.sha256))
            .set_if_match(put.condition.if_match())
            .set_if_none_match(put.condition.if_none_match());
        let request = with_headers!(request, &put.headers);
        let sent = request.body(put.part(0).await?).send().await;
        let answer = sent.map_err(|error| put.not_put(&error))?;
        Ok(Taken {
            etag: answer.e_tag,
            version_id: answer.version_id,
            kms_key: answer.ssekms_key_id,
        })
    }
}

impl Put<'_> {
    pub(super) fn doing(&self) -> String {
        format!(
            "store object `{}` in bucket `{}`",
            self.place.key, self.place.bucket
        )
    }

    /// The bytes of a part, which are read as they are sent.
    pub(super) async fn part(&self, index: usize) -> Result<ByteStream, NotPut> {
        let begin = self.source.part_bytes * index as u64;
        let end = self.source.size.min(begin + self.source.part_bytes);
        let stream = ByteStream::read_from()
            .path(&self.source.path)
            .offset(begin)
            .length(Length::Exact(end - begin))
            .build();
        let stream = stream.await;
        stream.map_err(|error| NotPut::Failed(system(format!("{}: read it", self.doing()), error)))
    }

    /// What a refusal means.
    pub(super) fn not_put<E>(&self, error: &SdkError<E, HttpResponse>) -> NotPut
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let code = failed::code(error);
        if matches!(code, "ConditionalRequestConflict" | "OperationAborted") {
            return NotPut::Conflict;
        }
        match failed(&self.doing(), About::Object(self.place), error) {
            ObjectError::Precondition { .. } => NotPut::Condition,
            error => NotPut::Failed(error),
        }
    }

    /// What is known of the object once it was taken.
    fn info(self, taken: Taken) -> ObjectInfo {
        let (mut metadata, record) = (self.headers.metadata, self.headers.record);
        metadata.kms_key = metadata.kms_key.or(taken.kms_key);
        ObjectInfo {
            key: self.place.key.to_owned(),
            version_id: taken.version_id.unwrap_or_else(|| NO_VERSIONS.to_owned()),
            etag: record.etag.or(taken.etag).unwrap_or_default(),
            sha256: hex::encode(self.source.sha256),
            size: self.source.size,
            modified: record.modified.unwrap_or_default(),
            metadata,
        }
    }
}

/// A length as S3 counts; no file is that long.
pub(super) fn length(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// How large the parts of a file are, so that they are not too many.
fn part_bytes(size: u64, wanted: u64) -> u64 {
    wanted.max(size.div_ceil(PARTS_MAX)).max(1)
}

/// Reads a file once, for the digests of it and of its parts.
async fn measured(path: &Path, part_bytes: u64, place: Place<'_>) -> Result<Source, ObjectError> {
    let doing = format!(
        "store object `{}` in bucket `{}`: read the file",
        place.key, place.bucket
    );
    let path = path.to_owned();
    let measured = tokio::task::spawn_blocking(move || measure(path, part_bytes)).await;
    let measured = measured.map_err(|error| system(doing.clone(), error))?;
    measured.map_err(|error| io_failed(doing, error))
}

fn measure(path: PathBuf, wanted: u64) -> io::Result<Source> {
    let mut file = File::open(&path)?;
    let expected = file.metadata()?.len();
    let part_bytes = part_bytes(expected, wanted);
    let mut whole = Sha256::new();
    let (mut size, mut parts) = (0, Vec::new());
    let mut buffer = vec![0; CHUNK];
    loop {
        let (part, bytes) = digest(&mut (&mut file).take(part_bytes), &mut whole, &mut buffer)?;
        // An empty file is one empty part.
        if bytes > 0 || parts.is_empty() {
            parts.push(part);
        }
        size += bytes;
        if bytes < part_bytes {
            break;
        }
        if size > expected {
            return Err(io::Error::other("the file grows while it is read"));
        }
    }
    Ok(Source {
        path,
        size,
        sha256: whole.finalize().into(),
        part_bytes,
        parts,
    })
}

fn digest(from: &mut impl Read, whole: &mut Sha256, buffer: &mut [u8]) -> io::Result<(Sha, u64)> {
    let (mut part, mut bytes) = (Sha256::new(), 0);
    loop {
        let read = match from.read(buffer) {
            Ok(0) => return Ok((part.finalize().into(), bytes)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        part.update(&buffer[..read]);
        whole.update(&buffer[..read]);
        bytes += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(content: &[u8], part_bytes: u64) -> Source {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, content).expect("a file");
        measure(path, part_bytes).expect("it can be read")
    }

    #[test]
    fn a_file_is_measured_part_by_part() {
        let digest = |bytes: &[u8]| -> Sha { Sha256::digest(bytes).into() };
        let source = measured(b"abcdefg", 3);
        assert_eq!(source.size, 7);
        assert_eq!(source.sha256, digest(b"abcdefg"));
        assert_eq!(source.parts, [digest(b"abc"), digest(b"def"), digest(b"g")]);
        assert_eq!(measured(b"abc", 3).parts, [digest(b"abc")]);
        let empty = measured(b"", 3);
        assert_eq!((empty.size, empty.parts), (0, vec![digest(b"")]));
    }

    #[test]
    fn no_file_has_more_parts_than_s3_takes() {
        let mebi = 1024 * 1024;
        assert_eq!(part_bytes(7 * 1024 * mebi, 16 * mebi), 16 * mebi);
        let large = 1024 * 1024 * mebi;
        let part = part_bytes(large, 16 * mebi);
        assert!(part > 16 * mebi && large.div_ceil(part) <= PARTS_MAX);
        assert_eq!(part_bytes(0, 0), 1);
    }
}
