//! Labels that are texts: how they are split into tokens that a model writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sensorium_models::ready::PublishedDecoder;
use sensorium_text::{TargetProcessor, Tokenizer};

use crate::encoder::OwnOrTower;
use crate::prepare::Prepared;
use crate::writing::DecoderConfig;
use crate::{Error, Recipe};

/// The folder of a model in which its vocabulary lies.
const FOLDER: &str = "decoder";

/// Labels that are texts.
#[derive(Clone, Debug)]
pub struct Texts {
    /// None before a vocabulary has been learned.
    processor: Option<TargetProcessor>,
    /// The published language model that writes them, if one does.
    published: Option<Arc<PublishedDecoder>>,
}

/// Both split texts alike.
impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        let tokens = |texts: &Self| {
            let processor = texts.processor.as_ref()?;
            let tokenizer = processor.tokenizer();
            let all: Vec<u32> = (0..tokenizer.vocab_size() as u32).collect();
            Some((processor.max_tokens(), tokenizer.tokens(&all)))
        };
        tokens(self) == tokens(other)
    }
}

impl Texts {
    /// Of rows that no vocabulary has been learned from yet.
    pub(super) fn of_rows() -> Self {
        Self {
            processor: None,
            published: None,
        }
    }

    /// Takes what a published model writes with, the vocabulary that is gone on with, or that of what the decoder reads, or opens the
    /// one that is named, or learns one from the training rows' texts.
    pub(crate) fn fit(
        &mut self,
        recipe: &Recipe,
        train: &Prepared,
        published: Option<PublishedDecoder>,
        vocabulary: Option<Tokenizer>,
    ) -> Result<(), Error> {
        let config = recipe.decoder();
        if let Some(published) = published {
            *self = Self::written_by(&config, published);
            return Ok(());
        }
        let read = train.processors.text.as_ref();
        let read = read.filter(|_| recipe.decoder_reads());
        let read = read.and_then(OwnOrTower::own);
        let known = vocabulary.or_else(|| Some(read?.tokenizer().clone()));
        let tokenizer = match known {
            Some(tokenizer) => tokenizer,
            None => {
                let texts = (0..train.len()).filter_map(|row| train.text(row));
                config.tokenizer(texts)?
            }
        };
        self.processor = Some(Self::split(&config, tokenizer)?);
        Ok(())
    }

    /// The vocabulary of a model's folder.
    pub(crate) fn open(recipe: &Recipe, dir: &Path) -> Result<Self, Error> {
        let config = recipe.decoder();
        if config.from.is_some() {
            let published = recipe.reopened(&dir.join(FOLDER))?;
            return Ok(Self::written_by(&config, published));
        }
        let tokenizer = Tokenizer::open(&Self::file(dir));
        let tokenizer = tokenizer.map_err(Self::refused)?;
        Ok(Self {
            processor: Some(Self::split(&config, tokenizer)?),
            published: None,
        })
    }

    /// As a published language model splits them.
    fn written_by(config: &DecoderConfig, model: PublishedDecoder) -> Self {
        let (tokenizer, begin, end) = (model.tokenizer().clone(), model.begin(), model.end());
        let processor = TargetProcessor::between(tokenizer, config.max_tokens, begin, end);
        Self {
            processor: Some(processor),
            published: Some(Arc::new(model)),
        }
    }

    /// The published language model that writes them, if one does.
    pub(crate) fn model(&self) -> Option<&PublishedDecoder> {
        self.published.as_deref()
    }

    /// Where it lies there.
    pub(crate) fn file(dir: &Path) -> PathBuf {
        dir.join(FOLDER).join("tokenizer.json")
    }

    /// Writes it there.
    pub(crate) fn save(&self, dir: &Path) -> Result<(), Error> {
        let folder = dir.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|error| Error::folder(&folder, error))?;
        if let Some(published) = &self.published {
            return published.save(&folder).map_err(DecoderConfig::refused);
        }
        let saved = self.processor().tokenizer().save(&folder);
        saved.map_err(Self::refused)
    }

    fn split(config: &DecoderConfig, tokenizer: Tokenizer) -> Result<TargetProcessor, Error> {
        TargetProcessor::new(tokenizer, config.max_tokens).map_err(Self::refused)
    }

    /// That a text, or a vocabulary, cannot be used.
    pub(crate) fn refused(reason: sensorium_text::Error) -> Error {
        Error::Modality {
            what: "decoder".to_owned(),
            reason: reason.into(),
        }
    }

    /// What splits texts.
    ///
    /// # Panics
    /// Before a vocabulary has been learned.
    pub fn processor(&self) -> &TargetProcessor {
        let processor = self.processor.as_ref();
        processor.expect("a vocabulary is learned once the training rows are known")
    }

    /// The tokens of a row's text.
    pub(crate) fn ids(&self, rows: &Prepared, row: usize) -> Result<Vec<u32>, Error> {
        let text = rows.text(row).unwrap_or_default();
        let ids = self.processor().ids(rows.id(row), text);
        ids.map_err(Self::refused)
    }
}
