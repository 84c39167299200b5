//! What `sensorium devices` shows: the devices found, and for each backend without one the way to get it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Backend;
use crate::driver::{DRIVERS, Driver};

/// A device present on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The backend that reaches it.
    pub backend: Backend,
    /// The part's own name.
    pub name: String,
    /// What sort of part it is.
    pub kind: Kind,
    /// Its memory in bytes, where known; for a CPU, the machine's, and for NVIDIA's GPUs what their driver tells.
    pub memory: Option<u64>,
}

impl Found {
    /// With the name the part gives itself, where it has one. Starts the device to ask.
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    pub(crate) fn named(mut self, device: &burn::tensor::Device) -> Self {
        let name = sensorium_core::quietly(|| device.identity()).ok().flatten();
        if let Some(identity) = name.filter(|identity| !identity.name.is_empty()) {
            self.name = identity.name;
        }
        self
    }

    #[cfg(not(any(feature = "wgpu", feature = "cuda")))]
    pub(crate) fn named(self, _device: &burn::tensor::Device) -> Self {
        self
    }
}

/// A sort of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// The processor, be it through a software GPU.
    Cpu,
    /// A GPU that shares the processor's memory.
    IntegratedGpu,
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A GPU handed through to a virtual machine.
    VirtualGpu,
    /// Something its driver does not describe.
    Other,
}

impl Kind {
    /// Lower is taken first.
    #[cfg(feature = "wgpu")]
    pub(crate) const fn preference(self) -> u8 {
        match self {
            Self::DiscreteGpu => 0,
            Self::IntegratedGpu => 1,
            Self::VirtualGpu => 2,
            Self::Other => 3,
            Self::Cpu => 4,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cpu => "CPU",
            Self::IntegratedGpu => "integrated GPU",
            Self::DiscreteGpu => "discrete GPU",
            Self::VirtualGpu => "virtual GPU",
            Self::Other => "other",
        })
    }
}

/// A backend that cannot be used here as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Which one.
    pub backend: Backend,
    /// Whether it is in this build, and only finds no device.
    pub compiled: bool,
    /// What to run or install to have it.
    pub add: &'static str,
}

/// The backends in this build, the fastest first.
pub fn compiled() -> Vec<Backend> {
    DRIVERS
        .into_iter()
        .filter(|driver| driver.compiled)
        .map(|driver| driver.backend)
        .collect()
}

/// Every device the backends of this build find, the fastest backend first. Starts GPUs to learn their names.
pub fn devices() -> Vec<Found> {
    let mut found: Vec<Found> = DRIVERS
        .into_iter()
        .flat_map(Driver::find)
        .map(|candidate| candidate.found.named(&candidate.device))
        .collect();
    let lacks = |found: &Found| found.memory.is_none() && found.kind != Kind::Cpu;
    if found.iter().any(lacks) {
        let told = nvidia();
        for found in found.iter_mut().filter(|found| lacks(found)) {
            found.memory = memory_of(found, &told);
        }
    }
    found
}

/// NVIDIA's GPUs as their driver's own tool lists them, a line `NAME, MEBIBYTES` each; nothing where there is none.
fn nvidia() -> String {
    let asked = std::process::Command::new("nvidia-smi")
        .args([
            "--query-gpu=name,memory.total",
            "--format=csv,noheader,nounits",
        ])
        .output();
    match asked {
        Ok(told) if told.status.success() => String::from_utf8_lossy(&told.stdout).into_owned(),
        _ => String::new(),
    }
}

/// A GPU's memory by its name. Nothing is guessed: where those of the name differ, it stays unknown.
fn memory_of(found: &Found, told: &str) -> Option<u64> {
    let rows = told.lines().filter_map(|line| {
        let (name, mebibytes) = line.rsplit_once(',')?;
        Some((name.trim(), mebibytes.trim().parse::<u64>().ok()? << 20))
    });
    let rows: Vec<(&str, u64)> = rows.collect();
    let named = rows.iter().any(|(name, _)| *name == found.name);
    // Through CUDA every device is one of these, also if it is only numbered.
    let is_cuda = matches!(found.backend, Backend::Cuda | Backend::Libtorch);
    let mut fitting = rows
        .iter()
        .filter(|(name, _)| *name == found.name || (is_cuda && !named))
        .map(|(_, memory)| *memory);
    let first = fitting.next()?;
    fitting.all(|memory| memory == first).then_some(first)
}

/// The backends of which [`devices`] found none, with what adds each.
pub fn missing(found: &[Found]) -> Vec<Missing> {
    DRIVERS
        .into_iter()
        .filter(|driver| found.iter().all(|found| found.backend != driver.backend))
        .map(|driver| Missing {
            backend: driver.backend,
            compiled: driver.compiled,
            add: if driver.compiled {
                driver.install
            } else {
                driver.add
            },
        })
        .collect()
}

/// This machine's processor, as `backend` sees it.
#[allow(dead_code, reason = "a build may hold no backend that runs on the CPU")]
pub(crate) fn cpu(backend: Backend) -> Found {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let model = cpu_model().unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    Found {
        backend,
        name: format!("{model}, {threads} threads"),
        kind: Kind::Cpu,
        memory: host_memory(),
    }
}

/// The processor's name, where the system tells it in a file.
#[allow(dead_code, reason = "a build may hold no backend that runs on the CPU")]
fn cpu_model() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The machine's memory in bytes, where the system tells it in a file.
#[allow(dead_code, reason = "a build may hold no backend that runs on the CPU")]
pub(crate) fn host_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_backend_is_found_or_missing() {
        let found = devices();
        let missing = missing(&found);
        for driver in DRIVERS {
            let has = found.iter().any(|found| found.backend == driver.backend);
            let lacks = missing.iter().find(|lack| lack.backend == driver.backend);
            assert_eq!(has, lacks.is_none(), "{}", driver.backend);
            assert!(
                lacks.is_none_or(|lack| lack.compiled == driver.compiled && !lack.add.is_empty())
            );
            assert!(!has || compiled().contains(&driver.backend));
        }
    }

    #[test]
    fn a_gpu_s_memory_is_told_or_unknown() {
        let gpu = |backend, name: &str| Found {
            backend,
            name: name.to_owned(),
            kind: Kind::DiscreteGpu,
            memory: None,
        };
        let one = "NVIDIA H100 80GB HBM3, 81559\n";
        let two = format!("{one}NVIDIA A2, 15356\n");
        let h100 = gpu(Backend::Wgpu, "NVIDIA H100 80GB HBM3");
        assert_eq!(memory_of(&h100, &two), Some(81_559 << 20));
        assert_eq!(memory_of(&gpu(Backend::Wgpu, "AMD Radeon"), one), None);
        let numbered = gpu(Backend::Libtorch, "CUDA device 0");
        assert_eq!(memory_of(&numbered, one), Some(81_559 << 20));
        assert_eq!(memory_of(&numbered, &two), None);
        for told in ["", "no devices were found", "A, [N/A]"] {
            assert_eq!(memory_of(&numbered, told), None);
        }
    }

    #[test]
    fn a_device_is_read_back_from_json() {
        for found in devices() {
            let json = serde_json::to_string(&found).unwrap();
            assert_eq!(serde_json::from_str::<Found>(&json).unwrap(), found);
        }
    }

    #[cfg(feature = "flex")]
    #[test]
    fn flex_is_always_found() {
        let found = devices();
        let flex = found.last().unwrap();
        assert_eq!((flex.backend, flex.kind), (Backend::Flex, Kind::Cpu));
        assert!(!flex.name.is_empty());
    }
}
