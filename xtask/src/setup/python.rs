//! Python's package installer, for what is fetched from PyPI, and environments for the reference scripts.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;

/// The system's pip, or one in a virtual environment under `scratch` where the system has none.
pub(crate) fn pip(scratch: &Path) -> Result<Command> {
    let python = "python3";
    let works = |program: &Path| {
        Command::new(program)
            .args(["-m", "pip", "--version"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let mut program = PathBuf::from(python);
    if !works(&program) {
        let venv = scratch.join("venv");
        let made = Command::new(python)
            .args(["-m", "venv"])
            .arg(&venv)
            .output();
        program = venv.join("bin/python");
        match made {
            Err(_) => {
                bail!("this needs python3 (3.10 or newer) to fetch packages from PyPI: install it")
            }
            Ok(_) if !works(&program) => bail!(
                "python3 has neither pip nor venv: install them (Debian and Ubuntu: `apt-get install python3-pip \
                 python3-venv`)"
            ),
            Ok(_) => {}
        }
    }
    let mut command = Command::new(program);
    command.args(["-m", "pip", "--disable-pip-version-check"]);
    Ok(command)
}

/// The Python of an environment that has what a requirements file lists; made once in the cache folder.
///
/// # Errors
/// If there is no python3 with venv, or a package cannot be fetched.
pub(crate) fn environment(requirements: &Path) -> Result<PathBuf> {
    let list = fs::read_to_string(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let mut hasher = DefaultHasher::new();
    list.hash(&mut hasher);
    let folder = super::cache()?.join(format!("python-{:016x}", hasher.finish()));
    let python = folder.join("bin/python");
    let complete = folder.join("complete");
    if complete.exists() {
        return Ok(python);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?; // left from an attempt that was cut off
    }
    println!("python: installing what {} lists", requirements.display());
    cargo::must(Command::new("python3").args(["-m", "venv"]).arg(&folder)).context(
        "python3 with venv is needed (Debian and Ubuntu: `apt-get install python3-venv`)",
    )?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "--disable-pip-version-check", "install"]);
    pip.args(["--progress-bar", "off", "--quiet", "--requirement"]);
    cargo::must(pip.arg(requirements))?;
    fs::write(&complete, "")?;
    Ok(python)
}
