//! What SigLIP's tensors are called in published checkpoints, as pairs of our path and theirs; `{}` is one segment that is
//! carried over.

use super::{SiglipConfig, SiglipTextConfig, SiglipVisionConfig};
use crate::clip::keys::{
    BLOCKS, IGNORED, TEXT, TEXT_UNDER, VISION, VISION_UNDER, all_under, owned,
};
use crate::vit::Rename;

/// Those of ours that a tensor of theirs holds one after the other along the output dimension (the first of theirs, the last
/// of our `Linear`), in that order.
pub type Parts = ([String; 3], String);

// The same here and there, but for what they stand under in a whole model.
const TEXT_HEAD: (&str, &str) = ("head", "head");

const HEAD: [(&str, &str); 5] = [
    ("head.probe", "head.probe"),
    ("head.attention.output", "head.attention.out_proj"),
    ("head.norm", "head.layernorm"),
    ("head.feed_forward.up", "head.mlp.fc1"),
    ("head.feed_forward.down", "head.mlp.fc2"),
];

impl SiglipTextConfig {
    /// Names of a [`SiglipTextModel`](super::SiglipTextModel). Checkpoints have theirs under `text_model`, or as they are.
    pub fn tower_names(&self) -> Vec<Rename> {
        owned(TEXT.into_iter().chain(BLOCKS).chain([TEXT_HEAD])).collect()
    }
}

impl SiglipVisionConfig {
    /// Names of a [`SiglipVisionModel`](super::SiglipVisionModel). Checkpoints have theirs under `vision_model`, or as they
    /// are.
    pub fn tower_names(&self) -> Vec<Rename> {
        let last = [("encoder.norm", "post_layernorm")];
        owned(VISION.into_iter().chain(BLOCKS).chain(last).chain(HEAD)).collect()
    }

    /// Query, key and value of the head's attention, which are one there; none without a head.
    pub fn tower_parts(&self) -> Vec<Parts> {
        let part = |kind: &str| {
            let ours = ["query", "key", "value"];
            let ours = ours.map(|ours| format!("head.attention.{ours}.{kind}"));
            (ours, format!("head.attention.in_proj_{kind}"))
        };
        match self.with_head {
            true => ["weight", "bias"].map(part).to_vec(),
            false => Vec::new(),
        }
    }
}

impl SiglipConfig {
    /// Names of a [`SiglipModel`](super::SiglipModel); `logit_scale` and `logit_bias` are called the same.
    pub fn names(&self) -> Vec<Rename> {
        all_under("text.", TEXT_UNDER, self.text.tower_names())
            .chain(all_under(
                "vision.",
                VISION_UNDER,
                self.vision.tower_names(),
            ))
            .collect()
    }

    /// [`tower_parts`](SiglipVisionConfig::tower_parts) as they stand in a whole model.
    pub fn parts(&self) -> Vec<Parts> {
        let under = |(ours, theirs): Parts| {
            let ours = ours.map(|ours| format!("vision.{ours}"));
            (ours, format!("{VISION_UNDER}{theirs}"))
        };
        self.vision.tower_parts().into_iter().map(under).collect()
    }

    /// Tensors of older checkpoints that hold no parameter.
    pub fn ignored(&self) -> [&'static str; 2] {
        IGNORED
    }
}
