//! `check`, the one command before a commit, and `docs`.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;

use crate::backend::Backend;
use crate::cargo::{self, Workspace};
use crate::tidy;

/// Runs all checks, also after one has failed, and names those that did.
pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::here()?;
    let mut failed = Vec::new();
    let mut step = |name: &'static str, run: &mut dyn FnMut() -> Result<bool>| -> Result<()> {
        println!("check: {name}");
        let start = Instant::now();
        let passed = run()?;
        if !passed {
            failed.push(name);
        }
        let word = if passed { "ok" } else { "FAILED" };
        println!(
            "check: {name} ... {word}, {:.1} s",
            start.elapsed().as_secs_f64()
        );
        Ok(())
    };

    step("fmt", &mut || {
        let mut command = cargo::cargo(&workspace.root);
        command.args(["fmt", "--all", "--check"]);
        succeeds(&mut command)
    })?;
    step("tidy", &mut || tidy::run(&workspace))?;
    step("clippy", &mut || {
        let mut command = workspace.cargo("clippy", Backend::Flex)?;
        command.args(["--workspace", "--all-targets", "--", "-D", "warnings"]);
        succeeds(&mut command)
    })?;
    step("doc", &mut || {
        let mut command = workspace.cargo("doc", Backend::Flex)?;
        command.args(["--workspace", "--no-deps", "--quiet"]).env(
            "RUSTDOCFLAGS",
            "-D warnings -D rustdoc::broken_intra_doc_links",
        );
        succeeds(&mut command)
    })?;

    if failed.is_empty() {
        println!("check: all passed");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("check: FAILED: {}", failed.join(", "));
        Ok(ExitCode::FAILURE)
    }
}

/// Builds the API's documentation, and the book where mdBook is installed.
pub(crate) fn docs(open: bool) -> Result<ExitCode> {
    let workspace = Workspace::here()?;
    let mut command = workspace.cargo("doc", Backend::Flex)?;
    command.args(["--workspace", "--no-deps"]);
    if open {
        command.arg("--open");
    }
    cargo::must(&mut command)?;
    let book = workspace.root.join("docs");
    if book.join("book.toml").exists() {
        if Command::new("mdbook").arg("--version").output().is_ok() {
            let mut command = Command::new("mdbook");
            command.arg("build").arg(&book);
            if open {
                command.arg("--open");
            }
            cargo::must(&mut command)?;
        } else {
            println!("the book was left out: `cargo install mdbook` adds mdBook");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn succeeds(command: &mut Command) -> Result<bool> {
    Ok(cargo::status(command)?.success())
}
