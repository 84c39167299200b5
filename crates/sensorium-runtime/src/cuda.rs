//! `cuda`: NVIDIA GPUs through CubeCL.

#[cfg(feature = "cuda")]
use crate::driver::Candidate;
use crate::{Backend, driver::Driver};

pub(crate) const DRIVER: Driver = Driver {
    backend: Backend::Cuda,
    compiled: cfg!(feature = "cuda"),
    add: "`cargo xtask train --backend cuda` builds it in; in your own crate, build with `--features cuda`",
    install: "it needs an NVIDIA GPU, its driver and the CUDA 12 toolkit; `--backend auto` takes what is there",
    search,
};

#[cfg(feature = "cuda")]
fn search() -> Vec<Candidate> {
    use burn::tensor::{Device, DeviceType};

    Device::enumerate(DeviceType::Cuda)
        .into_iter()
        .enumerate()
        .map(|(index, device)| Candidate {
            found: crate::Found {
                backend: Backend::Cuda,
                name: format!("CUDA device {index}"),
                kind: crate::Kind::DiscreteGpu,
                memory: None,
            },
            device,
        })
        .collect()
}

#[cfg(not(feature = "cuda"))]
fn search() -> Vec<crate::driver::Candidate> {
    Vec::new()
}
