//! Which crate may see which: arrows point down only, and backends are named in one place.

use std::path::Path;

use serde_json::Value;

use super::Fault;

/// A member of the workspace, as its manifest declares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Package {
    pub(super) name: String,
    /// Its manifest, relative to the workspace.
    pub(super) manifest: String,
    /// Name, whether it is only for development, and features, of each dependency.
    pub(super) dependencies: Vec<(String, bool, Vec<String>)>,
    /// What its features turn on.
    pub(super) features: Vec<String>,
}

const BACKENDS: [&str; 5] = ["flex", "wgpu", "wgpu-autotune", "libtorch", "cuda"];
/// Features of burn that turn a backend on.
const BURN_BACKENDS: [&str; 10] = [
    "flex", "wgpu", "vulkan", "metal", "webgpu", "tch", "cuda", "rocm", "cpu", "ndarray",
];
/// Crates that may forward a backend's feature.
const FORWARD: [&str; 5] = [
    "sensorium-runtime",
    "sensorium-testkit",
    "sensorium-cli",
    "sensorium-recipe",
    "sensorium",
];

/// What a crate may depend on besides its tests; `None` for what puts all together.
fn may_see(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "xtask" | "sensorium-core" => &[],
        "sensorium-runtime" => &["sensorium-core"],
        "sensorium-testkit" => &["sensorium-core", "sensorium-runtime"],
        "sensorium-train" => &["sensorium-core", "sensorium-data", "sensorium-eval"],
        "sensorium-data" | "sensorium-decode" | "sensorium-eval" | "sensorium-fusion"
        | "sensorium-hub" => &["sensorium-core"],
        "sensorium-pretrain" => &["sensorium-core", "sensorium-train"],
        "sensorium-mpi" => &["sensorium-train"],
        "sensorium-models" => &[
            "sensorium-audio",
            "sensorium-core",
            "sensorium-decode",
            "sensorium-hub",
            "sensorium-text",
            "sensorium-vision",
        ],
        "sensorium" | "sensorium-cli" | "sensorium-recipe" => return None,
        // A modality; what opens a device is there for its readers alone, who need no second crate for one.
        _ if name.starts_with("sensorium-") => &["sensorium-core", "sensorium-runtime"],
        // An example.
        _ => return None,
    })
}

/// What its tests may use as well.
const FOR_TESTS: [&str; 2] = ["sensorium-testkit", "sensorium-runtime"];

