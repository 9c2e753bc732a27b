//! How far a build that runs has come.

use super::BuildPhase;

/// The phases that a build may be in (spec 70 §3).
pub const PHASES: [&str; 11] = [
    "SUBMITTED",
    "QUEUED",
    "PROVISIONING",
    "DOWNLOAD_SOURCE",
    "INSTALL",
    "PRE_BUILD",
    "BUILD",
    "POST_BUILD",
    "UPLOAD_ARTIFACTS",
    "FINALIZING",
    "COMPLETED",
];

/// A phase began or ended. One that begins ends the one before; one that comes again, because the
/// build is retried, takes the place of all that came after it.
pub fn note_phase(phases: &mut Vec<BuildPhase>, phase: BuildPhase) {
    // An agent says what it likes, and there are no more phases than these.
    if !PHASES.contains(&phase.phase_type.as_str()) {
        return;
    }
    let same = phases
        .iter()
        .position(|known| known.phase_type == phase.phase_type);
    if let Some(at) = same {
        phases.truncate(at);
    }
    if let Some(last) = phases.last_mut() {
        last.ended.get_or_insert(phase.started);
    }
    phases.push(phase);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn phase(kind: &str, started: i64, ended: Option<i64>) -> BuildPhase {
        BuildPhase {
            phase_type: kind.to_owned(),
            phase_status: "SUCCEEDED".to_owned(),
            started: Timestamp(started),
            ended: ended.map(Timestamp),
            status_code: None,
            message: None,
        }
    }

    fn told(course: &[BuildPhase]) -> Vec<String> {
        let one = |phase: &BuildPhase| {
            let ended = phase.ended.map_or("…".to_owned(), |at| at.0.to_string());
            format!("{} {}-{ended}", phase.phase_type, phase.started.0)
        };
        course.iter().map(one).collect()
    }

    #[test]
    fn a_phase_ends_when_it_says_so_or_the_next_one_begins() {
        let mut course = Vec::new();
        note_phase(&mut course, phase("QUEUED", 1, None));
        note_phase(&mut course, phase("DOWNLOAD_SOURCE", 2, None));
        note_phase(&mut course, phase("DOWNLOAD_SOURCE", 2, Some(3)));
        note_phase(&mut course, phase("BUILD", 4, None));
        note_phase(&mut course, phase("LUNCH", 5, None));
        assert_eq!(
            told(&course),
            ["QUEUED 1-2", "DOWNLOAD_SOURCE 2-3", "BUILD 4-…"]
        );
    }

    #[test]
    fn a_retry_begins_where_it_begins() {
        let mut course = Vec::new();
        for (at, kind) in ["QUEUED", "DOWNLOAD_SOURCE", "BUILD", "DOWNLOAD_SOURCE"]
            .into_iter()
            .enumerate()
        {
            note_phase(&mut course, phase(kind, i64::try_from(at).unwrap(), None));
        }
        assert_eq!(told(&course), ["QUEUED 0-1", "DOWNLOAD_SOURCE 3-…"]);
    }
}
