//! What one build leaves for the next (spec 70 §6.3).

use pipewright_buildspec::build::Status;

use crate::support::{Bench, Built};

fn bench(cache: &str, command: &str) -> Bench {
    let mut bench = Bench::new(&format!(
        "version: 0.2\nphases: {{build: {{commands: ['{command}']}}}}\ncache:\n{cache}"
    ));
    bench.order.cache = Some(bench.path("cache"));
    bench.source("app.lock", "1");
    bench
}

fn cache_line(built: &Built) -> Vec<&str> {
    built
        .said()
        .into_iter()
        .filter(|l| l.to_ascii_lowercase().contains("cache"))
        .collect()
}

const DEPS: &str = "cat deps/bin/tool 2>/dev/null || echo miss; mkdir -p deps/bin deps/pkg; echo \"echo $CODEBUILD_BUILD_NUMBER\" > deps/pkg/t; chmod 755 deps/pkg/t; ln -sfn ../pkg/t deps/bin/tool";

#[test]
fn without_a_key_each_build_replaces_the_cache() {
    let mut bench = bench("  paths: ['deps/**/*']\n", DEPS);
    for (number, expected) in [(1, "miss"), (2, "echo 1"), (3, "echo 2")] {
        bench.order.build_number = Some(number);
        assert_eq!(bench.build().printed(), [expected]);
    }
}

#[test]
fn a_failed_build_saves_nothing() {
    let mut bench = bench("  paths: ['deps/**/*']\n", "touch deps; exit 1");
    let built = bench.build();
    assert_eq!(
        cache_line(&built),
        ["Unable to find cache: nothing is saved for it yet"]
    );
    assert!(!bench.path("cache").exists());
}

const KEYED: &str =
    "  key: v1-$(codebuild-hash-files app.lock)\n  fallback-keys: [v1-]\n  paths: [deps/**/*]\n";

#[test]
fn an_entry_under_a_key_never_changes_and_another_key_falls_back() {
    let mut bench = bench(KEYED, DEPS);
    let mut build = |number, lock: &str| {
        bench.source("app.lock", lock);
        bench.order.build_number = Some(number);
        let built = bench.build();
        let saved = cache_line(&built).last().map(|line| (*line).to_owned());
        (built.printed().join(" "), saved.unwrap_or_default())
    };
    assert_eq!(
        build(1, "1"),
        ("miss".to_owned(), "Cache saved: 2 file(s)".to_owned())
    );
    assert_eq!(
        build(2, "1"),
        (
            "echo 1".to_owned(),
            "Cache not saved: its key exists".to_owned()
        )
    );
    assert_eq!(
        build(3, "2"),
        ("echo 1".to_owned(), "Cache saved: 2 file(s)".to_owned())
    );
    // The newest entry that begins like the fallback key is that of build 3.
    assert_eq!(build(4, "3").0, "echo 3");
}

#[test]
fn the_action_of_a_cache_limits_it() {
    let mut saving = bench("  action: save\n  paths: ['deps/**/*']\n", DEPS);
    saving.build();
    assert_eq!(saving.build().printed(), ["miss"]);
    let mut restoring = bench("  action: restore\n  paths: ['deps/**/*']\n", DEPS);
    restoring.build();
    assert!(!restoring.path("cache").exists());
}

#[test]
fn other_paths_are_another_cache() {
    let mut bench = bench("  paths: ['deps/**/*']\n", DEPS);
    bench.build();
    bench.order.buildspec = bench
        .order
        .buildspec
        .map(|s| s.replace("['deps/**/*']", "['deps/**/*', x]"));
    assert_eq!(bench.build().printed(), ["miss"]);
}

#[test]
fn the_home_directory_is_cached_under_each_of_its_names() {
    for path in ["~/.m2/**/*", "/root/.m2/**/*", "$HOME/.m2/**/*"] {
        let mut bench = bench(
            &format!("  paths: ['{path}']\n"),
            "cat ~/.m2/a/jar 2>/dev/null || echo miss; mkdir -p ~/.m2/a; echo hit > ~/.m2/a/jar",
        );
        assert_eq!(bench.build().printed(), ["miss"], "{path}");
        assert_eq!(bench.build().printed(), ["hit"], "{path}");
    }
}

#[test]
fn a_directory_elsewhere_is_cached_too() {
    let outside = tempfile::tempdir().expect("a directory");
    let place = outside.path().join("store");
    let mut bench = bench(
        &format!("  paths: ['{}/**/*']\n", place.display()),
        &format!(
            "mkdir -p {0}; cat {0}/x 2>/dev/null || echo miss; echo hit > {0}/x",
            place.display()
        ),
    );
    assert_eq!(bench.build().printed(), ["miss"]);
    std::fs::remove_dir_all(&place).expect("removed");
    assert_eq!(bench.build().printed(), ["hit"]);
}

#[test]
fn a_broken_cache_is_a_warning() {
    let mut bench = bench("  key: k\n  paths: ['deps/**/*']\n", DEPS);
    bench.build();
    let version = std::fs::read_dir(bench.path("cache"))
        .expect("a cache")
        .next();
    let version = version.expect("a version").expect("an entry").path();
    let entry = std::fs::read_dir(version)
        .expect("a version")
        .next()
        .expect("an entry");
    std::fs::write(entry.expect("an entry").path().join("source.zip"), "broken").expect("a file");
    let built = bench.build();
    assert_eq!(built.report.build_status, Status::Succeeded);
    assert!(cache_line(&built)[0].starts_with("Warning: cache not restored: "));
}
