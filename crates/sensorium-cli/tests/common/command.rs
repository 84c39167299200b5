//! The command, run in a folder.

use std::path::Path;

use assert_cmd::Command;

/// The command, in a folder.
pub fn sensorium(dir: &Path) -> Command {
    let mut command = Command::cargo_bin("sensorium").expect("the binary is built with its tests");
    command
        .current_dir(dir)
        .args(["--backend", "flex", "--quiet"]);
    command
}
