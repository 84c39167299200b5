//! What DINOv2's tensors are called in published checkpoints, as pairs of our path and theirs; `{}` is one segment that is
//! carried over.

use super::{Dinov2Config, Dinov2Kind};
use crate::vit::Rename;
use crate::vit::keys::{EMBEDDINGS, ENCODER, under};

const BLOCKS: [(&str, &str); 4] = [
    ("encoder.blocks.{}.norm_attention", "encoder.layer.{}.norm1"),
    (
        "encoder.blocks.{}.norm_feed_forward",
        "encoder.layer.{}.norm2",
    ),
    (
        "encoder.blocks.{}.scale_attention.gamma",
        "encoder.layer.{}.layer_scale1.lambda1",
    ),
    (
        "encoder.blocks.{}.scale_feed_forward.gamma",
        "encoder.layer.{}.layer_scale2.lambda1",
    ),
];

const PLAIN: [(&str, &str); 2] = [
    (
        "encoder.blocks.{}.feed_forward.up",
        "encoder.layer.{}.mlp.fc1",
    ),
    (
        "encoder.blocks.{}.feed_forward.down",
        "encoder.layer.{}.mlp.fc2",
    ),
];

const GATED: (&str, &str) = (
    "encoder.blocks.{}.feed_forward.down",
    "encoder.layer.{}.mlp.weights_out",
);

/// Ours, in the order in which theirs holds them along the output dimension.
const HALVES: [&str; 2] = [
    "encoder.blocks.{}.feed_forward.gate",
    "encoder.blocks.{}.feed_forward.up",
];
const WHOLE: &str = "encoder.layer.{}.mlp.weights_in";

impl Dinov2Kind {
    /// The name of the tower in checkpoints of a tower with a head.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "dinov2",
            Self::WithRegisters => "dinov2_with_registers",
        }
    }
}

impl Dinov2Config {
    /// Names of a [`Dinov2Model`](super::Dinov2Model). In a checkpoint of a tower with a head, theirs stand under
    /// [`Dinov2Kind::prefix`].
    pub fn tower_names(&self) -> Vec<Rename> {
        let feed_forward = match self.swiglu {
            true => vec![GATED],
            false => PLAIN.to_vec(),
        };
        let names = EMBEDDINGS.into_iter().chain(ENCODER).chain(BLOCKS);
        names
            .chain(feed_forward)
            .map(|(ours, theirs)| under("", "", ours, theirs))
            .collect()
    }

    /// Parts of a tensor of theirs: those of ours that it holds one after the other along the output dimension (the first
    /// of theirs, the last of our `Linear`), in that order. `None` where the feed-forward part is not gated.
    pub fn tower_parts(&self) -> Option<([String; 2], String)> {
        self.swiglu
            .then(|| (HALVES.map(str::to_owned), WHOLE.to_owned()))
    }

    /// Names of a [`Dinov2ForImageClassification`](super::Dinov2ForImageClassification): the tower's under `dinov2`,
    /// theirs under [`Dinov2Kind::prefix`], and `classifier` as it is.
    pub fn classification_names(&self) -> Vec<Rename> {
        let theirs_under = format!("{}.", self.kind.prefix());
        let tower = self.tower_names().into_iter();
        tower
            .map(|(ours, theirs)| under("dinov2.", &theirs_under, &ours, &theirs))
            .collect()
    }

    /// [`tower_parts`](Self::tower_parts) as they stand in a tower with a head.
    pub fn classification_parts(&self) -> Option<([String; 2], String)> {
        let (ours, theirs) = self.tower_parts()?;
        let theirs = format!("{}.{theirs}", self.kind.prefix());
        Some((ours.map(|ours| format!("dinov2.{ours}")), theirs))
    }
}
