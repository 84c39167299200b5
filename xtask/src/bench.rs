//! `bench`: every benchmark of the workspace, on one backend.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::backend::Backend;
use crate::cargo::{self, Workspace};

/// Runs all benchmarks; `args` go to each.
pub(crate) fn run(backend: Backend, args: &[OsString]) -> Result<ExitCode> {
    let workspace = Workspace::here()?;
    let set = backend.build_set();
    let benches = find(&workspace)?;
    if benches.is_empty() {
        bail!("the workspace has no benchmark");
    }
    let mut command = workspace.testing("bench", set)?;
    for (package, bench) in &benches {
        command.args(["--package", package, "--bench", bench]);
    }
    set.turn_on(&mut command, "sensorium-testkit");
    command.arg("--").args(args);
    Ok(cargo::exit_code(cargo::status(&mut command)?))
}

/// Packages and names of the benchmarks.
fn find(workspace: &Workspace) -> Result<Vec<(String, String)>> {
    let metadata = cargo::metadata(&workspace.root, &["--no-deps"])?;
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for target in package["targets"].as_array().into_iter().flatten() {
            let is_bench = target["kind"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == "bench"));
            if let (true, Some(package), Some(bench)) =
                (is_bench, package["name"].as_str(), target["name"].as_str())
            {
                found.push((package.to_owned(), bench.to_owned()));
            }
        }
    }
    Ok(found)
}
