//! The vision tower: patches of images of any size to vectors.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use sensorium_core::Tap;
use sensorium_core::nn::{Rotary, Transformer, affine};
use sensorium_core::tap::in_layer;
use sensorium_vision::PatchBatch;

use super::Qwen25VlImagesConfig;
use super::groups::{Groups, frames, places, windows};

/// A vision transformer for patches of any number, which stand on two axes (arXiv 2104.09864; arXiv 2409.12191, section 2.1) and
/// see those of their window, and in a few blocks those of their whole image (arXiv 2502.13923, section 2.1.1).
#[derive(Module, Debug)]
pub struct Qwen25VlVisionModel {
    /// A patch of all times to a vector: `[d_model, channels, frames, patch, patch]`.
    pub patch: Param<Tensor<5>>,
    /// The blocks, without a norm after them.
    pub encoder: Transformer,
    /// Which blocks see whole images.
    #[module(skip)]
    whole: Vec<usize>,
    /// How many patches a side are merged, and how many of these a side are a window.
    #[module(skip)]
    squares: [usize; 2],
}

impl Qwen25VlVisionModel {
    pub(super) fn new(config: &Qwen25VlImagesConfig, device: &Device) -> Self {
        let Qwen25VlImagesConfig {
            d_model,
            channels,
            frames,
            patch_size,
            ..
        } = *config;
        let d_patch = channels * frames * patch_size * patch_size;
        Self {
            patch: Initializer::XavierUniform { gain: 1.0 }.init_with(
                [d_model, channels, frames, patch_size, patch_size],
                Some(d_patch),
                Some(d_model),
                device,
            ),
            encoder: config.blocks().init(device),
            whole: config.whole.clone(),
            squares: [config.merge, config.window()],
        }
    }

    /// The patches of all images, `[patches, d_patch]`, one after the other → `[1, patches, d_model]`. Shows `embeds` and
    /// `encoder.blocks.N.patches`, `[patches, d_model]`, to the tap; what blocks show of themselves is window by window.
    ///
    /// # Panics
    /// If patches are of another size than the model's, or images cannot be divided into squares.
    pub fn forward_with<T: Tap>(&self, batch: PatchBatch, tap: &mut T) -> Tensor<3> {
        let PatchBatch { patches, grids } = batch;
        let [merge, window] = self.squares;
        for [_, rows, columns] in &grids {
            assert!(
                rows.is_multiple_of(merge) && columns.is_multiple_of(merge),
                "{rows} x {columns} patches are no squares of {merge} x {merge}"
            );
        }
        let weight = self.patch.val();
        let [d_model, channels, times, height, width] = weight.dims();
        let weight = weight.reshape([d_model, channels * times * height * width]); // [D, C, T, P, P] -> [D, C*T*P*P]
        let device = patches.device();
        let mut x = tap.tensor("embeds", affine(patches, weight.transpose(), None)); // [S, D]

        let places = places(&grids, merge);
        let group = |groups: &[Vec<usize>]| Groups::new(groups, &places, self.rotary(), &device);
        let whole = group(&frames(&grids));
        let windows = group(&windows(&grids, merge, window));
        in_layer(tap, "encoder", |tap| {
            for (i, block) in self.encoder.blocks.iter().enumerate() {
                let groups = match self.whole.contains(&i) {
                    true => &whole,
                    false => &windows,
                };
                x = in_layer(tap, &format!("blocks.{i}"), |tap| {
                    let apart = groups.apart(x.clone());
                    let apart = block.forward_with(apart, Some(&groups.angles), &groups.how, tap);
                    tap.tensor("patches", groups.together(apart))
                });
            }
        });
        x.unsqueeze() // [S, D] -> [1, S, D]
    }

    fn rotary(&self) -> &Rotary {
        let rotary = self.encoder.rotary();
        rotary.expect("made with rotary positions")
    }
}
