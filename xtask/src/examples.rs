//! Runs every package under `examples/`: an example that does not run is worse than none.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::backend::Backend;
use crate::cargo::{self, Workspace};

/// How many examples ran, and how many of them failed.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    all: usize,
    pub(crate) failed: usize,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failed {
            0 => write!(f, "{} examples ran", self.all),
            failed => write!(f, "{failed} of {} examples failed", self.all),
        }
    }
}

/// Runs all examples with the backend's build.
pub(crate) fn run(workspace: &Workspace, set: Backend) -> Result<Ran> {
    let (members, outsiders) = find(workspace)?;
    let mut ran = Ran::default();
    if !members.is_empty() {
        // All binaries at once, so that shared dependencies get the features that the tests were built with.
        let mut build = workspace.cargo("build", set)?;
        build.args(["--workspace", "--bins"]);
        set.turn_on(&mut build, "sensorium-testkit");
        cargo::must(&mut build)?;
    }
    for name in &members {
        let mut command = Command::new(set.target_dir(&workspace.target).join("debug").join(name));
        command
            .current_dir(&workspace.root)
            .envs(set.environment()?);
        ran.note(name, &mut command)?;
    }
    for manifest in &outsiders {
        let name = folder_name(manifest);
        ran.note(&name, &mut outsider(workspace, set, manifest)?)?;
    }
    Ok(ran)
}

impl Ran {
    /// Runs one example; its output is shown only if it fails.
    fn note(&mut self, name: &str, command: &mut Command) -> Result<()> {
        let start = Instant::now();
        let output = command
            .output()
            .with_context(|| format!("cannot run `{}`", cargo::shown(command)))?;
        self.all += 1;
        let seconds = start.elapsed().as_secs_f64();
        if output.status.success() {
            println!("example {name} ... ok, {seconds:.1} s");
        } else {
            self.failed += 1;
            println!("example {name} ... FAILED, {}", output.status);
            println!("{}", String::from_utf8_lossy(&output.stdout).trim_end());
            eprintln!("{}", String::from_utf8_lossy(&output.stderr).trim_end());
        }
        Ok(())
    }
}

/// The binaries of examples that are members of the workspace, and the manifests of those that are not.
fn find(workspace: &Workspace) -> Result<(Vec<String>, Vec<PathBuf>)> {
    let folder = workspace.root.join("examples");
    let metadata = cargo::metadata(&workspace.root, &["--no-deps"])?;
    let packages = metadata["packages"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let mut members = Vec::new();
    let mut known = Vec::new();
    for package in packages {
        let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap_or_default());
        if manifest.starts_with(&folder) {
            members.extend(binaries(package));
            known.push(manifest);
        }
    }
    let mut outsiders = Vec::new();
    if folder.is_dir() {
        for entry in std::fs::read_dir(&folder)? {
            let manifest = entry?.path().join("Cargo.toml");
            if manifest.is_file() && !known.contains(&manifest) {
                outsiders.push(manifest);
            }
        }
    }
    outsiders.sort();
    Ok((members, outsiders))
}

fn binaries(package: &Value) -> Vec<String> {
    let targets = package["targets"].as_array().map_or(&[][..], Vec::as_slice);
    targets
        .iter()
        .filter(|target| {
            target["kind"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"))
        })
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
        .collect()
}

/// An example outside the workspace, built with the workspace's versions and profile so that it reuses its builds.
///
/// One that tests itself with the test kit is tested: then it also shares the features.
fn outsider(workspace: &Workspace, set: Backend, manifest: &Path) -> Result<Command> {
    let folder = manifest.parent().context("a manifest has a folder")?;
    // Its lock file is not under version control: the workspace's is the one that counts.
    let lock = folder.join("Cargo.lock");
    std::fs::copy(workspace.root.join("Cargo.lock"), &lock)?;
    let text = std::fs::read_to_string(manifest)?;
    let example: toml_edit::DocumentMut = text
        .parse()
        .with_context(|| format!("{} is not TOML", manifest.display()))?;
    let tests_itself = example
        .get("dev-dependencies")
        .is_some_and(|table| table.get("sensorium-testkit").is_some());

    let mut command = workspace.cargo(if tests_itself { "test" } else { "run" }, set)?;
    command
        .arg("--config")
        .arg(profile(workspace, set)?)
        .arg("--manifest-path")
        .arg(manifest);
    if tests_itself {
        set.turn_on(&mut command, "sensorium-testkit");
    }
    Ok(command)
}

/// The workspace's profiles as a file that `cargo --config` takes.
fn profile(workspace: &Workspace, set: Backend) -> Result<PathBuf> {
    let text = std::fs::read_to_string(workspace.root.join("Cargo.toml"))?;
    let root: toml_edit::DocumentMut = text.parse().context("Cargo.toml is not TOML")?;
    let mut profiles = toml_edit::DocumentMut::new();
    if let Some(profile) = root.get("profile") {
        profiles["profile"] = profile.clone();
    }
    let dir = set.target_dir(&workspace.target);
    std::fs::create_dir_all(&dir)?;
    let file = dir.join("profile.toml");
    std::fs::write(&file, profiles.to_string())?;
    Ok(file)
}

fn folder_name(manifest: &Path) -> String {
    manifest
        .parent()
        .and_then(Path::file_name)
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
