//! Texts to the vectors that a model was made to give.

use burn::tensor::{Device, Tensor};
use sensorium_core::{Processor, Source};
use sensorium_hub::Checkpoint;
use sensorium_text::{TextProcessor, TextSample, TextSettings, Tokenizer};

use super::unfit;
use crate::bert::{SentenceEncoder, SentenceProcessor};
use crate::clip::{ClipTextModel, ClipTextModelWithProjection};
use crate::published::holds;
use crate::siglip::SiglipTextModel;
use crate::{Error, Family, Published};

/// A model that embeds texts, with its tokenizer.
#[derive(Debug)]
pub struct TextEmbedder {
    tower: Tower,
    processor: Preparation,
    device: Device,
}

#[derive(Debug)]
enum Tower {
    Sentence(Box<SentenceEncoder>),
    Clip(Box<ClipTextModelWithProjection>),
    ClipPooled(Box<ClipTextModel>),
    Siglip(Box<SiglipTextModel>),
}

#[derive(Debug)]
enum Preparation {
    Sentence(SentenceProcessor),
    Plain(TextProcessor),
}

impl TextEmbedder {
    /// Opens the part of a checkpoint that embeds texts.
    ///
    /// Sentence encoders give what their `modules.json` says, a plain BERT the mean over the tokens that are no padding,
    /// CLIP its projected and SigLIP its pooled embedding.
    ///
    /// # Errors
    /// If the model takes no texts, or a file is missing, broken or does not fit.
    pub fn open(checkpoint: &Checkpoint, device: &Device) -> Result<Self, Error> {
        let (tower, processor) = match Family::of_checkpoint(checkpoint)? {
            Family::Bert => bert(checkpoint, device)?,
            Family::Clip | Family::ClipText => clip(checkpoint, device)?,
            Family::Siglip | Family::SiglipText => siglip(checkpoint, device)?,
            family => {
                return Err(unfit(
                    checkpoint,
                    format!("{family} takes images, not texts"),
                ));
            }
        };
        Ok(Self {
            tower,
            processor,
            device: device.clone(),
        })
    }

    /// Splits a text; may be called from many threads.
    ///
    /// # Errors
    /// If it cannot be read, or is no UTF-8.
    pub fn prepare(&self, text: &Source) -> Result<TextSample, Error> {
        Ok(match &self.processor {
            Preparation::Sentence(processor) => processor.process(text)?,
            Preparation::Plain(processor) => processor.process(text)?,
        })
    }

    /// Embeds a batch of texts, not normalised unless the model does it itself: `[batch, d_embed]`.
    ///
    /// # Panics
    /// If there is no text.
    pub fn embed(&self, texts: &[TextSample]) -> Tensor<2> {
        let samples: Vec<Option<&TextSample>> = texts.iter().map(Some).collect();
        let batch = match &self.processor {
            Preparation::Sentence(processor) => processor.collate(&samples, &self.device),
            Preparation::Plain(processor) => processor.collate(&samples, &self.device),
        };
        match &self.tower {
            Tower::Sentence(encoder) => encoder.embed(batch),
            Tower::Clip(clip) => clip.embed(batch),
            Tower::ClipPooled(tower) => tower.embed(batch),
            Tower::Siglip(tower) => tower.embed(batch),
        }
    }
}

fn bert(checkpoint: &Checkpoint, device: &Device) -> Result<(Tower, Preparation), Error> {
    let (encoder, config) = SentenceEncoder::load(checkpoint, device)?;
    let processor = SentenceProcessor::new(&config, tokenizer(checkpoint)?);
    let tower = Tower::Sentence(Box::new(encoder));
    Ok((tower, Preparation::Sentence(processor)))
}

fn clip(checkpoint: &Checkpoint, device: &Device) -> Result<(Tower, Preparation), Error> {
    let weights = checkpoint.weights()?;
    let (tower, positions) = if holds(&weights, "text_projection.weight") {
        let loaded = ClipTextModelWithProjection::load(checkpoint, device)?;
        (
            Tower::Clip(Box::new(loaded.model)),
            loaded.config.max_tokens,
        )
    } else {
        let loaded = ClipTextModel::load(checkpoint, device)?;
        (
            Tower::ClipPooled(Box::new(loaded.model)),
            loaded.config.max_tokens,
        )
    };
    Ok((tower, Preparation::Plain(processor(checkpoint, positions)?)))
}

fn siglip(checkpoint: &Checkpoint, device: &Device) -> Result<(Tower, Preparation), Error> {
    let loaded = SiglipTextModel::load(checkpoint, device)?;
    let positions = loaded.config.max_tokens;
    // Its padding is read like any token, and is always there.
    let processor = processor(checkpoint, positions)?.with_fixed_length(positions);
    let tower = Tower::Siglip(Box::new(loaded.model));
    Ok((tower, Preparation::Plain(processor)))
}

fn tokenizer(checkpoint: &Checkpoint) -> Result<Tokenizer, Error> {
    Ok(Tokenizer::open(&checkpoint.file("tokenizer.json")?)?)
}

/// Prepares texts as the checkpoint's files say.
pub(super) fn processor(checkpoint: &Checkpoint, positions: usize) -> Result<TextProcessor, Error> {
    const CONFIG: &str = "tokenizer_config.json";
    const SPECIAL: &str = "special_tokens_map.json";
    let config = checkpoint.text(CONFIG)?;
    let special = checkpoint.text(SPECIAL)?;
    let settings = TextSettings::from_json(
        config.as_deref().map(|text| (CONFIG, text)),
        special.as_deref().map(|text| (SPECIAL, text)),
    )?;
    Ok(TextProcessor::published(
        tokenizer(checkpoint)?,
        &settings,
        positions,
    )?)
}
