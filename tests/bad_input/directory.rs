//! Two servers on one directory.

use super::House;
use crate::{program::run, served::arguments};

#[test]
fn a_second_server_is_sent_away_and_the_first_goes_on() {
    let house = House::new();
    let data = house.folder.path().join("data");
    let second = run(arguments(&data, &["--runner", "process"])).expect(2);
    let holder = format!("in use by process {}", house.server.process.id());
    assert!(second.stderr.contains(&holder), "{}", second.stderr);
    assert!(second.stderr.contains("--data"), "{}", second.stderr);
    house.check();
}

#[test]
fn a_server_without_its_address_says_so() {
    let house = House::new();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let data = elsewhere.path().join("data");
    let mut words = arguments(&data, &["--runner", "process"]);
    words[2] = house.server.address.to_string();
    let second = run(words).expect(2);
    assert!(
        second.stderr.contains("cannot listen on"),
        "{}",
        second.stderr
    );
    house.check();
}
