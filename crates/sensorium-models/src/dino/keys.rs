//! What DINOv2's tensors are called in published checkpoints, as pairs of our path and theirs; `{}` is one segment that is
//! carried over.

use burn::tensor::Device;
use sensorium_hub::{KeyMap, Weights};

use super::{Dinov2Config, Dinov2ForImageClassification, Dinov2Kind, Dinov2Model};
use crate::Published;
use crate::published::pairs;
use crate::vit::keys::{EMBEDDINGS, ENCODER};

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
    /// Names of a [`Dinov2Model`](super::Dinov2Model), which stand under [`Dinov2Kind::prefix`] in a checkpoint of a tower
    /// with a head.
    pub fn tower_map(&self) -> KeyMap {
        let feed_forward = match self.swiglu {
            true => pairs(&[GATED]).part(HALVES, WHOLE),
            false => pairs(&PLAIN),
        };
        pairs(&EMBEDDINGS)
            .and(pairs(&ENCODER))
            .and(pairs(&BLOCKS))
            .and(feed_forward)
            .prefixes([String::new(), format!("{}.", self.kind.prefix())])
    }

    /// Names of a [`Dinov2ForImageClassification`](super::Dinov2ForImageClassification); `classifier` is called the same.
    pub fn classification_map(&self) -> KeyMap {
        self.tower_map().nested("dinov2", self.kind.prefix())
    }
}

impl Published for Dinov2Model {
    type Config = Dinov2Config;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.tower_map()
    }
}

impl Published for Dinov2ForImageClassification {
    type Config = Dinov2Config;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init_classification(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.classification_map()
    }
}
