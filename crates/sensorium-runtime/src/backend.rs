//! The names of the backends, as people write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// A way to run tensors.
///
/// Written in lower case (`flex`, `wgpu`, ...) on the command line and in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Backend {
    /// Pure Rust on the CPU.
    Flex,
    /// Any GPU through Vulkan, Metal, DX12 or WebGPU.
    Wgpu,
    /// PyTorch's kernels.
    Libtorch,
    /// NVIDIA through CubeCL.
    Cuda,
    /// The fastest present.
    Auto,
}

impl Backend {
    /// All names, `auto` last.
    pub const ALL: [Self; 5] = [
        Self::Flex,
        Self::Wgpu,
        Self::Libtorch,
        Self::Cuda,
        Self::Auto,
    ];

    /// The name people write.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Wgpu => "wgpu",
            Self::Libtorch => "libtorch",
            Self::Cuda => "cuda",
            Self::Auto => "auto",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|backend| backend.name() == name)
            .ok_or_else(|| Error::Unknown {
                name: name.to_owned(),
                nearest: nearest(name),
            })
    }
}

impl TryFrom<String> for Backend {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

impl From<Backend> for &'static str {
    fn from(backend: Backend) -> Self {
        backend.name()
    }
}

/// The backend whose name resembles `name` most, if any does.
fn nearest(name: &str) -> Option<Backend> {
    // Below this, Jaro-Winkler calls nearly any two short words alike.
    const ALIKE: f64 = 0.7;
    let name = name.to_lowercase();
    Backend::ALL
        .into_iter()
        .map(|backend| (strsim::jaro_winkler(backend.name(), &name), backend))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, backend)| backend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for backend in Backend::ALL {
            assert_eq!(backend.to_string().parse::<Backend>().unwrap(), backend);
            let json = serde_json::to_string(&backend).unwrap();
            assert_eq!(json, format!("\"{backend}\""));
            assert_eq!(serde_json::from_str::<Backend>(&json).unwrap(), backend);
        }
    }

    #[test]
    fn a_misspelt_name_gets_the_right_one() {
        for (written, meant) in [
            ("wgpuu", "wgpu"),
            ("libtroch", "libtorch"),
            ("FLEX", "flex"),
            ("torch", "libtorch"),
        ] {
            let message = written.parse::<Backend>().unwrap_err().to_string();
            assert!(
                message.contains(&format!("did you mean {meant:?}")),
                "{message}"
            );
        }
        let message = "".parse::<Backend>().unwrap_err().to_string();
        assert!(
            !message.contains("did you mean") && message.contains("choose flex, wgpu"),
            "{message}"
        );
        let message = serde_json::from_str::<Backend>("\"cudda\"")
            .unwrap_err()
            .to_string();
        assert!(message.contains("did you mean \"cuda\""), "{message}");
    }
}
