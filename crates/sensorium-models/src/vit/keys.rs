//! What ViT's tensors are called in published checkpoints, as pairs of our path and theirs; `{}` is one segment that is
//! carried over.

use burn::tensor::Device;
use sensorium_hub::{KeyMap, Weights};

use super::{VitConfig, VitForImageClassification, VitModel};
use crate::Published;
use crate::published::{holds, pairs};

/// Of all that [`VitEmbeddings`](super::VitEmbeddings) may hold. Layouts are the published ones.
pub(crate) const EMBEDDINGS: [(&str, &str); 5] = [
    ("embeddings.class", "embeddings.cls_token"),
    ("embeddings.mask", "embeddings.mask_token"),
    ("embeddings.registers", "embeddings.register_tokens"),
    ("embeddings.patch", "embeddings.patch_embeddings.projection"),
    ("embeddings.position", "embeddings.position_embeddings"),
];

/// Of attention, and of the norm after the blocks.
pub(crate) const ENCODER: [(&str, &str); 5] = [
    (
        "encoder.blocks.{}.attention.query",
        "encoder.layer.{}.attention.attention.query",
    ),
    (
        "encoder.blocks.{}.attention.key",
        "encoder.layer.{}.attention.attention.key",
    ),
    (
        "encoder.blocks.{}.attention.value",
        "encoder.layer.{}.attention.attention.value",
    ),
    (
        "encoder.blocks.{}.attention.output",
        "encoder.layer.{}.attention.output.dense",
    ),
    ("encoder.norm", "layernorm"),
];

/// Of the rest of the blocks, and of the pooler.
pub(crate) const BLOCKS: [(&str, &str); 5] = [
    (
        "encoder.blocks.{}.norm_attention",
        "encoder.layer.{}.layernorm_before",
    ),
    (
        "encoder.blocks.{}.norm_feed_forward",
        "encoder.layer.{}.layernorm_after",
    ),
    (
        "encoder.blocks.{}.feed_forward.up",
        "encoder.layer.{}.intermediate.dense",
    ),
    (
        "encoder.blocks.{}.feed_forward.down",
        "encoder.layer.{}.output.dense",
    ),
    ("pooler", "pooler.dense"),
];

impl VitConfig {
    /// Names of a [`VitModel`](super::VitModel), which stand under `vit` in a checkpoint of a tower with a head.
    pub fn tower_map(&self) -> KeyMap {
        pairs(&EMBEDDINGS)
            .and(pairs(&ENCODER))
            .and(pairs(&BLOCKS))
            .prefixes(["", "vit."])
    }

    /// Names of a [`VitForImageClassification`](super::VitForImageClassification); `classifier` is called the same.
    pub fn classification_map(&self) -> KeyMap {
        self.tower_map().nested("vit", "vit")
    }
}

impl Published for VitModel {
    type Config = VitConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, weights: &Weights, device: &Device) -> Self {
        match holds(weights, "pooler.dense.weight") {
            true => config.init_with_pooler(device),
            false => config.init(device),
        }
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.tower_map()
    }
}

impl Published for VitForImageClassification {
    type Config = VitConfig;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init_classification(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.classification_map()
    }
}
