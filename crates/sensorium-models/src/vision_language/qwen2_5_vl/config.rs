//! What of a Qwen2.5-VL's `config.json` says how images are seen.

use burn::tensor::Device;
use sensorium_core::nn::{Activation, NormConfig, NormKind, Rotary, TransformerConfig};
use sensorium_hub::KeyMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{MergeProjector, Qwen25VlVisionModel};
use crate::Error;
use crate::clip::nested;
use crate::config::{self, hidden_act};
use crate::error::{need, size};
use crate::published::pairs;
use crate::vision_language::{ImageEncoder, ImageFeatures, Projector};
use crate::vit::common;

/// What rotary positions of published models begin with; none says otherwise.
const BASE: f64 = 10_000.0;

/// How a Qwen2.5-VL sees images: the object `vision_config`. A key that is missing has the value that Transformers assumes;
/// keys that are not read are kept in [`other`](Self::other).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default = "Qwen25VlImagesConfig::assumed")]
pub struct Qwen25VlImagesConfig {
    /// How many transformer blocks.
    #[serde(rename = "depth")]
    pub n_layers: usize,
    /// Width of the patches' vectors.
    #[serde(rename = "hidden_size")]
    pub d_model: usize,
    /// How many attention heads.
    #[serde(rename = "num_heads")]
    pub n_heads: usize,
    /// Width of the feed-forward part.
    #[serde(rename = "intermediate_size")]
    pub d_ff: usize,
    /// Of the feed-forward part's gate.
    #[serde(rename = "hidden_act", with = "hidden_act")]
    pub activation: Activation,
    /// 3 for colour.
    #[serde(rename = "in_channels")]
    pub channels: usize,
    /// Height and width of a patch, in pixels.
    pub patch_size: usize,
    /// How many frames a patch is of; a still image is repeated.
    #[serde(rename = "temporal_patch_size")]
    pub frames: usize,
    /// So many patches a side become one vector.
    #[serde(rename = "spatial_merge_size")]
    pub merge: usize,
    /// Height and width of a window, in pixels.
    pub window_size: usize,
    /// Which blocks see whole images.
    #[serde(rename = "fullatt_block_indexes")]
    pub whole: Vec<usize>,
    /// Width of the text's tokens.
    #[serde(rename = "out_hidden_size")]
    pub d_text: usize,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Qwen25VlImagesConfig {
    /// What Transformers assumes where a key is missing.
    fn assumed() -> Self {
        Self {
            n_layers: 32,
            d_model: 3584,
            n_heads: 16,
            d_ff: 3420,
            activation: Activation::Silu,
            channels: 3,
            patch_size: 14,
            frames: 2,
            merge: 2,
            window_size: 112,
            whole: vec![7, 15, 23, 31],
            d_text: 3584,
            other: Map::new(),
        }
    }

    /// The tower of all sizes (arXiv 2502.13923, table 1), with vectors as wide as those of `Qwen/Qwen2.5-VL-3B-Instruct`.
    pub fn qwen2_5_vl_3b() -> Self {
        Self {
            d_model: 1280,
            d_text: 2048,
            ..Self::assumed()
        }
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            n_layers: 2,
            d_model: 8,
            n_heads: 2,
            d_ff: 12,
            patch_size: 2,
            window_size: 8,
            whole: vec![1],
            d_text: 8,
            ..Self::assumed()
        }
    }

