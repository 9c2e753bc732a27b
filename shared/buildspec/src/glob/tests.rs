use std::fs;

use super::*;

const FILES: [&str; 9] = [
    "a.txt",
    ".env",
    "src/main.rs",
    "src/lib/x.rs",
    "src/lib/.hidden",
    ".git/config",
    "build1/o",
    "build2/d/o",
    "we[ird].txt",
];

fn tree() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    for name in FILES {
        let path = root.path().join("base").join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, name).expect("a file");
    }
    fs::write(root.path().join("beside"), "x").expect("a file");
    root
}

fn names(patterns: &[&str], exclude: &[&str]) -> Vec<String> {
    let root = tree();
    let owned = |list: &[&str]| list.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
    let found = find(
        &root.path().join("base"),
        &owned(patterns),
        &owned(exclude),
        Links::Follow,
    );
    found.expect("found").items.into_keys().collect()
}

#[test]
fn what_patterns_match() {
    for (pattern, expected) in [
        ("*", "a.txt .env we[ird].txt"),
        ("*.txt", "a.txt we[ird].txt"),
        ("a.txt", "a.txt"),
        ("./a.txt", "a.txt"),
        ("src/*", "src/main.rs"),
        ("src", ""),
        ("src/", "src/main.rs src/lib/x.rs src/lib/.hidden"),
        ("src/**", "src/main.rs src/lib/x.rs src/lib/.hidden"),
        ("**/*.rs", "src/main.rs src/lib/x.rs"),
        ("src/**/*.rs", "src/main.rs src/lib/x.rs"),
        ("**/o", "build1/o build2/d/o"),
        ("*/o", "build1/o"),
        ("build?/**/*", "build1/o build2/d/o"),
        ("build[12]/o", "build1/o"),
        ("{a,b}.txt", "a.txt"),
        ("src/{main,lib/x}.rs", "src/main.rs src/lib/x.rs"),
        ("**/.*", ".env src/lib/.hidden"),
        ("we\\[ird\\].txt", "we[ird].txt"),
        ("src/../a.txt", "a.txt"),
        ("../beside", "beside"),
        ("../b*side", "beside"),
    ] {
        let mut expected: Vec<&str> = expected.split_whitespace().collect();
        expected.sort_unstable();
        assert_eq!(names(&[pattern], &[]), expected, "{pattern}");
    }
    assert_eq!(names(&["**/"], &[]).len(), FILES.len());
    assert_eq!(names(&["**/*"], &[]).len(), FILES.len());
}

#[test]
fn exclusions_take_away() {
    assert_eq!(
        names(&["**/*"], &["**/.*/**/*", "**/.*", "src/", "build*/**/*"]),
        ["a.txt", "we[ird].txt"]
    );
}

#[test]
fn an_absolute_pattern_keeps_its_path_without_the_root() {
    let root = tree();
    let pattern = format!("{}/base/src/**/*.rs", root.path().display());
    let elsewhere = tempfile::tempdir().expect("a directory");
    let found = find(elsewhere.path(), &[pattern], &[], Links::Follow).expect("found");
    let prefix = root.path().display().to_string();
    let expected: Vec<String> = ["src/lib/x.rs", "src/main.rs"]
        .iter()
        .map(|name| format!("{}/base/{name}", prefix.trim_start_matches('/')))
        .collect();
    assert_eq!(found.items.into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn a_literal_that_names_nothing_is_reported() {
    let root = tree();
    let found = find(
        root.path(),
        &["none".to_owned(), "none*".to_owned()],
        &[],
        Links::Follow,
    );
    assert_eq!(found.expect("found").missing, ["none"]);
}

#[test]
fn links_that_circle_end() {
    let root = tree();
    std::os::unix::fs::symlink("..", root.path().join("base/src/up")).expect("a link");
    let found = find(
        &root.path().join("base"),
        &["**/*".to_owned()],
        &[],
        Links::Follow,
    );
    let found = found.expect("found");
    assert_eq!(found.items.len(), FILES.len());
    assert_eq!(found.skipped.len(), 1);
}

#[test]
fn patterns_that_cannot_be_read_are_refused() {
    for pattern in ["", "a/[", "a{b", "*/../x", "a\0b"] {
        let error = find(Path::new("/"), &[pattern.to_owned()], &[], Links::Follow);
        assert!(
            matches!(error, Err(GlobError::Pattern { .. })),
            "{pattern:?}"
        );
    }
    let error = find(Path::new("/"), &[], &["[".to_owned()], Links::Follow);
    assert!(matches!(error, Err(GlobError::Pattern { .. })));
}

#[test]
fn base_directories_are_directories() {
    let root = tree();
    let base = root.path().join("base");
    let found = |pattern: &str| {
        let mut names: Vec<String> = directories(&base, pattern)
            .expect("found")
            .iter()
            .map(|p| p.strip_prefix(&base).expect("below").display().to_string())
            .collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(found("src"), "src");
    assert_eq!(found("src/lib/"), "src/lib");
    assert_eq!(found("build*"), "build1 build2");
    assert_eq!(found("*/d"), "build2/d");
    assert_eq!(found("a.txt"), "");
    assert_eq!(found("none*"), "");
}
