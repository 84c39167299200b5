//! The `config.json` of a model that reads text with images in it.

use burn::tensor::Device;
use sensorium_hub::{KeyMap, Weights};
use serde_json::{Map, Value, json};

use super::{ImageFeatures, ImageFeaturesConfig, VisionLanguage, text_of};
use crate::causal::{CausalConfig, LlamaConfig};
use crate::clip::nested;
use crate::config::{self, ModelConfig};
use crate::error::need;
use crate::{Error, Published};

/// How a model sees images, what it goes on with, and where images stand in its text.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionLanguageConfig {
    /// How images are seen.
    pub images: ImageFeaturesConfig,
    /// The causal decoder.
    pub text: CausalConfig,
    /// The token in whose places the images' vectors stand.
    pub image_token: usize,
}

/// What Transformers assumes of a Llama where a key is missing, as in the files of LLaVA 1.5.
fn llama() -> Value {
    json!({
        "model_type": "llama",
        "vocab_size": 32_000,
        "hidden_size": 4096,
        "intermediate_size": 11_008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
    })
}

impl VisionLanguageConfig {
    /// Joins what sees and what speaks.
    pub fn new(
        images: ImageFeaturesConfig,
        text: impl Into<CausalConfig>,
        image_token: usize,
    ) -> Self {
        Self {
            images,
            text: text.into(),
            image_token,
        }
    }

    /// As small as it goes, around any of the families' `debug` ones: for tests and examples.
    pub fn debug(images: ImageFeaturesConfig) -> Self {
        let text = match &images {
            ImageFeaturesConfig::Qwen25Vl(_) => {
                let text = json!({
                    "model_type": "qwen2_5_vl_text", "vocab_size": 24, "hidden_size": 8, "intermediate_size": 12,
                    "num_hidden_layers": 2, "num_attention_heads": 1, "max_position_embeddings": 64,
                    "rope_parameters": {"mrope_section": [2, 1, 1]},
                });
                LlamaConfig::parse("config.json", &text).expect("a configuration that works")
            }
            _ => LlamaConfig::debug(),
        };
        Self::new(images, text, 23)
    }

    /// Parses and validates a `config.json`; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key is missing, has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let images = ImageFeaturesConfig::parse(file, json)?;
        let assumed = match &images {
            ImageFeaturesConfig::Idefics3(_) => 128_257,
            ImageFeaturesConfig::Llava(_) => 32_000,
            ImageFeaturesConfig::Qwen25Vl(_) => 151_655,
        };
        let older = config::number(file, json, "image_token_index", assumed)?;
        let config = Self {
            text: text_config(file, json, &images)?,
            image_token: config::number(file, json, "image_token_id", older)?,
            images,
        };
        config.validate_as(file)?;
        Ok(config)
    }

    /// Refuses parts that do not fit each other.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        self.text.validate()?;
        self.validate_as("config.json")
    }

    fn validate_as(&self, file: &str) -> Result<(), Error> {
        let (seen, width) = (self.images.d_text(), self.text.d_model());
        need(seen == width, file, "hidden_size", || {
            format!("text of {width} features cannot hold images of {seen}; they must be the same")
        })?;
        let known = self.text.vocab_size();
        need(self.image_token < known, file, "image_token_id", || {
            format!("{} must be below vocab_size = {known}", self.image_token)
        })
    }

    /// How many patches a side are one vector, where the images' vectors stand on axes of their own.
    pub(super) fn axes(&self) -> Option<usize> {
        match &self.images {
            ImageFeaturesConfig::Qwen25Vl(config) => Some(config.merge),
            _ => None,
        }
    }

    /// A freshly initialised model.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> VisionLanguage {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        VisionLanguage {
            images: self.images.init(device),
            text: self.text.init(device),
            image_token: self.image_token as u32,
            axes: self.axes(),
        }
    }

    /// Names of a [`VisionLanguage`].
    pub fn key_map(&self) -> KeyMap {
        let images = self.images.bare_map();
        let text = self.text.bare_map();
        let (map, head) = match &self.images {
            ImageFeaturesConfig::Idefics3(_) => {
                let images = images.nested("images", "model");
                let text = text.nested("text.model", "model.text_model");
                (images.and(text), "lm_head")
            }
            ImageFeaturesConfig::Llava(_) => {
                let images = images.nested("images", "");
                let text = text.nested("text.model", "language_model.model");
                (images.and(text), "language_model.lm_head")
            }
            ImageFeaturesConfig::Qwen25Vl(_) => {
                let images = images.nested("images", "");
                let text = text.nested("text.model", "model");
                // As some files of late have it.
                let map = images
                    .and(text)
                    .formerly("visual", "model.visual")
                    .formerly("model", "model.language_model");
                (map, "lm_head")
            }
        };
        match self.text.tied() {
            // A copy of what it is tied to.
            true => map
                .ignore(&format!("{head}.weight"))
                .ignore("lm_head.weight"),
            false => map.rename("text.head", head),
        }
    }
}

/// The causal decoder's part, with what is assumed where a key is missing.
fn text_config(
    file: &str,
    json: &Value,
    images: &ImageFeaturesConfig,
) -> Result<CausalConfig, Error> {
    let part = text_of(json);
    let place = match json["text_config"].is_null() {
        true => file.to_owned(),
        false => nested::place(file, nested::TEXT),
    };
    let mut all = match llama() {
        Value::Object(all) => all,
        _ => Map::new(),
    };
    let Value::Object(text) = part else {
        return CausalConfig::parse(&place, part);
    };
    let qwen = matches!(images, ImageFeaturesConfig::Qwen25Vl(_));
    if qwen {
        // Qwen's files say everything.
        all.clear();
    }
    all.extend(text.clone());
    if qwen {
        all.insert("model_type".to_owned(), json!("qwen2_5_vl_text"));
        all.entry("rope_theta").or_insert(json!(1e6));
    } else if json["text_config"].is_null() {
        all.insert("model_type".to_owned(), json!("llama"));
    }
    // It stands beside the part, or inside; Idefics3 looks beside alone.
    let mut tied = json["tie_word_embeddings"] == true;
    if !matches!(images, ImageFeaturesConfig::Idefics3(_)) {
        tied |= all.get("tie_word_embeddings") == Some(&Value::Bool(true));
    }
    all.insert("tie_word_embeddings".to_owned(), Value::Bool(tied));
    CausalConfig::parse(&place, &Value::Object(all))
}

impl ModelConfig for VisionLanguageConfig {
    fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        Self::parse(file, json)
    }
}

impl Published for VisionLanguage {
    type Config = VisionLanguageConfig;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.key_map()
    }
}

impl Published for ImageFeatures {
    type Config = ImageFeaturesConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.bare_map().prefixes(["", "model."])
    }
}
