//! The log of a build: whole lines, secrets hidden, bounded.
//!
//! A line is what ends with a line feed; what is longer than [`LINE_MAX_BYTES`] is cut there and
//! its rest is dropped. When the commands have printed as much as the order allows, one line says
//! so and the rest is read and dropped, so that the build can finish.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{
    mask::Mask,
    report::{LogSummary, PhaseReport},
};

/// Where a line is cut.
pub const LINE_MAX_BYTES: usize = 64 * 1024;
/// What the build's own lines may add to the log beside what the commands print.
pub const OWN_LINES_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Takes what a build says, while it runs. A call that blocks makes the build wait.
pub trait Sink {
    /// A line without its line feed.
    fn line(&mut self, line: &str);

    /// A phase began, or ended when it has an end.
    fn phase(&mut self, _phase: &PhaseReport) {}
}

pub(super) struct Log<'s> {
    sink: &'s mut dyn Sink,
    mask: Mask,
    limit: u64,
    /// The line that has no end yet.
    partial: Vec<u8>,
    /// How much of it was dropped.
    dropped: u64,
    /// What the commands printed, as far as it was passed on.
    passed: u64,
    is_full: bool,
    own: u64,
    summary: LogSummary,
}

impl<'s> Log<'s> {
    pub(super) fn new(sink: &'s mut dyn Sink, limit: u64) -> Self {
        Self {
            sink,
            mask: Mask::default(),
            limit,
            partial: Vec::new(),
            dropped: 0,
            passed: 0,
            is_full: false,
            own: 0,
            summary: LogSummary::default(),
        }
    }

    pub(super) fn set_mask(&mut self, mask: Mask) {
        self.mask = mask;
    }

    pub(super) fn mask(&self) -> &Mask {
        &self.mask
    }

    pub(super) fn summary(&self) -> LogSummary {
        self.summary
    }

    pub(super) fn phase(&mut self, phase: &PhaseReport) {
        self.sink.phase(phase);
    }

    /// A line of the build's own, in the form of a real build's log (spec 70 §3).
    pub(super) fn say(&mut self, message: &str) {
        let stamp = Timestamp::now().strftime("%Y/%m/%d %H:%M:%S%.6f");
        let message = format!("[Container] {stamp} {message}");
        for line in message.split('\n') {
            self.own_line(line);
        }
    }

    /// An empty line, as stands before each command.
    pub(super) fn gap(&mut self) {
        self.own_line("");
    }

    fn own_line(&mut self, line: &str) {
        let shown = self.shown(line.as_bytes());
        let bytes = shown.len() as u64 + 1;
        if self.own + bytes > OWN_LINES_MAX_BYTES {
            self.summary.truncated = true;
            return;
        }
        self.own += bytes;
        self.deliver(&shown);
    }

    /// What the commands printed, in whatever pieces it comes.
    pub(super) fn output(&mut self, mut bytes: &[u8]) {
        self.summary.printed_bytes += bytes.len() as u64;
        while !bytes.is_empty() && !self.is_full {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (part, rest) = match end {
                Some(end) => (&bytes[..end], &bytes[end + 1..]),
                None => (bytes, &[][..]),
            };
            // What is kept past the cut lets a secret that lies across it be recognised.
            let room = LINE_MAX_BYTES + self.mask.longest() - self.partial.len();
            self.partial
                .extend_from_slice(&part[..part.len().min(room)]);
            self.dropped += part.len().saturating_sub(room) as u64;
            if end.is_some() {
                self.end_line();
            }
            bytes = rest;
        }
    }

