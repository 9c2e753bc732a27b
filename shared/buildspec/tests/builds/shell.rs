//! One shell for all commands (spec 70 §5).

use std::fmt::Write as _;

use pipewright_buildspec::build::Status;

use crate::support::Bench;

fn printed(shell: &str, commands: &[&str]) -> Vec<String> {
    let mut buildspec =
        format!("version: 0.2\nenv: {{shell: {shell}}}\nphases:\n  build:\n    commands:\n");
    for command in commands {
        let _ = writeln!(buildspec, "      - {}", serde_json::Value::from(*command));
    }
    let built = Bench::new(&buildspec).build();
    built.printed().into_iter().map(str::to_owned).collect()
}

#[test]
fn directory_variables_and_functions_last_from_command_to_command() {
    for shell in ["sh", "bash"] {
        let lines = printed(
            shell,
            &[
                "mkdir -p sub && cd sub",
                "export A='one two' B=$'x'; greet() { echo hello $A; }",
                "greet; basename \"$PWD\"; C=local",
                "echo $C",
            ],
        );
        assert_eq!(lines, ["hello one two", "sub", "local"], "in {shell}");
    }
}

#[test]
fn phases_share_the_shell_as_well() {
    let built = Bench::new(
        "version: 0.2\nphases:\n  install: {commands: [export X=1, cd /]}\n  build: {commands: [echo $X $PWD]}\n",
    )
    .build();
    assert_eq!(built.printed(), ["1 /"]);
}

#[test]
fn a_shell_that_a_command_ended_is_replaced_with_what_it_knew() {
    for shell in ["/bin/sh", "bash"] {
        let remember = r#"mkdir d; cd d; export A="it's $HOME" B="two
 lines""#;
        let mut bench = Bench::new(&format!(
            "version: 0.2\nenv: {{shell: {shell}}}\nphases:\n  build:\n    commands:\n      - {}\n      - exit 9\n  post_build: {{commands: ['echo \"$A|$B|$(basename $PWD)\" > ../said']}}\n",
            serde_json::Value::from(remember)
        ));
        let built = bench.build();
        assert!(
            built.transcript().contains("Reason: exit status 9"),
            "{:#?}",
            built.lines
        );
        let said = std::fs::read_to_string(bench.order.work.join("src/said")).expect("said");
        assert!(
            said.starts_with("it's /") && said.ends_with("|two\n lines|d\n"),
            "{shell}: {said}"
        );
    }
}

#[test]
fn the_last_statement_of_a_block_decides() {
    let built = Bench::new("version: 0.2\nphases:\n  build:\n    commands:\n      - |\n        false\n        echo after\n      - false | true\n").build();
    assert_eq!(built.report.build_status, Status::Succeeded);
    assert_eq!(
        built.printed(),
        ["echo after", "after"],
        "the command is quoted whole"
    );
}

#[test]
fn options_that_a_command_sets_stay_set_and_harm_nothing() {
    for shell in ["sh", "bash"] {
        let lines = printed(
            shell,
            &[
                "set -euf",
                "set -C",
                "echo a > f",
                "echo b",
                "IFS=x",
                "echo c",
                "trap 'echo bye' EXIT",
                "exec >&2",
                "echo d",
            ],
        );
        assert_eq!(lines, ["b", "c", "d", "bye"], "in {shell}");
    }
    let failed =
        Bench::new("version: 0.2\nphases:\n  build: {commands: [set -e, 'false; echo never']}\n")
            .build();
    assert!(
        failed.transcript().contains("Reason: exit status 1"),
        "{}",
        failed.transcript()
    );
    assert_eq!(failed.printed(), [""; 0]);
}

#[test]
fn commands_read_nothing_and_their_two_outputs_keep_their_order() {
    let lines = printed("sh", &["cat; echo out; echo err >&2; echo out"]);
    assert_eq!(lines, ["out", "err", "out"]);
}

