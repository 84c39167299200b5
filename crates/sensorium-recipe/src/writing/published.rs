//! `[decoder] from`: a published causal language model that writes.

use std::path::Path;

use sensorium_hub::RemoteOptions;
use sensorium_models::causal::CausalConfig;
use sensorium_models::ready::PublishedDecoder;

use super::DecoderConfig;
use crate::{Error, Recipe, builtin};

impl Recipe {
    /// The published language model that is to write, if one is named.
    pub(crate) fn published(&self) -> Result<Option<PublishedDecoder>, Error> {
        let config = self.decoder();
        let Some(from) = &config.from else {
            return Ok(None);
        };
        let checkpoint = builtin::checkpoint(from, &RemoteOptions::from_env());
        let checkpoint = checkpoint.map_err(|error| DecoderConfig::refused(error.into()))?;
        let model = PublishedDecoder::open(checkpoint).map_err(DecoderConfig::refused)?;
        self.fits(&model)?;
        Ok(Some(model))
    }

    /// The same of a saved model, in whose folder it lies.
    pub(crate) fn reopened(&self, folder: &Path) -> Result<PublishedDecoder, Error> {
        let model = PublishedDecoder::reopen(folder).map_err(DecoderConfig::refused)?;
        self.fits(&model)?;
        Ok(model)
    }

    /// Refuses a published model that cannot be a prefix.
    fn fits(&self, model: &PublishedDecoder) -> Result<(), Error> {
        let refuse = |message: String| {
            Err(Error::Recipe {
                place: "decoder".to_owned(),
                message,
            })
        };
        let on_axes = match model.config() {
            CausalConfig::Gpt2(_) => {
                return refuse(
                    "decoder.from names a GPT-2, which learned a vector for each of its places and has none for what stands before \
                     a text: use a Llama, Qwen2.5 or Qwen3"
                        .to_owned(),
                );
            }
            CausalConfig::Llama(config) => {
                let ropes = [&config.rope_parameters, &config.rope_scaling];
                let mut ropes = ropes.into_iter().flatten();
                ropes.any(|rope| rope.mrope_section.is_some())
            }
        };
        if on_axes {
            return refuse(
                "decoder.from names a model whose positions have several axes (mrope_section), which are for pictures of its own: use \
                 another"
                    .to_owned(),
            );
        }
        let (most, longest) = (model.config().max_positions(), self.decoder().max_tokens);
        let texts = 1 + usize::from(self.decoder_reads());
        if longest.saturating_mul(texts) > most {
            return refuse(format!(
                "decoder.max_tokens = {longest}: the model of decoder.from reads {most} at most{}",
                if texts > 1 {
                    ", what is read and what is written together"
                } else {
                    ""
                }
            ));
        }
        Ok(())
    }
}

impl DecoderConfig {
    /// That a published model cannot be had.
    pub(crate) fn refused(reason: sensorium_models::Error) -> Error {
        Error::Modality {
            what: "decoder".to_owned(),
            reason: reason.into(),
        }
    }

    /// Makes its paths absolute, that of a published model too where it names a folder.
    pub(crate) fn absolute(&mut self) {
        let folder = self.from.as_mut().filter(|from| Path::new(from).is_dir());
        if let Some(from) = folder {
            *from = crate::dataset::absolute(Path::new(from))
                .display()
                .to_string();
        }
        if let Some(path) = &mut self.tokenizer {
            *path = crate::dataset::absolute(path);
        }
    }
}
