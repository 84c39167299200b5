//! `libtorch`: PyTorch's own kernels, on the CPU or on CUDA where the installed libtorch has it.
//!
//! Burn has deprecated this backend and drops it in its next release. All that depends on it stands in this file, so
//! that it goes with the file.

#[cfg(feature = "libtorch")]
use crate::driver::Candidate;
use crate::{Backend, driver::Driver};

pub(crate) const DRIVER: Driver = Driver {
    backend: Backend::Libtorch,
    compiled: cfg!(feature = "libtorch"),
    add: "`cargo xtask train --backend libtorch` builds it in, after `cargo xtask setup libtorch`; in your own crate, \
          set LIBTORCH to a libtorch 2.9.0 and build with `--features libtorch`",
    install: "run `cargo xtask setup libtorch`",
    search,
};

/// CUDA devices, then the CPU.
#[cfg(feature = "libtorch")]
#[expect(
    deprecated,
    reason = "upstream drops it in the next release, this one still has it"
)]
fn search() -> Vec<Candidate> {
    use burn::tensor::{Device, DeviceType};

    // Burn enumerates libtorch's CUDA devices only.
    let cuda = Device::enumerate(DeviceType::LibTorch)
        .into_iter()
        .enumerate()
        .map(|(index, device)| Candidate {
            found: crate::Found {
                backend: Backend::Libtorch,
                name: format!("CUDA device {index}"),
                kind: crate::Kind::DiscreteGpu,
                memory: None,
            },
            device,
        });
    let cpu = Candidate {
        found: crate::survey::cpu(Backend::Libtorch),
        device: Device::libtorch(),
    };
    cuda.chain([cpu]).collect()
}

#[cfg(not(feature = "libtorch"))]
fn search() -> Vec<crate::driver::Candidate> {
    Vec::new()
}
