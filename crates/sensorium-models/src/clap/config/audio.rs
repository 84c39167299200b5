//! The audio tower's part of CLAP's `config.json`.

use burn::tensor::Device;
use sensorium_core::nn::Activation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Beside, WIDEST};
use crate::Error;
use crate::clap::{ClapAudioModel, ClapAudioModelWithProjection};
use crate::clip::nested;
use crate::config::hidden_act;
use crate::error::{need, share, size};
use crate::vit::common::{self, MOST_PLACES, sides};

/// Sounds that are too long are heard in so many views where views are fused: all of it, and three crops.
const VIEWS: usize = 4;

/// The audio tower of a CLAP's `config.json`: the object `audio_config`, or a file of its own. It is an HTSAT
/// (arXiv 2202.00874): a Swin transformer over a spectrogram that is cut in time and laid out as a square.
///
/// A key that is missing has the value of Transformers, which is that of `laion/clap-htsat-unfused`. Keys that are not read
/// are kept in [`other`](Self::other), so that saving loses none.
///
/// # Differs from the paper
/// In training, features are dropped after attention and inside the feed-forward part, where [`sensorium_core`]'s layers
/// do it, and attention weights never; published models drop nothing there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default = "ClapAudioConfig::htsat")]
pub struct ClapAudioConfig {
    /// Places of a window, in each direction.
    pub window_size: usize,
    /// Bands of a frame.
    #[serde(rename = "num_mel_bins")]
    pub n_mels: usize,
    /// Height and width of the square that a spectrogram becomes.
    pub spec_size: usize,
    /// Of the feed-forward part.
    #[serde(rename = "hidden_act", with = "hidden_act")]
    pub activation: Activation,
    /// `[height, width]` of patches.
    #[serde(with = "sides")]
    pub patch_size: [usize; 2],
    /// `[height, width]` from one patch to the next.
    #[serde(with = "sides")]
    pub patch_stride: [usize; 2],
    /// Channels of a spectrogram.
    #[serde(rename = "patch_embed_input_channels")]
    pub channels: usize,
    /// Width of the tokens in the first stage; each later stage has twice the width of the one before.
    #[serde(rename = "patch_embeds_hidden_size")]
    pub d_patch: usize,
    /// Width of the tokens in the last stage.
    #[serde(rename = "hidden_size")]
    pub d_model: usize,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
    /// Attention heads of each stage.
    #[serde(rename = "num_attention_heads")]
    pub n_heads: Vec<usize>,
    /// Width of the feed-forward part, in widths of the tokens.
    pub mlp_ratio: f64,
    /// Whether query, key and value have biases.
    pub qkv_bias: bool,
    /// What norms of blocks add before the root.
    #[serde(rename = "layer_norm_eps")]
    pub norm_epsilon: f64,
    /// Whether patches are normalised.
    #[serde(rename = "enable_patch_layer_norm")]
    pub patch_norm: bool,
    /// Share of features dropped in training, in the feed-forward part.
    #[serde(rename = "hidden_dropout_prob")]
    pub dropout: f64,
    /// The same, after attention.
    #[serde(rename = "attention_probs_dropout_prob")]
    pub attention_dropout: f64,
    /// Chance of skipping the attention of the last block in training; earlier blocks skip less, in proportion to their
    /// depth.
    #[serde(rename = "drop_path_rate")]
    pub drop_path: f64,
    /// Whether crops of a sound that is too long are fused with all of it.
    #[serde(rename = "enable_fusion")]
    pub fusion: bool,
    /// How many times narrower fusing is inside.
    #[serde(rename = "aff_block_r")]
    pub fusion_ratio: usize,
    /// Width of the embedding of a tower with a projection. Both towers together have that of the whole model.
    #[serde(rename = "projection_dim")]
    pub d_embed: usize,
    /// Between the layers of the projection.
    #[serde(rename = "projection_hidden_act", with = "hidden_act")]
    pub projection_activation: Activation,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl ClapAudioConfig {
    /// HTSAT-tiny, as in `laion/clap-htsat-unfused` (arXiv 2211.06687, section 4.1).
    pub fn htsat() -> Self {
        Self {
            window_size: 8,
            n_mels: 64,
            spec_size: 256,
            activation: Activation::Gelu,
            patch_size: [4; 2],
            patch_stride: [4; 2],
            channels: 1,
            d_patch: 96,
            d_model: 768,
            depths: vec![2, 2, 6, 2],
            n_heads: vec![4, 8, 16, 32],
            mlp_ratio: 4.0,
            qkv_bias: true,
            norm_epsilon: 1e-5,
            patch_norm: true,
            dropout: 0.1,
            attention_dropout: 0.0,
            drop_path: 0.0,
            fusion: false,
            fusion_ratio: 4,
            d_embed: super::d_embed(),
            projection_activation: super::activation(),
            other: Map::new(),
        }
    }

    /// As small as it goes, with one stage of each kind: for tests and examples.
    pub fn debug() -> Self {
        Self {
            window_size: 2,
            n_mels: 4,
            spec_size: 16,
            d_patch: 4,
            d_model: 8,
            depths: vec![2, 1],
            n_heads: vec![1, 2],
            mlp_ratio: 1.5,
            dropout: 0.0,
            fusion_ratio: 2,
            patch_size: [2; 2],
            patch_stride: [2; 2],
            d_embed: 5,
            ..Self::htsat()
        }
    }

    /// Fuses crops of a sound that is too long with all of it.
    pub fn with_fusion(mut self) -> Self {
        self.fusion = true;
        self
    }

    /// Parses and validates the `config.json` of an audio tower or of a whole CLAP; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let mut config: Self = nested::parse(file, json, nested::AUDIO)?;
        if let Some(beside) = Beside::of_whole(file, json)? {
            config = config.within(&beside);
        }
        config.validate_as(&nested::place_in(file, json, nested::AUDIO))?;
        Ok(config)
    }

