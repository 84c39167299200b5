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
    keep_memory();
    vec![Candidate {
        found: crate::survey::cpu(Backend::Flex),
        device: burn::tensor::Device::flex(),
    }]
}

/// Tensors come and go by the megabyte. The GNU allocator hands such memory back to the system at once, which clears it before it
/// gives it again: a fifth of the time that a language model takes to read a prompt. From the first block so large that is let go
/// of, it takes smaller ones for the usual case and keeps them (mallopt(3), dynamic mmap threshold: at most 32 MiB); others do not mind.
#[cfg(feature = "flex")]
fn keep_memory() {
    const LARGE: usize = 31 << 20;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE)));
}

#[cfg(not(feature = "flex"))]
fn search() -> Vec<crate::driver::Candidate> {
    Vec::new()
}
