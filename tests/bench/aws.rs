//! What an execution of P5 asks of AWS, and what that costs at list prices.
//!
//! The functions' own handlers run over the adapters of AWS, before an emulator; the messages between
//! them go through its queues, one a batch, which is the dearest that Lambda can do. Counted is what
//! the clients sent and the units that the table says it took. Nothing is timed, and two runs give
//! the same figures.
//!
//! ```text
//! cargo bench -p pipewright-tests --bench aws
//! ```

#[path = "aws/ledger.rs"]
mod ledger;
#[path = "aws/stage.rs"]
mod stage;

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

use ledger::{Ledger, PRICE_OF_CODEPIPELINE};
use stage::Stage;

/// The targets: requests and dollars an execution, and how many times cheaper than CodePipeline.
const REQUESTS_TARGET: u64 = 12;
const DOLLARS_TARGET: f64 = 0.0002;
const CHEAPER_TARGET: f64 = 50.0;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ran = runtime
        .map_err(Into::into)
        .and_then(|it| it.block_on(run()));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("aws: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let stage = Stage::set().await?;
    // The first execution finds nothing remembered and no history; the second one is as all others.
    stage.execute().await?;
    let steps = stage.execute().await?;
    say("| step | requests | DynamoDB | SQS | EventBridge | read units | write units | events |");
    say("|---|---|---|---|---|---|---|---|");
    let mut sum = Ledger::default();
    for (step, ledger) in &steps {
        say(&ledger.row(step));
        sum.add(ledger);
    }
    say(&sum.row("**an execution**"));
    say("");
    for line in sum.prices() {
        say(&line);
    }
    let dollars = sum.dollars();
    say("");
    say(&format!(
        "requests that the functions send: {} (target ≤ {REQUESTS_TARGET}: {})",
        sum.requests(),
        met(sum.requests() <= REQUESTS_TARGET)
    ));
    say(&format!(
        "an execution: ${dollars:.6}, a thousand: ${:.3} (target ≤ ${DOLLARS_TARGET} an execution: {})",
        dollars * 1_000.0,
        met(dollars <= DOLLARS_TARGET)
    ));
    let cheaper = PRICE_OF_CODEPIPELINE / dollars;
    say(&format!(
        "CodePipeline V2 for the same four actions of a minute or less: ${PRICE_OF_CODEPIPELINE}, \
         {cheaper:.0} × as much (target ≥ {CHEAPER_TARGET} ×: {})",
        met(cheaper >= CHEAPER_TARGET)
    ));
    Ok(())
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

fn say(line: &str) {
    // Whoever closed the output does not want the rest.
    let _ = writeln!(io::stdout(), "{line}");
}
