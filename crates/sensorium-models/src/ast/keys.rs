//! What AST's tensors are called in published checkpoints, as pairs of our path and theirs.

use burn::tensor::Device;
use sensorium_hub::{KeyMap, Weights};

use super::{AstConfig, AstForAudioClassification, AstModel};
use crate::Published;
use crate::published::pairs;
use crate::vit::keys::{BLOCKS, ENCODER};

const EMBEDDINGS: [(&str, &str); 4] = [
    ("embeddings.class", "embeddings.cls_token"),
    ("embeddings.distillation", "embeddings.distillation_token"),
    ("embeddings.patch", "embeddings.patch_embeddings.projection"),
    ("embeddings.position", "embeddings.position_embeddings"),
];

/// What stands before the names of the tower in a checkpoint with a head.
const TOWER: &str = "audio_spectrogram_transformer";

impl AstConfig {
    /// Names of an [`AstModel`].
    pub fn tower_map(&self) -> KeyMap {
        pairs(&EMBEDDINGS)
            .and(pairs(&ENCODER))
            .and(pairs(&BLOCKS))
            .prefixes([String::new(), format!("{TOWER}.")])
    }

    /// Names of an [`AstForAudioClassification`].
    pub fn classification_map(&self) -> KeyMap {
        self.tower_map()
            .nested("ast", TOWER)
            .rename("norm", "classifier.layernorm")
            .rename("classifier", "classifier.dense")
    }
}

impl Published for AstModel {
    type Config = AstConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.tower_map()
    }
}

impl Published for AstForAudioClassification {
    type Config = AstConfig;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init_classification(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.classification_map()
    }
}
