//! Images, sounds and texts classified by the classes a model was trained for.

use burn::tensor::{Device, Tensor};
use sensorium_audio::{AUDIO, SoundProcessor, SoundSample};
use sensorium_core::{Logits, Modality, Model, Processor, Source};
use sensorium_hub::Checkpoint;
use sensorium_text::{TEXT, TextProcessor, TextSample};
use sensorium_vision::{IMAGE, ImageSample, PublishedImageProcessor};
use serde_json::Value;

use super::{Scoring, ast_processor, image_processor, text_processor, unfit, waveform_processor};
use crate::ast::AstForAudioClassification;
use crate::bert::BertForSequenceClassification;
use crate::dino::Dinov2ForImageClassification;
use crate::family::head;
use crate::vit::VitForImageClassification;
use crate::wav2vec2::Wav2Vec2ForSequenceClassification;
use crate::{Error, Family, Published};

/// A model with classes of its own.
#[derive(Debug)]
pub struct Classifier {
    model: Head,
    labels: Vec<String>,
    scoring: Scoring,
    device: Device,
}

#[derive(Debug)]
enum Head {
    Vit(Box<VitForImageClassification>, Box<PublishedImageProcessor>),
    Dinov2(
        Box<Dinov2ForImageClassification>,
        Box<PublishedImageProcessor>,
    ),
    Bert(Box<BertForSequenceClassification>, Box<TextProcessor>),
    Ast(Box<AstForAudioClassification>, Box<SoundProcessor>),
    Wav2Vec2(Box<Wav2Vec2ForSequenceClassification>, Box<SoundProcessor>),
}

/// One prepared input of a [`Classifier`], or of a [`ZeroShot`](super::ZeroShot).
#[derive(Clone, Debug)]
pub enum Prepared {
    /// Of one that takes images.
    Image(ImageSample),
    /// Of one that takes texts.
    Text(TextSample),
    /// Of one that takes sounds.
    Sound(SoundSample),
}

impl Classifier {
    /// Opens a checkpoint that has a head of classes.
    ///
    /// # Errors
    /// If it has none, or a file is missing, broken or does not fit.
    pub fn open(checkpoint: &Checkpoint, device: &Device) -> Result<Self, Error> {
        let config = checkpoint.config()?;
        let family = Family::of(checkpoint.name(), &config)?;
        let (model, labels) = match (family, head(&config)) {
            (Family::Vit, "ForImageClassification") => {
                let loaded = VitForImageClassification::load(checkpoint, device)?;
                let processor = image_processor(checkpoint, &loaded.config.images())?;
                let model = Head::Vit(Box::new(loaded.model), Box::new(processor));
                (model, loaded.config.labels())
            }
            (Family::Dinov2, "ForImageClassification") => {
                let loaded = Dinov2ForImageClassification::load(checkpoint, device)?;
                let processor = image_processor(checkpoint, &loaded.config.images())?;
                let model = Head::Dinov2(Box::new(loaded.model), Box::new(processor));
                (model, loaded.config.labels())
            }
            (Family::Bert, "ForSequenceClassification") => {
                let loaded = BertForSequenceClassification::load(checkpoint, device)?;
                let (longest, vocab_size) = (loaded.config.max_tokens(), loaded.config.vocab_size);
                let processor = text_processor(checkpoint, longest, vocab_size)?;
                let model = Head::Bert(Box::new(loaded.model), Box::new(processor));
                (model, loaded.config.labels())
            }
            (Family::Ast, "ForAudioClassification") => {
                let loaded = AstForAudioClassification::load(checkpoint, device)?;
                let processor = ast_processor(checkpoint, &loaded.config)?;
                let model = Head::Ast(Box::new(loaded.model), Box::new(processor));
                (model, loaded.config.labels())
            }
            (Family::Wav2Vec2, "ForSequenceClassification") => {
                let loaded = Wav2Vec2ForSequenceClassification::load(checkpoint, device)?;
                let processor = waveform_processor(checkpoint)?;
                let model = Head::Wav2Vec2(Box::new(loaded.model), Box::new(processor));
                (model, loaded.config.labels())
            }
            (Family::Clip | Family::Siglip | Family::Clap, _) => {
                let problem = format!("{family} has no classes of its own: give it labels");
                return Err(unfit(checkpoint, problem));
            }
            _ => {
                let problem = format!("this {family} has no head of classes");
                return Err(unfit(checkpoint, problem));
            }
        };
        Ok(Self {
            scoring: scoring(&config, labels.len()),
            model,
            labels,
            device: device.clone(),
        })
    }

