//! Computing in half the width: forward and backward passes run on copies of the parameters in bfloat16, while the parameters
//! themselves, and all that is summed up over steps, stay as they are (after Micikevicius et al., arXiv 1710.03740).
//!
//! bfloat16 has the range of float32, so that losses need not be scaled; it has 8 bits of precision, in which a step of a thousandth
//! would change no weight at all.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, FloatDType, Tensor};
use sensorium_core::with_autodiff_of;

use crate::parameters::Path;
use crate::{Error, Precision};

impl Precision {
    /// Checks that a device computes in it.
    ///
    /// # Errors
    /// [`Error::NoPrecision`], which names the device.
    pub fn check(self, device: &Device) -> Result<(), Error> {
        match self {
            Self::Bf16 if !device.supports_dtype(FloatDType::BF16) => Err(Error::NoPrecision {
                device: format!("{device:?}"),
            }),
            _ => Ok(()),
        }
    }

    /// Checks that a module can be computed with in it, on the device it is on.
    pub(crate) fn check_module<M: Module>(self, module: &M, device: &Device) -> Result<(), Error> {
        self.check(device)?;
        let mut running = Running {
            path: Path::default(),
            found: None,
        };
        if self == Self::Bf16 {
            module.visit(&mut running);
        }
        match running.found {
            Some(parameter) => Err(Error::RunningStatistics { parameter }),
            None => Ok(()),
        }
    }

    /// What a step computes with instead of the module, if not with it: a copy whose gradients are the module's, parameter by parameter.
    ///
    /// Models are wide structures, of which making one leaves many on the stack: not on that of the step.
    #[inline(never)]
    pub(crate) fn copied<M: Module>(self, module: &M) -> Option<Box<M>> {
        match self {
            Self::F32 => None,
            Self::Bf16 => Some(Box::new(module.clone().map(&mut Halved::default()))),
        }
    }

    /// How many bytes such copies take.
    pub(crate) fn copied_bytes(self, numbers: usize) -> usize {
        match self {
            Self::F32 => 0,
            Self::Bf16 => numbers * 2,
        }
    }
}

/// Finds statistics of batches, which a copy shares with what it was copied from, and which would take on its width.
struct Running {
    path: Path,
    found: Option<String>,
}

impl ModuleVisitor for Running {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.path.enter(name, holder);
        if holder.contains("BatchNorm") && self.found.is_none() {
            let dotted = self.path.dotted();
            let owner = dotted.rsplit_once('.').map_or("", |(owner, _)| owner);
            self.found = Some(owner.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.path.exit();
    }
}

/// What a module counts by rather than computes with, by its holder and its name: a copy shares it, and classes beyond 256 would be others in
/// half the width.
const REMEMBERED: (&str, &str) = ("Struct:FlexMatch", "status");

#[derive(Default)]
struct Halved {
    remembered: bool,
}

impl ModuleMapper for Halved {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.remembered |= (holder, name) == REMEMBERED;
    }

    fn exit_module(&mut self, name: &str, holder: &str) {
        self.remembered &= (holder, name) != REMEMBERED;
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.remembered {
            return param;
        }
        let (id, value, mapper) = param.consume();
        let (device, trains) = (value.device(), value.is_require_grad());
        let half = with_autodiff_of(value.inner().cast(FloatDType::BF16), &device);
        let half = if trains { half.require_grad() } else { half };
        Param::from_mapped_value(id, half, mapper)
    }
}

/// The numbers in float32, if they are of half that width: losses and sums are computed so.
pub(crate) fn full<const D: usize>(numbers: Tensor<D>) -> Tensor<D> {
    match numbers.dtype() {
        DType::BF16 | DType::F16 => numbers.cast(FloatDType::F32),
        _ => numbers,
    }
}
