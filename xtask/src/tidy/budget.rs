//! What a library pulls in: `cargo add sensorium-vision` brings no server, no hub client and no sound.

use std::collections::BTreeSet;

use anyhow::Result;

use super::Fault;
use super::graph::Package;
use crate::cargo::{self, Workspace};

/// In no library that is not for it: networks, command lines, backends.
const NOWHERE: [&str; 17] = [
    "hf-hub",
    "reqwest",
    "ureq",
    "hyper",
    "tokio",
    "axum",
    "openssl",
    "native-tls",
    "rustls",
    "clap",
    "indicatif",
    "anyhow",
    "burn-flex",
    "burn-wgpu",
    "burn-tch",
    "burn-cuda",
    "burn-ndarray",
];
const IMAGES: [&str; 2] = ["image", "fast_image_resize"];
const SOUND: [&str; 4] = ["symphonia", "rubato", "realfft", "cpal"];
const TEXT: [&str; 2] = ["tokenizers", "onig"];
/// What fetches models, with a bar.
const HUB: [&str; 4] = ["hf-hub", "ureq", "rustls", "indicatif"];
/// A modality crate alone must be able to run: its default feature brings the CPU's backend.
const CPU: &str = "burn-flex";

/// Crates that are binaries or put all together, and may hold anything.
const FREE: [&str; 6] = [
    "xtask",
    "sensorium",
    "sensorium-cli",
    "sensorium-recipe",
    "sensorium-runtime",
    "sensorium-testkit",
];

pub(super) fn check(workspace: &Workspace, packages: &[Package]) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for package in packages {
        let library =
            package.name.starts_with("sensorium-") && !FREE.contains(&package.name.as_str());
        if library {
            let closure = closure(workspace, &package.name)?;
            faults.extend(over_budget(package, &closure));
        }
    }
    Ok(faults)
}

/// The names of all packages that building `package` alone needs.
fn closure(workspace: &Workspace, package: &str) -> Result<BTreeSet<String>> {
    let mut command = cargo::cargo(&workspace.root);
    command.args(["tree", "--package", package, "--edges", "normal"]);
    command.args(["--prefix", "none", "--format", "{p}"]);
    let text = cargo::output(&mut command)?;
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    Ok(names.map(str::to_owned).collect())
}

fn over_budget(package: &Package, closure: &BTreeSet<String>) -> Vec<Fault> {
    let allowed: &[&str] = match package.name.as_str() {
        "sensorium-vision" => &[IMAGES[0], IMAGES[1], CPU],
        "sensorium-audio" => &[SOUND[0], SOUND[1], SOUND[2], SOUND[3], CPU],
        "sensorium-text" => &[TEXT[0], TEXT[1], CPU],
        "sensorium-hub" => &HUB,
        "sensorium-models" => &[
            IMAGES[0], IMAGES[1], SOUND[0], SOUND[1], SOUND[2], SOUND[3], TEXT[0], HUB[0], HUB[1],
            HUB[2], HUB[3],
        ],
        // Reads the media of the embedded data set.
        "sensorium-data" => &["image"],
        // Shrinks the pictures a report embeds.
        "sensorium-eval" => &["image"],
        _ => &[],
    };
    let forbidden = [&NOWHERE[..], &IMAGES, &SOUND, &TEXT].concat();
    forbidden
        .into_iter()
        .filter(|name| closure.contains(*name) && !allowed.contains(name))
        .map(|name| {
            let rule = format!(
                "{} pulls in {name}, which is outside its budget: see where it comes from with \
                 `cargo tree -p {} -e normal -i {name}`",
                package.name, package.name
            );
            Fault::new(&package.manifest, 0, rule)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(name: &str, closure: &[&str]) -> usize {
        let package = Package {
            name: name.to_owned(),
            ..Package::default()
        };
        let closure = closure.iter().map(|name| (*name).to_owned()).collect();
        over_budget(&package, &closure).len()
    }

    #[test]
    fn each_modality_pulls_in_its_own_media_only() {
        assert_eq!(
            faults("sensorium-vision", &["burn", "image", "fast_image_resize"]),
            0
        );
        assert_eq!(faults("sensorium-vision", &["symphonia", "tokio"]), 2);
        assert_eq!(faults("sensorium-audio", &["image"]), 1);
        assert_eq!(
            faults("sensorium-core", &["burn", "tokenizers", "burn-flex"]),
            2
        );
    }
}
