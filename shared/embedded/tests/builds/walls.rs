//! What a build in bubblewrap can reach. These tests need a kernel that allows it; elsewhere they
//! say so and pass, unless they must not (`PIPEWRIGHT_REQUIRE_SANDBOX`).

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

use model::build::BuildStatus;
use pipewright_embedded::{Isolation, sandbox::probe};

use super::shop::{SUCCEEDED, Shop, order};

fn is_possible() -> bool {
    match probe::bubblewrap() {
        Ok(()) => true,
        Err(why) => {
            let must = env::var_os("PIPEWRIGHT_REQUIRE_SANDBOX").is_some();
            assert!(!must, "this machine has no sandbox: {why}");
            // A test that is skipped in silence would look as if it had passed.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
            false
        }
    }
}

fn walled(script: &str) -> Shop {
    Shop::with(script, |options| options.isolation = Isolation::Bubblewrap)
}

/// A script whose output artifact is what these commands print.
fn printing(commands: &str) -> String {
    format!("exec 3>&1 >out/0.zip 2>&1\n{commands}\nexec >&3\n{SUCCEEDED}")
}

async fn printed(shop: &Shop) -> String {
    shop.put("in/source", "x").await;
    let report = shop.run(order("b1")).await;
    assert_eq!(
        report.status,
        BuildStatus::Succeeded,
        "{report:?}\n{}",
        shop.log("b1")
    );
    assert_eq!(report.isolation, "bubblewrap");
    shop.get("out/app").await.unwrap()
}

#[tokio::test]
async fn a_build_sees_its_own_files_and_no_others() {
    if !is_possible() {
        return;
    }
    let home = env::var("HOME").unwrap();
    let probe = Shop::new("");
    let data = probe.data();
    let paths = [
        "/codebuild/in/0".to_owned(),
        "/bin/sh".to_owned(),
        data.display().to_string(),
        probe.path().display().to_string(),
        format!("{home}/.ssh"),
        format!("{home}/.aws"),
        format!("{home}/.config"),
        format!("{home}/.gitconfig"),
        format!("{home}/.cargo/credentials.toml"),
        "/run/docker.sock".to_owned(),
        "/var/run/docker.sock".to_owned(),
        env!("CARGO_MANIFEST_DIR").to_owned(),
    ];
    let tests = paths.map(|path| format!("test -e '{path}' && echo '{path}'"));
    let shop = walled(&printing(&tests.join("\n")));
    let seen = printed(&shop).await;
    assert_eq!(seen, "/codebuild/in/0\n/bin/sh\n");
}

#[tokio::test]
async fn a_build_writes_in_its_room_and_nowhere_else() {
    if !is_possible() {
        return;
    }
    let places = [
        "/codebuild",
        "/codebuild/output",
        "/tmp",
        "/var/tmp",
        "/usr",
        "/etc",
        "/opt",
    ];
    let tests = places.map(|place| format!("(echo x > {place}/probe) 2>&- && echo {place}"));
    let shop = walled(&printing(&tests.join("\n")));
    assert_eq!(
        printed(&shop).await,
        "/codebuild\n/codebuild/output\n/tmp\n/var/tmp\n"
    );
}

