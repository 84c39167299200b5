//! From a backend's name to features, a target folder and the variables a run needs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::setup;

/// What `--backend` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// Pure Rust on the CPU.
    Flex,
    /// GPUs through Vulkan, Metal or DX12, or a software one.
    Wgpu,
    /// PyTorch's kernels.
    Libtorch,
    /// NVIDIA.
    Cuda,
    /// The fastest that is set up on this machine.
    Auto,
    /// flex, wgpu and libtorch in one build.
    All,
}

impl Backend {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Wgpu => "wgpu",
            Self::Libtorch => "libtorch",
            Self::Cuda => "cuda",
            Self::Auto => "auto",
            Self::All => "all",
        }
    }

    /// What to build for it. Flex is always in: models are initialised there.
    pub(crate) fn build_set(self) -> Self {
        match self {
            Self::Auto if setup::wgpu::has_gpu() && setup::wgpu::ready() => Self::Wgpu,
            Self::Auto if setup::libtorch::locate().is_ok() => Self::Libtorch,
            Self::Auto => Self::Flex,
            given => given,
        }
    }

    /// The names of the backends in the build set.
    pub(crate) fn members(self) -> &'static [&'static str] {
        match self {
            Self::Flex | Self::Auto => &["flex"],
            Self::Wgpu => &["wgpu"],
            Self::Libtorch => &["libtorch"],
            Self::Cuda => &["cuda"],
            Self::All => &["flex", "wgpu", "libtorch"],
        }
    }

    /// The features that `package` forwards to the runtime, for `--features`; empty for flex alone, a default feature.
    pub(crate) fn features(self, package: &str) -> Vec<String> {
        self.members()
            .iter()
            .filter(|name| **name != "flex")
            .map(|name| format!("{package}/{name}"))
            .collect()
    }

    /// Gives a cargo command these features, where there are any.
    pub(crate) fn turn_on(self, command: &mut Command, package: &str) {
        let features = self.features(package);
        if !features.is_empty() {
            command.arg("--features").arg(features.join(","));
        }
    }

    /// One target folder per feature set: in a common one each change of backend would rebuild everything above it.
    pub(crate) fn target_dir(self, base: &Path) -> PathBuf {
        base.join(self.name())
    }

    /// The variables that building and running need.
    ///
    /// # Errors
    /// If something has to be set up first; the message says how.
    pub(crate) fn environment(self) -> Result<Vec<(&'static str, OsString)>> {
        let mut variables = Vec::new();
        if matches!(self, Self::Libtorch | Self::All) {
            variables.extend(setup::libtorch::environment()?);
        }
        if matches!(self, Self::Wgpu | Self::All) {
            variables.extend(setup::wgpu::environment()?);
        }
        Ok(variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_those_beyond_flex() {
        assert!(Backend::Flex.features("sensorium-cli").is_empty());
        assert_eq!(
            Backend::All.features("sensorium-runtime"),
            ["sensorium-runtime/wgpu", "sensorium-runtime/libtorch"]
        );
    }

    #[test]
    fn each_feature_set_has_its_own_folder() {
        let folders: Vec<_> = Backend::value_variants()
            .iter()
            .map(|backend| backend.target_dir(Path::new("target")))
            .collect();
        for (i, folder) in folders.iter().enumerate() {
            assert!(!folders[i + 1..].contains(folder));
        }
    }
}
