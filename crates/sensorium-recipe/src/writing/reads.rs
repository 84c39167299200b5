//! `[encoders.text] from = "decoder"`: a text that the decoder reads itself, in its own tokens, before what it writes.

use std::path::{Path, PathBuf};

use sensorium_core::{Modality, Source};
use sensorium_text::{TEXT, TextConfig, Tokenizer};

use super::DecoderKind;
use crate::encoder::OwnOrTower;
use crate::labels::{LabelKind, LabelSet, Texts};
use crate::modalities::{EncoderConfigs, Processors};
use crate::registry::Refusal;
use crate::table::DECODER;
use crate::{Error, Recipe};

impl Recipe {
    /// Whether its decoder reads texts itself.
    pub(crate) fn decoder_reads(&self) -> bool {
        let text = self.encoders.text.as_ref();
        text.is_some_and(|table| table.is_decoders())
    }

    /// The encoders that are modules of their own: all but the text that the decoder reads.
    pub(crate) fn encoders_apart(&self) -> EncoderConfigs {
        match self.decoder_reads() {
            true => self.encoders.without(TEXT),
            false => self.encoders.clone(),
        }
    }

    /// New processors, that may learn from what `sources` gives, or those of the saved models that `opened` names. A decoder that
    /// reads has one vocabulary, of what is read and of the `labels` that are to be written, or that which it goes on with.
    pub(crate) fn fit<'a, I>(
        &self,
        opened: impl Fn(Modality) -> Option<PathBuf>,
        sources: impl Fn(Modality) -> I,
        labels: impl Iterator<Item = &'a str>,
        vocabulary: Option<&Tokenizer>,
    ) -> Result<Processors, Error>
    where
        I: Iterator<Item = Source>,
    {
        let fitted = self.encoders_apart().fit(opened, &sources);
        let mut processors = fitted.map_err(Self::refused_rows)?;
        if self.decoder_reads() {
            let tokenizer = match vocabulary {
                Some(tokenizer) => tokenizer.clone(),
                None => self.learned(sources(TEXT), labels)?,
            };
            processors.text = Some(self.reader(tokenizer)?);
        }
        Ok(processors)
    }

    /// The vocabulary of a decoder that reads: that of its file, or one that is learned from what is read and written.
    fn learned<'a>(
        &self,
        sources: impl Iterator<Item = Source>,
        labels: impl Iterator<Item = &'a str>,
    ) -> Result<Tokenizer, Error> {
        let decoder = self.decoder();
        if decoder.tokenizer.is_some() {
            return decoder.tokenizer(std::iter::empty());
        }
        let read = sources.map(|source| sensorium_text::read(&source));
        let read = read.collect::<Result<Vec<String>, _>>();
        let read = read.map_err(|error| Self::refused_rows(error.into()))?;
        let labels: Vec<&str> = labels.collect();
        let texts = read.iter().map(String::as_str);
        decoder.tokenizer(texts.chain(labels.iter().copied()))
    }

    /// The processors of a saved model, which answers with `labels`.
    pub(crate) fn open_processors(
        &self,
        dir: &Path,
        labels: Option<&LabelSet>,
    ) -> Result<Processors, Error> {
        let opened = self.encoders_apart().open(dir);
        let mut processors = opened.map_err(|reason| Error::Modality {
            what: format!("opening {}", dir.display()),
            reason,
        })?;
        if let (true, Some(LabelSet::Texts(texts))) = (self.decoder_reads(), labels) {
            let tokenizer = texts.processor().tokenizer().clone();
            processors.text = Some(self.reader(tokenizer)?);
        }
        Ok(processors)
    }

    /// What splits the texts that the decoder reads.
    fn reader<B>(
        &self,
        tokenizer: Tokenizer,
    ) -> Result<OwnOrTower<sensorium_text::TextProcessor, B>, Error> {
        let table = self.encoders.text.as_ref();
        let config = TextConfig {
            max_tokens: self.decoder().max_tokens,
            ..table.map(|table| table.own.clone()).unwrap_or_default()
        };
        let processor = config.processor(tokenizer).map_err(Texts::refused)?;
        Ok(OwnOrTower::Own(processor))
    }

    fn refused_rows(reason: Refusal) -> Error {
        Error::Modality {
            what: "learning from the training rows".to_owned(),
            reason,
        }
    }

    /// Refuses `from = "decoder"` where no decoder can read.
    pub(crate) fn validate_reading(&self) -> Result<(), String> {
        let tables = serde_json::to_value(&self.encoders).unwrap_or_default();
        let named = |name: &&str| *name != TEXT.name() && tables[*name]["from"] == DECODER;
        let modalities = self.encoders.modalities();
        if let Some(name) = modalities.iter().map(|m| m.name()).find(named) {
            return Err(format!(
                "encoders.{name}.from = \"{DECODER}\": a decoder reads texts alone; name a checkpoint, or take it away"
            ));
        }
        if !self.decoder_reads() {
            return Ok(());
        }
        let refuse = |why: &str| Err(format!("encoders.text.from = \"{DECODER}\" {why}"));
        if self.objective.kind.labels() != Some(LabelKind::Text) {
            return refuse("is for a model that writes: use objective.kind = \"text\"");
        }
        if self.decoder().kind != DecoderKind::Prefix {
            return refuse("needs a decoder that reads: use decoder.kind = \"prefix\"");
        }
        let text = TEXT.name();
        if self.frozen.iter().any(|name| name == text) {
            return refuse(
                "leaves no encoder of its own that could be frozen: take \"text\" out of `frozen`",
            );
        }
        if self.start.contains_key(text) || self.pretrain.contains_key(text) {
            return refuse(
                "leaves no encoder of its own: take [start] and [pretrain] of text away",
            );
        }
        Ok(())
    }
}
