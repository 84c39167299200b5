//! Both towers together: embeddings in one space, and how well they fit each other.

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use sensorium_core::tap::in_layer;
use sensorium_core::{Model, NoTap, Tap};
use sensorium_text::TextBatch;
use sensorium_vision::ImageBatch;

use super::vision::projection;
use super::{ClipConfig, ClipTextModel, ClipVisionModel};

/// CLIP: images and texts in one space (arXiv 2103.00020).
#[derive(Module, Debug)]
pub struct ClipModel {
    /// The text tower.
    pub text: ClipTextModel,
    /// The vision tower.
    pub vision: ClipVisionModel,
    /// From the width of the text tower to that of embeddings.
    pub text_projection: Linear,
    /// From the width of the vision tower to that of embeddings.
    pub visual_projection: Linear,
    /// `[1]`, the logarithm of the scale of scores.
    pub logit_scale: Param<Tensor<1>>,
}

impl ClipModel {
    pub(super) fn new(config: &ClipConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let ClipConfig {
            text,
            vision,
            d_embed,
            logit_scale: value,
            ..
        } = config;
        Self {
            text: text.init(device),
            vision: vision.init(device),
            text_projection: projection(text.d_model, *d_embed, device),
            visual_projection: projection(vision.d_model, *d_embed, device),
            logit_scale: Initializer::Constant { value: *value }.init([1], device),
        }
    }

    /// Takes images of other sizes too, by resampling the positions of patches.
    pub fn with_interpolated_positions(mut self) -> Self {
        self.vision = self.vision.with_interpolated_positions();
        self
    }

    /// Projected embeddings of images, not normalised: `[batch, d_embed]`. Unspecified where an image is absent.
    ///
    /// # Panics
    /// If images have other channels than the model, or another size and positions are not interpolated.
    pub fn embed_images(&self, batch: ImageBatch) -> Tensor<2> {
        self.embed_images_with(batch, &mut NoTap)
    }

    /// The same, showing what the tower shows under `vision`, and `image_embeds`, to the tap.
    ///
    /// # Panics
    /// As [`embed_images`](Self::embed_images).
    pub fn embed_images_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tensor<2> {
        let pooled = in_layer(tap, "vision", |tap| self.vision.embed_with(batch, tap));
        tap.tensor("image_embeds", self.visual_projection.forward(pooled))
    }

    /// Projected embeddings of texts, not normalised: `[batch, d_embed]`. Unspecified where a text is absent.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn embed_texts(&self, batch: TextBatch) -> Tensor<2> {
        self.embed_texts_with(batch, &mut NoTap)
    }

    /// The same, showing what the tower shows under `text`, and `text_embeds`, to the tap.
    ///
    /// # Panics
    /// As [`embed_texts`](Self::embed_texts).
    pub fn embed_texts_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tensor<2> {
        let pooled = in_layer(tap, "text", |tap| self.text.embed_with(batch, tap));
        tap.tensor("text_embeds", self.text_projection.forward(pooled))
    }

    /// How well each image fits each text, the scaled cosine of their embeddings: `[images, d_embed]` and
    /// `[texts, d_embed]` → `[images, texts]`. Embeddings need not be normalised.
    pub fn scores(&self, images: Tensor<2>, texts: Tensor<2>) -> Tensor<2> {
        cosines(images, texts) * self.logit_scale.val().exp().unsqueeze()
    }

    /// Which of the texts an image fits: a softmax over the texts of [`scores`](Self::scores), `[images, texts]`.
    pub fn probabilities(&self, scores: Tensor<2>) -> Tensor<2> {
        softmax(scores, 1)
    }
}

impl Model for ClipModel {
    type Batch = (ImageBatch, TextBatch);
    type Output = Tensor<2>;

    /// [`scores`](Self::scores) of all images of the batch with all of its texts: `[images, texts]`. Shows what
    /// [`embed_images_with`](Self::embed_images_with) and [`embed_texts_with`](Self::embed_texts_with) show, and `logits`.
    fn run_with<T: Tap>(&self, (images, texts): Self::Batch, tap: &mut T) -> Tensor<2> {
        let images = self.embed_images_with(images, tap);
        let texts = self.embed_texts_with(texts, tap);
        tap.tensor("logits", self.scores(images, texts))
    }
}

/// The cosine of each row with each row: `[a, d]` and `[b, d]` → `[a, b]`.
pub(crate) fn cosines(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    unit(a).matmul(unit(b).transpose())
}

/// Rows of length one; zeros stay zeros.
pub(crate) fn unit(x: Tensor<2>) -> Tensor<2> {
    let length = x.clone().square().sum_dim(1).sqrt(); // [B, 1]
    let zero = length.clone().equal_elem(0.0);
    x / length.mask_fill(zero, 1.0)
}
