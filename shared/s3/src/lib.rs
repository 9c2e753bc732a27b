//! The buckets, spoken to as S3.
