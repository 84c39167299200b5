//! `parity`: the comparisons with reference implementations, on committed cases; made anew, or at published size.

mod weights;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use clap::Args;

use crate::backend::Backend;
use crate::cargo::{self, Workspace};
use crate::setup::python;

pub(crate) use weights::{locate, tell};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask parity\n  cargo xtask parity --backend all\n  \
    cargo xtask parity --full minilm\n  cargo xtask parity --full clip-vit-base-patch32 --backend libtorch\n  \
    cargo xtask parity --regenerate"
)]
pub(crate) struct Parity {
    /// Where ours is computed: flex, wgpu, libtorch, cuda, or all (flex, wgpu and libtorch in one build)
    #[arg(long, default_value = "flex")]
    backend: Backend,
    /// First make all committed cases anew, with the reference implementations in a Python environment of their own
    #[arg(long)]
    regenerate: bool,
    /// Instead: checkpoints of published size and random weights, made by the reference, saved by ours and read back by it;
    /// and real weights
    #[arg(long, conflicts_with = "regenerate")]
    full: bool,
    /// With --full: only these, `minilm` for the real weights of all-MiniLM-L6-v2, others as `tools/parity/models/full.py`
    /// names them
    #[arg(requires = "full")]
    cases: Vec<String>,
}

/// Where the scripts are, and what they need.
const SCRIPTS: &str = "tools/parity";
const REQUIREMENTS: &str = "tools/parity/requirements.txt";
/// Scripts that make no committed case.
const PARTS: [&str; 2] = ["models/full.py", "parity/processors_text.py"];
/// Makes and reads back checkpoints of published size.
const FULL: &str = "tools/parity/models/full.py";
/// The real weights among the cases of `--full`.
const MINILM: &str = "minilm";
/// Crates with comparisons, all of which have `parity` in their names.
const COMPARED: [&str; 11] = [
    "sensorium",
    "sensorium-audio",
    "sensorium-decode",
    "sensorium-eval",
    "sensorium-fusion",
    "sensorium-hub",
    "sensorium-models",
    "sensorium-pretrain",
    "sensorium-text",
    "sensorium-train",
    "sensorium-vision",
];

/// Runs the comparisons.
pub(crate) fn run(options: &Parity) -> Result<ExitCode> {
    let workspace = Workspace::here()?;
    let set = options.backend.build_set();
    if options.full {
        return full(&workspace, set, &options.cases);
    }
    if options.regenerate {
        regenerate(&workspace)?;
    }
    let mut command = tests(&workspace, set, &COMPARED, "parity")?;
    tell(&mut command);
    Ok(cargo::exit_code(cargo::status(&mut command)?))
}

fn tests(workspace: &Workspace, set: Backend, packages: &[&str], name: &str) -> Result<Command> {
    let mut command = workspace.testing("test", set)?;
    for package in packages {
        command.args(["--package", package]);
    }
    // The test kit forwards backends, but only where it is at hand.
    command.args(["--package", "sensorium-testkit"]);
    set.turn_on(&mut command, "sensorium-testkit");
    command.args(["--lib", "--tests", "--", "--show-output", name]);
    Ok(command)
}

/// Runs every script that makes committed cases, and says what is not as it was.
fn regenerate(workspace: &Workspace) -> Result<()> {
    let python = python::environment(&workspace.root.join(REQUIREMENTS))?;
    let minilm = weights::fetch()?;
    for script in scripts(&workspace.root.join(SCRIPTS))? {
        let shown = script.strip_prefix(&workspace.root).unwrap_or(&script);
        println!("parity: {}", shown.display());
        let mut command = Command::new(&python);
        command.arg(&script).current_dir(&workspace.root);
        command.env(weights::VARIABLE, &minilm);
        cargo::must(command.env("HF_HUB_OFFLINE", "1"))?;
    }
    let mut git = Command::new("git");
    git.current_dir(&workspace.root)
        .args(["status", "--short", "crates", "recipes"]);
    let changed = cargo::output(&mut git)?;
    match changed.trim_end() {
        "" => println!("parity: all cases came out as they were"),
        changed => println!("parity: these are not as they were\n{changed}"),
    }
    Ok(())
}

/// The scripts that make cases, beside those that other scripts are made of.
fn scripts(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(scripts(&path)?);
        } else if path.extension().is_some_and(|e| e == "py") {
            let makes_none = PARTS.iter().any(|part| path.ends_with(part));
            found.extend((!makes_none).then_some(path));
        }
    }
    found.sort();
    Ok(found)
}

fn full(workspace: &Workspace, set: Backend, cases: &[String]) -> Result<ExitCode> {
    let (real, random): (Vec<&String>, Vec<&String>) =
        cases.iter().partition(|case| *case == MINILM);
    let all = cases.is_empty();
    if all || !real.is_empty() {
        let folder = weights::fetch()?;
        let mut command = tests(
            workspace,
            set,
            &["sensorium-models"],
            "parity_of_real_weights",
        )?;
        cargo::must(command.env(weights::VARIABLE, folder))?;
    }
    if all || !random.is_empty() {
        at_published_size(workspace, set, &random)?;
    }
    println!("parity: equal");
    Ok(ExitCode::SUCCESS)
}

/// The reference makes checkpoints and results, ours compares and saves them, the reference reads what was saved.
fn at_published_size(workspace: &Workspace, set: Backend, cases: &[&String]) -> Result<()> {
    let python = python::environment(&workspace.root.join(REQUIREMENTS))?;
    let scratch = workspace.target.join("parity");
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    let script = |step: &str| {
        let mut command = Command::new(&python);
        command.arg(workspace.root.join(FULL)).arg(step);
        command.arg(&scratch).args(cases).env("HF_HUB_OFFLINE", "1");
        cargo::must(&mut command)
    };
    script("make")?;
    let mut command = tests(
        workspace,
        set,
        &["sensorium-models"],
        "parity_at_published_size",
    )?;
    let status = cargo::status(command.env("SENSORIUM_PARITY", &scratch))?;
    if !status.success() {
        bail!(
            "something differs: see above; the cases are kept in {}",
            scratch.display()
        );
    }
    script("check")?;
    fs::remove_dir_all(&scratch)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_those_that_make_cases() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(SCRIPTS);
        let found = scripts(&here).unwrap();
        let names: Vec<String> = found
            .iter()
            .map(|path| {
                path.strip_prefix(&here)
                    .unwrap()
                    .to_string_lossy()
                    .replace('\\', "/")
            })
            .collect();
        for makes in [
            "models/bert.py",
            "vision/pillow_resize.py",
            "audio/log_mel.py",
        ] {
            assert!(names.iter().any(|name| name == makes), "{names:?}");
        }
        assert!(
            !names.iter().any(|name| name == "models/full.py"),
            "{names:?}"
        );
    }
}
