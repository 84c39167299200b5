//! Whether building one package reuses what building all of them made.
//!
//! Cargo unifies the features of shared dependencies over the packages at hand. The test kit, which every crate's tests
//! use, turns on what the whole workspace turns on; a line that is missing there costs a second build of Burn.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::Fault;
use crate::backend::Backend;
use crate::cargo::{self, Workspace};

const TESTKIT: &str = "sensorium-testkit";

/// Package and version, to the feature lists it is built with.
type Features = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(workspace: &Workspace) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for set in [Backend::Flex, Backend::All] {
        let alone = tree(workspace, &["--package", TESTKIT], set)?;
        let together = tree(workspace, &["--workspace"], set)?;
        faults.extend(differing(&alone, &together));
    }
    faults.dedup();
    Ok(faults)
}

fn tree(workspace: &Workspace, which: &[&str], set: Backend) -> Result<Features> {
    let mut command = cargo::cargo(&workspace.root);
    command.arg("tree").args(which);
    command.args(["--edges", "normal,dev", "--prefix", "none"]);
    command.args(["--format", "{p}|{f}"]);
    set.turn_on(&mut command, TESTKIT);
    Ok(parse(&cargo::output(&mut command)?))
}

/// Reads lines `name vVERSION|feature,feature`.
fn parse(text: &str) -> Features {
    let mut features = Features::new();
    for line in text.lines() {
        if let Some((package, list)) = line.split_once('|') {
            // Cargo marks what it has shown before.
            let package = package.trim_end_matches(" (proc-macro)").to_owned();
            let list = list.trim_end_matches("(*)").trim().to_owned();
            features.entry(package).or_default().insert(list);
        }
    }
    features
}

/// Shared dependencies that the workspace builds with more than the test kit turns on.
fn differing(alone: &Features, together: &Features) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (package, here) in alone.iter().filter(|(package, _)| !package.contains('/')) {
        let Some(there) = together.get(package) else {
            continue;
        };
        let split = |lists: &BTreeSet<String>| -> BTreeSet<String> {
            lists
                .iter()
                .flat_map(|list| list.split(','))
                .map(str::to_owned)
                .collect()
        };
        let missing: Vec<_> = split(there).difference(&split(here)).cloned().collect();
        if !missing.is_empty() {
            let rule = format!(
                "{package} is built with {} elsewhere: turn it on in the list of shared features",
                missing.join(", ")
            );
            faults.push(Fault::new("crates/sensorium-testkit/Cargo.toml", 0, rule));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_only_the_workspace_turns_on_is_named() {
        let alone = parse("serde v1.0.0|default,std\nburn v0.22.1|std\n");
        let same = parse("serde v1.0.0|default,std\nburn v0.22.1|std\nclap v4.0.0|derive\n");
        assert!(differing(&alone, &same).is_empty());
        let more = parse("serde v1.0.0|default,derive,std\nburn v0.22.1|std\n");
        let faults = differing(&alone, &more);
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].rule.contains("serde v1.0.0 is built with derive"),
            "{faults:?}"
        );
    }
}
