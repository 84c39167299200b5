//! Opening a published model as the command line asks for it.

use std::io::IsTerminal;

use sensorium_hub::{Checkpoint, RemoteOptions};
use sensorium_recipe::builtin;

use crate::args::Common;

/// A folder, a model of the hub, fetched with a bar on a terminal, or the one that is part of the program.
pub fn open(model: &str, common: &Common) -> anyhow::Result<Checkpoint> {
    let drawn = !common.quiet && std::io::stderr().is_terminal();
    let options = RemoteOptions::from_env().with_progress(drawn);
    Ok(builtin::checkpoint(model, &options)?)
}