#[tokio::test]
async fn a_data_directory_in_a_visible_place_is_hidden() {
    if !is_possible() {
        return;
    }
    // A toolchain on PATH around the data directory would show it.
    let toolchain = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    fs::create_dir(toolchain.path().join("bin")).unwrap();
    fs::create_dir(toolchain.path().join("data")).unwrap();
    let test = env::current_exe().unwrap();
    let path = env::join_paths(
        std::iter::once(toolchain.path().join("bin"))
            .chain(env::split_paths(&env::var_os("PATH").unwrap())),
    )
    .unwrap();
    // PATH is read from the process's own environment, so it takes another process.
    let output = Command::new(test)
        .args([
            "--exact",
            "walls::looks_for_a_data_directory",
            "--ignored",
            "--nocapture",
        ])
        .env("PATH", path)
        .env("TEST_TOOLCHAIN", toolchain.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
#[ignore = "it is the inner part of another test"]
async fn looks_for_a_data_directory() {
    let toolchain = PathBuf::from(env::var_os("TEST_TOOLCHAIN").unwrap());
    let at = toolchain.display();
    let script = printing(&format!("ls {at} 2>&-; ls {at}/data 2>&-; true"));
    let shop = Shop::with(&script, |options| {
        options.isolation = Isolation::Bubblewrap;
        options.data = toolchain.join("data");
    });
    shop.put("in/source", "x").await;
    let report = shop.run(order("b1")).await;
    assert_eq!(report.status, BuildStatus::Succeeded, "{report:?}");
    // Below the folders for temporary files a sandbox shows nothing at all, PATH or not.
    let is_shown = !["/tmp", "/var/tmp"]
        .iter()
        .any(|place| toolchain.starts_with(place));
    let seen = if is_shown { "bin\ndata\n" } else { "" };
    assert_eq!(shop.get("out/app").await.unwrap(), seen);
}

#[tokio::test]
async fn a_build_sees_only_its_own_processes_and_no_environment_but_its_own() {
    if !is_possible() {
        return;
    }
    let pid = std::process::id();
    let shop = walled(&printing(&format!(
        "kill -0 {pid} 2>&- && test {pid} -gt 100 && echo signalled
        ls /proc | grep -c '^[0-9]' | xargs test 12 -gt || echo many
        cat /proc/[0-9]*/environ 2>&- | tr '\\0' '\\n' | cut -d= -f1 | sort -u \\
            | grep -vxE 'PATH|LANG|RUSTUP_HOME|PWD|OLDPWD|SHLVL|_'
        id -u >/dev/null; unshare -m true 2>&- && echo mounted
        echo done"
    )));
    assert_eq!(printed(&shop).await, "done\n");
}

#[tokio::test]
async fn two_builds_do_not_see_each_other() {
    if !is_possible() {
        return;
    }
    // Both leave a mark wherever they can and look for the other's.
    let script = printing(
        "cat /tmp/mark /codebuild/output/mark /dev/shm/mark /var/tmp/mark 2>&-
        for place in /tmp /codebuild/output /dev/shm; do echo seen > $place/mark; done
        echo done",
    );
    let shop = walled(&script);
    assert_eq!(printed(&shop).await, "done\n");
    let mut second = order("b2");
    second.outputs[0].key = "out/second".to_owned();
    shop.run(second).await;
    assert_eq!(shop.get("out/second").await.as_deref(), Some("done\n"));
}

#[test]
fn a_build_dies_with_the_process_that_ran_it() {
    if !is_possible() {
        return;
    }
    // The duration is this run's own, so that its sleeper is known among others.
    let mark = format!("{}", 1_000_000 + u64::from(std::process::id()));
    let mut runner = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "walls::runs_a_build_for_ever",
            "--ignored",
            "--nocapture",
        ])
        .env("TEST_MARK", &mark)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(runner.stdout.take().unwrap());
    assert!(out.lines().any(|line| line.unwrap().contains("it sleeps")));
    assert!(become_so(|| sleepers(&mark) == 1), "it never ran");
    runner.kill().unwrap();
    runner.wait().unwrap();
    assert!(
        become_so(|| sleepers(&mark) == 0),
        "5 seconds later it still runs"
    );
}

/// Whether it is so within five seconds.
fn become_so(is_so: impl Fn() -> bool) -> bool {
    (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        is_so()
    })
}

fn sleepers(mark: &str) -> usize {
    let wanted = format!("sleep\0{mark}\0");
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .filter(|cmdline| cmdline == wanted.as_bytes())
        .count()
}

#[tokio::test]
#[ignore = "it is the inner part of another test and is killed by it"]
async fn runs_a_build_for_ever() {
    let mark = env::var("TEST_MARK").unwrap();
    let shop = walled(&format!(
        "setsid sleep {mark} & echo '{{\"log\":\"ready\"}}'; wait; exec sleep 1000"
    ));
    shop.put("in/source", "x").await;
    embedded_start(&shop).await;
    shop.wait_for_line("ready").await;
    println!("it sleeps");
    shop.finished("b1").await;
}

async fn embedded_start(shop: &Shop) {
    ports::BuildRunner::start(&shop.builds, order("b1"))
        .await
        .unwrap();
}
