//! Which backend runs the tensors.

use std::str::FromStr;

use burn::tensor::Device;

/// A way to run tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// Why a backend cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such backend.
    #[error("there is no backend {name:?}; choose flex, wgpu, libtorch, cuda or auto")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// It is not compiled in.
    #[error("backend {name} is not compiled in")]
    NotCompiled {
        /// What was asked for.
        name: &'static str,
    },
}

impl FromStr for Backend {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "flex" => Self::Flex,
            "wgpu" => Self::Wgpu,
            "libtorch" => Self::Libtorch,
            "cuda" => Self::Cuda,
            "auto" => Self::Auto,
            _ => {
                return Err(Error::Unknown {
                    name: name.to_owned(),
                });
            }
        })
    }
}

/// Opens a device of the backend.
///
/// # Errors
/// If the backend is not compiled in.
pub fn open(backend: Backend) -> Result<Device, Error> {
    match backend {
        #[cfg(feature = "flex")]
        Backend::Flex | Backend::Auto => Ok(Device::flex()),
        other => {
            let _ = other;
            Err(Error::NotCompiled { name: "that" })
        }
    }
}
