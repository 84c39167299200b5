//! What CLIP's tensors are called in published checkpoints, as pairs of our path and theirs; `{}` is one segment that is
//! carried over. SigLIP's blocks have the same names.

use burn::tensor::Device;
use sensorium_hub::{KeyMap, Weights};

use super::{
    ClipConfig, ClipModel, ClipTextConfig, ClipTextModel, ClipTextModelWithProjection,
    ClipVisionConfig, ClipVisionModel, ClipVisionModelWithProjection,
};
use crate::Published;
use crate::published::pairs;

/// Theirs of the text tower in checkpoints that hold more than it.
pub(crate) const TEXT_UNDER: &str = "text_model";
/// Theirs of the vision tower in checkpoints that hold more than it.
pub(crate) const VISION_UNDER: &str = "vision_model";

/// Of the blocks of all towers.
pub(crate) const BLOCKS: [(&str, &str); 8] = [
    (
        "encoder.blocks.{}.norm_attention",
        "encoder.layers.{}.layer_norm1",
    ),
    (
        "encoder.blocks.{}.attention.query",
        "encoder.layers.{}.self_attn.q_proj",
    ),
    (
        "encoder.blocks.{}.attention.key",
        "encoder.layers.{}.self_attn.k_proj",
    ),
    (
        "encoder.blocks.{}.attention.value",
        "encoder.layers.{}.self_attn.v_proj",
    ),
    (
        "encoder.blocks.{}.attention.output",
        "encoder.layers.{}.self_attn.out_proj",
    ),
    (
        "encoder.blocks.{}.norm_feed_forward",
        "encoder.layers.{}.layer_norm2",
    ),
    (
        "encoder.blocks.{}.feed_forward.up",
        "encoder.layers.{}.mlp.fc1",
    ),
    (
        "encoder.blocks.{}.feed_forward.down",
        "encoder.layers.{}.mlp.fc2",
    ),
];

/// Of all that a text tower has beside its blocks.
pub(crate) const TEXT: [(&str, &str); 3] = [
    ("embeddings.token", "embeddings.token_embedding"),
    ("embeddings.position", "embeddings.position_embedding"),
    ("encoder.norm", "final_layer_norm"),
];

/// Of all that both vision towers have beside their blocks.
pub(crate) const VISION: [(&str, &str); 2] = [
    ("embeddings.patch", "embeddings.patch_embedding"),
    ("embeddings.position", "embeddings.position_embedding"),
];

const CLIP_VISION: [(&str, &str); 3] = [
    ("embeddings.class", "embeddings.class_embedding"),
    // Spelled so in all checkpoints.
    ("pre_norm", "pre_layrnorm"),
    ("post_norm", "post_layernorm"),
];

/// A buffer of older checkpoints.
pub(crate) const POSITION_IDS: &str = "embeddings.position_ids";

impl ClipTextConfig {
    /// Names of a [`ClipTextModel`](super::ClipTextModel), as they are or under `text_model`.
    pub fn tower_map(&self) -> KeyMap {
        pairs(&TEXT)
            .and(pairs(&BLOCKS))
            .ignore(POSITION_IDS)
            .prefixes(["", "text_model."])
    }

    /// Names of a [`ClipTextModelWithProjection`](super::ClipTextModelWithProjection).
    pub fn projection_map(&self) -> KeyMap {
        let tower = self.tower_map().nested("text", TEXT_UNDER);
        tower.rename("projection", "text_projection")
    }
}

impl ClipVisionConfig {
    /// Names of a [`ClipVisionModel`](super::ClipVisionModel), as they are or under `vision_model`.
    pub fn tower_map(&self) -> KeyMap {
        pairs(&VISION)
            .and(pairs(&CLIP_VISION))
            .and(pairs(&BLOCKS))
            .ignore(POSITION_IDS)
            .prefixes(["", "vision_model."])
    }

    /// Names of a [`ClipVisionModelWithProjection`](super::ClipVisionModelWithProjection).
    pub fn projection_map(&self) -> KeyMap {
        let tower = self.tower_map().nested("vision", VISION_UNDER);
        tower.rename("projection", "visual_projection")
    }
}

impl ClipConfig {
    /// Names of a [`ClipModel`](super::ClipModel); projections and `logit_scale` are called the same.
    pub fn key_map(&self) -> KeyMap {
        let text = self.text.tower_map().nested("text", TEXT_UNDER);
        let vision = self.vision.tower_map().nested("vision", VISION_UNDER);
        text.and(vision).scalar("logit_scale")
    }
}

impl Published for ClipModel {
    type Config = ClipConfig;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.key_map()
    }
}

impl Published for ClipTextModel {
    type Config = ClipTextConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.tower_map()
    }
}

impl Published for ClipVisionModel {
    type Config = ClipVisionConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.tower_map()
    }
}

impl Published for ClipTextModelWithProjection {
    type Config = ClipTextConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init_with_projection(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.projection_map()
    }
}

impl Published for ClipVisionModelWithProjection {
    type Config = ClipVisionConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init_with_projection(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.projection_map()
    }
}
