//! BERT's and RoBERTa's `config.json`: what is read of it, what is refused, and presets.

use std::collections::BTreeMap;

use burn::tensor::Device;
use sensorium_core::nn::{Activation, NormOrder, TransformerConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{BertForMaskedLm, BertForSequenceClassification, BertModel};
use crate::error::{need, share, size};
use crate::{Error, config};

/// Which of the published relatives a model is: they differ in how positions are counted and in the names of heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BertKind {
    /// Positions from 0 (arXiv 1810.04805).
    #[default]
    Bert,
    /// Positions from the padding id and one (arXiv 1907.11692).
    Roberta,
    /// RoBERTa in a hundred languages (arXiv 1911.02116).
    XlmRoberta,
    /// RoBERTa in French (arXiv 1911.03894).
    Camembert,
}

/// A BERT's `config.json`. Keys that are not read are kept in [`other`](Self::other), so that saving loses none.
///
/// # Differs from the paper
/// Dropout is applied after attention and inside the feed-forward part, where [`sensorium_core`]'s layers have it, not
/// on attention weights; without training there is no difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BertConfig {
    /// BERT or a relative.
    #[serde(rename = "model_type", default)]
    pub kind: BertKind,
    /// Rows of the table of words.
    pub vocab_size: usize,
    /// Width of the tokens.
    #[serde(rename = "hidden_size")]
    pub d_model: usize,
    /// How many transformer blocks.
    #[serde(rename = "num_hidden_layers")]
    pub n_layers: usize,
    /// How many attention heads.
    #[serde(rename = "num_attention_heads")]
    pub n_heads: usize,
    /// Width of the feed-forward part.
    #[serde(rename = "intermediate_size")]
    pub d_ff: usize,
    /// Rows of the table of positions, those that RoBERTa never uses included.
    #[serde(rename = "max_position_embeddings")]
    pub max_positions: usize,
    /// Rows of the table of token types.
    #[serde(rename = "type_vocab_size", default = "two")]
    pub n_types: usize,
    /// Of the feed-forward part, and of the masked-LM head of [`BertKind::Bert`].
    #[serde(rename = "hidden_act", with = "config::hidden_act", default)]
    pub activation: Activation,
    /// What norms add before the root.
    #[serde(rename = "layer_norm_eps", default = "epsilon")]
    pub norm_epsilon: f64,
    /// Share of features dropped in training.
    #[serde(rename = "hidden_dropout_prob", default = "dropout")]
    pub dropout: f64,
    /// Share of features dropped before the classifier in training; by default as elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier_dropout: Option<f64>,
    /// The id of padding; by default 0, and 1 in RoBERTa.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad_token_id: Option<usize>,
    /// Whether the masked-LM head multiplies with the table of words.
    #[serde(rename = "tie_word_embeddings", default = "yes")]
    pub tied: bool,
    /// Names of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id2label: Option<BTreeMap<usize, String>>,
    /// All other keys.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

// What Transformers assumes where a key is missing.
fn two() -> usize {
    2
}
fn epsilon() -> f64 {
    1e-12
}
fn dropout() -> f64 {
    0.1
}
fn yes() -> bool {
    true
}

impl BertConfig {
    /// BERT with a feed-forward width of `4 * d_model` and 512 positions.
    pub fn new(vocab_size: usize, d_model: usize, n_layers: usize, n_heads: usize) -> Self {
        Self {
            kind: BertKind::Bert,
            vocab_size,
            d_model,
            n_layers,
            n_heads,
            d_ff: 4 * d_model,
            max_positions: 512,
            n_types: two(),
            activation: Activation::Gelu,
            norm_epsilon: epsilon(),
            dropout: dropout(),
            classifier_dropout: None,
            pad_token_id: None,
            tied: true,
            id2label: None,
            other: Map::new(),
        }
    }

    /// BERT-base, uncased (arXiv 1810.04805, section 3).
    pub fn base_uncased() -> Self {
        Self::new(30_522, 768, 12, 12)
    }

    /// RoBERTa-base (arXiv 1907.11692, table 9).
    pub fn roberta_base() -> Self {
        Self {
            max_positions: 514,
            n_types: 1,
            norm_epsilon: 1e-5,
            ..Self::new(50_265, 768, 12, 12)
        }
        .with_kind(BertKind::Roberta)
    }

    /// MiniLM with six layers, under the sentence encoder all-MiniLM-L6-v2 (arXiv 2002.10957).
    pub fn minilm_l6() -> Self {
        Self::new(30_522, 384, 6, 12)
    }

    /// As small as it goes: for tests and examples.
    pub fn debug() -> Self {
        Self {
            d_ff: 12,
            max_positions: 10,
            dropout: 0.0,
            ..Self::new(20, 8, 2, 2)
        }
    }

    /// BERT or a relative.
    pub fn with_kind(mut self, kind: BertKind) -> Self {
        self.kind = kind;
        self
    }

