//! The CodePipeline JSON 1.1 protocol: decode, operation, encode.
