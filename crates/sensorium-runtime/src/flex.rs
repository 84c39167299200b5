//! `flex`: pure Rust on the CPU, present wherever it is compiled in.

#[cfg(feature = "flex")]
use crate::driver::Candidate;
use crate::{Backend, driver::Driver};

pub(crate) const DRIVER: Driver = Driver {
    backend: Backend::Flex,
    compiled: cfg!(feature = "flex"),
    add: "build with `--features flex`, a default feature",
    install: "flex runs on any CPU; this is a fault of ours, please report it",
    search,
};

#[cfg(feature = "flex")]
fn search() -> Vec<Candidate> {
    vec![Candidate {
        found: crate::survey::cpu(Backend::Flex),
        device: burn::tensor::Device::flex(),
    }]
}

#[cfg(not(feature = "flex"))]
fn search() -> Vec<crate::driver::Candidate> {
    Vec::new()
}
