//! The server is killed without warning, again and again, while people use it.
//!
//! ```text
//! cargo test -p pipewright --test end_to_end crash::serve                          # 50 times
//! PIPEWRIGHT_CRASHES=1000 cargo test -p pipewright --test end_to_end crash::serve  # for an hour
//! PIPEWRIGHT_SEED=7 …                                                              # as it failed
//! ```
//!
//! Chance decides who asks for what and when the end comes, and follows from the seed; what the
//! machine makes of it does not, so a seed makes a failure likely again and not certain.

mod editor;
mod ledger;
mod orphans;
mod people;
mod verdict;

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    program::{content, pipewright, run},
    served::{LOOK, Server, approval, arguments, chance::Chance, commands, pipeline, source},
};
use editor::Editor;
use ledger::Ledger;
pub(crate) use orphans::check as check_orphans;

/// How often the server is killed unless `PIPEWRIGHT_CRASHES` says otherwise.
const CRASHES: usize = 50;

/// How long a server lives at least and at most before it is killed, in milliseconds.
const LIFE: (u64, u64) = (30, 800);

/// How long the first answer after a crash may take. The target is 2 s on a quiet machine; here it
/// is a bound on what is broken.
const RECOVERY_MAX: Duration = Duration::from_secs(20);

/// The pipelines whose executions must all be accounted for, with their modes.
const PIPELINES: [(&str, &str); 3] = [
    ("parallel", "PARALLEL"),
    ("queued", "QUEUED"),
    ("superseded", "SUPERSEDED"),
];

/// What everybody who uses a server in one of its lives has.
struct Life<'a> {
    server: &'a Server,
    ledger: &'a Mutex<Ledger>,
    /// Set before the server is killed: broken connections are no surprise from now on.
    over: &'a AtomicBool,
    marks: &'a Path,
}

impl Life<'_> {
    /// Asks for something; none when the server was killed before it answered.
    fn ask(&self, operation: &str, input: &Value) -> Option<crate::served::wire::Answer> {
        match self.server.call(operation, input) {
            Ok(answer) => {
                assert!(
                    answer.status < 500,
                    "{operation} {input}: {}",
                    answer.text()
                );
                Some(answer)
            }
            Err(error) => {
                let over = self.over.load(Ordering::SeqCst);
                assert!(over, "{operation}: nobody killed the server: {error}");
                None
            }
        }
    }
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().expect("the variable holds a number"))
}

/// Builds that note when they began and ended, and in which life of the server.
fn stages(folder: &Path) -> Vec<Value> {
    let marking = |name: &str, pause: &str| {
        let folder = folder.display();
        let file = format!("'{folder}/marks/'\"$EXECUTION\".{name}");
        let life = format!("$(cat '{folder}/life')");
        let script =
            format!("echo began {life} >> {file}; sleep {pause}; echo ended {life} >> {file}");
        commands(name, &[&script])
    };
    vec![
        marking("Build", "0.05"),
        approval("Ask"),
        marking("Ship", "0.01"),
    ]
}

/// A folder with everything that outlives a server.
struct Place {
    folder: TempDir,
    marks: PathBuf,
    options: Vec<String>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let marks = folder.path().join("marks");
        fs::create_dir(&marks).expect("a folder");
        let options = [
            "--runner".to_owned(),
            "process".to_owned(),
            "--repository".to_owned(),
            source(folder.path()),
        ];
        let place = Self {
            folder,
            marks,
            options: options.to_vec(),
        };
        place.count(0);
        place
    }

    fn server(&self) -> Server {
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        Server::start(self.folder.path(), &options)
    }

    /// Tells the builds in which life of the server they run.
    fn count(&self, life: usize) {
        fs::write(self.folder.path().join("life"), life.to_string()).expect("a file");
    }
}

/// Lets people use a server for a while, which is then killed.
fn live_and_die(
    mut server: Server,
    place: &Place,
    ledger: &Mutex<Ledger>,
    editor: &mut Editor,
    chance: &mut Chance,
) {
    let over = AtomicBool::new(false);
    let [starts, answers, edits] = [chance.next(), chance.next(), chance.next()];
    let life = Life {
        server: &server,
        ledger,
        over: &over,
        marks: &place.marks,
    };
    thread::scope(|scope| {
        scope.spawn(|| people::start(&life, Chance::new(starts)));
        scope.spawn(|| people::answer(&life, Chance::new(answers)));
        scope.spawn(|| editor.edit(&life, Chance::new(edits)));
        thread::sleep(Duration::from_millis(chance.between(LIFE)));
        over.store(true, Ordering::SeqCst);
        server.signal("KILL");
    });
    server.process.wait().expect("it ends");
    server.check_errors();
    orphans::check(place.folder.path());
}

