//! One file of the parts that a client names.

use std::{fs::File, io};

use md5::{Digest, Md5};
use ports::objects::ObjectMetadata;
use s3s::{S3Result, dto, s3_error};
use tempfile::NamedTempFile;

use crate::{
    OBJECT_BYTES_MAX,
    checksum::{Algorithm, Sum},
    failure,
    receive::{Received, copied},
    uploads::{PART_BYTES_MIN, PARTS_MAX, Part, Upload, Uploads},
};

/// What a client says that the object is made of.
pub(super) struct Wanted {
    parts: Vec<(i32, String, Vec<String>)>,
    /// Of the whole.
    checksums: Vec<String>,
    size: Option<i64>,
}

/// The object as a file.
pub(super) struct Assembled {
    pub(super) file: NamedTempFile,
    /// In quotes.
    pub(super) etag: String,
    pub(super) metadata: ObjectMetadata,
}

/// The checksums that are given in fields of their own.
macro_rules! given {
    ($of:expr) => {
        [
            $of.checksum_crc32.clone(),
            $of.checksum_crc32c.clone(),
            $of.checksum_crc64nvme.clone(),
            $of.checksum_sha1.clone(),
            $of.checksum_sha256.clone(),
        ]
        .into_iter()
        .flatten()
        .collect()
    };
}

impl Wanted {
    pub(super) fn of(input: &dto::CompleteMultipartUploadInput, upload: &Upload) -> S3Result<Self> {
        let kind = super::kind_of(upload.is_of_whole);
        if let Some(told) = &input.checksum_type
            && told.as_str() != kind.as_str()
        {
            return Err(s3_error!(
                InvalidRequest,
                "The upload was created using the {} checksum mode; it cannot be completed with {}.",
                kind.as_str(),
                told.as_str()
            ));
        }
        let told = input.multipart_upload.as_ref();
        let told = told.and_then(|told| told.parts.as_ref());
        let parts = told.into_iter().flatten().map(|part| {
            let tag = part.e_tag.as_ref().map(|tag| tag.value().to_owned());
            let checksums = given!(part);
            (
                part.part_number.unwrap_or_default(),
                tag.unwrap_or_default(),
                checksums,
            )
        });
        Ok(Self {
            parts: parts.collect(),
            checksums: given!(input),
            size: input.mpu_object_size,
        })
    }

    /// The parts that are meant, each as it was when its sender saw it.
    fn choose(&self, kept: Vec<Part>) -> S3Result<Vec<Part>> {
        if self.parts.is_empty() || self.parts.len() > usize::try_from(PARTS_MAX).unwrap_or(0) {
            return Err(s3_error!(
                MalformedXML,
                "An upload is completed from 1 to {PARTS_MAX} parts."
            ));
        }
        if !self.parts.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            return Err(s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number."
            ));
        }
        let mut chosen = Vec::with_capacity(self.parts.len());
        let mut kept = kept.into_iter();
        for (number, tag, checksums) in &self.parts {
            let part = kept.find(|part| part.number == *number);
            let part = part.filter(|part| {
                let sum = part.sum.value();
                part.md5 == *tag && checksums.iter().all(|told| *told == sum)
            });
            chosen.push(part.ok_or_else(|| {
                s3_error!(
                    InvalidPart,
                    "Part {number} could not be found, or its entity tag or checksum is not that of \
                     the part that was uploaded."
                )
            })?);
        }
        self.check_sizes(&chosen)?;
        Ok(chosen)
    }

    fn check_sizes(&self, chosen: &[Part]) -> S3Result<()> {
        let before_last = chosen.len().saturating_sub(1);
        if let Some(small) = chosen[..before_last]
            .iter()
            .find(|part| part.size < PART_BYTES_MIN)
        {
            return Err(s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size: part {} has {} \
                 bytes, and every part but the last must have {PART_BYTES_MIN}.",
                small.number,
                small.size
            ));
        }
        let size: u64 = chosen.iter().map(|part| part.size).sum();
        if size > OBJECT_BYTES_MAX {
            return Err(s3_error!(
                EntityTooLarge,
                "The parts have {size} bytes; at most {OBJECT_BYTES_MAX} are allowed."
            ));
        }
        match self.size {
            Some(told) if u64::try_from(told) != Ok(size) => Err(s3_error!(
                InvalidRequest,
                "The x-amz-mp-object-size is {told}, and the parts have {size} bytes."
            )),
            Some(_) | None => Ok(()),
        }
    }
}

/// Puts the parts together and compares the whole with what its sender says of it.
pub(super) fn assemble(
    uploads: &Uploads,
    id: &str,
    wanted: &Wanted,
    upload: Upload,
) -> S3Result<Assembled> {
    let chosen = wanted.choose(uploads.parts(id)?)?;
    let mut tags = Md5::new();
    for part in &chosen {
        let digest = hex::decode(&part.md5).map_err(io::Error::other);
        tags.update(digest.map_err(|error| failure::io("read a part", error))?);
    }
    let count = chosen.len();
    let etag = format!("\"{}-{count}\"", hex::encode(tags.finalize()));
    let size = chosen.iter().map(|part| part.size).sum();
    let mut bytes = Bytes {
        uploads,
        id,
        left: chosen.iter(),
        current: None,
    };
    let folder = uploads.incoming();
    let whole: Received = copied(&folder, &mut bytes, size, upload.algorithm)?;
    let checksum = if upload.is_of_whole {
        whole.sum.stored()
    } else {
        let algorithm = upload.algorithm.unwrap_or(Algorithm::Crc64Nvme);
        if chosen.iter().any(|part| part.sum.algorithm != algorithm) {
            return Err(s3_error!(
                InvalidPart,
                "A part has no {} checksum.",
                algorithm.name()
            ));
        }
        Sum::of_parts(algorithm, chosen.iter().map(|part| &part.sum))
    };
    // That of parts may be told with or without how many they are.
    let plain = checksum.value.split('-').next().unwrap_or_default();
    let is_told = |told: &String| *told == checksum.value || told == plain;
    if !wanted.checksums.iter().all(is_told) {
        return Err(s3_error!(
            BadDigest,
            "The {} you specified did not match the calculated checksum.",
            checksum.algorithm
        ));
    }
    Ok(Assembled {
        file: whole.file,
        etag,
        metadata: ObjectMetadata {
            checksum: Some(checksum),
            ..upload.metadata
        },
    })
}

/// The bytes of parts, one after the other.
struct Bytes<'a> {
    uploads: &'a Uploads,
    id: &'a str,
    left: std::slice::Iter<'a, Part>,
    current: Option<File>,
}

impl io::Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(file) = &mut self.current {
                let read = file.read(buffer)?;
                if read > 0 {
                    return Ok(read);
                }
            }
            let Some(part) = self.left.next() else {
                return Ok(0);
            };
            let opened = self.uploads.bytes(self.id, part);
            self.current = Some(opened.map_err(io::Error::other)?);
        }
    }
}
