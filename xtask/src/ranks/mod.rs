//! `ranks`: one recipe on one, two and four processes, and on two hosts: the same losses, a killed process, a cut cable, and what telling
//! each other costs.

mod hosts;
mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::backend::Backend;
use crate::cargo::{self, Workspace};
use crate::run::built_with;
use crate::setup;

/// Where the table goes.
const PAGE: &str = "docs/src/suites/ranks.md";
/// How far a loss may be from that of one process: sums are taken in another order.
const CLOSE: f64 = 1e-5;
/// Without dropout, which each process draws for itself.
const CALM: [&str; 4] = [
    "encoders.text.dropout=0",
    "encoders.image.dropout=0",
    "encoders.audio.dropout=0",
    "head.dropout=0",
];

#[derive(Args)]
#[command(after_help = "Examples:\n  cargo xtask ranks --short\n  cargo xtask ranks")]
pub(crate) struct Options {
    /// Check losses and a killed process on few steps, time nothing and write no page
    #[arg(long)]
    short: bool,
}

/// Trains side by side, compares, and unless it is to be short writes the page.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if !setup::mpi::ready() {
        bail!("training by several processes needs an MPI: run `cargo xtask setup mpi`");
    }
    let workspace = Workspace::here()?;
    let sensorium = built_with(&workspace, Some(Backend::Flex), &["mpi"])?;
    let sensorium = PathBuf::from(sensorium.get_program());
    let folder = workspace.target.join("ranks");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let bench = Bench {
        sensorium,
        folder,
        steps: if options.short { 12 } else { 80 },
    };
    let mut rows = Vec::new();
    for size in [1, 2, 4] {
        let steps = bench.train(size)?;
        same(
            &steps,
            rows.first()
                .map_or(&steps[..], |(_, first): &(usize, Vec<Step>)| first),
        )
        .with_context(|| format!("{size} processes"))?;
        rows.push((size, steps));
    }
    println!("ranks: 1, 2 and 4 processes take the same steps, within {CLOSE:e}");
    bench.kill_one()?;
    println!(
        "ranks: a killed process ends all, and the run is gone on with by another number of them"
    );
    hosts::run(&bench, &rows[0].1)?;
    if !options.short {
        let page = workspace.root.join(PAGE);
        fs::write(&page, page::markdown(&rows)).with_context(|| format!("cannot write {PAGE}"))?;
        println!("ranks: {PAGE} is written");
    }
    fs::remove_dir_all(&bench.folder)?;
    Ok(ExitCode::SUCCESS)
}

/// A step as its line of the log has it.
#[derive(Clone, Debug)]
struct Step {
    loss: f64,
    step_s: f64,
    data_s: f64,
    ranks_s: f64,
    bytes: f64,
}

struct Bench {
    sensorium: PathBuf,
    folder: PathBuf,
    steps: usize,
}

impl Bench {
    /// The command that so many processes are started with.
    fn started(&self, size: usize) -> Command {
        if size == 1 {
            let mut command = Command::new(&self.sensorium);
            command.current_dir(&self.folder);
            return command;
        }
        let mut command = Command::new("mpirun");
        // As many as asked for, on however many cores, and not each on one of them.
        command
            .args([
                "--oversubscribe",
                "--bind-to",
                "none",
                "-n",
                &size.to_string(),
            ])
            .arg(&self.sensorium)
            .current_dir(&self.folder);
        as_root(&mut command);
        command
    }

    fn begun(&self, size: usize, out: &str, steps: usize) -> Command {
        let mut command = self.started(size);
        command.args(training(out, steps)).stdout(Stdio::null());
        command
    }

    fn train(&self, size: usize) -> Result<Vec<Step>> {
        let out = format!("of-{size}");
        cargo::must(&mut self.begun(size, &out, self.steps))?;
        steps(&self.folder.join(out))
    }

    /// Kills one of three processes in the middle, and goes on with two and with one.
    fn kill_one(&self) -> Result<()> {
        let (whole, out) = (60, "killed");
        cargo::must(&mut self.begun(1, "whole", whole))?;
        let mut started = self.begun(3, out, whole).stderr(Stdio::null()).spawn()?;
        let log = self.folder.join(out).join("metrics.jsonl");
        in_its_middle(&mut started, &log).context("the run that was to be killed")?;
        let children = format!("/proc/{0}/task/{0}/children", started.id());
        let children = fs::read_to_string(children).context("cannot see the processes")?;
        let one = children
            .split_whitespace()
            .nth(1)
            .context("there are no processes")?;
        cargo::must(Command::new("kill").args(["-9", one]))?;
        let ended = started.wait()?;
        if ended.success() {
            bail!("a process was killed and the run ended as if nothing was wrong");
        }
        let before = steps_of(&log);
        if before >= whole {
            bail!("the run was over before it could be killed");
        }
        let mut resumed = self.started(2);
        resumed.args(["train", "--backend", "flex", "--quiet", "--resume", out]);
        cargo::must(resumed.stdout(Stdio::null()))?;
        same(
            &steps(&self.folder.join(out))?,
            &steps(&self.folder.join("whole"))?,
        )
        .context("the run that was killed and gone on with")
    }
}

/// What `sensorium` is asked for.
fn training(out: &str, steps: usize) -> Vec<String> {
    let words = [
        "train",
        "av-digits",
        "--backend",
        "flex",
        "--quiet",
        "--out",
        out,
    ];
    let steps = [
        format!("train.steps={steps}"),
        "train.checkpoint_every=4".to_owned(),
    ];
    let sets = CALM.iter().map(|set| (*set).to_owned()).chain(steps);
    let sets = sets.flat_map(|set| ["--set".to_owned(), set]);
    words.map(str::to_owned).into_iter().chain(sets).collect()
}

/// Waits until a run has taken some steps.
fn in_its_middle(started: &mut Child, log: &Path) -> Result<()> {
    let (began, patience) = (Instant::now(), Duration::from_secs(120));
    while steps_of(log) < 6 {
        if began.elapsed() > patience || started.try_wait()?.is_some() {
            let _ = started.kill();
            bail!("it took no step");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// MPI's launcher may be root's too, as in a container.
fn as_root(command: &mut Command) -> &mut Command {
    command
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
}

fn steps_of(log: &Path) -> usize {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines()
        .filter(|line| line.contains("\"kind\":\"step\""))
        .count()
}

fn steps(run: &Path) -> Result<Vec<Step>> {
    let text = fs::read_to_string(run.join("metrics.jsonl"))?;
    let mut steps = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line)?;
        if line["kind"] != "step" {
            continue;
        }
        let number = |key: &str| {
            line[key]
                .as_f64()
                .with_context(|| format!("a step has no {key}"))
        };
        steps.push(Step {
            loss: number("loss")?,
            step_s: number("step_s")?,
            data_s: number("data_s")?,
            ranks_s: number("ranks_s")?,
            bytes: number("ranks_bytes")?,
        });
    }
    Ok(steps)
}

/// Refuses losses that are not those of one process.
fn same(found: &[Step], expected: &[Step]) -> Result<()> {
    if found.len() != expected.len() {
        bail!("{} steps instead of {}", found.len(), expected.len());
    }
    for (n, (found, expected)) in found.iter().zip(expected).enumerate() {
        let (found, expected) = (found.loss, expected.loss);
        // What is apart by a rounding grows with each step that is taken from there.
        let close = CLOSE * (1.0 + n as f64 / 10.0);
        if (found - expected).abs() > close {
            bail!("step {}: a loss of {found} instead of {expected}", n + 1);
        }
    }
    Ok(())
}
