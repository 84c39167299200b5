//! The `config.json` of wav2vec 2.0 and HuBERT: what is read of it, what is refused, and presets.

use burn::tensor::Device;
use sensorium_core::nn::{Activation, NormOrder, TransformerConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::checks;
use super::{Wav2Vec2ForCtc, Wav2Vec2ForSequenceClassification, Wav2Vec2Model};
use crate::Error;
use crate::config::{self, hidden_act};
use crate::ctc::{CtcLoss, CtcReduction};
use crate::vit::common::{self, Labels};

/// Which of the published relatives a model is: they learn from other targets, and are built alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wav2Vec2Kind {
    /// wav2vec 2.0 (arXiv 2006.11477).
    #[default]
    Wav2Vec2,
    /// HuBERT (arXiv 2106.07447).
    Hubert,
}

/// What the convolutions' outputs are normalised by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureNorm {
    /// After the first convolution alone, each channel over all frames of a sound: the base models.
    #[default]
    Group,
    /// After each convolution, each frame over all channels: the large models.
    Layer,
}

/// The `config.json` of wav2vec 2.0 or HuBERT. Keys that are not read are kept in [`other`](Self::other), so that saving
/// loses none.
///
/// # Differs from the paper
/// In training, features are dropped after attention and inside the feed-forward part, where [`sensorium_core`]'s layers
/// do it, attention weights never, and no layer is left out; without training there is no difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wav2Vec2Config {
    /// wav2vec 2.0 or HuBERT.
    #[serde(rename = "model_type", default)]
    pub kind: Wav2Vec2Kind,
    /// Width of the tokens.
    #[serde(rename = "hidden_size", default = "d_model")]
    pub d_model: usize,
    /// How many transformer blocks.
    #[serde(rename = "num_hidden_layers", default = "twelve")]
    pub n_layers: usize,
    /// How many attention heads.
    #[serde(rename = "num_attention_heads", default = "twelve")]
    pub n_heads: usize,
    /// Width of the feed-forward part.
    #[serde(rename = "intermediate_size", default = "d_ff")]
    pub d_ff: usize,
    /// Of the feed-forward part.
    #[serde(rename = "hidden_act", with = "hidden_act", default)]
    pub activation: Activation,
    /// Share of features dropped in training.
    #[serde(rename = "hidden_dropout", default = "tenth")]
    pub dropout: f64,
    /// The same of what comes out of the convolutions.
    #[serde(rename = "feat_proj_dropout", default)]
    pub projection_dropout: f64,
    /// The same before the map to characters.
    #[serde(rename = "final_dropout", default = "tenth")]
    pub final_dropout: f64,
    /// What norms add before the root.
    #[serde(rename = "layer_norm_eps", default = "epsilon")]
    pub norm_epsilon: f64,
    /// What the convolutions' outputs are normalised by.
    #[serde(rename = "feat_extract_norm", default)]
    pub feature_norm: FeatureNorm,
    /// After each convolution.
    #[serde(rename = "feat_extract_activation", with = "hidden_act", default)]
    pub feature_activation: Activation,
    /// Channels of each convolution.
    #[serde(default = "conv_dim")]
    pub conv_dim: Vec<usize>,
    /// From one frame of each convolution to the next.
    #[serde(default = "conv_stride")]
    pub conv_stride: Vec<usize>,
    /// Frames that each convolution sees at once.
    #[serde(default = "conv_kernel")]
    pub conv_kernel: Vec<usize>,
    /// Whether convolutions have biases.
    #[serde(default)]
    pub conv_bias: bool,
    /// Frames that the convolution sees which tells positions apart.
    #[serde(rename = "num_conv_pos_embeddings", default = "position_kernel")]
    pub position_kernel: usize,
    /// Groups of its channels.
    #[serde(rename = "num_conv_pos_embedding_groups", default = "sixteen")]
    pub position_groups: usize,
    /// Whether norms stand before attention and the feed-forward part: the large models.
    #[serde(rename = "do_stable_layer_norm", default)]
    pub pre_norm: bool,
    /// Whether a norm stands before the map from channels to tokens; only some HuBERTs have none.
    #[serde(
        rename = "feat_proj_layer_norm",
        default = "yes",
        skip_serializing_if = "is_yes"
    )]
    pub projection_norm: bool,
    /// Whether training hides parts of a sound (SpecAugment, arXiv 1904.08779).
    #[serde(default = "yes")]
    pub apply_spec_augment: bool,
    /// Share of frames that are hidden, overlaps counted twice.
    #[serde(default = "time_prob")]
    pub mask_time_prob: f64,
    /// How many in a row.
    #[serde(default = "ten")]
    pub mask_time_length: usize,
    /// How many rows at least.
    #[serde(default = "two")]
    pub mask_time_min_masks: usize,
    /// Share of features that are hidden, overlaps counted twice.
    #[serde(default)]
    pub mask_feature_prob: f64,
    /// How many in a row.
    #[serde(default = "ten")]
    pub mask_feature_length: usize,
    /// How many rows at least.
    #[serde(default)]
    pub mask_feature_min_masks: usize,
    /// How many characters there are, the blank included.
    #[serde(default = "vocab_size")]
    pub vocab_size: Option<usize>,
    /// Id of the blank, of which training takes that a token says nothing.
    #[serde(rename = "pad_token_id", default = "blank")]
    pub blank: Option<i64>,
    /// What becomes of the losses of a batch.
    #[serde(default)]
    pub ctc_loss_reduction: CtcReduction,
    /// Whether the loss of a text that does not fit into its sound's tokens is zero instead of infinite.
    #[serde(default)]
    pub ctc_zero_infinity: bool,
    /// Whether a classifier hears a learned mean of all layers.
    #[serde(default)]
    pub use_weighted_layer_sum: bool,
    /// Width of what a classifier takes the mean of.
    #[serde(rename = "classifier_proj_size", default = "classifier_width")]
    pub d_classifier: usize,
    /// Names of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id2label: Labels,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

