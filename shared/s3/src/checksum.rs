//! Checksums: which ones a request came with, and what they are of the bytes.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use http::HeaderMap;
use ports::objects::ObjectChecksum;
use s3s::{
    S3Result,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256},
    dto, s3_error,
};
use serde::{Deserialize, Serialize};

/// A way to sum up bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

const ALL: [Algorithm; 5] = [
    Algorithm::Crc32,
    Algorithm::Crc32c,
    Algorithm::Crc64Nvme,
    Algorithm::Sha1,
    Algorithm::Sha256,
];

impl Algorithm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    fn header(self) -> String {
        format!("x-amz-checksum-{}", self.name().to_ascii_lowercase())
    }

    pub(crate) fn named(name: &str) -> S3Result<Self> {
        let found = ALL.into_iter().find(|known| known.name() == name);
        found.ok_or_else(|| {
            s3_error!(
                InvalidRequest,
                "`{name}` is no checksum algorithm; there are CRC32, CRC32C, CRC64NVME, SHA1 and \
                 SHA256."
            )
        })
    }

    fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// Which checksum a body comes with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    Nothing,
    /// Before the body.
    Header(Algorithm, String),
    /// After the body.
    Trailer(Algorithm),
}

impl Announced {
    /// Reads what the headers announce; more than one is one too many.
    pub(crate) fn of(headers: &HeaderMap) -> S3Result<Self> {
        let mut found = Vec::new();
        for algorithm in ALL {
            if let Some(value) = headers.get(algorithm.header()) {
                let value = value.to_str().unwrap_or_default().to_owned();
                check_form(algorithm, &value)?;
                found.push(Self::Header(algorithm, value));
            }
        }
        if let Some(names) = headers.get("x-amz-trailer") {
            for name in names.to_str().unwrap_or_default().split(',') {
                let name = name.trim().to_ascii_lowercase();
                let known = ALL.into_iter().find(|known| known.header() == name);
                let Some(algorithm) = known else {
                    return Err(s3_error!(
                        InvalidRequest,
                        "The value specified in the x-amz-trailer header is not supported: {name}"
                    ));
                };
                found.push(Self::Trailer(algorithm));
            }
        }
        if found.len() > 1 {
            return Err(s3_error!(
                InvalidRequest,
                "Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed."
            ));
        }
        Ok(found.pop().unwrap_or(Self::Nothing))
    }

    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        match self {
            Self::Nothing => None,
            Self::Header(algorithm, _) | Self::Trailer(algorithm) => Some(*algorithm),
        }
    }

    /// Compares what was announced with what the bytes gave.
    pub(crate) fn check(&self, sum: &Sum, trailers: Option<&HeaderMap>) -> S3Result<()> {
        let told = match self {
            Self::Nothing => return Ok(()),
            Self::Header(_, told) => told.clone(),
            Self::Trailer(algorithm) => {
                let told = trailers.and_then(|trailers| trailers.get(algorithm.header()));
                let told = told.and_then(|told| told.to_str().ok()).ok_or_else(|| {
                    s3_error!(
                        InvalidRequest,
                        "The trailer {} was announced and did not come.",
                        algorithm.header()
                    )
                })?;
                check_form(*algorithm, told)?;
                told.to_owned()
            }
        };
        if told == sum.value() {
            return Ok(());
        }
        Err(s3_error!(
            BadDigest,
            "The {} you specified did not match the calculated checksum.",
            sum.algorithm.name()
        ))
    }
}

fn check_form(algorithm: Algorithm, value: &str) -> S3Result<()> {
    let length = BASE64.decode(value).ok().map(|bytes| bytes.len());
    if length == Some(algorithm.length()) {
        return Ok(());
    }
    Err(s3_error!(
        InvalidRequest,
        "Value for {} header is invalid.",
        algorithm.header()
    ))
}

/// Sums up bytes as they come.
pub(crate) struct Summing {
    algorithm: Algorithm,
    hasher: ChecksumHasher,
}

/// The checksum of some bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sum {
    pub(crate) algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Summing {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let mut hasher = ChecksumHasher::default();
        match algorithm {
            Algorithm::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Algorithm::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Algorithm::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Algorithm::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Algorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
        Self { algorithm, hasher }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    pub(crate) fn finish(self) -> Sum {
        let all = self.hasher.finalize();
        let value = match self.algorithm {
            Algorithm::Crc32 => all.checksum_crc32,
            Algorithm::Crc32c => all.checksum_crc32c,
            Algorithm::Crc64Nvme => all.checksum_crc64nvme,
            Algorithm::Sha1 => all.checksum_sha1,
            Algorithm::Sha256 => all.checksum_sha256,
        };
        let bytes = value.and_then(|value| BASE64.decode(value).ok());
        Sum {
            algorithm: self.algorithm,
            bytes: bytes.unwrap_or_default(),
        }
    }
}

impl Sum {
    pub(crate) fn value(&self) -> String {
        BASE64.encode(&self.bytes)
    }

    pub(crate) fn stored(&self) -> ObjectChecksum {
        ObjectChecksum {
            algorithm: self.algorithm.name().to_owned(),
            value: self.value(),
        }
    }

    /// The checksum of the checksums of parts, as S3 makes it.
    pub(crate) fn of_parts<'a>(
        algorithm: Algorithm,
        parts: impl Iterator<Item = &'a Self>,
    ) -> ObjectChecksum {
        let (mut summing, mut count) = (Summing::new(algorithm), 0);
        for part in parts {
            summing.update(&part.bytes);
            count += 1;
        }
        ObjectChecksum {
            algorithm: algorithm.name().to_owned(),
            value: format!("{}-{count}", summing.finish().value()),
        }
    }
}

