//! `check`, the one command before a commit, and `docs`.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;

use crate::backend::Backend;
use crate::cargo::{self, Workspace};
use crate::tidy;

/// A part of the check; the quick ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Formatting.
    Fmt,
    /// The rules of the house.
    Tidy,
    /// Clippy without a warning.
    Clippy,
    /// Documentation without a broken link.
    Doc,
}

/// Runs the named checks, or all, also after one has failed, and names those that did.
pub(crate) fn run(steps: &[Step]) -> Result<ExitCode> {
    let workspace = Workspace::here()?;
    let mut failed = Vec::new();
    let wanted = |step: &&Step| steps.is_empty() || steps.contains(step);
    for step in Step::value_variants().iter().filter(wanted) {
        let name = format!("{step:?}").to_lowercase();
        println!("check: {name}");
        let start = Instant::now();
        let passed = step.run(&workspace)?;
        let word = if passed { "ok" } else { "FAILED" };
        let seconds = start.elapsed().as_secs_f64();
        println!("check: {name} ... {word}, {seconds:.1} s");
        if !passed {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        println!("check: passed");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("check: FAILED: {}", failed.join(", "));
        Ok(ExitCode::FAILURE)
    }
}

impl Step {
    /// Whether it passes.
    fn run(self, workspace: &Workspace) -> Result<bool> {
        let mut command = match self {
            Self::Tidy => return tidy::run(workspace),
            Self::Fmt => {
                let mut command = cargo::cargo(&workspace.root);
                command.args(["fmt", "--all", "--check"]);
                command
            }
            Self::Clippy => {
                let mut command = workspace.cargo("clippy", Backend::Flex)?;
                command.args(["--workspace", "--all-targets", "--", "-D", "warnings"]);
                command
            }
            Self::Doc => {
                let mut command = workspace.cargo("doc", Backend::Flex)?;
                command.args(["--workspace", "--no-deps", "--quiet"]).env(
                    "RUSTDOCFLAGS",
                    "-D warnings -D rustdoc::broken_intra_doc_links",
                );
                command
            }
        };
        Ok(cargo::status(&mut command)?.success())
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
