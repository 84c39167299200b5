//! Images and sounds classified by labels that are given in words.

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor};
use sensorium_audio::AUDIO;
use sensorium_core::{Modality, Source};
use sensorium_hub::{Checkpoint, Weights};
use sensorium_vision::IMAGE;

use super::classify::{Prepared, all};
use super::{ImageEmbedder, SoundEmbedder, TextEmbedder, unfit, unit_rows};
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

/// CLIP or SigLIP, asked which of some labels fits an image (arXiv 2103.00020, section 3.1.1; 2303.15343), or CLAP, asked
/// which fits a sound (arXiv 2211.06687, section 4.3).
#[derive(Debug)]
pub struct ZeroShot {
    tower: Tower,
    /// `[labels, d_embed]`, of length one.
    labels: Tensor<2>,
    scale: f32,
    bias: f32,
    scoring: Scoring,
}

/// What the labels are chosen for.
#[derive(Debug)]
enum Tower {
    Images(Box<ImageEmbedder>),
    Sounds(Box<SoundEmbedder>),
}

impl ZeroShot {
    /// Opens a checkpoint and embeds the labels, each put into the place of `{}` in `template`.
    ///
    /// # Errors
    /// If the model does not embed texts and images or sounds into one space, a file is missing, broken or does not fit, or
    /// there is no label.
    pub fn open(
        checkpoint: &Checkpoint,
        labels: &[String],
        template: &str,
        device: &Device,
    ) -> Result<Self, Error> {
        let (scoring, scale) = match Family::of_checkpoint(checkpoint)? {
            Family::Clip => (Scoring::Softmax, "logit_scale"),
            Family::Siglip => (Scoring::Sigmoid, "logit_scale"),
            // Of its two, that of texts for a sound.
            Family::Clap => (Scoring::Softmax, "logit_scale_a"),
            family => {
                let problem =
                    format!("{family} does not score labels in words; CLIP, SigLIP and CLAP do");
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
        let tower = match Family::of_checkpoint(checkpoint)? {
            Family::Clap => Tower::Sounds(Box::new(SoundEmbedder::open(checkpoint, device)?)),
            _ => Tower::Images(Box::new(ImageEmbedder::open(checkpoint, device)?)),
        };
        Ok(Self {
            tower,
            labels: Tensor::cat(embedded, 0),
            scale: number(&weights, scale)?.exp(),
            bias,
            scoring,
        })
    }

    /// What the labels are chosen for: images or sounds.
    pub fn takes(&self) -> Modality {
        match &self.tower {
            Tower::Images(_) => IMAGE,
            Tower::Sounds(_) => AUDIO,
        }
    }

    /// Decodes and prepares an input; may be called from many threads.
    ///
    /// # Errors
    /// If it cannot be read or decoded.
    pub fn prepare(&self, input: &Source) -> Result<Prepared, Error> {
        Ok(match &self.tower {
            Tower::Images(images) => Prepared::Image(images.prepare(input)?),
            Tower::Sounds(sounds) => Prepared::Sound(sounds.prepare(input)?),
        })
    }

    /// How scores are read.
    pub fn scoring(&self) -> Scoring {
        self.scoring
    }

    /// The score of each label for each input, in the order of the labels: `[batch, labels]`, 0 to 1.
    ///
    /// # Panics
    /// If there is no input, or one of another kind than it [takes](Self::takes).
    pub fn scores(&self, inputs: &[Prepared]) -> Tensor<2> {
        let embedded = unit_rows(match &self.tower {
            Tower::Images(images) => images.embed_all(&all(inputs, Prepared::image)),
            Tower::Sounds(sounds) => sounds.embed_all(&all(inputs, Prepared::sound)),
        });
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