    /// Ends a line that has no line feed, because nobody will continue it.
    pub(super) fn flush(&mut self) {
        if !self.partial.is_empty() {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let mut shown = self.shown(line);
        let dropped = self.dropped + line.len().saturating_sub(LINE_MAX_BYTES) as u64;
        if dropped > 0 {
            // Writing to a string cannot fail.
            let _ = write!(shown, " [line cut: {dropped} bytes left out]");
        }
        self.dropped = 0;
        let bytes = shown.len() as u64 + 1;
        if self.passed + bytes <= self.limit {
            self.passed += bytes;
            self.deliver(&shown);
        } else {
            // Nothing passes from here on, not even a shorter line: a log with holes misleads.
            self.is_full = true;
            self.summary.truncated = true;
            let limit = self.limit;
            self.say(&format!(
                "Log truncated: the commands have printed more than {limit} bytes"
            ));
        }
    }

    fn shown(&self, line: &[u8]) -> String {
        String::from_utf8_lossy(&self.mask.hide(line, LINE_MAX_BYTES)).into_owned()
    }

    fn deliver(&mut self, line: &str) {
        self.summary.bytes += line.len() as u64 + 1;
        self.sink.line(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Lines(Vec<String>);

    impl Sink for Lines {
        fn line(&mut self, line: &str) {
            self.0.push(line.to_owned());
        }
    }

    fn logged(limit: u64, secrets: &[&str], chunks: &[&[u8]]) -> (Vec<String>, LogSummary) {
        let mut lines = Lines::default();
        let mut log = Log::new(&mut lines, limit);
        log.set_mask(Mask::of(secrets.iter().copied()));
        for chunk in chunks {
            log.output(chunk);
        }
        log.flush();
        let summary = log.summary();
        (lines.0, summary)
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        let (lines, summary) = logged(1000, &[], &[b"on", b"e\r\ntw", b"o\n\nthree"]);
        assert_eq!(lines, ["one", "two", "", "three"]);
        assert_eq!(summary.printed_bytes, 15);
        assert!(!summary.truncated);
    }

    #[test]
    fn a_secret_that_arrives_in_pieces_is_hidden() {
        let (lines, _) = logged(1000, &["hunter2"], &[b"pass=hun", b"te", b"r2;\n"]);
        assert_eq!(lines, ["pass=***;"]);
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let long = vec![b'x'; LINE_MAX_BYTES + 10];
        let (lines, _) = logged(1_000_000, &[], &[&long, b"yy\nnext\n"]);
        assert!(lines[0].ends_with("xx [line cut: 12 bytes left out]"));
        assert_eq!(lines[1], "next");
    }

    #[test]
    fn a_secret_across_the_cut_is_hidden() {
        let mut long = vec![b'x'; LINE_MAX_BYTES - 3];
        long.extend_from_slice(b"hunter2 and more");
        let (lines, _) = logged(1_000_000, &["hunter2"], &[&long, b"\n"]);
        assert!(
            lines[0].contains("xxx*** [line cut"),
            "{}",
            &lines[0][LINE_MAX_BYTES - 10..]
        );
        assert!(!lines[0].contains("hun"));
    }

    #[test]
    fn the_cap_is_kept_and_marked_once() {
        let (lines, summary) = logged(10, &[], &[b"12345\n", b"123456\n", b"1\n1\n1\n"]);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], "12345");
        assert!(lines[1].contains("Log truncated: the commands have printed more than 10 bytes"));
        assert!(summary.truncated);
        assert_eq!(summary.printed_bytes, 19);
    }

    #[test]
    fn a_log_of_just_the_allowed_size_is_whole() {
        let (lines, summary) = logged(4, &[], &[b"1\n", b"1\n"]);
        assert_eq!((lines.len(), summary.truncated), (2, false));
        let (lines, summary) = logged(4, &[], &[b"1\n", b"1\n", b"1\n"]);
        assert_eq!((lines.len(), summary.truncated), (3, true));
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_the_log() {
        let (lines, _) = logged(1000, &[], &[b"a\xff\xfe\0b\n"]);
        assert_eq!(lines, ["a\u{fffd}\u{fffd}\0b"]);
    }

    #[test]
    fn the_builds_own_lines_are_bounded_too() {
        let mut lines = Lines::default();
        let mut log = Log::new(&mut lines, 10);
        for _ in 0..100 {
            log.say(&"x".repeat(LINE_MAX_BYTES));
        }
        let summary = log.summary();
        assert!(summary.truncated);
        assert!(summary.bytes <= OWN_LINES_MAX_BYTES);
    }

    proptest::proptest! {
        /// However a secret is encoded and cut into pieces, it never reaches the sink.
        #[test]
        fn no_secret_passes(
            secret in "[A-Za-z0-9+/=_-]{6,40}",
            before in "[ a-z]{0,9}",
            after in "[ a-z]{0,9}",
            cuts in proptest::collection::vec(1..9_usize, 1..9),
        ) {
            let forms = [
                secret.clone(),
                hex::encode(&secret),
                serde_json::Value::from(secret.as_str()).to_string(),
                secret.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
            ];
            for form in forms {
                let line = format!("{before}{form}{after}\n");
                let mut rest = line.as_bytes();
                let mut chunks = Vec::new();
                for cut in cuts.iter().cycle() {
                    let (chunk, left) = rest.split_at((*cut).min(rest.len()));
                    chunks.push(chunk);
                    rest = left;
                    if rest.is_empty() {
                        break;
                    }
                }
                let (lines, _) = logged(10_000, &[&secret], &chunks);
                let form = form.trim_matches('"');
                proptest::prop_assert!(!lines[0].contains(form), "{:?} holds {form:?}", lines);
            }
        }
    }
}
