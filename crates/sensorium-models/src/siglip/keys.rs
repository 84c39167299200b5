//! What SigLIP's tensors are called in published checkpoints, as pairs of our path and theirs; `{}` is one segment that is
//! carried over.

use burn::tensor::Device;
use sensorium_hub::{KeyMap, Weights};

use super::{
    SiglipConfig, SiglipModel, SiglipTextConfig, SiglipTextModel, SiglipVisionConfig,
    SiglipVisionModel,
};
use crate::Published;
use crate::clip::keys::{BLOCKS, POSITION_IDS, TEXT, TEXT_UNDER, VISION, VISION_UNDER};
use crate::published::pairs;

const HEAD: [(&str, &str); 5] = [
    ("head.probe", "head.probe"),
    ("head.attention.output", "head.attention.out_proj"),
    ("head.norm", "head.layernorm"),
    ("head.feed_forward.up", "head.mlp.fc1"),
    ("head.feed_forward.down", "head.mlp.fc2"),
];

impl SiglipTextConfig {
    /// Names of a [`SiglipTextModel`](super::SiglipTextModel), as they are or under `text_model`.
    pub fn tower_map(&self) -> KeyMap {
        pairs(&TEXT)
            .and(pairs(&BLOCKS))
            .ignore(POSITION_IDS)
            .prefixes(["", "text_model."])
    }
}

impl SiglipVisionConfig {
    /// Names of a [`SiglipVisionModel`](super::SiglipVisionModel), as they are or under `vision_model`. Query, key and value
    /// of the head's attention are one there.
    pub fn tower_map(&self) -> KeyMap {
        let mut map = pairs(&VISION)
            .and(pairs(&BLOCKS))
            .and(pairs(&HEAD))
            .rename("encoder.norm", "post_layernorm")
            .ignore(POSITION_IDS)
            .prefixes(["", "vision_model."]);
        for kind in ["weight", "bias"] {
            let ours = ["query", "key", "value"].map(|one| format!("head.attention.{one}.{kind}"));
            map = map.part(ours, &format!("head.attention.in_proj_{kind}"));
        }
        map
    }
}

impl SiglipConfig {
    /// Names of a [`SiglipModel`](super::SiglipModel); `logit_scale` and `logit_bias` are called the same.
    pub fn key_map(&self) -> KeyMap {
        let text = self.text.tower_map().nested("text", TEXT_UNDER);
        text.and(self.vision.tower_map().nested("vision", VISION_UNDER))
    }
}

impl Published for SiglipModel {
    type Config = SiglipConfig;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.key_map()
    }
}

impl Published for SiglipTextModel {
    type Config = SiglipTextConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.tower_map()
    }
}

impl Published for SiglipVisionModel {
    type Config = SiglipVisionConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.tower_map()
    }
}
