//! What `sensorium sweep` takes.

use std::path::PathBuf;

use clap::Args;

use super::OnErrorArg;

/// `sensorium sweep`
#[derive(Clone, Debug, Args)]
pub struct SweepArgs {
    /// A built-in recipe's name, or a TOML file.
    pub recipe: String,
    /// A key of the recipe and the values it is tried with, every one with those of every other --grid.
    #[arg(long, value_name = "KEY=V1,V2,..")]
    pub grid: Vec<String>,
    /// A key whose value is drawn for each run: LOW..HIGH, whole numbers if both are; log:LOW..HIGH, as likely in each power of
    /// ten; or V1,V2,..
    #[arg(long, value_name = "KEY=RANGE")]
    pub random: Vec<String>,
    /// How many runs; needed with --random. Of a grid alone, so many of its settings, spread by --seed.
    #[arg(long, value_name = "N")]
    pub runs: Option<usize>,
    /// What is drawn by. It is not the seed of the runs, which is train.seed.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// The sweep's folder, which holds a folder for each run [default: runs/NAME-sweep].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// A manifest, or a folder of one or of classes, instead of the recipe's data.
    #[arg(long, value_name = "MANIFEST|DIR")]
    pub data: Option<PathBuf>,
    /// Change a key of the recipe for all runs, such as train.epochs=3.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Whether a bad row ends the sweep (fail) or is left out and listed (skip).
    #[arg(long, value_name = "fail|skip")]
    pub on_error: Option<OnErrorArg>,
}
