//! Outputs on their way out.

use std::{path::Path, thread, time::Duration};

use model::build::{
    AgentOffer, AgentPlace, BuildReport, BuildStatus, Envelope, Failure, OUTPUT_BYTES_MAX,
    with_causes,
};

use super::{api::Api, transfer};

/// How often an output is offered that cannot be put.
const OFFERS_MAX: u32 = 5;

const PAUSE: Duration = Duration::from_millis(500);

/// Stores what the build made. Artifacts are stored whether or not the build succeeded (spec 70
/// §3), but a build that succeeded must have made them all.
pub(super) fn store(api: &Api, envelope: &Envelope, report: &BuildReport) -> Result<(), Failure> {
    for (index, output) in envelope.outputs.iter().enumerate() {
        let missing = |why: &str| {
            let message = format!("the output artifact `{}` is missing: {why}", output.name);
            Failure::upload(BuildStatus::Failed, message)
        };
        match output.path.symlink_metadata() {
            Err(_) if report.status == BuildStatus::Succeeded => {
                return Err(missing("the build did not make it"));
            }
            Err(_) => continue,
            Ok(metadata) if !metadata.is_file() => {
                return Err(missing("what the build made is not a file"));
            }
            Ok(metadata) if metadata.len() > OUTPUT_BYTES_MAX => {
                return Err(missing("it has more than 5 GB"));
            }
            Ok(_) => {}
        }
        offer(api, index, &output.path).map_err(|why| {
            let message = format!(
                "the output artifact `{}` cannot be stored: {why}",
                output.name
            );
            Failure::upload(BuildStatus::Fault, message)
        })?;
    }
    Ok(())
}

/// Stores one file; the error says why it is not stored.
fn offer(api: &Api, index: usize, path: &Path) -> Result<(), String> {
    let measured = transfer::measure(path);
    let (size, sha256) = measured.map_err(|error| error.to_string())?;
    let offer = AgentOffer {
        index,
        size,
        sha256,
    };
    let (mut pause, mut last) = (PAUSE, String::new());
    for _ in 0..OFFERS_MAX {
        let place = api.offer(&offer).map_err(|error| error.to_string())?;
        let (url, headers) = match place {
            AgentPlace::Stored => return Ok(()),
            AgentPlace::Refused(why) => return Err(why),
            AgentPlace::Put { url, headers } => (url, headers),
        };
        match transfer::put(path, &url, &headers) {
            Ok(()) => return Ok(()),
            Err(error) => last = with_causes(&error),
        }
        thread::sleep(pause);
        pause *= 2;
    }
    Err(last)
}
