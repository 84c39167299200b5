//! Images classified by labels that are given in words.

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor};
use sensorium_core::{Modality, Source};
use sensorium_hub::{Checkpoint, Weights};
use sensorium_vision::{IMAGE, ImageSample};

use super::{ImageEmbedder, TextEmbedder, unfit, unit_rows};
use crate::{Error, Family};

/// How scores are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scoring {
    /// One label fits: scores sum to one.
    Softmax,
    /// Each label fits or not, on its own.
    Sigmoid,
    /// They are what the model was trained to say, of any size: a regression.
    Raw,
}

impl Scoring {
    /// `[batch, labels]`
    pub(crate) fn apply(self, logits: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Softmax => softmax(logits, 1),
            Self::Sigmoid => sigmoid(logits),
            Self::Raw => logits,
        }
    }
}

/// CLIP or SigLIP, asked which of some labels fits an image (arXiv 2103.00020, section 3.1.1; 2303.15343).
#[derive(Debug)]
pub struct ZeroShot {
    images: ImageEmbedder,
    /// `[labels, d_embed]`, of length one.
    labels: Tensor<2>,
    scale: f32,
    bias: f32,
    scoring: Scoring,
}

impl ZeroShot {
    /// Opens a checkpoint and embeds the labels, each put into the place of `{}` in `template`.
    ///
    /// # Errors
    /// If the model does not embed texts and images into one space, a file is missing, broken or does not fit, or there is
    /// no label.
    pub fn open(
        checkpoint: &Checkpoint,
        labels: &[String],
        template: &str,
        device: &Device,
    ) -> Result<Self, Error> {
        let scoring = match Family::of_checkpoint(checkpoint)? {
            Family::Clip => Scoring::Softmax,
            Family::Siglip => Scoring::Sigmoid,
            family => {
                let problem =
                    format!("{family} does not score labels in words; CLIP and SigLIP do");
                return Err(unfit(checkpoint, problem));
            }
        };
        if labels.is_empty() {
            return Err(unfit(checkpoint, "there is no label to choose".to_owned()));
        }
        let weights = checkpoint.weights()?;
        let texts = TextEmbedder::open(checkpoint, device)?;
        let samples = labels
            .iter()
            .map(|label| texts.prepare(&Source::text(template.replace("{}", label))))
            .collect::<Result<Vec<_>, _>>()?;
        let embedded: Vec<Tensor<2>> = samples
            .chunks(32)
            .map(|some| unit_rows(texts.embed(some)))
            .collect();
        let bias = match scoring {
            Scoring::Softmax | Scoring::Raw => 0.0,
            Scoring::Sigmoid => number(&weights, "logit_bias")?,
        };
        Ok(Self {
            images: ImageEmbedder::open(checkpoint, device)?,
            labels: Tensor::cat(embedded, 0),
            scale: number(&weights, "logit_scale")?.exp(),
            bias,
            scoring,
        })
    }

    /// What the labels are chosen for: images.
    pub fn takes(&self) -> Modality {
        IMAGE
    }

    /// What prepares and embeds the images.
    pub fn images(&self) -> &ImageEmbedder {
        &self.images
    }

    /// How scores are read.
    pub fn scoring(&self) -> Scoring {
        self.scoring
    }

    /// The score of each label for each image, in the order of the labels: `[batch, labels]`, 0 to 1.
    ///
    /// # Panics
    /// If there is no image.
    pub fn scores(&self, images: &[ImageSample]) -> Tensor<2> {
        let embedded = unit_rows(self.images.embed(images));
        let logits = embedded.matmul(self.labels.clone().transpose());
        let logits = logits.mul_scalar(self.scale).add_scalar(self.bias);
        self.scoring.apply(logits)
    }
}

/// A single number of a checkpoint.
fn number(weights: &Weights, name: &str) -> Result<f32, Error> {
    let numbers = weights.get(name).map(|view| view.to_f32()).transpose()?;
    let number = numbers.and_then(|numbers| numbers.first().copied());
    number.ok_or_else(|| Error::Json {
        file: weights.path().display().to_string(),
        reason: format!("has no {name}, which scores need"),
    })
}
