//! Looking at objects, and reading them into files.

use std::{io, path::Path};

use aws_sdk_s3::{
    error::{DisplayErrorContext, SdkError},
    operation::{get_object::GetObjectOutput, head_object::HeadObjectError},
    types::ChecksumMode,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use model::Timestamp;
use ports::objects::{Marker, ObjectError, ObjectInfo, Version};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::{
    Objects, Place,
    failed::{About, damaged, failed, header, io_failed, status, system},
    info::{Described, Found, described, of_header},
    names,
};

/// How often an object is read from its beginning, when the connection breaks on the way.
const READS_MAX: usize = 3;

/// What a look found.
pub(super) enum Looked {
    Object(Box<Found>),
    Marker(Marker),
}

/// A read that did not come to its end.
enum NotRead {
    Broken(String),
    Failed(ObjectError),
}

impl Objects {
    /// What stands under a name, but for its tags.
    pub(super) async fn look(&self, place: Place<'_>) -> Result<Looked, ObjectError> {
        names::check(place)?;
        let sent = self
            .client
            .head_object()
            .bucket(place.bucket)
            .key(place.key)
            .set_version_id(place.version.map(str::to_owned))
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        match sent {
            Ok(output) => Ok(Looked::Object(Box::new(
                described!(output).found(place.key),
            ))),
            Err(error) if header(&error, "x-amz-delete-marker") == Some("true") => {
                let marker = self.marker(place, &error).await?;
                Ok(Looked::Marker(marker))
            }
            Err(error) => Err(self.why_not(place, &error).await),
        }
    }

    /// The object that stands under a name; a marker is none.
    pub(super) async fn find(&self, place: Place<'_>) -> Result<Found, ObjectError> {
        match self.look(place).await? {
            Looked::Object(found) => Ok(*found),
            Looked::Marker(_) => Err(not_there(place)),
        }
    }

    pub(super) async fn head_one(&self, place: Place<'_>) -> Result<ObjectInfo, ObjectError> {
        let found = self.find(place).await?;
        self.with_tags(place, found).await
    }

    pub(super) async fn version_one(&self, place: Place<'_>) -> Result<Version, ObjectError> {
        Ok(match self.look(place).await? {
            Looked::Object(found) => {
                Version::Object(Box::new(self.with_tags(place, *found).await?))
            }
            Looked::Marker(marker) => Version::Marker(marker),
        })
    }

    /// The marker that an answer told of. When it was put, S3 says only to who asks for it by name.
    async fn marker(
        &self,
        place: Place<'_>,
        error: &SdkError<HeadObjectError, HttpResponse>,
    ) -> Result<Marker, ObjectError> {
        let version = header(error, "x-amz-version-id").or(place.version);
        let version = version.ok_or_else(|| not_there(place))?;
        let mut modified = header(error, "last-modified").and_then(of_header);
        if modified.is_none() {
            let asked = self
                .client
                .head_object()
                .bucket(place.bucket)
                .key(place.key)
                .version_id(version)
                .send()
                .await;
            if let Err(error) = &asked {
                modified = header(error, "last-modified").and_then(of_header);
            }
        }
        Ok(Marker {
            key: place.key.to_owned(),
            version_id: version.to_owned(),
            // It was removed a moment ago.
            modified: modified.unwrap_or(Timestamp(0)),
        })
    }

    /// Why there is no answer to a look. An answer to `HEAD` has no body and so no code: what is
    /// missing is found out by another request.
    async fn why_not(
        &self,
        place: Place<'_>,
        error: &SdkError<HeadObjectError, HttpResponse>,
    ) -> ObjectError {
        if !matches!(status(error), Some(400 | 404 | 405)) {
            return failed(&looking(place), About::Object(place), error);
        }
        let asked = self
            .client
            .get_object()
            .bucket(place.bucket)
            .key(place.key)
            .set_version_id(place.version.map(str::to_owned))
            .range("bytes=0-0")
            .send()
            .await;
        match asked {
            Err(error) => {
                let told = failed(&looking(place), About::Object(place), &error);
                self.key_or_version(place, told).await
            }
            // It came a moment later.
            Ok(_) if status(error) == Some(404) => not_there(place),
            Ok(_) => failed(&looking(place), About::Object(place), error),
        }
    }

    /// Of a key that has no version at all, S3 says that it has no such version.
    pub(super) async fn key_or_version(&self, place: Place<'_>, told: ObjectError) -> ObjectError {
        if !matches!(told, ObjectError::NoSuchVersion { .. }) {
            return told;
        }
        let listed = self
            .client
            .list_object_versions()
            .bucket(place.bucket)
            .prefix(place.key)
            .max_keys(1)
            .send()
            .await;
        match listed {
            Ok(page) => {
                let versions = page.versions().iter().filter_map(|version| version.key());
                let markers = page.delete_markers().iter();
                let mut keys = versions.chain(markers.filter_map(|marker| marker.key()));
                if keys.any(|key| key == place.key) {
                    told
                } else {
                    no_such_key(place)
                }
            }
            // Whoever may not list the bucket is told what S3 said.
            Err(error) => match failed(&looking(place), About::Bucket(place.bucket), &error) {
                gone @ ObjectError::NoSuchBucket(_) => gone,
                _ => told,
            },
        }
    }

    /// Writes an object to a file, which appears when its bytes have proved to be the right ones.
    pub(super) async fn get_one(
        &self,
        place: Place<'_>,
        to: &Path,
    ) -> Result<ObjectInfo, ObjectError> {
        let folder = match to.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        let made = NamedTempFile::new_in(folder);
        let temporary = made.map_err(|error| io_failed(reading(place), error))?;
        let file = temporary.reopen();
        let file = file.map_err(|error| io_failed(reading(place), error))?;
        let (found, _) = self.read(place, file).await?;
        let info = self.with_tags(place, found).await?;
        let kept = temporary.persist(to);
        kept.map_err(|failed| io_failed(reading(place), failed.error))?;
        Ok(info)
    }

    /// A file without a name that has an object's bytes; the room that it takes goes with it.
    pub(super) async fn open_one(
        &self,
        place: Place<'_>,
    ) -> Result<(ObjectInfo, std::fs::File), ObjectError> {
        let made = tempfile::tempfile();
        let file = made.map_err(|error| io_failed(reading(place), error))?;
        let (found, file) = self.read(place, file).await?;
        let info = self.with_tags(place, found).await?;
        Ok((info, file))
    }

    /// Reads an object into a file, and gives that back at its beginning.
    async fn read(
        &self,
        place: Place<'_>,
        file: std::fs::File,
    ) -> Result<(Found, std::fs::File), ObjectError> {
        names::check(place)?;
        let mut file = tokio::fs::File::from_std(file);
        let mut broke = String::new();
        for _ in 0..READS_MAX {
            match self.try_read(place, &mut file).await {
                Ok(found) => return Ok((found, file.into_std().await)),
                Err(NotRead::Failed(error)) => return Err(error),
                Err(NotRead::Broken(text)) => broke = text,
            }
        }
        let text = format!("the connection broke {READS_MAX} times: {broke}");
        Err(system(reading(place), text))
    }

    async fn try_read(
        &self,
        place: Place<'_>,
        file: &mut tokio::fs::File,
    ) -> Result<Found, NotRead> {
        let sent = self
            .client
            .get_object()
            .bucket(place.bucket)
            .key(place.key)
            .set_version_id(place.version.map(str::to_owned))
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        let output = match sent {
            Ok(output) => output,
            Err(error) => {
                let told = failed(&reading(place), About::Object(place), &error);
                return Err(NotRead::Failed(self.key_or_version(place, told).await));
            }
        };
        let described: Described<'_> = described!(output);
        let mut found = described.found(place.key);
        if found.info.size > self.limits.file_bytes {
            let text = format!(
                "it has {} bytes, and a file here may have {}",
                found.info.size, self.limits.file_bytes
            );
            return Err(NotRead::Failed(system(reading(place), text)));
        }
        let (sha256, bytes) = copy(output, file, place).await?;
        if bytes != found.info.size {
            let text = format!("{bytes} bytes came of {}", found.info.size);
            return Err(NotRead::Broken(text));
        }
        if found.info.sha256.is_empty() {
            found.info.sha256 = sha256;
        } else if found.info.sha256 != sha256 {
            return Err(NotRead::Failed(damaged(place)));
        }
        Ok(found)
    }
}

/// Writes a body to the beginning of a file; gives its digest and its length.
async fn copy(
    output: GetObjectOutput,
    file: &mut tokio::fs::File,
    place: Place<'_>,
) -> Result<(String, u64), NotRead> {
    let io = |error: io::Error| NotRead::Failed(io_failed(reading(place), error));
    file.set_len(0).await.map_err(io)?;
    file.rewind().await.map_err(io)?;
    let (mut body, mut digest, mut bytes) = (output.body, Sha256::new(), 0);
    loop {
        match body.try_next().await {
            Ok(Some(chunk)) => {
                digest.update(&chunk);
                bytes += chunk.len() as u64;
                file.write_all(&chunk).await.map_err(io)?;
            }
            Ok(None) => break,
            Err(error) => {
                let text = DisplayErrorContext(error).to_string();
                // S3's own checksum, which the SDK compares; its error has no other mark.
                if text.contains("checksum mismatch") {
                    return Err(NotRead::Failed(damaged(place)));
                }
                return Err(NotRead::Broken(text));
            }
        }
    }
    file.flush().await.map_err(io)?;
    file.rewind().await.map_err(io)?;
    Ok((hex::encode(digest.finalize()), bytes))
}

fn looking(place: Place<'_>) -> String {
    format!(
        "look at object `{}` in bucket `{}`",
        place.key, place.bucket
    )
}

fn reading(place: Place<'_>) -> String {
    format!("read object `{}` of bucket `{}`", place.key, place.bucket)
}

fn no_such_key(place: Place<'_>) -> ObjectError {
    ObjectError::NoSuchKey {
        bucket: place.bucket.to_owned(),
        key: place.key.to_owned(),
    }
}

/// A name under which there is no object.
fn not_there(place: Place<'_>) -> ObjectError {
    match place.version {
        None => no_such_key(place),
        Some(version) => ObjectError::NoSuchVersion {
            bucket: place.bucket.to_owned(),
            key: place.key.to_owned(),
            version: version.to_owned(),
        },
    }
}
