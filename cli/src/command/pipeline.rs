//! `pipeline`: definitions on a server.

mod beside;
mod change;
mod ending;
mod show;

use crate::{
    args::{PipelineArgs, PipelineVerb},
    client::Client,
    exit::Exit,
    failure::Failure,
    terminal::Terminal,
};

pub(super) fn run(args: &PipelineArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let open = || Client::open(&args.connection);
    match &args.verb {
        PipelineVerb::Create(args) => change::create(args, open, terminal),
        PipelineVerb::Update(args) => change::update(args, open, terminal),
        PipelineVerb::Apply(args) => change::apply(args, open, terminal),
        PipelineVerb::Diff(args) => change::diff(args, open, terminal),
        PipelineVerb::Delete(args) => change::delete(args, open, terminal),
        PipelineVerb::Show(args) => show::show(&open()?, args, terminal),
        PipelineVerb::List(args) => show::list(&open()?, args, terminal),
    }
}