// What Transformers assumes where a key is missing.
fn d_model() -> usize {
    768
}
fn twelve() -> usize {
    12
}
fn d_ff() -> usize {
    3072
}
fn tenth() -> f64 {
    0.1
}
fn epsilon() -> f64 {
    1e-5
}
fn conv_dim() -> Vec<usize> {
    vec![512; 7]
}
fn conv_stride() -> Vec<usize> {
    vec![5, 2, 2, 2, 2, 2, 2]
}
fn conv_kernel() -> Vec<usize> {
    vec![10, 3, 3, 3, 3, 2, 2]
}
fn position_kernel() -> usize {
    128
}
fn sixteen() -> usize {
    16
}
fn time_prob() -> f64 {
    0.05
}
fn ten() -> usize {
    10
}
fn two() -> usize {
    2
}
fn vocab_size() -> Option<usize> {
    Some(32)
}
fn blank() -> Option<i64> {
    Some(0)
}
fn classifier_width() -> usize {
    256
}
fn yes() -> bool {
    true
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_yes(value: &bool) -> bool {
    *value
}

impl Wav2Vec2Config {
    /// The convolutions and positions of the paper, group norm, a feed-forward width of `4 * d_model`, 32 characters.
    pub fn new(d_model: usize, n_layers: usize, n_heads: usize) -> Self {
        Self {
            kind: Wav2Vec2Kind::Wav2Vec2,
            d_model,
            n_layers,
            n_heads,
            d_ff: 4 * d_model,
            activation: Activation::Gelu,
            dropout: 0.0,
            projection_dropout: 0.0,
            final_dropout: 0.0,
            norm_epsilon: epsilon(),
            feature_norm: FeatureNorm::Group,
            feature_activation: Activation::Gelu,
            conv_dim: conv_dim(),
            conv_stride: conv_stride(),
            conv_kernel: conv_kernel(),
            conv_bias: false,
            position_kernel: position_kernel(),
            position_groups: sixteen(),
            pre_norm: false,
            projection_norm: true,
            apply_spec_augment: true,
            mask_time_prob: time_prob(),
            mask_time_length: ten(),
            mask_time_min_masks: two(),
            mask_feature_prob: 0.0,
            mask_feature_length: ten(),
            mask_feature_min_masks: 0,
            vocab_size: vocab_size(),
            blank: blank(),
            ctc_loss_reduction: CtcReduction::Sum,
            ctc_zero_infinity: false,
            use_weighted_layer_sum: false,
            d_classifier: classifier_width(),
            id2label: None,
            other: Map::new(),
        }
    }

    /// `facebook/wav2vec2-base-960h` (arXiv 2006.11477, section 4.2).
    pub fn base() -> Self {
        Self::new(768, 12, 12)
    }

    /// `facebook/wav2vec2-large-960h-lv60-self` (the same): layer norm after each convolution, norms before attention.
    pub fn large() -> Self {
        Self {
            feature_norm: FeatureNorm::Layer,
            conv_bias: true,
            pre_norm: true,
            ..Self::new(1024, 24, 16)
        }
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            d_ff: 12,
            conv_dim: vec![6, 4, 5],
            conv_stride: vec![3, 2, 1],
            conv_kernel: vec![4, 3, 2],
            position_kernel: 4,
            position_groups: 2,
            mask_time_length: 2,
            mask_feature_length: 2,
            vocab_size: Some(7),
            d_classifier: 6,
            ..Self::new(8, 2, 2)
        }
    }

    /// Classes to be told apart, in the order of the logits.
    pub fn with_labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.id2label = common::numbered(labels);
        self
    }

    /// Parses and validates a `config.json`; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key is missing, has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let config: Self = config::parse(file, json)?;
        checks::all(&config, file)?;
        Ok(config)
    }

    /// Refuses sizes that do not fit each other, and what is not supported.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        checks::all(self, "config.json")
    }

    /// Samples from one token to the next: 320, which is 20 ms, in all published models.
    pub fn samples_per_token(&self) -> usize {
        self.conv_stride.iter().product()
    }

    /// Samples that a token hears, before those around it are attended to: 400 in all published models.
    pub fn samples_heard(&self) -> usize {
        let convolutions = self.conv_kernel.iter().zip(&self.conv_stride);
        let (heard, _) = convolutions.fold((1, 1), |(heard, step), (kernel, stride)| {
            (heard + (kernel - 1) * step, step * stride)
        });
        heard
    }

    /// How many tokens come of so many samples.
    pub fn n_tokens(&self, samples: usize) -> usize {
        match samples.checked_sub(self.samples_heard()) {
            Some(rest) => rest / self.samples_per_token() + 1,
            None => 0,
        }
    }

    /// Whether training may ask for frames or features to be hidden.
    pub fn masks(&self) -> bool {
        self.mask_time_prob > 0.0 || self.mask_feature_prob > 0.0
    }

    /// Names of the classes in the order of the logits; two, `LABEL_0` and `LABEL_1`, where none are given.
    pub fn labels(&self) -> Vec<String> {
        common::names(&self.id2label)
    }

    /// The loss that this configuration asks for.
    ///
    /// # Errors
    /// If the blank is none of the characters.
    pub fn ctc_loss(&self) -> Result<CtcLoss, Error> {
        let n_ids = self.vocab_size.unwrap_or(0);
        let blank = self.blank.and_then(|blank| usize::try_from(blank).ok());
        let blank = blank.filter(|blank| *blank < n_ids);
        let blank = blank.ok_or_else(|| Error::Config {
            file: "config.json".to_owned(),
            key: "pad_token_id",
            problem: format!(
                "{} is none of the {n_ids} ids of vocab_size, but stands for the blank of the loss",
                self.blank
                    .map_or("null".to_owned(), |blank| blank.to_string())
            ),
        })?;
        Ok(CtcLoss {
            blank,
            reduction: self.ctc_loss_reduction,
            zero_infinity: self.ctc_zero_infinity,
        })
    }

    pub(super) fn transformer(&self) -> TransformerConfig {
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_d_ff(self.d_ff)
            .with_activation(self.activation)
            .with_norm_epsilon(self.norm_epsilon)
            .with_dropout(self.dropout)
            .with_order(match self.pre_norm {
                true => NormOrder::Pre,
                false => NormOrder::Post,
            })
    }

    /// A freshly initialised tower.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> Wav2Vec2Model {
        Wav2Vec2Model::new(self, device)
    }

    /// A tower that writes down what it hears, in `vocab_size` characters.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it, or `vocab_size` is `None`.
    pub fn init_ctc(&self, device: &Device) -> Wav2Vec2ForCtc {
        Wav2Vec2ForCtc::new(self, device)
    }

    /// A tower that classifies sounds into [`labels`](Self::labels).
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_classification(&self, device: &Device) -> Wav2Vec2ForSequenceClassification {
        Wav2Vec2ForSequenceClassification::new(self, device)
    }
}
