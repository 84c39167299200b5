//! Both towers together: embeddings in one space, and how well they fit each other.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use sensorium_core::tap::in_layer;
use sensorium_core::{Model, NoTap, Tap};
use sensorium_text::TextBatch;
use sensorium_vision::ImageBatch;

use super::{SiglipConfig, SiglipTextModel, SiglipVisionModel};
use crate::clip::cosines;

/// The scale of scores and what is added to them begin as ln 10 and -10 (arXiv 2303.15343, algorithm 1).
const BEGIN: (f64, f64) = (std::f64::consts::LN_10, -10.0);

/// SigLIP: images and texts in one space, each pair judged by itself (arXiv 2303.15343, 2502.14786).
#[derive(Module, Debug)]
pub struct SiglipModel {
    /// The text tower.
    pub text: SiglipTextModel,
    /// The vision tower, with its head.
    pub vision: SiglipVisionModel,
    /// `[1]`, the logarithm of the scale of scores.
    pub logit_scale: Param<Tensor<1>>,
    /// `[1]`, what is added to the scaled scores.
    pub logit_bias: Param<Tensor<1>>,
}

impl SiglipModel {
    pub(super) fn new(config: &SiglipConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let constant = |value| Initializer::Constant { value }.init([1], device);
        Self {
            text: config.text.init(device),
            vision: config.vision.init(device),
            logit_scale: constant(BEGIN.0),
            logit_bias: constant(BEGIN.1),
        }
    }

    /// Takes images of other sizes too, by resampling the positions of patches.
    pub fn with_interpolated_positions(mut self) -> Self {
        self.vision = self.vision.with_interpolated_positions();
        self
    }

    /// Pooled embeddings of images, not normalised: `[batch, d_embed]`. Unspecified where an image is absent.
    ///
    /// # Panics
    /// If images have other channels than the model, or another size and positions are not interpolated, or the head was
    /// taken away.
    pub fn embed_images(&self, batch: ImageBatch) -> Tensor<2> {
        self.embed_images_with(batch, &mut NoTap)
    }

    /// The same, showing what the tower shows under `vision` to the tap.
    ///
    /// # Panics
    /// As [`embed_images`](Self::embed_images).
    pub fn embed_images_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tensor<2> {
        in_layer(tap, "vision", |tap| self.vision.embed_with(batch, tap))
            .expect("the vision tower of both has its head")
    }

    /// Pooled embeddings of texts, not normalised: `[batch, d_embed]`. Unspecified where a text is absent.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn embed_texts(&self, batch: TextBatch) -> Tensor<2> {
        self.embed_texts_with(batch, &mut NoTap)
    }

    /// The same, showing what the tower shows under `text` to the tap.
    ///
    /// # Panics
    /// As [`embed_texts`](Self::embed_texts).
    pub fn embed_texts_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tensor<2> {
        in_layer(tap, "text", |tap| self.text.embed_with(batch, tap))
    }

    /// How well each image fits each text, the scaled and shifted cosine of their embeddings: `[images, d_embed]` and
    /// `[texts, d_embed]` → `[images, texts]`. Embeddings need not be normalised.
    pub fn scores(&self, images: Tensor<2>, texts: Tensor<2>) -> Tensor<2> {
        let scale = self.logit_scale.val().exp().unsqueeze();
        cosines(images, texts) * scale + self.logit_bias.val().unsqueeze()
    }

    /// Whether an image and a text fit: the sigmoid of [`scores`](Self::scores), `[images, texts]`.
    pub fn probabilities(&self, scores: Tensor<2>) -> Tensor<2> {
        sigmoid(scores)
    }
}

impl Model for SiglipModel {
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
