//! What ViT's tensors are called in published checkpoints, as pairs of our path and theirs; `{}` is one segment that is
//! carried over.

use super::VitConfig;

/// A path of ours and the published one, each the beginning of a parameter's name.
pub type Rename = (String, String);

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

const BLOCKS: [(&str, &str); 5] = [
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
    /// Names of a [`VitModel`](super::VitModel). In a checkpoint of a tower with a head, theirs stand under `vit`.
    pub fn tower_names(&self) -> Vec<Rename> {
        let names = EMBEDDINGS.into_iter().chain(ENCODER).chain(BLOCKS);
        names
            .map(|(ours, theirs)| under("", "", ours, theirs))
            .collect()
    }

    /// Names of a [`VitForImageClassification`](super::VitForImageClassification): the tower's under `vit`, and
    /// `classifier` as it is.
    pub fn classification_names(&self) -> Vec<Rename> {
        let tower = self.tower_names().into_iter();
        tower
            .map(|(ours, theirs)| under("vit.", "vit.", &ours, &theirs))
            .collect()
    }
}

/// A pair with something before each.
pub(crate) fn under(our_prefix: &str, their_prefix: &str, ours: &str, theirs: &str) -> Rename {
    (
        format!("{our_prefix}{ours}"),
        format!("{their_prefix}{theirs}"),
    )
}
