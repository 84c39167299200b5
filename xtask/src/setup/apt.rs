//! Debian's packages, installed where that is possible.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;

/// Installs packages for a purpose; `otherwise` says what to do on a machine that has no apt-get.
pub(super) fn install(purpose: &str, packages: &[&str], otherwise: &str) -> Result<()> {
    let by_hand = format!("apt-get install {}", packages.join(" "));
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this machine has no apt-get: {otherwise}");
    }
    let mut prefix = Vec::new();
    if !is_root() {
        if !Path::new("/usr/bin/sudo").exists() {
            bail!("setting up {purpose} needs root: run `{by_hand}` as root");
        }
        prefix.push("sudo");
    }
    println!("{purpose}: {by_hand}");
    apt(&prefix, &["update", "-q"])?;
    let install = ["install", "-q", "-y", "--no-install-recommends"];
    apt(&prefix, &[&install[..], packages].concat())
        .with_context(|| format!("try `{by_hand}` by hand"))
}

/// Whether this is root's process.
fn is_root() -> bool {
    cargo::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn apt(prefix: &[&str], args: &[&str]) -> Result<()> {
    let mut words = prefix.iter().chain(&["apt-get"]);
    let program = words.next().expect("apt-get is a word");
    cargo::must(
        Command::new(program)
            .args(words)
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}
