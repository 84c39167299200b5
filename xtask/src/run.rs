//! `train`, `eval` and `run`: build the release binary with the right backend, and hand over to it.

use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::backend::Backend;
use crate::cargo::{self, Workspace};
use crate::setup;

/// Trains a recipe; which one without a name, the binary knows.
pub(crate) fn train(args: Vec<OsString>) -> Result<ExitCode> {
    let (backend, args) = take_backend(args)?;
    sensorium(backend, Some("train"), &args)
}

/// Evaluates a run.
pub(crate) fn eval(args: Vec<OsString>) -> Result<ExitCode> {
    let (backend, args) = take_backend(args)?;
    sensorium(backend, Some("eval"), &args)
}

/// Runs any command of the binary.
pub(crate) fn any(args: Vec<OsString>) -> Result<ExitCode> {
    let (backend, args) = take_backend(args)?;
    sensorium(backend, None, &args)
}

fn sensorium(
    backend: Option<Backend>,
    subcommand: Option<&str>,
    args: &[OsString],
) -> Result<ExitCode> {
    let mut command = built(&Workspace::here()?, backend)?;
    command.args(subcommand).args(args);
    if let Some(backend) = backend {
        command.arg("--backend").arg(backend.name());
    }
    hand_over(&mut command)
}

/// The release binary, built with the backend.
pub(crate) fn built(workspace: &Workspace, backend: Option<Backend>) -> Result<Command> {
    built_with(workspace, backend, &[])
}

/// The same with more features of `sensorium-cli`.
pub(crate) fn built_with(
    workspace: &Workspace,
    backend: Option<Backend>,
    more: &[&str],
) -> Result<Command> {
    let set = backend.unwrap_or(Backend::Flex).build_set();
    let mut build = workspace.cargo("build", set)?;
    build.args(["--release", "--package", "sensorium-cli"]);
    build.args(["--bin", "sensorium"]);
    let mut features = set.features("sensorium-cli");
    features.extend(
        more.iter()
            .map(|feature| format!("sensorium-cli/{feature}")),
    );
    if set == Backend::Wgpu && setup::wgpu::has_gpu() {
        // Tuning pays on a real GPU; on a software one it costs minutes.
        features.push("sensorium-cli/wgpu-autotune".to_owned());
    }
    if !features.is_empty() {
        build.arg("--features").arg(features.join(","));
    }
    let status = cargo::status(&mut build)?;
    if !status.success() {
        bail!("the sensorium binary does not build: see above");
    }

    let binary = set
        .target_dir(&workspace.target)
        .join("release")
        .join(format!("sensorium{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(&binary);
    command.envs(set.environment()?);
    Ok(command)
}

/// Becomes the command, so that signals and exit codes are its own.
#[cfg(unix)]
fn hand_over(command: &mut Command) -> Result<ExitCode> {
    let error = std::os::unix::process::CommandExt::exec(command);
    Err(error).with_context(|| format!("cannot run `{}`", cargo::shown(command)))
}

#[cfg(not(unix))]
fn hand_over(command: &mut Command) -> Result<ExitCode> {
    Ok(cargo::exit_code(cargo::status(command)?))
}

/// Takes `--backend B` out of the arguments.
fn take_backend(args: Vec<OsString>) -> Result<(Option<Backend>, Vec<OsString>)> {
    let mut backend = None;
    let mut rest = Vec::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let name = match arg.to_str() {
            Some("--backend") => args
                .next()
                .context("--backend needs a name: flex, wgpu, libtorch, cuda or auto")?,
            Some(text) if text.starts_with("--backend=") => {
                OsString::from(&text["--backend=".len()..])
            }
            _ => {
                rest.push(arg);
                continue;
            }
        };
        backend = Some(named(&name)?);
    }
    Ok((backend, rest))
}

fn named(name: &OsStr) -> Result<Backend> {
    let name = name.to_string_lossy();
    match Backend::from_str(&name, false) {
        Ok(backend) if backend != Backend::All => Ok(backend),
        _ => bail!("there is no backend {name:?}; choose flex, wgpu, libtorch, cuda or auto"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(args: &[&str]) -> Result<(Option<Backend>, Vec<OsString>)> {
        take_backend(args.iter().map(OsString::from).collect())
    }

    #[test]
    fn the_backend_is_found_anywhere() {
        for args in [
            &["--backend", "wgpu", "r.toml", "--seed", "1"][..],
            &["r.toml", "--backend=wgpu", "--seed", "1"],
            &["r.toml", "--seed", "1", "--backend", "wgpu"],
        ] {
            let (backend, rest) = taken(args).unwrap();
            assert_eq!(backend, Some(Backend::Wgpu));
            assert_eq!(rest, ["r.toml", "--seed", "1"]);
        }
    }

    #[test]
    fn a_wrong_backend_is_refused_with_the_right_ones() {
        for args in [
            &["--backend", "wgpuu"][..],
            &["--backend"],
            &["--backend", "all"],
        ] {
            let message = taken(args).unwrap_err().to_string();
            assert!(
                message.contains("flex, wgpu, libtorch, cuda or auto"),
                "{message}"
            );
        }
    }
}
