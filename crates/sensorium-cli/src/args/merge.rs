//! What `sensorium merge` takes.

use std::path::PathBuf;

use clap::Args;

/// `sensorium merge`
#[derive(Clone, Debug, Args)]
pub struct MergeArgs {
    /// A folder in the hub's layout, a hub's model (owner/name, or owner/name@revision), or the folder of a run.
    #[arg(long, value_name = "M")]
    pub model: String,
    /// The adapter's folder.
    #[arg(long, value_name = "DIR")]
    pub adapter: PathBuf,
    /// The folder of the merged model, which must not be there yet.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
