//! The command, run in a folder.

use std::path::Path;

use assert_cmd::Command;

/// The command on flex, in a folder.
pub fn sensorium(dir: &Path) -> Command {
    let mut command = bare(dir);
    command.args(["--backend", "flex", "--quiet"]);
    command
}

/// The command alone, in a folder. It sees no cache of models, and no network.
pub fn bare(dir: &Path) -> Command {
    let mut command = Command::cargo_bin("sensorium").expect("the binary is built with its tests");
    command
        .current_dir(dir)
        .env("HF_HOME", dir.join("no-such-cache"))
        .env("HF_HUB_OFFLINE", "1")
        .env_remove("HF_HUB_CACHE")
        .env_remove("HUGGINGFACE_HUB_CACHE");
    command
}
