//! Cargo, as the tasks call it: at the workspace's root, with what the backend needs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::backend::Backend;

/// The workspace: where it stands and where it builds.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Above the folder of each feature set.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// The workspace this program was run from by `cargo xtask`, else the one it was built from: with a target folder
    /// shared by several clones, the program may have been built from another.
    pub(crate) fn here() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.parent().context("xtask stands in no workspace")?;
        Self::at(root)
    }

    /// The workspace whose root is `root`.
    pub(crate) fn at(root: &Path) -> Result<Self> {
        let metadata = metadata(root, &["--no-deps"])?;
        let target = metadata["target_directory"]
            .as_str()
            .context("cargo metadata names no target folder")?;
        Ok(Self {
            root: root.to_owned(),
            target: PathBuf::from(target),
        })
    }

    /// A cargo command that builds with the backend's feature set, in its folder.
    pub(crate) fn cargo(&self, subcommand: &str, set: Backend) -> Result<Command> {
        let mut command = cargo(&self.root);
        command
            .arg(subcommand)
            .env("CARGO_TARGET_DIR", set.target_dir(&self.target))
            .envs(set.environment()?);
        Ok(command)
    }

    /// The same for what computes with the test kit, on the backends of the set.
    pub(crate) fn testing(&self, subcommand: &str, set: Backend) -> Result<Command> {
        let mut command = self.cargo(subcommand, set)?;
        command.env(TEST_BACKENDS, set.members().join(","));
        Ok(command)
    }
}

/// Where the test kit looks for the backends that tensors are tested on.
const TEST_BACKENDS: &str = "SENSORIUM_TEST_BACKENDS";

/// Cargo at `root`, without the variables that `cargo run` gave this program.
pub(crate) fn cargo(root: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command
}

/// What `cargo metadata` says.
pub(crate) fn metadata(root: &Path, args: &[&str]) -> Result<Value> {
    let output = cargo(root)
        .args(["metadata", "--format-version", "1"])
        .args(args)
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")
}

/// Runs a command and says what failed if it does.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs a command to its end.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    command
        .status()
        .with_context(|| format!("cannot run `{}`", shown(command)))
}

/// A command's standard output as text.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    if !output.status.success() {
        bail!(
            "`{}` failed: {}",
            shown(command),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A child's exit code, to be this program's own; one that a signal ended gets 128 + signal, as shells do.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(1));
    }
    ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    )
}
