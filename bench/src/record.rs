//! Records what some bots of a swarm see, for training a model.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tickwire_arena::rules::Arena;

use crate::swarm::{self, SwarmArguments};
use crate::trace::Recorder;

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct RecordArguments {
    #[command(flatten)]
    swarm: SwarmArguments,
    /// The trace file to write; an existing one is replaced.
    #[arg(long)]
    out: PathBuf,
}

pub(crate) fn run(arguments: &RecordArguments) -> anyhow::Result<ExitCode> {
    let recorder = Arc::new(Recorder::create::<Arena>(&arguments.out)?);
    let swarm = SwarmArguments { watch: Some(recorder.clone()), ..arguments.swarm.clone() };
    let code = swarm::run(&swarm)?;
    drop(swarm);
    match Arc::try_unwrap(recorder) {
        Ok(recorder) => recorder.finish()?,
        Err(_) => anyhow::bail!("a bot still records after the end; run it again"),
    }
    Ok(code)
}
