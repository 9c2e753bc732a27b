//! `audit`: what a server was asked for and by whom, and whether that record is still whole.
//!
//! It reads the files and asks no server, so that it works beside one, on a copy, and on what is
//! left of one.

use std::path::Path;

use embedded::{
    MasterKey, SystemClock,
    audit::{self, Entry, Records, Verification, VerifyError, Wrong},
};
use model::Timestamp;
use ports::Clock as _;
use serde_json::{Value, json};

use crate::{
    args::{AuditArgs, AuditShowArgs, AuditVerb, AuditVerifyArgs, Output, Since},
    exit::Exit,
    failure::{Failure, chain},
    terminal::{self, Style, Terminal, paint},
};

/// How many bytes of text are gathered before they are printed.
const PRINT_BYTES: usize = 64 * 1024;

/// What stands where a record does not say it.
const UNKNOWN: &str = "-";

pub(super) fn run(args: &AuditArgs, terminal: Terminal) -> Result<Exit, Failure> {
    match &args.verb {
        AuditVerb::Verify(args) => verify(args, terminal),
        AuditVerb::Show(args) => show(args, terminal),
    }
}

fn verify(args: &AuditVerifyArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let found = looked_through(&args.data)?;
    let text = match terminal.output {
        Output::Text => verified(&found, &args.data, terminal.colour),
        Output::Json | Output::Jsonl | Output::Yaml => format!("{}\n", document(&found)),
    };
    print(&text)?;
    Ok(exit(&found))
}

fn looked_through(data: &Path) -> Result<Verification, Failure> {
    let key = MasterKey::read(data)
        .map_err(|error| Failure::new(Exit::Internal, chain(&error)))?
        .map(|key| key.for_audit());
    let found = audit::verify(&audit::directory(data), key.as_ref());
    found.map_err(|error| unreadable(data, &error))
}

fn exit(found: &Verification) -> Exit {
    if found.wrong.is_empty() {
        Exit::Succeeded
    } else {
        Exit::Failed
    }
}

fn unreadable(data: &Path, error: &VerifyError) -> Failure {
    match error {
        VerifyError::NotFound(_) => none(data),
        VerifyError::Read { .. } => Failure::new(Exit::Internal, chain(error)),
    }
}

fn none(data: &Path) -> Failure {
    Failure::not_found(format!("there is no audit trail in {}", data.display()))
        .with_help("name the data directory of the server with --data")
}

