//! What tensors of wav2vec 2.0 and HuBERT are called in published checkpoints, as pairs of our path and theirs; `{}` is one
//! segment that is carried over.

use burn::tensor::Device;
use sensorium_hub::{KeyMap, Weights};
use serde_json::Value;

use super::{
    Wav2Vec2Config, Wav2Vec2ForCtc, Wav2Vec2ForSequenceClassification, Wav2Vec2Kind, Wav2Vec2Model,
};
use crate::error::need;
use crate::published::{holds, pairs};
use crate::{Error, Published};

const TOWER: [(&str, &str); 19] = [
    (
        "features.layers.{}.conv",
        "feature_extractor.conv_layers.{}.conv",
    ),
    (
        "features.layers.{}.group",
        "feature_extractor.conv_layers.{}.layer_norm",
    ),
    (
        "features.layers.{}.norm",
        "feature_extractor.conv_layers.{}.layer_norm",
    ),
    ("projection.norm", "feature_projection.layer_norm"),
    ("projection.linear", "feature_projection.projection"),
    ("mask", MASK),
    ("position.length", LENGTH),
    ("position.direction", DIRECTION),
    ("position.bias", "encoder.pos_conv_embed.conv.bias"),
    ("norm", "encoder.layer_norm"),
    ("encoder.norm", "encoder.layer_norm"),
    (
        "encoder.blocks.{}.attention.query",
        "encoder.layers.{}.attention.q_proj",
    ),
    (
        "encoder.blocks.{}.attention.key",
        "encoder.layers.{}.attention.k_proj",
    ),
    (
        "encoder.blocks.{}.attention.value",
        "encoder.layers.{}.attention.v_proj",
    ),
    (
        "encoder.blocks.{}.attention.output",
        "encoder.layers.{}.attention.out_proj",
    ),
    (
        "encoder.blocks.{}.norm_attention",
        "encoder.layers.{}.layer_norm",
    ),
    (
        "encoder.blocks.{}.norm_feed_forward",
        "encoder.layers.{}.final_layer_norm",
    ),
    (
        "encoder.blocks.{}.feed_forward.up",
        "encoder.layers.{}.feed_forward.intermediate_dense",
    ),
    (
        "encoder.blocks.{}.feed_forward.down",
        "encoder.layers.{}.feed_forward.output_dense",
    ),
];

/// What stands for hidden tokens.
const MASK: &str = "masked_spec_embed";
/// The parts of the weight that tells positions apart, as PyTorch has called them since 2.0, and before.
const LENGTH: &str = "encoder.pos_conv_embed.conv.parametrizations.weight.original0";
const DIRECTION: &str = "encoder.pos_conv_embed.conv.parametrizations.weight.original1";
const OLD_LENGTH: &str = "encoder.pos_conv_embed.conv.weight_g";
const OLD_DIRECTION: &str = "encoder.pos_conv_embed.conv.weight_v";

impl Wav2Vec2Config {
    /// What stands before the names of the tower in a checkpoint with a head.
    fn tower(&self) -> &'static str {
        match self.kind {
            Wav2Vec2Kind::Wav2Vec2 => "wav2vec2",
            Wav2Vec2Kind::Hubert => "hubert",
        }
    }

    /// Names of a [`Wav2Vec2Model`].
    pub fn tower_map(&self) -> KeyMap {
        pairs(&TOWER)
            .formerly(LENGTH, OLD_LENGTH)
            .formerly(DIRECTION, OLD_DIRECTION)
            .prefixes([String::new(), format!("{}.", self.tower())])
    }

    /// Names of a [`Wav2Vec2ForCtc`].
    pub fn ctc_map(&self) -> KeyMap {
        self.tower_map()
            .nested("wav2vec2", self.tower())
            .rename("head", "lm_head")
    }

    /// Names of a [`Wav2Vec2ForSequenceClassification`].
    pub fn classification_map(&self) -> KeyMap {
        self.tower_map().nested("wav2vec2", self.tower())
    }
}

/// The tower has what stands for hidden tokens where the checkpoint does: some lack it, though their `config.json` hides
/// tokens, and others have what theirs does not need.
fn with_mask_of(weights: &Weights, tower: Wav2Vec2Model, device: &Device) -> Wav2Vec2Model {
    match holds(weights, MASK) {
        true => tower.with_mask(device),
        false => tower.without_mask(),
    }
}

impl Published for Wav2Vec2Model {
    type Config = Wav2Vec2Config;

    const PART: bool = true;

    fn prepare(config: &Self::Config, weights: &Weights, device: &Device) -> Self {
        with_mask_of(weights, config.init(device), device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.tower_map()
    }
}

impl Published for Wav2Vec2ForCtc {
    type Config = Wav2Vec2Config;

    fn parse(file: &str, json: &Value) -> Result<Self::Config, Error> {
        let config = Wav2Vec2Config::parse(file, json)?;
        need(config.vocab_size.is_some(), file, "vocab_size", || {
            "is null, but characters need it".to_owned()
        })?;
        Ok(config)
    }

    fn prepare(config: &Self::Config, weights: &Weights, device: &Device) -> Self {
        let mut model = config.init_ctc(device);
        model.wav2vec2 = with_mask_of(weights, model.wav2vec2, device);
        model
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.ctc_map()
    }
}

impl Published for Wav2Vec2ForSequenceClassification {
    type Config = Wav2Vec2Config;

    fn prepare(config: &Self::Config, weights: &Weights, device: &Device) -> Self {
        let mut model = config.init_classification(device);
        model.wav2vec2 = with_mask_of(weights, model.wav2vec2, device);
        model
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.classification_map()
    }
}
