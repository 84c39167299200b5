//! Concatenate and project: the plainest fusion, and the one to beat.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Device;
use sensorium_core::nn::{Activation, Pool};
use sensorium_core::{Fusion, Modality, Parts, Tap, Tokens};

use super::inputs::{pooled, pooled_config, pools, side_by_side};
use crate::inputs::Width;
use crate::{FromTable, FusionConfig};

pooled_config! {
    /// Configuration of a [`ConcatFusion`].
    ConcatFusionConfig {}
}

impl ConcatFusionConfig {
    /// Text of 512 features and an image of 512 become 1024, and these 512 again. In a recipe: `kind = "concat"` and
    /// `d_model = 512`, with encoders of this width, or CLIP's towers with `output = "embedding"`.
    pub fn text_image_512() -> Self {
        Self::new(&[(Modality("text"), 512), (Modality("image"), 512)], 512)
    }

    /// How many features stand side by side.
    pub fn d_concat(&self) -> usize {
        self.widths.iter().map(|(_, width)| width).sum()
    }

    /// A freshly initialised fusion.
    pub fn init(&self, device: &Device) -> ConcatFusion {
        ConcatFusion {
            pools: pools(self.pool, &self.widths, device),
            projection: LinearConfig::new(self.d_concat(), self.d_output).init(device),
            widths: self.widths.clone(),
            d_output: self.d_output,
        }
    }
}

/// Each modality pooled to one vector, all side by side, and a linear map with a GELU.
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, 1, d_output]`
///
/// An absent modality stands there as zeros, be it left out or all padding.
#[derive(Module, Debug)]
pub struct ConcatFusion {
    /// In order of the modalities' names.
    pub pools: Vec<Pool>,
    /// `Σ d_i` → `d_output`
    pub projection: Linear,
    #[module(skip)]
    widths: Vec<Width>,
    #[module(skip)]
    d_output: usize,
}

impl Fusion for ConcatFusion {
    fn d_output(&self) -> usize {
        self.d_output
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let vectors = pooled(&self.pools, &self.widths, parts);
        let joined = tap.tensor("concat", side_by_side(&vectors)); // [B, Σ d_i]
        let fused = Activation::Gelu
            .forward(self.projection.forward(joined))
            .unsqueeze_dim(1); // [B, 1, D]
        Tokens::dense(tap.tensor("output", fused))
    }
}

impl FromTable for ConcatFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = ConcatFusionConfig::new(widths, table.d_model).with_pool(table.pool);
        config.init(device)
    }
}