    /// The classes, in the order of scores.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How scores are read.
    pub fn scoring(&self) -> Scoring {
        self.scoring
    }

    /// What it takes: images, texts or sounds.
    pub fn takes(&self) -> Modality {
        match &self.model {
            Head::Vit(..) | Head::Dinov2(..) => IMAGE,
            Head::Bert(..) => TEXT,
            Head::Ast(..) | Head::Wav2Vec2(..) => AUDIO,
        }
    }

    /// Prepares an input; may be called from many threads.
    ///
    /// # Errors
    /// If it cannot be read or decoded.
    pub fn prepare(&self, input: &Source) -> Result<Prepared, Error> {
        Ok(match &self.model {
            Head::Vit(_, images) | Head::Dinov2(_, images) => {
                Prepared::Image(images.process(input)?)
            }
            Head::Bert(_, texts) => Prepared::Text(texts.process(input)?),
            Head::Ast(_, sounds) | Head::Wav2Vec2(_, sounds) => {
                Prepared::Sound(sounds.process(input)?)
            }
        })
    }

    /// The score of each class for each input: `[batch, classes]`, 0 to 1 but for [`Scoring::Raw`].
    ///
    /// # Panics
    /// If there is no input, or one of another classifier's kind.
    pub fn scores(&self, inputs: &[Prepared]) -> Tensor<2> {
        let logits: Logits = match &self.model {
            Head::Vit(model, processor) => {
                let images = all(inputs, Prepared::image);
                model.run(processor.collate(&images, &self.device))
            }
            Head::Dinov2(model, processor) => {
                let images = all(inputs, Prepared::image);
                model.run(processor.collate(&images, &self.device))
            }
            Head::Bert(model, processor) => {
                let texts = all(inputs, Prepared::text);
                model.forward(processor.collate(&texts, &self.device))
            }
            Head::Ast(model, processor) => {
                let sounds = all(inputs, Prepared::sound);
                model.run(processor.collate(&sounds, &self.device).into())
            }
            Head::Wav2Vec2(model, processor) => {
                let sounds = all(inputs, Prepared::sound);
                model.run(processor.collate(&sounds, &self.device).into())
            }
        };
        self.scoring.apply(logits)
    }
}

impl Prepared {
    pub(super) fn image(&self) -> Option<&ImageSample> {
        match self {
            Self::Image(image) => Some(image),
            _ => None,
        }
    }

    fn text(&self) -> Option<&TextSample> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn sound(&self) -> Option<&SoundSample> {
        match self {
            Self::Sound(sound) => Some(sound),
            _ => None,
        }
    }
}

/// The samples of one kind that all inputs are to be.
pub(super) fn all<'a, S>(
    inputs: &'a [Prepared],
    of: impl Fn(&'a Prepared) -> Option<&'a S>,
) -> Vec<Option<&'a S>> {
    let sample = |input| Some(of(input).expect("an input of the classifier's kind"));
    inputs.iter().map(sample).collect()
}

/// How Transformers' pipeline reads the scores of as many labels.
fn scoring(config: &Value, n_labels: usize) -> Scoring {
    match config["problem_type"].as_str() {
        Some("regression") => Scoring::Raw,
        Some("multi_label_classification") => Scoring::Sigmoid,
        _ if n_labels == 1 => Scoring::Sigmoid,
        _ => Scoring::Softmax,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scores_are_read_as_by_the_reference() {
        for (problem, n_labels, expected) in [
            (json!("regression"), 1, Scoring::Raw),
            (json!("multi_label_classification"), 3, Scoring::Sigmoid),
            (json!("single_label_classification"), 1, Scoring::Sigmoid),
            (json!("single_label_classification"), 2, Scoring::Softmax),
            (json!(null), 1, Scoring::Sigmoid),
            (json!(null), 2, Scoring::Softmax),
        ] {
            let config = json!({ "problem_type": problem });
            assert_eq!(scoring(&config, n_labels), expected, "{config} {n_labels}");
        }
        let logits = Tensor::from_data([[0.0, 3.0]], &Device::flex());
        let raw = Scoring::Raw.apply(logits);
        assert_eq!(sensorium_testkit::floats(&raw), [0.0, 3.0]);
    }
}
