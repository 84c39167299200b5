//! The proof that a modality can be added: in a scratch copy of the workspace it builds, passes its tests and is trained by
//! a recipe, while core, fusion, data, train and eval stay as they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use super::{Names, RECIPE_LIST, RECIPE_MANIFEST, ROOT_MANIFEST, add};
use crate::backend::Backend;
use crate::cargo::{self, Workspace};

const NAME: &str = "thermal";

/// Runs the proof with the builds of a feature set.
pub(super) fn run(workspace: &Workspace, set: Backend) -> Result<ExitCode> {
    let scratch = workspace.target.join("new-modality");
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    println!("new-modality: a scratch copy in {}", scratch.display());
    let files = copy(&workspace.root, &scratch)?;
    let names = Names::new(NAME)?;
    add(&scratch, &names)?;
    only_registered(&workspace.root, &scratch, &files)?;

    let copy = Workspace {
        root: scratch.clone(),
        target: workspace.target.clone(),
    };
    let mut test = copy.testing("test", set)?;
    test.args(["--package", &names.krate]);
    set.turn_on(&mut test, "sensorium-testkit");
    cargo::must(&mut test)?;
    train(&copy, set, &names)?;
    fs::remove_dir_all(&scratch)?;
    println!("new-modality: `{NAME}` builds, passes its tests and trains");
    Ok(ExitCode::SUCCESS)
}

/// Copies what is under version control.
fn copy(from: &Path, to: &Path) -> Result<Vec<String>> {
    let names = cargo::output(Command::new("git").current_dir(from).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ]))?;
    let mut files = Vec::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let (source, target) = (from.join(name), to.join(name));
        fs::create_dir_all(target.parent().context("a file has a folder")?)?;
        if source.is_symlink() {
            copy_link(&source, &target).with_context(|| format!("cannot copy {name}"))?;
        } else if source.is_file() {
            fs::copy(&source, &target).with_context(|| format!("cannot copy {name}"))?;
            files.push(name.to_owned());
        }
    }
    Ok(files)
}

#[cfg(unix)]
fn copy_link(source: &Path, target: &Path) -> Result<()> {
    std::os::unix::fs::symlink(fs::read_link(source)?, target)?;
    Ok(())
}

#[cfg(not(unix))]
fn copy_link(source: &Path, target: &Path) -> Result<()> {
    // Without links, git writes a file with the target's path.
    fs::copy(source, target)?;
    Ok(())
}

/// Fails unless registering is all that changed.
fn only_registered(root: &Path, scratch: &Path, files: &[String]) -> Result<()> {
    let allowed = [ROOT_MANIFEST, RECIPE_MANIFEST, RECIPE_LIST];
    for file in files {
        let same = fs::read(root.join(file))? == fs::read(scratch.join(file))?;
        ensure!(
            same || allowed.contains(&file.as_str()),
            "adding a modality changed {file}"
        );
    }
    Ok(())
}

/// Trains the new crate's own recipe on a manifest made here: rising series against falling ones.
fn train(copy: &Workspace, set: Backend, names: &Names) -> Result<()> {
    let data = copy.root.join("proof");
    fs::create_dir_all(&data)?;
    let manifest = data.join("manifest.csv");
    fs::write(&manifest, rows(&names.modality))?;
    let recipe = PathBuf::from("crates")
        .join(&names.krate)
        .join("recipe.toml");

    // All binaries at once, so that shared dependencies get the features that the tests were built with.
    let mut build = copy.cargo("build", set)?;
    build.args(["--workspace", "--bins"]);
    set.turn_on(&mut build, "sensorium-testkit");
    cargo::must(&mut build)?;
    let binary = set.target_dir(&copy.target).join("debug/sensorium");
    let out = data.join("run");
    let mut train = Command::new(binary);
    train
        .current_dir(&copy.root)
        .envs(set.environment()?)
        .arg("train")
        .arg(recipe)
        .arg("--data")
        .arg(&manifest)
        .arg("--out")
        .arg(&out)
        .args(["--backend", "flex"]);
    cargo::must(&mut train)?;
    let accuracy = accuracy(&out.join("metrics.json"))?;
    println!("new-modality: accuracy {accuracy:.2} on held-out series");
    ensure!(
        accuracy > 0.9,
        "the new modality trains, but learns nothing: accuracy {accuracy}"
    );
    Ok(())
}

/// A manifest of series that rise or fall, with different slopes and offsets.
fn rows(column: &str) -> String {
    let mut text = format!("id,{column},label,split\n");
    for index in 0..120_u32 {
        let rises = index % 2 == 0;
        let slope = (0.5 + f64::from(index % 7) / 7.0) * if rises { 1.0 } else { -1.0 };
        let offset = f64::from(index % 5) - 2.0;
        let length = 8 + index % 5;
        let series: Vec<_> = (0..length)
            .map(|row| format!("{:.3}", offset + slope * f64::from(row)))
            .collect();
        let split = match index / 2 % 6 {
            0 => "test",
            1 => "valid",
            _ => "train",
        };
        let label = if rises { "rises" } else { "falls" };
        text += &format!("{index},{},{label},{split}\n", series.join(" "));
    }
    text
}

/// The accuracy in a run's metrics, wherever in the document it stands.
fn accuracy(file: &Path) -> Result<f64> {
    let text =
        fs::read_to_string(file).with_context(|| format!("the run left no {}", file.display()))?;
    let metrics: serde_json::Value = serde_json::from_str(&text)?;
    let mut found = BTreeMap::new();
    collect(&metrics, "", &mut found);
    found
        .iter()
        .find(|(path, _)| path.ends_with(".accuracy"))
        .map(|(_, value)| *value)
        .with_context(|| format!("{} holds no accuracy", file.display()))
}

fn collect(value: &serde_json::Value, path: &str, found: &mut BTreeMap<String, f64>) {
    if let Some(number) = value.as_f64() {
        found.insert(path.to_owned(), number);
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        collect(value, &format!("{path}.{key}"), found);
    }
}
