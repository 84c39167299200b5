//! `[decoder] from`: a published causal language model that writes.

use std::path::Path;

use sensorium_hub::RemoteOptions;
use sensorium_models::causal::CausalConfig;
use sensorium_models::ready::PublishedDecoder;

use super::DecoderConfig;
use crate::{Error, builtin};

impl DecoderConfig {
    /// The published language model that it names, if it does.
    pub(crate) fn published(&self) -> Result<Option<PublishedDecoder>, Error> {
        let Some(from) = &self.from else {
            return Ok(None);
        };
        let refused = |error: sensorium_models::Error| Self::refused(error);
        let checkpoint = builtin::checkpoint(from, &RemoteOptions::from_env());
        let checkpoint = checkpoint.map_err(|error| refused(error.into()))?;
        let published = PublishedDecoder::open(checkpoint).map_err(refused)?;
        self.validate_published(&published)
            .map_err(|message| Error::Recipe {
                place: "decoder".to_owned(),
                message,
            })?;
        Ok(Some(published))
    }

    /// Refuses a published model that cannot be a prefix.
    fn validate_published(&self, model: &PublishedDecoder) -> Result<(), String> {
        if matches!(model.config(), CausalConfig::Gpt2(_)) {
            return Err(
                "decoder.from names a GPT-2, which learned a vector for each of its places and has none for what stands before a \
                 text: use a Llama, Qwen2.5 or Qwen3"
                    .to_owned(),
            );
        }
        let most = model.config().max_positions();
        if self.max_tokens > most {
            return Err(format!(
                "decoder.max_tokens = {}: the model of decoder.from reads {most} at most",
                self.max_tokens
            ));
        }
        Ok(())
    }

    /// That a published model cannot be had.
    pub(crate) fn refused(reason: sensorium_models::Error) -> Error {
        Error::Modality {
            what: "decoder".to_owned(),
            reason: reason.into(),
        }
    }

    /// The same with an absolute path, where it names a folder.
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
