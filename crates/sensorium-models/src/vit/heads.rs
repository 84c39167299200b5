//! The head that classifies images.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Device;
use sensorium_core::tap::in_layer;
use sensorium_core::{Logits, Model, Tap};
use sensorium_vision::ImageBatch;

use super::{VitConfig, VitModel};

/// A tower and a linear map on its class token.
#[derive(Module, Debug)]
pub struct VitForImageClassification {
    /// The tower, without a pooler.
    pub vit: VitModel,
    /// `d_model` → classes
    pub classifier: Linear,
}

impl VitForImageClassification {
    pub(super) fn new(config: &VitConfig, device: &Device) -> Self {
        Self {
            vit: config.init(device),
            classifier: LinearConfig::new(config.d_model, config.labels().len()).init(device),
        }
    }

    /// See [`VitModel::with_interpolated_positions`].
    pub fn with_interpolated_positions(mut self) -> Self {
        self.vit = self.vit.with_interpolated_positions();
        self
    }
}

impl Model for VitForImageClassification {
    type Batch = ImageBatch;
    /// `[batch, classes]`; unspecified where an image is absent.
    type Output = Logits;

    /// Shows the tower's intermediates under `vit`, and `logits`.
    fn run_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Logits {
        let class = in_layer(tap, "vit", |tap| self.vit.embed_with(batch, tap));
        tap.tensor("logits", self.classifier.forward(class))
    }
}
