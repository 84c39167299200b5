//! Texts to the vectors that a model was made to give.

use burn::tensor::{Device, Tensor};
use sensorium_core::{Processor, Source};
use sensorium_hub::Checkpoint;
use sensorium_text::{TextProcessor, TextSample, TextSettings, Tokenizer};

use super::unfit;
use crate::Error;
use crate::bert::join;
use crate::tower::{Output, TextPreparation, TextTower};

/// A model that embeds texts, with its tokenizer.
#[derive(Debug)]
pub struct TextEmbedder {
    tower: TextTower,
    processor: TextPreparation,
    device: Device,
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
        Ok(Self {
            processor: TextTower::processor(checkpoint)?,
            tower: TextTower::load(checkpoint, Output::Embedding, device)?,
            device: device.clone(),
        })
    }

    /// Splits a text; may be called from many threads.
    ///
    /// # Errors
    /// If it cannot be read, or is no UTF-8.
    pub fn prepare(&self, text: &Source) -> Result<TextSample, Error> {
        Ok(self.processor.process(text)?)
    }

    /// Embeds a batch of texts, not normalised unless the model does it itself: `[batch, d_embed]`.
    ///
    /// # Panics
    /// If there is no text.
    pub fn embed(&self, texts: &[TextSample]) -> Tensor<2> {
        let samples: Vec<Option<&TextSample>> = texts.iter().map(Some).collect();
        self.tower
            .embed(self.processor.collate(&samples, &self.device))
    }
}

/// The tokenizer in one of a checkpoint's folders, none of whose ids is beyond the model's table of words.
pub(crate) fn tokenizer(
    checkpoint: &Checkpoint,
    folder: &str,
    vocab_size: usize,
) -> Result<Tokenizer, Error> {
    let file = join(folder, "tokenizer.json");
    let tokenizer = Tokenizer::open(&checkpoint.file(&file)?)?;
    let ids = tokenizer.vocab_size();
    if ids > vocab_size {
        let problem = format!(
            "{file} has {ids} ids with its added_tokens, but config.json says vocab_size = {vocab_size}"
        );
        return Err(unfit(checkpoint, problem));
    }
    Ok(tokenizer)
}

/// Prepares texts as the checkpoint's files say.
pub(crate) fn text_processor(
    checkpoint: &Checkpoint,
    positions: usize,
    vocab_size: usize,
) -> Result<TextProcessor, Error> {
    const CONFIG: &str = "tokenizer_config.json";
    const SPECIAL: &str = "special_tokens_map.json";
    let config = checkpoint.text(CONFIG)?;
    let special = checkpoint.text(SPECIAL)?;
    let settings = TextSettings::from_json(
        config.as_deref().map(|text| (CONFIG, text)),
        special.as_deref().map(|text| (SPECIAL, text)),
    )?;
    Ok(TextProcessor::published(
        tokenizer(checkpoint, "", vocab_size)?,
        &settings,
        positions,
    )?)
}