/// The workspace's members.
pub(super) fn packages(metadata: &Value, root: &Path) -> Vec<Package> {
    let list = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items
            .filter_map(|item| Some(item.as_str()?.to_owned()))
            .collect()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let members = metadata["packages"].as_array().into_iter().flatten();
    members
        .map(|package| Package {
            name: text(&package["name"]),
            manifest: Path::new(&text(&package["manifest_path"]))
                .strip_prefix(root)
                .unwrap_or(Path::new("Cargo.toml"))
                .to_string_lossy()
                .replace('\\', "/"),
            dependencies: package["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|d| (text(&d["name"]), d["kind"] == "dev", list(&d["features"])))
                .collect(),
            features: package["features"]
                .as_object()
                .into_iter()
                .flat_map(|features| features.values().flat_map(list))
                .collect(),
        })
        .collect()
}

pub(super) fn check(packages: &[Package]) -> Vec<Fault> {
    packages
        .iter()
        .flat_map(|package| [arrows(package), backends(package)].concat())
        .collect()
}

/// Arrows that do not point down.
fn arrows(package: &Package) -> Vec<Fault> {
    let Some(allowed) = may_see(&package.name) else {
        return Vec::new();
    };
    let ours = |name: &str| name == "sensorium" || name.starts_with("sensorium-");
    let mut faults = Vec::new();
    for (name, dev, _) in package.dependencies.iter().filter(|(name, ..)| ours(name)) {
        let fine = allowed.contains(&name.as_str())
            || (*dev && package.name != "xtask" && FOR_TESTS.contains(&name.as_str()));
        if !fine {
            let allowed = match allowed {
                [] => "no crate of this workspace".to_owned(),
                names => names.join(", "),
            };
            let rule = format!(
                "{} depends on {name}, but may see only {allowed}: move what both need into sensorium-core, or join \
                 them in sensorium-recipe",
                package.name
            );
            faults.push(Fault::new(&package.manifest, 0, rule));
        }
    }
    faults
}

/// Backend features in crates that must not decide on one.
fn backends(package: &Package) -> Vec<Fault> {
    let mut faults = Vec::new();
    let is_library =
        package.name.starts_with("sensorium") && !FORWARD.contains(&package.name.as_str());
    for (name, dev, features) in &package.dependencies {
        let turned_on = |names: &[&str]| {
            features
                .iter()
                .any(|feature| names.contains(&feature.as_str()))
        };
        let through_burn = name == "burn" && turned_on(&BURN_BACKENDS);
        let through_runtime =
            name.starts_with("sensorium") && !*dev && is_library && turned_on(&BACKENDS);
        if through_burn || through_runtime {
            let rule = format!(
                "{} turns on a backend of {name}: leave that to the binary",
                package.name
            );
            faults.push(Fault::new(&package.manifest, 0, rule));
        }
    }
    for feature in &package.features {
        let of_burn = feature
            .strip_prefix("burn/")
            .is_some_and(|name| BURN_BACKENDS.contains(&name));
        let forwarded = feature
            .split_once('/')
            .is_some_and(|(of, name)| of.starts_with("sensorium") && BACKENDS.contains(&name));
        if (of_burn && package.name != "sensorium-runtime") || (forwarded && is_library) {
            let rule = format!(
                "{} has a feature for `{feature}`: backends are turned on in sensorium-runtime, by binaries",
                package.name
            );
            faults.push(Fault::new(&package.manifest, 0, rule));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, bool, &[&str])], features: &[&str]) -> Package {
        let owned = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect();
        Package {
            name: name.to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            dependencies: dependencies
                .iter()
                .map(|(name, dev, features)| ((*name).to_owned(), *dev, owned(features)))
                .collect(),
            features: owned(features),
        }
    }

    fn faults(name: &str, dependencies: &[(&str, bool, &[&str])], features: &[&str]) -> usize {
        check(&[package(name, dependencies, features)]).len()
    }

    #[test]
    fn a_modality_sees_core_and_what_opens_a_device() {
        let good: [(&str, bool, &[&str]); 4] = [
            ("sensorium-core", false, &[]),
            ("sensorium-runtime", false, &[]),
            ("burn", false, &["std"]),
            ("sensorium-testkit", true, &["flex"]),
        ];
        assert_eq!(faults("sensorium-thermal", &good, &[]), 0);
        for other in ["sensorium-vision", "sensorium-train", "sensorium"] {
            assert_eq!(
                faults("sensorium-thermal", &[(other, false, &[])], &[]),
                1,
                "{other}"
            );
        }
        assert_eq!(
            faults("sensorium-thermal", &[("sensorium-vision", true, &[])], &[]),
            1
        );
    }

    #[test]
    fn the_layers_below_never_see_a_modality() {
        for name in [
            "sensorium-core",
            "sensorium-train",
            "sensorium-eval",
            "sensorium-data",
            "sensorium-fusion",
            "sensorium-pretrain",
            "sensorium-mpi",
        ] {
            assert_eq!(
                faults(name, &[("sensorium-text", false, &[])], &[]),
                1,
                "{name}"
            );
        }
        assert_eq!(
            faults("sensorium-core", &[("sensorium-runtime", false, &[])], &[]),
            1
        );
        assert_eq!(faults("xtask", &[("sensorium-testkit", true, &[])], &[]), 1);
        assert_eq!(
            faults("sensorium-recipe", &[("sensorium-text", false, &[])], &[]),
            0
        );
        for (seen, expected) in [("sensorium-text", 0), ("sensorium-train", 1)] {
            assert_eq!(
                faults("sensorium-models", &[(seen, false, &[])], &[]),
                expected
            );
        }
    }

    #[test]
    fn only_the_runtime_turns_backends_on() {
        assert_eq!(
            faults("sensorium-runtime", &[], &["burn/flex", "burn/tch"]),
            0
        );
        assert_eq!(faults("sensorium-cli", &[], &["sensorium-runtime/flex"]), 0);
        assert_eq!(faults("sensorium-vision", &[], &["burn/flex"]), 1);
        assert_eq!(
            faults("sensorium-vision", &[("burn", true, &["wgpu"])], &[]),
            1
        );
        assert_eq!(
            faults(
                "sensorium-train",
                &[("sensorium-core", false, &["flex"])],
                &[]
            ),
            1
        );
        assert_eq!(
            faults("sensorium-train", &[], &["sensorium-runtime/wgpu"]),
            1
        );
    }
}
