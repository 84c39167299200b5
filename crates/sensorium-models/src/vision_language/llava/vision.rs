//! The vision tower: what a CLIP knows of each patch before its last blocks.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sensorium_core::Tap;
use sensorium_core::nn::Attend;
use sensorium_core::tap::in_layer;

use super::LlavaImagesConfig;
use crate::clip::ClipVisionModel;

/// CLIP's vision tower, of which hidden states are taken (arXiv 2304.08485, section 4.1).
///
/// It is kept whole, so that it is saved as it was read; blocks after the last one that is looked at, and the norm after them,
/// are not computed and do not train.
#[derive(Module, Debug)]
pub struct LlavaVisionModel {
    /// The tower.
    pub tower: ClipVisionModel,
    /// After how many blocks, for each state that is taken.
    #[module(skip)]
    taken: Vec<usize>,
    /// Whether the class token is taken too.
    #[module(skip)]
    with_class: bool,
}

impl LlavaVisionModel {
    pub(super) fn new(config: &LlavaImagesConfig, device: &Device) -> Self {
        Self {
            tower: config.vision.init(device),
            taken: config.taken(),
            with_class: config.with_class,
        }
    }

    /// `[images, channels, height, width]` → `[images, tokens, d_model * states]`: the states that are taken, side by side,
    /// of the patches, behind that of the class token if it is taken too. Shows `embeds` and `encoder.blocks.N.output` to the
    /// tap.
    ///
    /// # Panics
    /// If images have other channels or another size than the model.
    pub fn forward_with<T: Tap>(&self, pixels: Tensor<4>, tap: &mut T) -> Tensor<3> {
        let embeds = self.tower.embeddings.forward(pixels);
        let mut x = tap.tensor("embeds", self.tower.pre_norm.forward(embeds));
        let deepest = self.taken.iter().copied().max().unwrap_or(0);
        let mut states = vec![x.clone()];
        let blocks = self.tower.encoder.blocks.iter().take(deepest);
        in_layer(tap, "encoder", |tap| {
            for (i, block) in blocks.enumerate() {
                x = in_layer(tap, &format!("blocks.{i}"), |tap| {
                    block.forward_with(x.clone(), None, &Attend::default(), tap)
                });
                states.push(x.clone());
            }
        });
        let taken = self.taken.iter().map(|n| states[*n].clone());
        let taken = Tensor::cat(taken.collect(), 2); // [I, 1 + N, D * S]
        match self.with_class {
            true => taken,
            false => {
                let [_, tokens, _] = taken.dims();
                taken.narrow(1, 1, tokens - 1)
            }
        }
    }
}