/// A stored checksum in the form in which answers have it.
pub(crate) fn told(stored: Option<&ObjectChecksum>) -> dto::Checksum {
    let mut all = dto::Checksum::default();
    let Some(stored) = stored else {
        return all;
    };
    let value = Some(stored.value.clone());
    match stored.algorithm.as_str() {
        "CRC32" => all.checksum_crc32 = value,
        "CRC32C" => all.checksum_crc32c = value,
        "CRC64NVME" => all.checksum_crc64nvme = value,
        "SHA1" => all.checksum_sha1 = value,
        "SHA256" => all.checksum_sha256 = value,
        _ => return all,
    }
    all.checksum_type = Some(dto::ChecksumType::from_static(
        if stored.value.contains('-') {
            dto::ChecksumType::COMPOSITE
        } else {
            dto::ChecksumType::FULL_OBJECT
        },
    ));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn sum(algorithm: Algorithm, bytes: &[u8]) -> Sum {
        let mut summing = Summing::new(algorithm);
        summing.update(bytes);
        summing.finish()
    }

    #[test]
    fn the_check_values_of_the_algorithms_come_out() {
        // The published check values of "123456789".
        let values = [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        ];
        for (algorithm, value) in values {
            assert_eq!(hex::encode(sum(algorithm, b"123456789").bytes), value);
            assert_eq!(Algorithm::named(algorithm.name()).unwrap(), algorithm);
        }
        assert_eq!(sum(Algorithm::Sha256, b"").bytes.len(), 32);
        assert!(Algorithm::named("MD5").is_err());
    }

    #[test]
    fn what_is_announced_is_compared() {
        let right = sum(Algorithm::Crc32, b"abc");
        let header = headers(&[("x-amz-checksum-crc32", &right.value())]);
        let announced = Announced::of(&header).unwrap();
        assert!(announced.check(&right, None).is_ok());
        let wrong = sum(Algorithm::Crc32, b"abd");
        let error = announced.check(&wrong, None).unwrap_err();
        assert_eq!(error.code().as_str(), "BadDigest");

        let announced = Announced::of(&headers(&[("x-amz-trailer", "X-Amz-Checksum-Crc32")]));
        let announced = announced.unwrap();
        assert_eq!(announced, Announced::Trailer(Algorithm::Crc32));
        assert!(announced.check(&right, Some(&header)).is_ok());
        assert!(announced.check(&wrong, Some(&header)).is_err());
        let error = announced.check(&right, None).unwrap_err();
        assert_eq!(error.code().as_str(), "InvalidRequest");
        assert_eq!(Announced::of(&headers(&[])).unwrap(), Announced::Nothing);
        assert!(Announced::Nothing.check(&right, None).is_ok());
    }

    #[test]
    fn what_cannot_be_a_checksum_is_refused() {
        let value = sum(Algorithm::Crc32, b"abc").value();
        for bad in [
            headers(&[("x-amz-checksum-crc32", "%%%")]),
            headers(&[("x-amz-checksum-sha256", &value)]),
            headers(&[("x-amz-trailer", "x-amz-meta-a")]),
            headers(&[
                ("x-amz-checksum-crc32", &value),
                ("x-amz-checksum-crc32c", &value),
            ]),
            headers(&[
                ("x-amz-checksum-crc32", &value),
                ("x-amz-trailer", "x-amz-checksum-crc32"),
            ]),
        ] {
            let error = Announced::of(&bad).unwrap_err();
            assert_eq!(error.code().as_str(), "InvalidRequest");
        }
    }

    #[test]
    fn the_checksum_of_parts_says_how_many_they_are() {
        let parts = [sum(Algorithm::Crc32, b"a"), sum(Algorithm::Crc32, b"b")];
        let whole = Sum::of_parts(Algorithm::Crc32, parts.iter());
        assert!(whole.value.ends_with("-2"));
        let told_whole = told(Some(&whole));
        assert_eq!(told_whole.checksum_type.unwrap().as_str(), "COMPOSITE");
        let one = told(Some(&parts[0].stored()));
        assert_eq!(one.checksum_type.unwrap().as_str(), "FULL_OBJECT");
        assert!(told(None).checksum_type.is_none());
    }
}
