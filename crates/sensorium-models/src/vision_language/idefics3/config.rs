//! What of an Idefics3's or SmolVLM's `config.json` says how images are seen.

use burn::tensor::Device;
use sensorium_hub::KeyMap;
use serde_json::{Map, Value, json};

use super::{Idefics3VisionModel, ShuffleProjector};
use crate::Error;
use crate::clip::nested;
use crate::config;
use crate::error::{need, size};
use crate::siglip::SiglipVisionConfig;
use crate::vision_language::{ImageEncoder, ImageFeatures, Projector, text_of};
use crate::vit::common;

/// How an Idefics3 or a SmolVLM sees images.
#[derive(Clone, Debug, PartialEq)]
pub struct Idefics3ImagesConfig {
    /// The vision tower, for tiles of its `image_size`.
    pub vision: SiglipVisionConfig,
    /// So many patches a side become one vector: `scale_factor`.
    pub scale: usize,
    /// Width of the text's tokens.
    pub d_text: usize,
}

impl Idefics3ImagesConfig {
    /// As `HuggingFaceTB/SmolVLM-256M-Instruct`: a SigLIP B/16 for tiles of 512 pixels a side, 64 vectors each.
    pub fn smolvlm_256m() -> Self {
        Self {
            vision: SiglipVisionConfig {
                image_size: [512; 2],
                with_head: false,
                ..SiglipVisionConfig::base_patch16()
            },
            scale: 4,
            d_text: 576,
        }
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            vision: SiglipVisionConfig {
                image_size: [16; 2],
                with_head: false,
                ..SiglipVisionConfig::debug()
            },
            scale: 2,
            d_text: 8,
        }
    }

    /// Parses and validates a `config.json`; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let place = nested::place(file, nested::VISION);
        let text = text_of(json);
        let config = Self {
            vision: config::parse(&place, &vision_of(json))?,
            scale: config::number(file, json, "scale_factor", 2)?,
            // What Transformers assumes of a Llama.
            d_text: config::number(file, text, "hidden_size", 4096)?,
        };
        config.validate_as(file)?;
        Ok(config)
    }

    /// Refuses sizes that do not fit each other.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_as("config.json")
    }

    fn validate_as(&self, file: &str) -> Result<(), Error> {
        let place = nested::place(file, nested::VISION);
        self.vision.validate_as(&place)?;
        let [rows, columns] = common::grid(self.vision.image_size, self.vision.patch_size);
        need(rows == columns, &place, "image_size", || {
            format!("has {rows} x {columns} patches; as many rows as columns are needed")
        })?;
        size(file, "scale_factor", self.scale, 64)?;
        need(
            rows.is_multiple_of(self.scale),
            file,
            "scale_factor",
            || format!("{} must divide the {rows} patches of a side", self.scale),
        )?;
        size(file, "hidden_size", self.d_text, 65_536)
    }

    /// How many vectors a tile becomes.
    pub fn n_tokens(&self) -> usize {
        let [rows, columns] = common::grid(self.vision.image_size, self.vision.patch_size);
        rows / self.scale * (columns / self.scale)
    }

    /// A freshly initialised model.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> ImageFeatures {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let projector = ShuffleProjector::new(self.vision.d_model, self.scale, self.d_text, device);
        ImageFeatures {
            encoder: ImageEncoder::Idefics3(Idefics3VisionModel::new(&self.vision, device)),
            projector: Projector::Shuffle(projector),
        }
    }

    pub(in crate::vision_language) fn bare_map(&self) -> KeyMap {
        let tower = self.vision.tower_map().nested("encoder", "vision_model");
        tower.rename("projector.projection", "connector.modality_projection.proj")
    }
}

/// The vision tower's part, with what Transformers assumes where a key is missing.
fn vision_of(json: &Value) -> Value {
    let defaults = json!({
        "hidden_size": 1152,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 16,
        "num_channels": 3,
        "image_size": 224,
        "patch_size": 32,
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6,
        "attention_dropout": 0.0,
    });
    let mut all = match defaults {
        Value::Object(all) => all,
        _ => Map::new(),
    };
    match json.get(nested::VISION) {
        Some(Value::Object(vision)) => all.extend(vision.clone()),
        None | Some(Value::Null) => {}
        // Refused by name where it is parsed.
        Some(other) => return other.clone(),
    }
    all.insert("vision_use_head".to_owned(), Value::Bool(false));
    Value::Object(all)
}
