//! `test`: every test this machine can run, and a word on what was left out.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::backend::Backend;
use crate::cargo::{self, Workspace};
use crate::{examples, parity, setup};

/// Where recordings by people are looked for that are too large for the repository.
const RECORDINGS: &str = "../shared/data";

/// Runs the tests, then the examples, then sums up.
pub(crate) fn run(backend: Backend, args: &[OsString]) -> Result<ExitCode> {
    let start = Instant::now();
    let workspace = Workspace::here()?;
    let set = backend.build_set();

    let (success, count) = run_tests(&workspace, set, args)?;
    let ran = match args {
        [] => examples::run(&workspace, set)?,
        _ => examples::Ran::default(),
    };

    println!();
    for line in left_out(&workspace, set, args) {
        println!("left out: {line}");
    }
    let on = set.members().join(", ");
    let seconds = start.elapsed().as_secs();
    println!(
        "{}: {count} on {on}; {ran}; {} min {} s",
        if success && ran.failed == 0 {
            "passed"
        } else {
            "FAILED"
        },
        seconds / 60,
        seconds % 60
    );
    Ok(if success && ran.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs `cargo test` and counts along.
fn run_tests(workspace: &Workspace, set: Backend, args: &[OsString]) -> Result<(bool, Count)> {
    let mut command = tests(workspace, set, args)?;
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`", cargo::shown(&command)))?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut count = Count::default();
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        count.add(&String::from_utf8_lossy(&line));
        out.write_all(&line)?;
        out.write_all(b"\n")?;
    }
    Ok((child.wait()?.success(), count))
}

/// The `cargo test` command: the whole workspace, unless the arguments name packages.
fn tests(workspace: &Workspace, set: Backend, args: &[OsString]) -> Result<Command> {
    let mut command = workspace.testing("test", set)?;
    command.arg("--no-fail-fast");
    parity::tell(&mut command);
    let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let names_package = words
        .iter()
        .any(|word| word == "-p" || word.starts_with("--package"));
    if !names_package {
        command.arg("--workspace");
    }
    // The test kit forwards backends to the runtime, and every tensor test uses it.
    let forwards = if words.iter().any(|word| word == "sensorium-runtime") {
        "sensorium-runtime"
    } else {
        "sensorium-testkit"
    };
    set.turn_on(&mut command, forwards);
    command.args(args);
    Ok(command)
}

/// What was not run, and how to run it.
fn left_out(workspace: &Workspace, set: Backend, args: &[OsString]) -> Vec<String> {
    let mut lines = Vec::new();
    if !args.is_empty() {
        lines.push(
            "all tests but those asked for, and the examples (`cargo xtask test` runs them)"
                .to_owned(),
        );
    }
    let missing = |name: &str| !set.members().contains(&name);
    if missing("wgpu") {
        let first = if setup::wgpu::ready() {
            ""
        } else {
            ", after `cargo xtask setup wgpu`"
        };
        lines.push(format!("wgpu (`cargo xtask test --backend wgpu`{first})"));
    }
    if missing("libtorch") {
        let first = match setup::libtorch::locate() {
            Ok(_) => "",
            Err(_) => ", after `cargo xtask setup libtorch`",
        };
        lines.push(format!(
            "libtorch (`cargo xtask test --backend libtorch`{first})"
        ));
    }
    if missing("cuda") && std::path::Path::new("/dev/nvidia0").exists() {
        lines.push("cuda (`cargo xtask test --backend cuda`)".to_owned());
    } else if missing("cuda") {
        lines.push("cuda (no NVIDIA GPU here)".to_owned());
    }
    if parity::locate().is_none() {
        lines.push(
            "a published model's real weights (`cargo xtask parity --full minilm`)".to_owned(),
        );
    }
    if !workspace.root.join(RECORDINGS).is_dir() {
        lines.push(format!(
            "tests on recordings by people (put the data sets into {RECORDINGS}, as the tests describe)"
        ));
    }
    lines
}

/// What `cargo test`'s result lines add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Count {
    /// Adds a line `test result: ok. 3 passed; 0 failed; 0 ignored; ...`; other lines count nothing.
    fn add(&mut self, line: &str) {
        let Some((_, result)) = line.split_once("test result: ") else {
            return;
        };
        let counted = |what| {
            result
                .split([';', '.'])
                .find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<u64>().ok())
                .unwrap_or(0)
        };
        self.passed += counted("passed");
        self.failed += counted("failed");
        self.ignored += counted("ignored");
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tests passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 {
            write!(f, ", {} ignored", self.ignored)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_added_up() {
        let mut count = Count::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.25s",
        ] {
            count.add(line);
        }
        let expected = Count {
            passed: 15,
            failed: 2,
            ignored: 1,
        };
        assert_eq!(count, expected);
        assert_eq!(count.to_string(), "15 tests passed, 2 failed, 1 ignored");
    }
}
