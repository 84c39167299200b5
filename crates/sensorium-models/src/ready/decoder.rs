//! Published causal language models as decoders that are trained further.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use sensorium_hub::Checkpoint;
use sensorium_text::Tokenizer;
use serde_json::Value;

use super::write::{TOKENIZER, causal, generation};
use super::{tokenizer, unfit};
use crate::causal::{CausalConfig, CausalLm};
use crate::published::copy_files;
use crate::{Error, Published};

/// A causal language model of a checkpoint, its vocabulary, and the tokens that its texts begin and end with. Cheap to clone; weights
/// are read when the [model](Self::model) is asked for.
#[derive(Clone, Debug)]
pub struct PublishedDecoder {
    checkpoint: Arc<Checkpoint>,
    /// Whether there are weights in it.
    pretrained: bool,
    config: CausalConfig,
    tokenizer: Tokenizer,
    begin: u32,
    end: u32,
}

impl PublishedDecoder {
    /// Opens a checkpoint.
    ///
    /// # Errors
    /// If it is no causal language model, a file is missing, broken or does not fit, or no token ends its texts.
    pub fn open(checkpoint: Checkpoint) -> Result<Self, Error> {
        Self::of(checkpoint, true)
    }

    /// Opens what was [saved](Self::save), which has no weights of its own.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn reopen(folder: &Path) -> Result<Self, Error> {
        Self::of(Checkpoint::folder(folder), false)
    }

    fn of(checkpoint: Checkpoint, pretrained: bool) -> Result<Self, Error> {
        let (config, json) = causal(&checkpoint)?;
        let tokenizer = tokenizer(&checkpoint, "", config.vocab_size())?;
        let ends = generation(&checkpoint, &json)?.eos_token_id;
        let known = |id: &u32| (*id as usize) < config.vocab_size();
        let Some(end) = ends.first().copied().filter(known) else {
            let problem = "names no token that ends a text: eos_token_id in generation_config.json or config.json".to_owned();
            return Err(unfit(&checkpoint, problem));
        };
        // What begins no text of its own begins after the end of another.
        let settings = checkpoint.json(TOKENIZER)?.unwrap_or_default();
        let begin = begin(&settings).and_then(|token| tokenizer.id(token));
        Ok(Self {
            checkpoint: Arc::new(checkpoint),
            pretrained,
            config,
            tokenizer,
            begin: begin.unwrap_or(end),
            end,
        })
    }

    /// What `config.json` says.
    pub fn config(&self) -> &CausalConfig {
        &self.config
    }

    /// What splits texts.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The token that a text begins with: that of `tokenizer_config.json`, or else the one that ends texts.
    pub fn begin(&self) -> u32 {
        self.begin
    }

    /// The token that ends a text, the first of several.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The model, in float32; of what was reopened only laid out.
    ///
    /// # Errors
    /// If weights are missing, broken or do not fit.
    pub fn model(&self, device: &Device) -> Result<CausalLm, Error> {
        Ok(match self.pretrained {
            true => CausalLm::load(&self.checkpoint, device)?.model,
            false => self.config.init(device),
        })
    }

    /// Copies what lays it out, and splits its texts, into an empty folder.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        copy_files(&self.checkpoint, folder)
    }
}

/// The token that `tokenizer_config.json` begins texts with, said in one of its two ways.
fn begin(settings: &Value) -> Option<&str> {
    let token = &settings["bos_token"];
    token.as_str().or_else(|| token["content"].as_str())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use burn::module::Module;
    use sensorium_testkit::devices;

    use super::*;

    fn fixture(name: &str) -> PathBuf {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        fixtures.join(name)
    }

    #[test]
    fn what_is_saved_is_laid_out_alike_and_takes_the_weights() {
        let decoder = PublishedDecoder::open(Checkpoint::folder(&fixture("ready-llama"))).unwrap();
        let dir = tempfile::tempdir().unwrap();
        decoder.save(dir.path()).unwrap();
        assert!(!dir.path().join("model.safetensors").exists());
        let again = PublishedDecoder::reopen(dir.path()).unwrap();
        assert_eq!(
            (again.begin(), again.end()),
            (decoder.begin(), decoder.end())
        );
        assert_eq!(again.config(), decoder.config());
        for device in devices() {
            let model = decoder.model(&device).unwrap();
            let taken = again.model(&device).unwrap();
            let taken = taken.load_record(model.clone().into_record());
            let file = |model: &CausalLm, name: &str| {
                let file = dir.path().join(name);
                let map = CausalLm::key_map(decoder.config());
                sensorium_hub::save(model, &map, &file).unwrap();
                std::fs::read(file).unwrap()
            };
            // Names and shapes are those of the file; and then the numbers.
            let laid_out = again.model(&device).unwrap();
            let loaded = file(&model, "loaded");
            assert_eq!(file(&laid_out, "laid out").len(), loaded.len());
            assert!(file(&taken, "taken") == loaded);
        }
    }

    #[test]
    fn texts_begin_and_end_as_the_files_say() {
        assert_eq!(begin(&serde_json::json!({"bos_token": "<s>"})), Some("<s>"));
        let long = serde_json::json!({"bos_token": {"content": "<s>", "lstrip": false}});
        assert_eq!(begin(&long), Some("<s>"));
        assert_eq!(begin(&serde_json::json!({"bos_token": null})), None);
    }

    #[test]
    fn a_model_that_writes_nothing_is_refused() {
        let error = PublishedDecoder::open(Checkpoint::folder(&fixture("ready-bert"))).unwrap_err();
        assert!(
            error.to_string().contains("does not go on with texts"),
            "{error}"
        );
    }
}
