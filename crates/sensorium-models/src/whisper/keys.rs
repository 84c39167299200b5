//! What Whisper's tensors are called in published checkpoints, as pairs of our path and theirs; `{}` is one segment that
//! is carried over.

use burn::tensor::Device;
use sensorium_hub::{KeyMap, Weights};

use super::{WhisperConfig, WhisperEncoder, WhisperForConditionalGeneration, WhisperModel};
use crate::Published;
use crate::published::pairs;

const ENCODER: [(&str, &str); 12] = [
    ("conv_in", "conv1"),
    ("conv_down", "conv2"),
    ("position", "embed_positions.weight"),
    ("encoder.norm", "layer_norm"),
    (
        "encoder.blocks.{}.norm_attention",
        "layers.{}.self_attn_layer_norm",
    ),
    (
        "encoder.blocks.{}.attention.query",
        "layers.{}.self_attn.q_proj",
    ),
    (
        "encoder.blocks.{}.attention.key",
        "layers.{}.self_attn.k_proj",
    ),
    (
        "encoder.blocks.{}.attention.value",
        "layers.{}.self_attn.v_proj",
    ),
    (
        "encoder.blocks.{}.attention.output",
        "layers.{}.self_attn.out_proj",
    ),
    (
        "encoder.blocks.{}.norm_feed_forward",
        "layers.{}.final_layer_norm",
    ),
    ("encoder.blocks.{}.feed_forward.up", "layers.{}.fc1"),
    ("encoder.blocks.{}.feed_forward.down", "layers.{}.fc2"),
];

const DECODER: [(&str, &str); 16] = [
    ("token", "embed_tokens"),
    ("position.weight", "embed_positions.weight"),
    ("decoder.norm", "layer_norm"),
    (
        "decoder.blocks.{}.norm_attention",
        "layers.{}.self_attn_layer_norm",
    ),
    (
        "decoder.blocks.{}.attention.query",
        "layers.{}.self_attn.q_proj",
    ),
    (
        "decoder.blocks.{}.attention.key",
        "layers.{}.self_attn.k_proj",
    ),
    (
        "decoder.blocks.{}.attention.value",
        "layers.{}.self_attn.v_proj",
    ),
    (
        "decoder.blocks.{}.attention.output",
        "layers.{}.self_attn.out_proj",
    ),
    (
        "decoder.blocks.{}.norm_cross",
        "layers.{}.encoder_attn_layer_norm",
    ),
    (
        "decoder.blocks.{}.cross.query",
        "layers.{}.encoder_attn.q_proj",
    ),
    (
        "decoder.blocks.{}.cross.key",
        "layers.{}.encoder_attn.k_proj",
    ),
    (
        "decoder.blocks.{}.cross.value",
        "layers.{}.encoder_attn.v_proj",
    ),
    (
        "decoder.blocks.{}.cross.output",
        "layers.{}.encoder_attn.out_proj",
    ),
    (
        "decoder.blocks.{}.norm_feed_forward",
        "layers.{}.final_layer_norm",
    ),
    ("decoder.blocks.{}.feed_forward.up", "layers.{}.fc1"),
    ("decoder.blocks.{}.feed_forward.down", "layers.{}.fc2"),
];

/// What stands before the names of encoder and decoder in a checkpoint with logits.
const WITH_LOGITS: &str = "model.";

impl WhisperConfig {
    /// Names of a [`WhisperModel`], which stand under `model` in a checkpoint with logits.
    pub fn model_map(&self) -> KeyMap {
        let encoder = pairs(&ENCODER).nested("encoder", "encoder");
        let decoder = pairs(&DECODER).nested("decoder", "decoder");
        encoder.and(decoder).prefixes(["", WITH_LOGITS])
    }

    /// Names of a [`WhisperForConditionalGeneration`].
    pub fn generation_map(&self) -> KeyMap {
        let map = self.model_map().nested("model", "model");
        let head = "proj_out.weight";
        match self.tied {
            true => map.ignore(head), // a copy of what it is tied to
            false => map.rename("head", "proj_out"),
        }
    }
}

impl Published for WhisperEncoder {
    type Config = WhisperConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init_encoder(device)
    }

    fn key_map(_config: &Self::Config) -> KeyMap {
        pairs(&ENCODER).prefixes(["model.encoder.", "encoder.", ""])
    }
}

impl Published for WhisperModel {
    type Config = WhisperConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.model_map()
    }
}

impl Published for WhisperForConditionalGeneration {
    type Config = WhisperConfig;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init_generation(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.generation_map()
    }
}
