//! What CLAP's tensors are called in published checkpoints, as pairs of our path and theirs; `{}` is one segment that is
//! carried over.

use burn::tensor::Device;
use sensorium_hub::{Constant, KeyMap, Weights};

use super::window::distances;
use super::{
    ClapAudioConfig, ClapAudioModel, ClapAudioModelWithProjection, ClapConfig, ClapModel,
    ClapTextConfig, ClapTextModel, ClapTextModelWithProjection,
};
use crate::Published;
use crate::published::pairs;

/// Theirs of the text tower in checkpoints that hold more than it.
const TEXT_UNDER: &str = "text_model";
/// Theirs of the audio tower in checkpoints that hold more than it.
const AUDIO_UNDER: &str = "audio_model";
/// What stands before all names of the audio tower.
const ENCODER: &str = "audio_encoder";

/// Of the audio tower, without what stands before all of them.
const AUDIO: [(&str, &str); 16] = [
    ("spectrogram.norm", "batch_norm"),
    ("patches.patch", "patch_embed.proj"),
    ("patches.norm", "patch_embed.norm"),
    ("patches.crops.patch", "patch_embed.mel_conv2d"),
    (
        "stages.{}.blocks.{}.norm_attention",
        "layers.{}.blocks.{}.layernorm_before",
    ),
    (
        "stages.{}.blocks.{}.attention.query",
        "layers.{}.blocks.{}.attention.self.query",
    ),
    (
        "stages.{}.blocks.{}.attention.key",
        "layers.{}.blocks.{}.attention.self.key",
    ),
    (
        "stages.{}.blocks.{}.attention.value",
        "layers.{}.blocks.{}.attention.self.value",
    ),
    (
        "stages.{}.blocks.{}.attention.output",
        "layers.{}.blocks.{}.attention.output.dense",
    ),
    (
        "stages.{}.blocks.{}.relative_position",
        "layers.{}.blocks.{}.attention.self.relative_position_bias_table",
    ),
    (
        "stages.{}.blocks.{}.norm_feed_forward",
        "layers.{}.blocks.{}.layernorm_after",
    ),
    (
        "stages.{}.blocks.{}.feed_forward.up",
        "layers.{}.blocks.{}.intermediate.dense",
    ),
    (
        "stages.{}.blocks.{}.feed_forward.down",
        "layers.{}.blocks.{}.output.dense",
    ),
    ("stages.{}.merging", "layers.{}.downsample"),
    ("norm", "norm"),
    FUSION,
];

const FUSION: (&str, &str) = ("patches.crops.fusion", "patch_embed.fusion_model");

/// Of fusing: layers that have numbers for names there, the second list of norms.
const FUSING: [(&str, &str); 8] = [
    ("local.down", "local_att.0"),
    ("local.norm_down", "local_att.1"),
    ("local.up", "local_att.3"),
    ("local.norm_up", "local_att.4"),
    ("global.down", "global_att.1"),
    ("global.norm_down", "global_att.2"),
    ("global.up", "global_att.4"),
    ("global.norm_up", "global_att.5"),
];

const PROJECTION: [(&str, &str); 2] = [("hidden", "linear1"), ("output", "linear2")];

/// Names of a projection.
fn projection(ours: &str, theirs: &str) -> KeyMap {
    pairs(&PROJECTION).nested(ours, theirs)
}

impl ClapTextConfig {
    /// Names of a [`ClapTextModel`], as they are or under `text_model`.
    pub fn tower_map(&self) -> KeyMap {
        let n = self.max_positions as i64;
        let places = Constant::new([1, self.max_positions], (0..n).collect::<Vec<_>>());
        let types = Constant::new([1, self.max_positions], vec![0; self.max_positions]);
        self.bert()
            .tower_map()
            .nested("bert", "")
            .constant("embeddings.position_ids", places)
            .constant("embeddings.token_type_ids", types)
            .prefixes([String::new(), format!("{TEXT_UNDER}.")])
    }

    /// Names of a [`ClapTextModelWithProjection`].
    pub fn projection_map(&self) -> KeyMap {
        let tower = self.tower_map().nested("text", TEXT_UNDER);
        tower.and(projection("projection", "text_projection"))
    }
}

impl ClapAudioConfig {
    /// Names of a [`ClapAudioModel`], as they are or under `audio_model`.
    pub fn tower_map(&self) -> KeyMap {
        let fusing = pairs(&FUSING).nested(FUSION.0, FUSION.1);
        let map = fusing.and(pairs(&AUDIO)).nested("", ENCODER);
        self.with_constants(map)
            .prefixes([String::new(), format!("{AUDIO_UNDER}.")])
    }

    /// Tables of distances, and counts of the batches seen, which nothing reads.
    fn with_constants(&self, mut map: KeyMap) -> KeyMap {
        let tokens = self.window_size * self.window_size;
        let table = Constant::new([tokens, tokens], distances(self.window_size));
        for (stage, depth) in self.depths.iter().enumerate() {
            for block in 0..*depth {
                let attention = format!("{ENCODER}.layers.{stage}.blocks.{block}.attention.self");
                map = map.constant(
                    &format!("{attention}.relative_position_index"),
                    table.clone(),
                );
            }
        }
        let (_, fusion) = FUSION;
        let norms = FUSING.iter().filter(|(ours, _)| ours.contains(".norm_"));
        let norms = norms.map(|(_, theirs)| format!("{ENCODER}.{fusion}.{theirs}"));
        let norms = norms.filter(|_| self.fusion);
        for norm in norms.chain([format!("{ENCODER}.batch_norm")]) {
            let count = Constant::new([], [0]);
            map = map.constant(&format!("{norm}.num_batches_tracked"), count);
        }
        map
    }

    /// Names of a [`ClapAudioModelWithProjection`].
    pub fn projection_map(&self) -> KeyMap {
        let tower = self.tower_map().nested("audio", AUDIO_UNDER);
        tower.and(projection("projection", "audio_projection"))
    }
}

impl ClapConfig {
    /// Names of a [`ClapModel`].
    pub fn key_map(&self) -> KeyMap {
        let text = self.text.tower_map().nested("text", TEXT_UNDER);
        let audio = self.audio.tower_map().nested("audio", AUDIO_UNDER);
        let projections =
            ["text_projection", "audio_projection"].map(|name| projection(name, name));
        let map = projections.into_iter().fold(text.and(audio), KeyMap::and);
        map.scalar("logit_scale_a").scalar("logit_scale_t")
    }
}

impl Published for ClapModel {
    type Config = ClapConfig;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.key_map()
    }
}

impl Published for ClapTextModel {
    type Config = ClapTextConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.tower_map()
    }
}

impl Published for ClapAudioModel {
    type Config = ClapAudioConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.tower_map()
    }
}

impl Published for ClapTextModelWithProjection {
    type Config = ClapTextConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init_with_projection(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.projection_map()
    }
}

impl Published for ClapAudioModelWithProjection {
    type Config = ClapAudioConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init_with_projection(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.projection_map()
    }
}
