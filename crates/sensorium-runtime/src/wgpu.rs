//! `wgpu`: GPUs through Vulkan, Metal or DX12, and software ones where there is no GPU.

use crate::{Backend, driver::Driver};
#[cfg(feature = "wgpu")]
use crate::{Found, Kind, driver::Candidate};

pub(crate) const DRIVER: Driver = Driver {
    backend: Backend::Wgpu,
    compiled: cfg!(feature = "wgpu"),
    add: "`cargo xtask train --backend wgpu` builds it in; in your own crate, build with `--features wgpu`",
    install: "install the GPU's Vulkan driver, or run `cargo xtask setup wgpu` for a software one",
    search,
};

/// Real GPUs first: discrete, integrated, virtual, unknown, then software on the CPU.
#[cfg(feature = "wgpu")]
fn search() -> Vec<Candidate> {
    use burn::tensor::{Device, DeviceType};

    // Enumerating asks the graphics API for adapters; constructing a device that is not there would panic later, at
    // its first tensor.
    let mut candidates: Vec<_> = Device::enumerate(DeviceType::Wgpu)
        .into_iter()
        .map(|device| {
            let (kind, index) = kind_of(&device);
            Candidate {
                found: Found {
                    backend: Backend::Wgpu,
                    name: format!("{kind} {index}"),
                    kind,
                    memory: (kind == Kind::Cpu)
                        .then(crate::survey::host_memory)
                        .flatten(),
                },
                device,
            }
        })
        .collect();
    candidates.sort_by_key(|candidate| candidate.found.kind.preference());
    candidates
}

/// What sort of adapter a device is, and which of its sort.
#[cfg(feature = "wgpu")]
fn kind_of(device: &burn::tensor::Device) -> (Kind, usize) {
    use burn::tensor::{Device, DeviceKind};

    // Burn keeps the adapter's kind to itself, but compares devices by it.
    const MOST_ADAPTERS: usize = 16;
    for index in 0..MOST_ADAPTERS {
        for (selector, kind) in [
            (DeviceKind::DiscreteGpu(index), Kind::DiscreteGpu),
            (DeviceKind::IntegratedGpu(index), Kind::IntegratedGpu),
            (DeviceKind::VirtualGpu(index), Kind::VirtualGpu),
            (DeviceKind::Cpu, Kind::Cpu),
        ] {
            if *device == Device::wgpu(selector) {
                return (kind, index);
            }
        }
    }
    (Kind::Other, 0)
}

#[cfg(not(feature = "wgpu"))]
fn search() -> Vec<crate::driver::Candidate> {
    Vec::new()
}