#[test]
fn a_server_that_is_killed_again_and_again_loses_nothing_and_repeats_nothing() {
    let crashes = number("PIPEWRIGHT_CRASHES").map_or(CRASHES, |crashes| {
        usize::try_from(crashes).expect("it is a count")
    });
    let seed = number("PIPEWRIGHT_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        u64::from(now.expect("it is after 1970").subsec_nanos())
    });
    say(&format!("PIPEWRIGHT_SEED={seed} ({crashes} crashes)"));
    let mut chance = Chance::new(seed);
    let place = Place::new();
    let (ledger, mut editor) = (Mutex::new(Ledger::default()), Editor::default());
    let mut server = place.server();
    for (name, mode) in PIPELINES {
        let declaration = pipeline(name, mode, &stages(place.folder.path()));
        server.expect("CreatePipeline", &declaration);
    }
    let mut recoveries = Vec::new();
    for life in 1..=crashes {
        live_and_die(server, &place, &ledger, &mut editor, &mut chance);
        place.count(life);
        server = place.server();
        recoveries.push(server.first_answer);
    }
    let life = Life {
        server: &server,
        ledger: &ledger,
        over: &AtomicBool::new(false),
        marks: &place.marks,
    };
    editor.look(&life).expect("the server lives");
    verdict::check(&life);
    server.check_errors();
    let data = place
        .folder
        .path()
        .join("data")
        .to_string_lossy()
        .into_owned();
    run(["audit", "verify", "--data", &data]).expect(0);

    recoveries.sort();
    let longest = recoveries.last().copied().unwrap_or_default();
    let told = ledger.lock().expect("nobody failed").summary();
    say(&format!(
        "{crashes} crashes, {told}; the first answer came after {:?} (p50), {longest:?} at most",
        recoveries.get(crashes / 2).copied().unwrap_or_default()
    ));
    assert!(longest < RECOVERY_MAX, "the first answer took {longest:?}");
}

/// The first start makes the administrator's key, and nobody can ask for it a second time.
#[test]
fn a_server_that_is_killed_in_its_first_start_lets_its_administrator_in_afterwards() {
    /// How often, and by how many milliseconds later each time.
    const STARTS: u64 = 12;
    const STEP: u64 = 5;
    for number in 0..STARTS {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let mut command = pipewright(arguments(&data, &["--runner", "process"]));
        let null = std::process::Stdio::null;
        let child = command.stdout(null()).stderr(null()).spawn();
        let mut child = child.expect("the program was built with its tests");
        // Where something is written already, it ends soon after: where the key is made.
        let began = Instant::now();
        while !data.join("access.db").exists() && began.elapsed() < RECOVERY_MAX {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(number * STEP));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        // It asks with the key in the file, and fails where that is none.
        Server::start(folder.path(), &["--runner", "process"]).check_errors();
    }
}

/// As a crash between the two leaves it: a key in the store, and no file with its secret.
#[test]
fn a_key_that_nobody_was_told_of_is_no_reason_to_tell_nobody_of_any() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = ["--runner", "process"];
    let mut first = Server::start(folder.path(), &options);
    first.kill();
    for name in ["credentials", "config"] {
        fs::remove_file(folder.path().join("data").join(name)).expect("it was there");
    }
    let mut second = Server::start(folder.path(), &options);
    assert_ne!(second.key.id, first.key.id);
    second.kill();
    // A file that somebody moved away is not written again.
    let credentials = folder.path().join("data/credentials");
    let kept = folder.path().join("kept");
    fs::rename(&credentials, &kept).expect("it was there");
    let mut third = pipewright(arguments(&folder.path().join("data"), &options));
    let third = third.stderr(std::process::Stdio::null()).spawn();
    let mut third = third.expect("the program was built with its tests");
    let began = Instant::now();
    let config = folder.path().join("data/config");
    let before = content(&config);
    while content(&config) == before && began.elapsed() < RECOVERY_MAX {
        thread::sleep(LOOK);
    }
    third.kill().expect("it can be killed");
    third.wait().expect("it ends");
    assert_ne!(content(&config), before, "it started");
    assert!(!credentials.exists(), "nobody asked for another key");
}

/// Tells whoever runs the test, also when it passes.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[test]
fn what_is_not_there_is_no_orphan() {
    let folder = tempfile::tempdir().expect("a folder");
    orphans::check(folder.path());
    let mut child = std::process::Command::new("sleep")
        .arg("100")
        .current_dir(folder.path())
        .spawn()
        .expect("sleep is there");
    assert_eq!(orphans::of(folder.path()).len(), 1, "it is seen");
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let none = json!(orphans::of(folder.path()));
    assert_eq!(none, json!([]));
}
