//! From a backend's name to a device that runs.

use burn::tensor::Device;

use crate::driver::{Candidate, DRIVERS, Driver};
use crate::{Backend, Error, Found, Kind};

/// A running device, and what it is.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Where tensors are made.
    pub device: Device,
    /// Which backend and which part of the machine; `found.backend` is never `auto`.
    pub found: Found,
}

impl Opened {
    /// How many batches to give the device at once, to use all of it.
    ///
    /// Flex spreads only its larger operations over the processor's cores: with a batch for each core, none waits while
    /// another does what it has to do alone. Other devices take one batch after the other.
    pub fn side_by_side(&self) -> usize {
        match self.found.backend {
            Backend::Flex => std::thread::available_parallelism().map_or(1, usize::from),
            _ => 1,
        }
    }
}

/// Opens the best device of the backend.
///
/// # Errors
/// If the backend is not compiled in, finds no device, or its device does not start; the message names the commands
/// that help. Never panics.
pub fn open(backend: Backend) -> Result<Device, Error> {
    choose(backend).map(|opened| opened.device)
}

/// Like [`open`], and says what was opened: with `auto` that is worth telling.
///
/// # Errors
/// As [`open`].
pub fn choose(backend: Backend) -> Result<Opened, Error> {
    choose_nth(backend, 0)
}

/// Like [`choose`], for the `nth` of several processes on this machine, from 0: the devices that are of the best one's sort are taken in turn,
/// so that each process has a GPU of its own where there are as many.
///
/// # Errors
/// As [`open`].
pub fn choose_nth(backend: Backend, nth: usize) -> Result<Opened, Error> {
    let Some(driver) = Driver::of(backend) else {
        return fastest(nth);
    };
    if !driver.compiled {
        return Err(Error::NotCompiled {
            backend,
            add: driver.add,
        });
    }
    let found = in_turn(driver.find(), nth);
    let candidate = found.into_iter().next().ok_or(Error::NoDevice {
        backend,
        add: driver.install,
    })?;
    start(candidate)
}

/// The device on which models that will run on `device` get their first weights.
///
/// Backends draw different random numbers from one seed. Initialised on the host and moved (`module.fork(&device)`), a
/// model starts from the same weights everywhere. That is flex where it is compiled in, else `device` itself.
pub fn host(device: &Device) -> Device {
    crate::flex::DRIVER
        .find()
        .into_iter()
        .next()
        .map_or_else(|| device.clone(), |candidate| candidate.device)
}

/// The first device that starts, in the order of `auto`. A software GPU never wins over the CPU itself.
fn fastest(nth: usize) -> Result<Opened, Error> {
    let mut first_fault = None;
    for driver in DRIVERS {
        let real = |candidate: &Candidate| {
            driver.backend != Backend::Wgpu || candidate.found.kind != Kind::Cpu
        };
        for candidate in in_turn(driver.find(), nth).into_iter().filter(real) {
            match start(candidate) {
                Ok(opened) => return Ok(opened),
                Err(fault) => first_fault = first_fault.or(Some(fault)),
            }
        }
    }
    // Only a software GPU is left, if anything is.
    let wgpu = crate::wgpu::DRIVER.find().into_iter().next().map(start);
    wgpu.unwrap_or_else(|| Err(first_fault.unwrap_or(Error::NoBackend)))
}

/// The devices, of which those of the first one's sort begin with the `nth`.
fn in_turn(mut found: Vec<Candidate>, nth: usize) -> Vec<Candidate> {
    let best = found.first().map(|candidate| candidate.found.kind);
    let alike = found
        .iter()
        .take_while(|candidate| Some(candidate.found.kind) == best)
        .count();
    found[..alike].rotate_left(nth.checked_rem(alike).unwrap_or(0));
    found
}

/// Devices are lazy: one that cannot start would panic at its first tensor. Waiting for it brings it up.
fn start(candidate: Candidate) -> Result<Opened, Error> {
    let Candidate { found, device } = candidate;
    let started = sensorium_core::quietly(|| device.sync().map_err(|error| error.to_string()))
        .and_then(|result| result);
    match started {
        Ok(()) => Ok(Opened {
            found: found.named(&device),
            device,
        }),
        Err(reason) => Err(Error::Broken {
            found: Box::new(found),
            reason,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tensor;

    #[test]
    fn every_backend_opens_or_says_how_to_add_it() {
        for backend in Backend::ALL {
            match choose(backend) {
                Ok(opened) => {
                    let x = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &opened.device);
                    assert_eq!(x.sum().into_scalar::<f32>(), 6.0, "{:?}", opened.found);
                    assert_ne!(opened.found.backend, Backend::Auto);
                    assert!(backend == Backend::Auto || opened.found.backend == backend);
                }
                Err(
                    error @ (Error::NotCompiled { .. }
                    | Error::NoDevice { .. }
                    | Error::Broken { .. }),
                ) => {
                    let message = error.to_string();
                    assert!(
                        message.contains('`') && message.contains(backend.name()),
                        "{message}"
                    );
                }
                Err(error) => panic!("{backend}: {error}"),
            }
        }
    }

    #[test]
    fn a_backend_left_out_of_the_build_names_the_command_that_adds_it() {
        for driver in DRIVERS.into_iter().filter(|driver| !driver.compiled) {
            let message = open(driver.backend).unwrap_err().to_string();
            assert!(
                message.contains(&format!("--features {}", driver.backend)),
                "{message}"
            );
        }
    }

    #[cfg(feature = "flex")]
    #[test]
    fn processes_take_the_devices_of_the_best_sort_in_turn() {
        let candidate = |name: &str, kind: Kind| Candidate {
            found: crate::Found {
                backend: Backend::Wgpu,
                name: name.to_owned(),
                kind,
                memory: None,
            },
            device: Device::flex(),
        };
        let first = |nth: usize| {
            let found = vec![
                candidate("a", Kind::DiscreteGpu),
                candidate("b", Kind::DiscreteGpu),
                candidate("c", Kind::IntegratedGpu),
            ];
            let names = in_turn(found, nth).into_iter();
            names
                .map(|candidate| candidate.found.name)
                .collect::<String>()
        };
        assert_eq!([0, 1, 2].map(first), ["abc", "bac", "abc"]);
        assert!(in_turn(Vec::new(), 3).is_empty());
    }

    #[cfg(feature = "flex")]
    #[test]
    fn models_start_on_flex_whatever_they_run_on() {
        let device = open(Backend::Auto).unwrap();
        assert_eq!(host(&device), open(Backend::Flex).unwrap());
    }
}
