//! The model a recipe describes: encoders of the modalities it names, its fusion, its head.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::{Composite, seed};
use sensorium_fusion::{AnyFusion, ClassHead};

use crate::modalities::{Encoders, Processors};
use crate::registry::Width;
use crate::{Error, Recipe};

/// What a recipe builds: parameter paths begin with `encoders`, `fusion` and `head`.
pub type RecipeModel = Composite<Encoders, AnyFusion, ClassHead>;

/// A freshly initialised model on `device`.
///
/// It is initialised on the host from the recipe's seed and then moved, so that every backend starts
/// from the same weights.
///
/// # Errors
/// If an encoder's checkpoint cannot be read, or does not fit.
pub fn build(
    recipe: &Recipe,
    processors: &Processors,
    classes: usize,
    device: &Device,
) -> Result<RecipeModel, Error> {
    begun_on_host(recipe, device, |host| {
        let encoders = encoders(recipe, processors, host)?;
        let (fusion, head) = recipe.fused(&encoders.widths(), classes, host)?;
        Ok(Composite::new(encoders, fusion, head))
    })
}

impl Recipe {
    /// What joins encoders of these widths, and answers with so many logits.
    pub(crate) fn fused(
        &self,
        widths: &[Width],
        answers: usize,
        host: &Device,
    ) -> Result<(AnyFusion, ClassHead), Error> {
        let fusion = self.fusion_of(widths, host)?;
        let d_fused = sensorium_core::Fusion::d_output(&fusion);
        let head = self.head.build(d_fused, answers, host);
        Ok((fusion, head))
    }

    /// What joins encoders of these widths.
    pub(crate) fn fusion_of(&self, widths: &[Width], host: &Device) -> Result<AnyFusion, Error> {
        let fusion = self.fusion.build(widths, host);
        fusion.map_err(|reason| Error::Modality {
            what: "fusion".to_owned(),
            reason: reason.into(),
        })
    }
}

/// What `make` makes on the host, drawn from the recipe's seed and moved to `device`.
pub(crate) fn begun_on_host<M: Module>(
    recipe: &Recipe,
    device: &Device,
    make: impl FnOnce(&Device) -> Result<M, Error>,
) -> Result<M, Error> {
    let host = sensorium_runtime::host(device);
    let seed = seed::derive(recipe.train.seed, &[seed::of_name("weights")]);
    let model = seed::drawn(&host, seed, || {
        let model = make(&host)?;
        draw_all(&model);
        Ok::<M, Error>(model)
    })?;
    Ok(if host == *device {
        model
    } else {
        model.fork(device)
    })
}

/// The encoders that a recipe begins with.
pub(crate) fn encoders(
    recipe: &Recipe,
    processors: &Processors,
    host: &Device,
) -> Result<Encoders, Error> {
    let encoders = recipe.encoders_apart().init(processors, host);
    encoders.map_err(|(modality, reason)| Error::Modality {
        what: format!("encoders.{modality}"),
        reason,
    })
}

/// Draws all parameters in their order: they are drawn when first looked at, which would depend on which layer runs first.
fn draw_all(module: &impl Module) {
    module.visit(&mut Draw);
}

struct Draw;

impl ModuleVisitor for Draw {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let _ = param.val();
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        let _ = param.val();
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        let _ = param.val();
    }
}