    /// Parses and validates a `config.json`; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let place = nested::place(file, nested::VISION);
        let nothing = Value::Object(Map::new());
        let vision = json.get(nested::VISION).filter(|vision| !vision.is_null());
        let vision = vision.unwrap_or(&nothing);
        let base = &vision["rope_parameters"]["rope_theta"];
        need(
            base.is_null() || base.as_f64() == Some(BASE),
            &place,
            "rope_theta",
            || format!("{base} is not supported; {BASE} is"),
        )?;
        let config: Self = config::parse(&place, vision)?;
        config.validate_as(&place)?;
        Ok(config)
    }

    /// Refuses sizes that do not fit each other.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_as("config.json")
    }

    fn validate_as(&self, file: &str) -> Result<(), Error> {
        common::validate_blocks(file, self.d_model, self.n_heads, self.n_layers)?;
        let d_head = self.d_model / self.n_heads;
        need(d_head.is_multiple_of(4), file, "hidden_size", || {
            format!(
                "gives heads of {d_head} features; a multiple of 4 is needed, for positions on two axes"
            )
        })?;
        size(file, "intermediate_size", self.d_ff, 1 << 20)?;
        need(
            self.activation == Activation::Silu,
            file,
            "hidden_act",
            || "must be silu".to_owned(),
        )?;
        size(file, "in_channels", self.channels, 64)?;
        size(file, "patch_size", self.patch_size, 256)?;
        size(file, "temporal_patch_size", self.frames, 16)?;
        size(file, "spatial_merge_size", self.merge, 16)?;
        size(file, "out_hidden_size", self.d_text, 65_536)?;
        let least = self.merge * self.patch_size;
        need(self.window_size >= least, file, "window_size", || {
            format!(
                "{} must be at least patch_size * spatial_merge_size = {least}",
                self.window_size
            )
        })?;
        let inside = self.whole.iter().all(|block| *block < self.n_layers);
        need(inside, file, "fullatt_block_indexes", || {
            format!("{:?} must be below depth = {}", self.whole, self.n_layers)
        })
    }

    /// How many merged squares a side are a window.
    pub(super) fn window(&self) -> usize {
        self.window_size / self.merge / self.patch_size
    }

    /// How many numbers a patch is.
    pub fn d_patch(&self) -> usize {
        self.channels * self.frames * self.patch_size * self.patch_size
    }

    pub(super) fn blocks(&self) -> TransformerConfig {
        // A quarter of a head's features for each of two axes, each in its own half of the pairs.
        let quarter = self.d_model / self.n_heads / 4;
        let speed = |pair: usize| BASE.powf(-(pair as f64) / quarter as f64);
        let speeds = (0..2 * quarter).map(|pair| speed(pair % quarter));
        let rotary = Rotary::with_speeds(speeds.collect(), 1.0).on_axes(&[quarter; 2]);
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_d_ff(self.d_ff)
            .with_norm(NormKind::Rms)
            .with_norm_epsilon(EPSILON)
            .with_activation(Activation::SwiGlu)
            .with_fused_qkv(true)
            .with_rotary(Some(rotary))
            .with_final_norm(false)
    }

    /// A freshly initialised model.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> ImageFeatures {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let projector = MergeProjector::new(self.d_model, self.merge, self.d_text, device);
        ImageFeatures {
            encoder: ImageEncoder::Qwen25Vl(Qwen25VlVisionModel::new(self, device)),
            projector: Projector::Merge(projector),
        }
    }

    pub(in crate::vision_language) fn bare_map(&self) -> KeyMap {
        pairs(&NAMES)
    }
}

/// What norms add before the root; no file says it.
const EPSILON: f64 = 1e-6;

/// A norm of `d_model` features.
pub(super) fn norm(d_model: usize) -> NormConfig {
    NormConfig::new(d_model)
        .with_kind(NormKind::Rms)
        .with_epsilon(EPSILON)
}

/// Pairs of our path and theirs.
const NAMES: [(&str, &str); 11] = [
    ("encoder.patch", "visual.patch_embed.proj.weight"),
    (
        "encoder.encoder.blocks.{}.norm_attention",
        "visual.blocks.{}.norm1",
    ),
    (
        "encoder.encoder.blocks.{}.attention.qkv",
        "visual.blocks.{}.attn.qkv",
    ),
    (
        "encoder.encoder.blocks.{}.attention.output",
        "visual.blocks.{}.attn.proj",
    ),
    (
        "encoder.encoder.blocks.{}.norm_feed_forward",
        "visual.blocks.{}.norm2",
    ),
    (
        "encoder.encoder.blocks.{}.feed_forward.gate",
        "visual.blocks.{}.mlp.gate_proj",
    ),
    (
        "encoder.encoder.blocks.{}.feed_forward.up",
        "visual.blocks.{}.mlp.up_proj",
    ),
    (
        "encoder.encoder.blocks.{}.feed_forward.down",
        "visual.blocks.{}.mlp.down_proj",
    ),
    ("projector.norm", "visual.merger.ln_q"),
    ("projector.up", "visual.merger.mlp.0"),
    ("projector.down", "visual.merger.mlp.2"),
];