    /// Classes to be told apart, in the order of the logits.
    pub fn with_labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let labels = labels.into_iter().map(Into::into).enumerate();
        self.id2label = Some(labels.collect());
        self
    }

    /// Parses and validates a `config.json`; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key is missing, has the wrong type, or a value that cannot work.
    pub fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        let config: Self = config::parse(file, json)?;
        config.validate_as(file)?;
        Ok(config)
    }

    /// Refuses sizes that do not fit each other, and what is not supported.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_as("config.json")
    }

    pub(crate) fn validate_as(&self, file: &str) -> Result<(), Error> {
        size(file, "vocab_size", self.vocab_size, 1 << 24)?;
        size(file, "num_hidden_layers", self.n_layers, 512)?;
        size(file, "num_attention_heads", self.n_heads, 1024)?;
        size(file, "hidden_size", self.d_model, 65_536)?;
        let divides = self.d_model.is_multiple_of(self.n_heads);
        need(divides, file, "hidden_size", || {
            let heads = self.n_heads;
            format!(
                "{} must be a multiple of num_attention_heads = {heads}",
                self.d_model
            )
        })?;
        size(file, "intermediate_size", self.d_ff, 1 << 20)?;
        size(file, "type_vocab_size", self.n_types, 65_536)?;
        size(file, "max_position_embeddings", self.max_positions, 1 << 20)?;
        let enough = self.first_position() < self.max_positions;
        need(enough, file, "max_position_embeddings", || {
            let first = self.first_position();
            format!(
                "{} must be above the first position, {first}",
                self.max_positions
            )
        })?;
        need(
            self.pad_id() < self.vocab_size,
            file,
            "pad_token_id",
            || {
                format!(
                    "{} must be below vocab_size = {}",
                    self.pad_id(),
                    self.vocab_size
                )
            },
        )?;
        let epsilon = self.norm_epsilon;
        need(
            epsilon > 0.0 && epsilon < 1.0,
            file,
            "layer_norm_eps",
            || format!("{epsilon} must be above 0 and below 1"),
        )?;
        share(file, "hidden_dropout_prob", self.dropout)?;
        share(
            file,
            "classifier_dropout",
            self.classifier_dropout.unwrap_or(0.0),
        )?;
        self.validate_labels(file)?;
        self.validate_other(file)
    }

    fn validate_labels(&self, file: &str) -> Result<(), Error> {
        let Some(labels) = &self.id2label else {
            return Ok(());
        };
        let counted = !labels.is_empty() && labels.keys().copied().eq(0..labels.len());
        need(counted, file, "id2label", || {
            "its ids must count from 0 without a gap".to_owned()
        })
    }

    /// Keys that would change the model.
    fn validate_other(&self, file: &str) -> Result<(), Error> {
        let positions = self.other.get("position_embedding_type");
        let absolute = positions.is_none_or(|p| p.is_null() || p == "absolute");
        need(absolute, file, "position_embedding_type", || {
            let found = positions.cloned().unwrap_or_default();
            format!("{found} is not supported; \"absolute\" is")
        })?;
        let decoder = self.other.get("is_decoder").and_then(Value::as_bool);
        need(decoder != Some(true), file, "is_decoder", || {
            "a BERT that decodes is not supported; use an encoder's checkpoint".to_owned()
        })
    }

    /// The id of padding.
    pub fn pad_id(&self) -> usize {
        self.pad_token_id
            .unwrap_or(usize::from(self.kind != BertKind::Bert))
    }

    /// The position of the first token.
    pub fn first_position(&self) -> usize {
        match self.kind {
            BertKind::Bert => 0,
            _ => self.pad_id() + 1,
        }
    }

    /// The longest text, in tokens.
    pub fn max_tokens(&self) -> usize {
        self.max_positions.saturating_sub(self.first_position())
    }

    /// Names of the classes in the order of the logits; two, `LABEL_0` and `LABEL_1`, where none are given.
    pub fn labels(&self) -> Vec<String> {
        match &self.id2label {
            Some(labels) => labels.values().cloned().collect(),
            None => (0..2).map(|id| format!("LABEL_{id}")).collect(),
        }
    }

    /// The blocks.
    pub(super) fn transformer(&self) -> TransformerConfig {
        TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_d_ff(self.d_ff)
            .with_activation(self.activation)
            .with_order(NormOrder::Post)
            .with_norm_epsilon(self.norm_epsilon)
            .with_dropout(self.dropout)
    }

    /// A freshly initialised tower, without a pooler.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> BertModel {
        BertModel::new(self, false, device)
    }

    /// The same with a pooler.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_with_pooler(&self, device: &Device) -> BertModel {
        BertModel::new(self, true, device)
    }

    /// A tower that guesses masked words.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_masked_lm(&self, device: &Device) -> BertForMaskedLm {
        BertForMaskedLm::new(self, true, device)
    }

    /// A tower that classifies texts into [`labels`](Self::labels).
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init_classification(&self, device: &Device) -> BertForSequenceClassification {
        BertForSequenceClassification::new(self, device)
    }
}