#[test]
fn a_command_that_cannot_be_read_fails() {
    for shell in ["sh", "bash"] {
        let buildspec = format!(
            "version: 0.2\nenv: {{shell: {shell}}}\nphases:\n  build: {{commands: ['if then']}}\n  post_build: {{commands: [echo post]}}\n"
        );
        let built = Bench::new(&buildspec).build();
        assert_eq!(built.report.build_status, Status::Failed, "in {shell}");
        assert_eq!(built.printed().last(), Some(&"post"), "in {shell}");
    }
}

#[test]
fn a_shell_that_becomes_another_program_ends_with_it() {
    let built = Bench::new(
        "version: 0.2\nphases:\n  build: {commands: ['exec sh -c \"echo other; exit 6\"']}\n",
    )
    .build();
    assert!(built.transcript().contains("exit status 6"));
    assert_eq!(built.printed(), ["other"]);
}

#[test]
fn a_command_may_close_what_it_likes() {
    let lines = printed(
        "sh",
        &["exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-", "echo still here"],
    );
    assert_eq!(lines, ["still here"]);
    let built = Bench::new("version: 0.2\nphases:\n  build: {commands: ['exec >/dev/null 2>&1', echo hidden, 'true']}\n").build();
    assert_eq!(built.report.build_status, Status::Succeeded);
}

#[test]
fn version_0_1_carries_nothing_from_command_to_command() {
    let built = Bench::new(
        "version: 0.1\nenvironment_variables: {plaintext: {K: v}}\nphases:\n  build: {commands: ['cd /; export A=1; K=x', 'echo \"$K[$A]\" $(basename $PWD)']}\n",
    )
    .build();
    assert_eq!(built.printed(), ["v[] src"]);
}

#[test]
fn a_missing_shell_is_named() {
    let mut bench =
        Bench::new("version: 0.2\nenv: {shell: bash}\nphases: {build: {commands: [echo]}}\n");
    bench.order.path = "/nowhere".to_owned();
    let built = bench.build();
    // `/bin` is looked at last, so this machine decides which of the two is right.
    let has_bash = std::path::Path::new("/bin/bash").exists();
    assert_eq!(built.report.build_status == Status::Succeeded, has_bash);
    assert_eq!(
        built
            .transcript()
            .contains("the shell bash is not on this machine"),
        !has_bash
    );
}

#[test]
fn run_as_needs_a_user_that_exists() {
    let built = Bench::new(
        "version: 0.2\nphases: {build: {run-as: nobody-of-that-name, commands: [echo never]}}\n",
    )
    .build();
    assert!(built.transcript().contains(
        "BUILD FAILED CLIENT_ERROR: the user nobody-of-that-name of run-as does not exist"
    ));
    assert_eq!(built.printed(), [""; 0]);
}

#[test]
fn run_as_switches_the_user_and_keeps_variables_and_directory() {
    if !may_switch_users() {
        eprintln!("SKIPPED: run-as another user: this process cannot become another user");
        return;
    }
    let mut bench = Bench::new(
        "version: 0.2\nphases:\n  install: {commands: [export A=1, mkdir d, cd d]}\n  build: {run-as: nobody, commands: ['echo $(id -un) $A $(basename $PWD) $(cat ../file)', 'touch x 2>/dev/null || echo refused', export B=2]}\n  post_build: {commands: ['echo $(id -un) $A $B']}\n",
    );
    bench.source("file", "readable");
    bench.order.work = bench.path("work1");
    open(bench.root.path());
    let built = bench.build();
    assert_eq!(
        built.printed(),
        ["nobody 1 d readable", "refused", "root 1 2"],
        "{:#?}",
        built.lines
    );
}

/// Root of a namespace that maps one user, as in a sandbox, can become nobody else.
fn may_switch_users() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let users = map
        .split_whitespace()
        .nth(2)
        .and_then(|count| count.parse::<u64>().ok());
    rustix::process::geteuid().is_root() && users.is_some_and(|users| users > 1)
}

fn open(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).expect("a mode");
}
