//! What a build is made from.

use std::{fs, path::PathBuf};

use pipewright_buildspec::{
    archive,
    build::{Input, Status},
};

use crate::support::Bench;

fn input(name: &str, location: PathBuf) -> Input {
    Input {
        name: name.to_owned(),
        location,
        ..Input::default()
    }
}

#[test]
fn inputs_are_archives_directories_and_files() {
    let mut bench = Bench::new(
        "version: 0.2\nphases: {build: {commands: ['cat a.txt; ./run; cat $CODEBUILD_SRC_DIR_Lib/b.txt $CODEBUILD_SRC_DIR_Data/data.csv; ls -a']}}\n",
    );
    bench.source("a.txt", "a\n");
    bench.source("run", "#!/bin/sh\necho ran\n");
    let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(bench.path("source/run"), mode).expect("a mode");
    std::os::unix::fs::symlink("a.txt", bench.path("source/link")).expect("a link");
    archive::pack_directory(&bench.path("source"), &bench.path("source.zip")).expect("packed");
    crate::support::write(&bench.path("lib/b.txt"), "b\n");
    crate::support::write(&bench.path("blob"), "data\n");
    bench.order.inputs = vec![
        input("Lib", bench.path("lib")),
        Input {
            primary: true,
            ..input("App", bench.path("source.zip"))
        },
        Input {
            file_name: Some("data.csv".to_owned()),
            ..input("Data", bench.path("blob"))
        },
    ];
    let built = bench.build();
    assert_eq!(
        built.printed(),
        ["a", "ran", "b", "data", ".", "..", "a.txt", "link", "run"]
    );
}

#[test]
fn a_hostile_or_missing_input_fails_the_download() {
    let mut bench = Bench::new("version: 0.2\nphases: {build: {commands: [echo never]}}\n");
    fs::write(bench.path("bad.zip"), b"PK\x03\x04 and nothing").expect("a file");
    bench.order.inputs = vec![input("App", bench.path("bad.zip"))];
    let text = bench.build().transcript();
    assert!(
        text.starts_with(
            "DOWNLOAD_SOURCE FAILED CLIENT_ERROR: the input App is refused: not a readable archive"
        ),
        "{text}"
    );
    bench.order.inputs = vec![input("App", bench.path("absent"))];
    assert_eq!(bench.build().report.build_status, Status::Fault);
    for (name, file_name, message) in [
        ("../up", None, "the input name \"../up\" cannot be used"),
        (
            "App",
            Some("../up"),
            "the input name \"../up\" cannot be used",
        ),
    ] {
        fs::write(bench.path("plain"), "x").expect("a file");
        let file_name = file_name.map(str::to_owned);
        bench.order.inputs = vec![Input {
            file_name,
            ..input(name, bench.path("plain"))
        }];
        assert!(bench.build().transcript().contains(message));
    }
    bench.order.inputs = vec![
        input("A", bench.path("plain")),
        input("A", bench.path("plain")),
    ];
    assert!(
        bench
            .build()
            .transcript()
            .contains("two inputs have the name A")
    );
}

#[test]
fn a_build_without_inputs_has_an_empty_directory() {
    let mut bench =
        Bench::new("version: 0.2\nphases: {build: {commands: ['ls -A; basename $PWD']}}\n");
    bench.order.inputs.clear();
    assert_eq!(bench.build().printed(), ["src"]);
}
