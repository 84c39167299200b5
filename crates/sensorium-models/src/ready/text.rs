//! Texts to the vectors that a model was made to give.

use burn::tensor::{Device, Tensor};
use sensorium_core::{Processor, Source};
use sensorium_hub::Checkpoint;
use sensorium_text::{TextProcessor, TextSample, TextSettings, Tokenizer};

use super::unfit;
use crate::Error;
use crate::bert::{SentenceConfig, SentenceProcessor, join};
use crate::tower::{Output, TextPreparation, TextTower, Tower};

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
    /// CLIP and CLAP their projected and SigLIP its pooled embedding.
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
pub(super) fn tokenizer(
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
    let tokenizer = tokenizer(checkpoint, "", vocab_size)?;
    let settings = text_settings(checkpoint, "")?;
    Ok(TextProcessor::published(tokenizer, &settings, positions)?)
}

/// Prepares texts as the files of a sentence encoder, or of a BERT that is used as one, say.
pub(crate) fn sentence_processor(checkpoint: &Checkpoint) -> Result<SentenceProcessor, Error> {
    let config = SentenceConfig::of(checkpoint)?;
    let (folder, longest) = (config.bert_path.as_str(), config.max_tokens);
    let tokenizer = tokenizer(checkpoint, folder, config.bert.vocab_size)?;
    let mut settings = text_settings(checkpoint, folder)?;
    settings.max_tokens = Some(longest); // which goes before what a tokenizer's files say
    let text = TextProcessor::published(tokenizer, &settings, longest)?;
    Ok(SentenceProcessor::over(&config, text))
}

/// What the files beside a tokenizer say.
fn text_settings(checkpoint: &Checkpoint, folder: &str) -> Result<TextSettings, Error> {
    let read = |name| {
        let name = join(folder, name);
        let text = checkpoint.text(&name)?;
        Ok::<_, Error>(text.map(|text| (name, text)))
    };
    let config = read("tokenizer_config.json")?;
    let special = read("special_tokens_map.json")?;
    fn borrowed(file: &Option<(String, String)>) -> Option<(&str, &str)> {
        file.as_ref()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }
    Ok(TextSettings::from_json(
        borrowed(&config),
        borrowed(&special),
    )?)
}
