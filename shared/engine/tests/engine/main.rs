//! The engine under test: scenarios that read as transcripts, properties of random pipelines and
//! inputs, every interleaving of a small pipeline, and the sizes of the largest one.

use pipewright_engine as engine;

mod declare;
mod interleavings;
mod oracle;
mod properties;
#[expect(
    clippy::needless_raw_string_hashes,
    reason = "expect-test writes transcripts with them"
)]
mod scenarios;
mod script;
mod sizes;
mod transcript;
