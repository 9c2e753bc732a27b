//! `plan`: what a pipeline would do.

use providers::Catalogue;

use crate::{
    args::{Output, PlanArgs, PlanFormat},
    diagnostics,
    exit::Exit,
    failure::Failure,
    file::PipelineFile,
    plan::Plan,
    terminal::{self, Terminal},
};

pub(super) fn run(args: &PlanArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let file = PipelineFile::load(&args.file)?;
    let catalogue = Catalogue::standard();
    let plan = Plan::of(&file.declaration, |id| catalogue.find(id).is_ok());
    let format = args.format.unwrap_or(match terminal.output {
        Output::Text => PlanFormat::Text,
        Output::Json | Output::Jsonl | Output::Yaml => PlanFormat::Json,
    });
    terminal::print(&plan.render(format))
        .map_err(|error| Failure::system("write the plan", &error))?;
    let (width, _) = terminal.size();
    for finding in file.warnings() {
        terminal.say(&diagnostics::text(&finding, terminal.colour, width));
    }
    Ok(Exit::Succeeded)
}
