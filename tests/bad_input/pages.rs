//! The pages that need no key: `/healthz`, `/readyz`, `/metrics`.

use super::House;
use crate::served::key::Signable;

/// The value of a series without labels, or with exactly those that stand in the name.
pub(super) fn value(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name))?;
    line.strip_prefix(' ')?.parse().ok()
}

/// Fails unless every line is as the text format 0.0.4 of Prometheus has it.
fn check_format(metrics: &str) {
    assert!(metrics.ends_with('\n'), "the last line ends");
    let mut typed: Vec<&str> = Vec::new();
    for line in metrics.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.split(' ');
            match (words.next(), words.next(), words.next()) {
                (Some("HELP"), Some(_), Some(_)) => {}
                (Some("TYPE"), Some(name), Some("counter" | "gauge" | "histogram")) => {
                    assert!(!typed.contains(&name), "{name} is there twice");
                    typed.push(name);
                }
                other => panic!("`{line}`: {other:?}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        assert!(value.parse::<f64>().is_ok(), "`{line}`");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name);
        assert!(typed.contains(&family) || typed.contains(&name), "`{line}`");
        let labels = labels.strip_suffix('}').expect("they are closed");
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (name, text) = label.split_once('=').expect("a label");
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            assert!(name.chars().all(is_plain), "`{line}`");
            let text = text
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'));
            assert!(text.is_some_and(|text| !text.contains('"')), "`{line}`");
        }
    }
}

#[test]
fn a_server_says_that_it_is_there_and_ready() {
    let house = House::new();
    for (path, expected) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answer = house.server.get(path);
        assert_eq!((answer.status, answer.text().as_str()), (200, expected));
    }
    house.check();
}

#[test]
fn metrics_are_what_prometheus_reads_whatever_was_asked_for() {
    let house = House::new();
    let address = house.server.address;
    for target in ["a.b\"}", "x{y=\"z\"} 1", "\\", "Ünder", &"long".repeat(500)] {
        let request = Signable::target(address, target, b"{}").closing();
        house.send(&request.signed(&house.server.key));
    }
    house
        .server
        .call("GetPipeline", &serde_json::json!({"name": "absent"}))
        .expect("an answer");
    let answer = house.server.get("/metrics");
    let kind = answer.header("content-type").expect("a type");
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let metrics = answer.text();
    check_format(&metrics);
    let listed = "pipewright_requests_total{operation=\"ListPipelines\",outcome=\"200\"}";
    assert_eq!(value(&metrics, listed), Some(1.0), "{metrics}");
    let absent = "pipewright_requests_total{operation=\"GetPipeline\",outcome=\"PipelineNotFoundException\"}";
    assert_eq!(value(&metrics, absent), Some(1.0), "{metrics}");
    let memory = value(&metrics, "process_resident_memory_bytes");
    assert!(memory.is_some_and(|bytes| bytes > 1e6), "{metrics}");
    house.check();
}