fn verified(found: &Verification, data: &Path, colour: bool) -> String {
    let mut lines = Vec::new();
    if found.wrong.is_empty() {
        let sign = paint("✔", Style::Good, colour);
        let records = counted(found.records, "record");
        let files = counted(found.files, "file");
        let anchors = counted(found.anchors, "anchor");
        lines.push(format!(
            "{sign} the audit trail is whole: {records} in {files}, {anchors}"
        ));
    }
    let bad = paint("✘", Style::Bad, colour);
    lines.extend(found.wrong.iter().map(|wrong| format!("{bad} {wrong}")));
    let note = paint("–", Style::Attention, colour);
    for (file, line) in &found.torn {
        lines.push(format!(
            "{note} {file}, line {line}: a crash had cut a line before this one; nothing that was \
             answered for was lost"
        ));
    }
    if found.unfinished_bytes > 0 {
        lines.push(format!(
            "{note} behind the last record: {}; a server is writing, or was killed",
            counted(found.unfinished_bytes, "byte")
        ));
    }
    if !found.is_signature_checked {
        lines.push(format!(
            "{note} signatures were not checked: there is no master.key in {}; whoever can write \
             the trail could have written all of it anew",
            data.display()
        ));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn document(found: &Verification) -> Value {
    let wrong: Vec<Value> = found.wrong.iter().map(wrong_document).collect();
    let torn = found.torn.iter();
    let torn: Vec<Value> = torn
        .map(|(file, line)| json!({"file": file, "line": line}))
        .collect();
    json!({
        "v": 1,
        "ok": found.wrong.is_empty(),
        "records": found.records,
        "files": found.files,
        "anchors": found.anchors,
        "anchorsOfOtherKeys": found.anchors_of_other_keys,
        "signatureChecked": found.is_signature_checked,
        "torn": torn,
        "unfinishedBytes": found.unfinished_bytes,
        "wrong": wrong,
    })
}

fn wrong_document(wrong: &Wrong) -> Value {
    json!({"file": wrong.file, "line": wrong.line, "what": wrong.what})
}

fn show(args: &AuditShowArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let directory = audit::directory(&args.of.data);
    if !directory.is_dir() {
        return Err(none(&args.of.data));
    }
    let records = Records::open(&directory)
        .map_err(|error| Failure::system("list the audit trail", &error))?;
    let from = args.since.map(|since| match since {
        Since::At(at) => at,
        Since::Ago(ago) => {
            let now = SystemClock.now();
            Timestamp(now.0.saturating_sub(Timestamp(0).plus(ago).0))
        }
    });
    let (mut exit, mut count) = (Exit::Succeeded, 0_u64);
    // A trail may be long, so no document is held as a whole.
    let (before, between, after) = match terminal.output {
        Output::Json => ("{\"v\":1,\"records\":[\n", ",\n", "\n]}\n"),
        Output::Text | Output::Jsonl | Output::Yaml => ("", "\n", "\n"),
    };
    let mut text = before.to_owned();
    for entry in records {
        match entry {
            Ok(entry) if is_before(&entry, from) => {}
            Ok(entry) => {
                text.push_str(if count == 0 { "" } else { between });
                text.push_str(&shown(&entry.record, terminal));
                count += 1;
            }
            Err(wrong) => {
                exit = Exit::Failed;
                terminal.insist(&format!("{wrong}; run `pipewright audit verify`"));
            }
        }
        if text.len() >= PRINT_BYTES {
            print(&text)?;
            text.clear();
        }
    }
    if count > 0 || terminal.output == Output::Json {
        text.push_str(after);
    }
    print(&text)?;
    Ok(exit)
}

fn is_before(entry: &Entry, from: Option<Timestamp>) -> bool {
    let at = entry.record["eventTime"].as_str();
    let at = at.and_then(|at| at.parse::<jiff::Timestamp>().ok());
    let at = at.map(|at| Timestamp(at.as_millisecond()));
    // Records know whole seconds; what has no time is shown.
    from.zip(at)
        .is_some_and(|(from, at)| at.0 + 1_000 <= from.0)
}

fn shown(record: &Value, terminal: Terminal) -> String {
    match terminal.output {
        Output::Text => line(record, terminal.colour),
        Output::Json | Output::Jsonl | Output::Yaml => record.to_string(),
    }
}

/// Time, who, from where, what, and what became of it.
fn line(record: &Value, colour: bool) -> String {
    let text = |value: &Value| value.as_str().map_or(UNKNOWN.to_owned(), printable);
    let user = &record["userIdentity"];
    let names = ["userName", "invokedBy", "accessKeyId"].map(|name| &user[name]);
    let who = names.into_iter().find(|name| name.is_string());
    let who = who.map_or("nobody".to_owned(), text);
    let outcome = match record["errorCode"].as_str() {
        None => paint("ok", Style::Good, colour),
        Some(code) => paint(&printable(code), Style::Bad, colour),
    };
    format!(
        "{}  {who:<20}  {:<15}  {:<32}  {outcome}",
        text(&record["eventTime"]),
        text(&record["sourceIPAddress"]),
        text(&record["eventName"]),
    )
}

/// Without what would move the cursor: strangers chose some of these words.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn print(text: &str) -> Result<(), Failure> {
    terminal::print(text).map_err(|error| Failure::system("write the answer", &error))
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use embedded::{AuditLog, DataDir, OsRandom, audit::AuditOptions};
    use expect_test::expect;
    use ports::{Account, AuditTrail as _, audit::AuditRecord};

    use super::*;

    #[test]
    fn a_record_is_one_line() {
        let records = [
            json!({"eventTime": "2026-11-21T08:00:00Z", "eventName": "StartPipelineExecution",
                "userIdentity": {"userName": "ann", "accessKeyId": "PWKA"},
                "sourceIPAddress": "127.0.0.1"}),
            json!({"eventTime": "2026-11-21T08:00:01Z", "eventName": "Get\u{1b}[2JPipeline",
                "userIdentity": {"type": "Unknown", "accessKeyId": "PWKA"},
                "sourceIPAddress": "10.0.0.1", "errorCode": "AccessDeniedException"}),
            json!({"userIdentity": {"type": "Unknown"}}),
        ];
        let lines: Vec<String> = records.iter().map(|it| line(it, false)).collect();
        expect![[r#"
            2026-11-21T08:00:00Z  ann                   127.0.0.1        StartPipelineExecution            ok
            2026-11-21T08:00:01Z  PWKA                  10.0.0.1         Get�[2JPipeline                   AccessDeniedException
            -  nobody                -                -                                 ok"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn the_exit_code_tells_a_broken_trail_from_a_whole_one_and_from_none() {
        let folder = tempfile::tempdir().expect("there is room");
        let data = folder.path();
        let failure = looked_through(data).expect_err("there is none");
        assert_eq!(failure.exit, Exit::NotFound);
        write_a_trail(data);
        let found = looked_through(data).expect("it is there");
        assert_eq!((exit(&found), found.records), (Exit::Succeeded, 3));
        assert!(found.is_signature_checked);
        let file = audit::directory(data).join("00000001.jsonl");
        let text = fs::read_to_string(&file).expect("it is there");
        fs::write(&file, text.replacen("First", "Fifth", 1)).expect("there is room");
        let found = looked_through(data).expect("it is there");
        assert_eq!(exit(&found), Exit::Failed);
        assert_eq!(found.wrong[0].line, 2);
        fs::remove_dir_all(audit::directory(data)).expect("it is there");
        fs::write(data.join("access.db"), "").expect("there is room");
        let found = looked_through(data).expect("a server was here");
        assert_eq!((exit(&found), found.wrong.len()), (Exit::Failed, 1));
        fs::create_dir_all(&file).expect("there is room");
        let failure = looked_through(data).expect_err("it cannot be read");
        assert_eq!(failure.exit, Exit::Internal);
        fs::write(data.join("master.key"), "none").expect("there is room");
        let failure = looked_through(data).expect_err("it is no key");
        assert_eq!(failure.exit, Exit::Internal);
    }

    fn write_a_trail(data: &Path) {
        let data = DataDir::open(data).expect("nobody else has it");
        let master = MasterKey::open(&data, &OsRandom).expect("it is made");
        let options = AuditOptions {
            key: master.for_audit(),
            clock: Arc::new(SystemClock),
            account: Arc::new(Account {
                id: "000000000000".to_owned(),
                region: "us-east-1".to_owned(),
            }),
            file_bytes_max: audit::FILE_BYTES_MAX,
        };
        let log = AuditLog::open(&data, options).expect("it is new");
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("there are threads").block_on(async {
            for name in ["First", "Second"] {
                let record = AuditRecord::of_service(Timestamp(0), "1", "us-east-1", name);
                log.record(record).await.expect("it is taken");
            }
            log.close().await.expect("there is room");
        });
    }

    #[test]
    fn what_was_before_is_left_out_to_the_second() {
        let entry = |time: &str| Entry {
            seq: 1,
            file: "00000001.jsonl".to_owned(),
            line: 1,
            record: json!({"eventTime": time}),
        };
        let from = Some(Timestamp(1_500));
        assert!(is_before(&entry("1970-01-01T00:00:00Z"), from));
        assert!(!is_before(&entry("1970-01-01T00:00:01Z"), from));
        assert!(!is_before(&entry("no time"), from));
        assert!(!is_before(&entry("1970-01-01T00:00:00Z"), None));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let mut found = Verification {
            records: 7,
            files: 1,
            anchors: 2,
            is_signature_checked: true,
            ..Verification::default()
        };
        let data = Path::new("data");
        expect![[r#"
            ✔ the audit trail is whole: 7 records in 1 file, 2 anchors
        "#]]
        .assert_eq(&verified(&found, data, false));
        found.wrong.push(Wrong {
            file: "00000001.jsonl".to_owned(),
            line: 8,
            what: "it was changed".to_owned(),
        });
        found.torn.push(("00000001.jsonl".to_owned(), 3));
        found.unfinished_bytes = 9;
        found.is_signature_checked = false;
        expect![[r#"
            ✘ 00000001.jsonl, line 8: it was changed
            – 00000001.jsonl, line 3: a crash had cut a line before this one; nothing that was answered for was lost
            – behind the last record: 9 bytes; a server is writing, or was killed
            – signatures were not checked: there is no master.key in data; whoever can write the trail could have written all of it anew
        "#]]
        .assert_eq(&verified(&found, data, false));
        let document = document(&found);
        assert_eq!(document["ok"], false);
        assert_eq!(document["wrong"][0]["line"], 8);
    }
}
