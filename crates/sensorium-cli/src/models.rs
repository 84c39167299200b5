//! Opening a published model as the command line asks for it.

use std::io::IsTerminal;

use sensorium_hub::{Checkpoint, RemoteOptions};

use crate::args::Common;

/// A folder, or a model of the hub, fetched with a bar on a terminal.
pub fn open(model: &str, common: &Common) -> anyhow::Result<Checkpoint> {
    let drawn = !common.quiet && std::io::stderr().is_terminal();
    let options = RemoteOptions::from_env().with_progress(drawn);
    Ok(Checkpoint::open_with(model, &options)?)
}