    pub(super) fn within(self, whole: &Beside) -> Self {
        Self {
            d_embed: whole.d_embed,
            projection_activation: whole.projection_activation,
            ..self
        }
    }

    /// Refuses sizes that do not fit each other, and what is not supported.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_as("config.json")
    }

    pub(super) fn validate_as(&self, file: &str) -> Result<(), Error> {
        self.validate_spectrogram(file)?;
        self.validate_patches(file)?;
        self.validate_stages(file)?;
        self.validate_grid(file)?;
        common::validate_epsilon(file, self.norm_epsilon)?;
        share(file, "hidden_dropout_prob", self.dropout)?;
        share(file, "attention_probs_dropout_prob", self.attention_dropout)?;
        share(file, "drop_path_rate", self.drop_path)?;
        size(file, "projection_dim", self.d_embed, WIDEST)?;
        self.validate_other(file)
    }

    /// Cut in time, a spectrogram fills the square.
    fn validate_spectrogram(&self, file: &str) -> Result<(), Error> {
        let (side, bands) = (self.spec_size, self.n_mels);
        size(file, "spec_size", side, 4096)?;
        size(file, "num_mel_bins", bands, 4096)?;
        need(bands <= side, file, "num_mel_bins", || {
            format!("{bands} must be at most spec_size = {side}")
        })?;
        let ratio = self.freq_ratio();
        need(side.is_multiple_of(ratio), file, "spec_size", || {
            format!("{side} must be a multiple of {ratio}, as often as num_mel_bins = {bands} fit")
        })?;
        need(
            self.channels == 1,
            file,
            "patch_embed_input_channels",
            || format!("{} is not supported; 1 is", self.channels),
        )
    }

    fn validate_patches(&self, file: &str) -> Result<(), Error> {
        for (patch, stride) in self.patch_size.into_iter().zip(self.patch_stride) {
            size(file, "patch_size", patch, 4096)?;
            size(file, "patch_stride", stride, 4096)?;
            let (least, side) = (self.narrowest(), self.spec_size);
            let fits = patch >= stride && patch <= least;
            need(fits, file, "patch_size", || {
                format!(
                    "{patch} must be patch_stride = {stride} to {least}, for spec_size = {side}"
                )
            })?;
            // A convolution must have as many places as the stages go by.
            let padded = side + (patch - stride) / 2 * 2;
            let places = (padded - patch) / stride + 1;
            need(places == side / stride, file, "patch_size", || {
                format!(
                    "{patch} gives {places} patches, but patch_stride = {stride} goes {} times into spec_size = {side}",
                    side / stride
                )
            })?;
        }
        Ok(())
    }

    /// The largest patch: crops are heard in patches of three times the width.
    fn narrowest(&self) -> usize {
        match self.fusion {
            true => self.spec_size / 3,
            false => self.spec_size,
        }
    }

    fn validate_stages(&self, file: &str) -> Result<(), Error> {
        let stages = self.depths.len();
        size(file, "patch_embeds_hidden_size", self.d_patch, 65_536)?;
        if self.fusion {
            size(file, "aff_block_r", self.fusion_ratio, self.d_patch)?;
        }
        need((1..=8).contains(&stages), file, "depths", || {
            format!("{stages} stages must be 1 to 8")
        })?;
        need(
            self.n_heads.len() == stages,
            file,
            "num_attention_heads",
            || {
                let found = self.n_heads.len();
                format!("has {found} numbers, but depths has {stages}")
            },
        )?;
        let ratio = self.mlp_ratio;
        need(ratio > 0.0 && ratio <= 64.0, file, "mlp_ratio", || {
            format!("{ratio} must be above 0 and at most 64")
        })?;
        for (stage, (&depth, &heads)) in self.depths.iter().zip(&self.n_heads).enumerate() {
            let width = self.width(stage);
            size(file, "depths", depth, 512)?;
            size(file, "num_attention_heads", heads, 1024)?;
            size(file, "patch_embeds_hidden_size", width, 65_536)?;
            size(file, "mlp_ratio", self.d_ff(stage), 1 << 20)?;
            need(
                width.is_multiple_of(heads),
                file,
                "num_attention_heads",
                || format!("{heads} must divide {width}, the width of stage {stage}"),
            )?;
        }
        let last = self.width(stages - 1);
        need(self.d_model == last, file, "hidden_size", || {
            let first = self.d_patch;
            format!(
                "{} must be {last}, as patch_embeds_hidden_size = {first} becomes in {stages} stages",
                self.d_model
            )
        })
    }

    /// Windows and halvings fit the grid of every stage.
    fn validate_grid(&self, file: &str) -> Result<(), Error> {
        size(file, "window_size", self.window_size, 32)?;
        let [rows, columns] = self.grid();
        need(rows * columns <= MOST_PLACES, file, "spec_size", || {
            format!("has {rows} x {columns} patches; {MOST_PLACES} in all are allowed")
        })?;
        let halved = 1 << (self.depths.len() - 1);
        let even = rows.is_multiple_of(halved) && columns.is_multiple_of(halved);
        need(even, file, "depths", || {
            format!("{rows} x {columns} patches cannot be halved before each later stage")
        })?;
        let [rows, columns] = [rows / halved, columns / halved];
        let window = self.window_size;
        need(rows.min(columns) >= window, file, "window_size", || {
            format!("{window} is more than the last stage has: {rows} x {columns}")
        })?;
        let ratio = self.freq_ratio();
        let bins = rows / ratio;
        let whole = bins > 0 && rows.is_multiple_of(bins);
        need(whole, file, "num_mel_bins", || {
            format!("{rows} rows of the last stage cannot be divided among {ratio} parts in time")
        })
    }

    /// Keys that would change the model.
    fn validate_other(&self, file: &str) -> Result<(), Error> {
        let map = self.other.get("fusion_type").and_then(Value::as_str);
        let mapped = self.fusion && map == Some("channel_map");
        need(!mapped, file, "fusion_type", || {
            "\"channel_map\" is not supported; \"aff_2d\" is".to_owned()
        })?;
        let flat = self.other.get("flatten_patch_embeds");
        let flat = flat.is_none_or(|flat| flat != &Value::Bool(false));
        need(flat, file, "flatten_patch_embeds", || {
            "false is not supported; true is".to_owned()
        })
    }

    /// Parts in time that a spectrogram is cut into, which come to lie below each other.
    pub fn freq_ratio(&self) -> usize {
        self.spec_size / self.n_mels
    }

    /// Frames and bands of a spectrogram that fills the square; one with fewer is stretched.
    pub fn spectrogram(&self) -> [usize; 2] {
        let ratio = self.freq_ratio();
        [self.spec_size * ratio, self.spec_size / ratio]
    }

    /// Views of each sound.
    pub fn views(&self) -> usize {
        match self.fusion {
            true => VIEWS,
            false => 1,
        }
    }

    /// Rows and columns of patches in the first stage.
    pub fn grid(&self) -> [usize; 2] {
        self.patch_stride.map(|stride| self.spec_size / stride)
    }

    /// Width of the tokens in a stage.
    pub fn width(&self, stage: usize) -> usize {
        self.d_patch << stage
    }

    /// Width of the feed-forward part in a stage.
    pub fn d_ff(&self, stage: usize) -> usize {
        (self.mlp_ratio * self.width(stage) as f64) as usize
    }

    /// Bands and times of the tokens that come out.
    pub fn places(&self) -> [usize; 2] {
        let halved = 1 << (self.depths.len() - 1);
        let [rows, columns] = self.grid().map(|side| side / halved);
        let bins = rows / self.freq_ratio();
        [bins, rows / bins * columns]
    }

    /// How many tokens come out.
    pub fn n_tokens(&self) -> usize {
        let [bands, times] = self.places();
        bands * times
    }

    /// A freshly initialised tower.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> ClapAudioModel {
        ClapAudioModel::new(self, device)
    }

    /// The same with a projection to [`d_embed`](Self::d_embed).
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_with_projection(&self, device: &Device) -> ClapAudioModelWithProjection {
        ClapAudioModelWithProjection::new(self, device)
    }
}
