//! `setup`: puts on the machine what a backend needs beyond Rust.

pub(crate) mod apt;
pub(crate) mod libtorch;
pub(crate) mod mpi;
pub(crate) mod python;
pub(crate) mod wgpu;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ValueEnum;

/// What can be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// PyTorch's libraries.
    Libtorch,
    /// A Vulkan driver.
    Wgpu,
    /// What processes that train together reach each other by.
    Mpi,
    /// All of it.
    All,
}

/// Sets up what is asked for; what is already there is left as it is.
pub(crate) fn run(what: What, cuda: bool) -> Result<ExitCode> {
    if matches!(what, What::Wgpu | What::All) {
        wgpu::set_up()?;
    }
    if matches!(what, What::Libtorch | What::All) {
        libtorch::set_up(cuda)?;
    }
    if matches!(what, What::Mpi | What::All) {
        mpi::set_up()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where things are kept between builds: `SENSORIUM_CACHE`, or `sensorium` in the user's cache folder.
pub(crate) fn cache() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = set("SENSORIUM_CACHE") {
        return Ok(PathBuf::from(dir));
    }
    if let Some(dir) = set("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(dir).join("sensorium"));
    }
    let home = set("HOME")
        .or_else(|| set("USERPROFILE"))
        .context("no home folder is known: set SENSORIUM_CACHE to a folder for downloads")?;
    Ok(PathBuf::from(home).join(".cache").join("sensorium"))
}
