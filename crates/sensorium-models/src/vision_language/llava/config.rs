//! What of a LLaVA's `config.json` says how images are seen.

use burn::tensor::Device;
use sensorium_core::nn::Activation;
use sensorium_hub::KeyMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{LlavaVisionModel, MlpProjector};
use crate::Error;
use crate::clip::{ClipVisionConfig, nested};
use crate::config::{self, hidden_act};
use crate::error::{need, size};
use crate::vision_language::{ImageEncoder, ImageFeatures, Projector, text_of};

/// How a LLaVA sees images.
#[derive(Clone, Debug, PartialEq)]
pub struct LlavaImagesConfig {
    /// The vision tower.
    pub vision: ClipVisionConfig,
    /// Which hidden states are taken: 0 is what the blocks take, 1 what the first one gives; -1 is that of the last.
    pub layers: Vec<i64>,
    /// Whether the class token is taken too.
    pub with_class: bool,
    /// Between the projector's maps.
    pub activation: Activation,
    /// Whether the projector's maps have biases.
    pub bias: bool,
    /// Width of the text's tokens.
    pub d_text: usize,
}

/// One layer or several.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "vision_feature_layer must be a whole number or a list of them"
)]
enum Layers {
    One(i64),
    Several(Vec<i64>),
}

#[derive(Deserialize)]
struct Beside {
    #[serde(rename = "vision_feature_layer", default = "last_but_one")]
    layers: Layers,
    #[serde(rename = "vision_feature_select_strategy", default)]
    strategy: Strategy,
    #[serde(rename = "projector_hidden_act", with = "hidden_act", default)]
    activation: Activation,
    #[serde(rename = "multimodal_projector_bias", default = "yes")]
    bias: bool,
}

#[derive(Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Strategy {
    #[default]
    Default,
    Full,
}

// What Transformers assumes where a key is missing.
fn last_but_one() -> Layers {
    Layers::One(-2)
}
fn yes() -> bool {
    true
}

impl LlavaImagesConfig {
    /// As `llava-hf/llava-1.5-7b-hf`: CLIP ViT-L/14 at 336 pixels, 576 vectors an image.
    pub fn v1_5_7b() -> Self {
        Self {
            vision: ClipVisionConfig {
                image_size: [336; 2],
                ..ClipVisionConfig::large_patch14()
            },
            layers: vec![-2],
            with_class: false,
            activation: Activation::Gelu,
            bias: true,
            d_text: 4096,
        }
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            vision: ClipVisionConfig::debug(),
            d_text: 8,
            ..Self::v1_5_7b()
        }
    }

    /// Parses and validates a `config.json`; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let place = nested::place(file, nested::VISION);
        let vision = match json.get(nested::VISION) {
            None | Some(Value::Null) => &assumed(),
            Some(vision) => vision,
        };
        let kind = vision["model_type"].as_str().unwrap_or("clip_vision_model");
        need(kind == "clip_vision_model", &place, "model_type", || {
            format!("{kind:?} is not supported; clip_vision_model is")
        })?;
        let Beside {
            layers,
            strategy,
            activation,
            bias,
        } = config::parse(file, json)?;
        let config = Self {
            vision: config::parse(&place, vision)?,
            layers: match layers {
                Layers::One(layer) => vec![layer],
                Layers::Several(layers) => layers,
            },
            with_class: strategy == Strategy::Full,
            activation,
            bias,
            // What Transformers assumes of a Llama.
            d_text: config::number(file, text_of(json), "hidden_size", 4096)?,
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
        self.vision
            .validate_as(&nested::place(file, nested::VISION))?;
        let states = self.vision.n_layers as i64 + 1;
        let key = "vision_feature_layer";
        size(file, key, self.layers.len(), 64)?;
        for layer in &self.layers {
            need((-states..states).contains(layer), file, key, || {
                format!("{layer} must be {} to {}", -states, states - 1)
            })?;
        }
        size(file, "hidden_size", self.d_text, 65_536)
    }

    /// After how many blocks, for each state that is taken.
    pub(super) fn taken(&self) -> Vec<usize> {
        let states = self.vision.n_layers as i64 + 1;
        let taken = self.layers.iter();
        taken
            .map(|layer| layer.rem_euclid(states) as usize)
            .collect()
    }

    /// How many vectors an image becomes.
    pub fn n_tokens(&self) -> usize {
        self.vision.n_tokens() - usize::from(!self.with_class)
    }

    /// A freshly initialised model.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> ImageFeatures {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let d_model = self.vision.d_model * self.layers.len();
        let projector = MlpProjector::new(d_model, self.d_text, self.bias, self.activation, device);
        ImageFeatures {
            encoder: ImageEncoder::Llava(LlavaVisionModel::new(self, device)),
            projector: Projector::Mlp(projector),
        }
    }

    pub(in crate::vision_language) fn bare_map(&self) -> KeyMap {
        let tower = self.vision.tower_map();
        tower
            .nested("encoder.tower", "vision_tower")
            .rename("projector.up", "multi_modal_projector.linear_1")
            .rename("projector.down", "multi_modal_projector.linear_2")
            .formerly("vision_tower", "vision_tower.vision_model")
    }
}

/// The vision tower where the file has none.
fn assumed() -> Value {
    json!({
        "intermediate_size": 4096,
        "hidden_size": 1024,
        "patch_size": 14,
        "image_size": 336,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "projection_dim": 768,
    })
}
