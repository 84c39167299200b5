//! What CLIP's tensors are called in published checkpoints, as pairs of our path and theirs; `{}` is one segment that is
//! carried over. SigLIP's blocks have the same names.

use super::{ClipConfig, ClipTextConfig, ClipVisionConfig};
use crate::vit::Rename;
use crate::vit::keys::under;

/// Theirs of the text tower in checkpoints that hold more than it.
pub(crate) const TEXT_UNDER: &str = "text_model.";
/// Theirs of the vision tower in checkpoints that hold more than it.
pub(crate) const VISION_UNDER: &str = "vision_model.";

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

/// Tensors of older checkpoints that hold no parameter.
pub(crate) const IGNORED: [&str; 2] = [
    "text_model.embeddings.position_ids",
    "vision_model.embeddings.position_ids",
];

/// Pairs as they are.
pub(crate) fn owned<'a>(
    names: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = Rename> {
    let pairs = names.into_iter();
    pairs.map(|(ours, theirs)| under("", "", ours, theirs))
}

/// Pairs with something before each.
pub(crate) fn all_under(
    ours: &str,
    theirs: &str,
    names: Vec<Rename>,
) -> impl Iterator<Item = Rename> {
    names
        .into_iter()
        .map(move |(a, b)| under(ours, theirs, &a, &b))
}

impl ClipTextConfig {
    /// Names of a [`ClipTextModel`](super::ClipTextModel). Checkpoints have theirs under `text_model`, or as they are.
    pub fn tower_names(&self) -> Vec<Rename> {
        owned(TEXT.into_iter().chain(BLOCKS)).collect()
    }

    /// Names of a [`ClipTextModelWithProjection`](super::ClipTextModelWithProjection).
    pub fn projection_names(&self) -> Vec<Rename> {
        let projection = owned([("projection", "text_projection")]);
        all_under("text.", TEXT_UNDER, self.tower_names())
            .chain(projection)
            .collect()
    }
}

impl ClipVisionConfig {
    /// Names of a [`ClipVisionModel`](super::ClipVisionModel). Checkpoints have theirs under `vision_model`, or as they are.
    pub fn tower_names(&self) -> Vec<Rename> {
        let names = VISION.into_iter().chain(CLIP_VISION).chain(BLOCKS);
        owned(names).collect()
    }

    /// Names of a [`ClipVisionModelWithProjection`](super::ClipVisionModelWithProjection).
    pub fn projection_names(&self) -> Vec<Rename> {
        let projection = owned([("projection", "visual_projection")]);
        all_under("vision.", VISION_UNDER, self.tower_names())
            .chain(projection)
            .collect()
    }
}

impl ClipConfig {
    /// Names of a [`ClipModel`](super::ClipModel); projections and `logit_scale` are called the same. The latter is a scalar
    /// there, and `[1]` here.
    pub fn names(&self) -> Vec<Rename> {
        all_under("text.", TEXT_UNDER, self.text.tower_names())
            .chain(all_under(
                "vision.",
                VISION_UNDER,
                self.vision.tower_names(),
            ))
            .collect()
    }

    /// Tensors of older checkpoints that hold no parameter.
    pub fn ignored(&self) -> [&'static str; 2] {
        IGNORED
    }
}
