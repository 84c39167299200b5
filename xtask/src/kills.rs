//! `kills`: a run that has everything there is to lose, killed at many moments; gone on with, each ends in the same bits.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::backend::Backend;
use crate::cargo::{self, Workspace};
use crate::run::built;

/// Two stages, batches in parts, averaged weights, few labels, dropout, and shards that are read as they are needed.
const RECIPE: &str = r#"
name = "everything"

[data]
path = "digits"
labels_per_class = 40
prepare = "lazily"

[batch]
size = 8
modality_dropout = 0.2

[encoders.image]
image_size = 24
channels = 1
patch_size = 6
d_model = 32
n_layers = 1
dropout = 0.1
augment = { shift = 0.1, rotate_deg = 10.0 }

[encoders.text]
d_model = 32
n_layers = 1
dropout = 0.1

[objective]
kind = "flex-match"
unlabelled = 2

[[stages]]
name = "before"
set = ["train.steps=24", "objective.kind=\"fix-match\""]

[train]
seed = 3
lr = 2e-3
steps = 24
accumulate = 2
ema_decay = 0.9
validate_every = 11
checkpoint_every = 3
keep_checkpoints = 2
"#;

/// The golden ratio's steps fall evenly over a line, and nowhere twice.
const GOLDEN: f64 = 0.618_033_988_749_894_9;
/// What must come out the same.
const RESULTS: [&str; 3] = [
    "model/model.safetensors",
    "stages/before/model/model.safetensors",
    "model/config.json",
];

#[derive(Args)]
#[command(after_help = "Examples:\n  cargo xtask kills --moments 4\n  cargo xtask kills --seed 7")]
pub(crate) struct Options {
    /// How many runs are killed, each at another moment
    #[arg(long, default_value_t = 20)]
    moments: u32,
    /// Shifts the moments
    #[arg(long, default_value_t = 0)]
    seed: u32,
}

/// Kills and goes on, and compares.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::here()?;
    let sensorium = PathBuf::from(built(&workspace, Some(Backend::Flex))?.get_program());
    let folder = workspace.target.join("kills");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("everything.toml"), RECIPE)?;
    let bench = Bench { sensorium, folder };
    let shards = ["--to", "shards", "--shard-size", "3MB"];
    cargo::must(
        bench
            .sensorium(&["data", "convert", "av-digits", "digits"])
            .args(shards),
    )?;

    let clock = Instant::now();
    cargo::must(&mut bench.train("whole"))?;
    let took = clock.elapsed();
    let mut begun = 0;
    for at in 0..options.moments {
        let share = (f64::from(options.seed) * 0.37 + f64::from(at + 1) * GOLDEN).fract();
        let moment = took.mul_f64(share);
        let went_on = bench.kill(&format!("killed-{at}"), moment)?;
        begun += u32::from(went_on);
    }
    ensure!(
        begun * 2 >= options.moments,
        "only {begun} of {} runs were killed with a checkpoint written: too few to say anything",
        options.moments
    );
    fs::remove_dir_all(&bench.folder)?;
    println!(
        "kills: {} runs of {:.1} s were killed, {begun} of them with something to lose; all ended in the same bits",
        options.moments,
        took.as_secs_f64()
    );
    Ok(ExitCode::SUCCESS)
}

struct Bench {
    sensorium: PathBuf,
    folder: PathBuf,
}

impl Bench {
    fn sensorium(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.sensorium);
        command.current_dir(&self.folder).args(args);
        command.args(["--backend", "flex", "--quiet"]);
        command.stdout(Stdio::null());
        command
    }

    fn train(&self, out: &str) -> Command {
        self.sensorium(&["train", "everything.toml", "--out", out])
    }

    /// Kills a run after so long, goes on with it, and holds it against the one that nothing happened to. Whether there was
    /// a checkpoint to go on from.
    fn kill(&self, out: &str, moment: Duration) -> Result<bool> {
        let mut child = self.train(out).spawn().context("cannot run sensorium")?;
        std::thread::sleep(moment);
        child.kill()?;
        child.wait()?;
        let run = self.folder.join(out);
        let something = has_checkpoint(&run) || has_checkpoint(&run.join("stages/before"));
        let done = run.join("report.html").exists();
        if !run.join("recipe.toml").exists() {
            // Killed before it was a run: there is nothing to go on with, and nothing in the way of another.
            cargo::must(&mut self.train(out))?;
        } else if !done {
            cargo::must(&mut self.sensorium(&["train", "--resume", out]))?;
        }
        for file in RESULTS {
            self.same(out, file)
                .with_context(|| format!("killed after {:.3} s", moment.as_secs_f64()))?;
        }
        fs::remove_dir_all(run)?;
        Ok(something)
    }

    fn same(&self, out: &str, file: &str) -> Result<()> {
        let read = |run: &str| {
            let path = self.folder.join(run).join(file);
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        if read(out)? != read("whole")? {
            bail!("{out}/{file} is not that of the run that was left alone (both are kept)");
        }
        Ok(())
    }
}

fn has_checkpoint(run: &Path) -> bool {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("step-"))
}
