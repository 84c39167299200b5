//! What BERT's tensors are called in published checkpoints, as pairs of our path and theirs; `{}` is one segment that
//! is carried over.

use burn::tensor::Device;
use sensorium_hub::{KeyMap, Weights};

use super::{BertConfig, BertForMaskedLm, BertForSequenceClassification, BertKind, BertModel};
use crate::Published;
use crate::published::{holds, pairs};

const TOWER: [(&str, &str); 12] = [
    ("embeddings.word", "embeddings.word_embeddings"),
    ("embeddings.position", "embeddings.position_embeddings"),
    ("embeddings.token_type", "embeddings.token_type_embeddings"),
    ("embeddings.norm", "embeddings.LayerNorm"),
    (
        "encoder.blocks.{}.attention.query",
        "encoder.layer.{}.attention.self.query",
    ),
    (
        "encoder.blocks.{}.attention.key",
        "encoder.layer.{}.attention.self.key",
    ),
    (
        "encoder.blocks.{}.attention.value",
        "encoder.layer.{}.attention.self.value",
    ),
    (
        "encoder.blocks.{}.attention.output",
        "encoder.layer.{}.attention.output.dense",
    ),
    (
        "encoder.blocks.{}.norm_attention",
        "encoder.layer.{}.attention.output.LayerNorm",
    ),
    (
        "encoder.blocks.{}.feed_forward.up",
        "encoder.layer.{}.intermediate.dense",
    ),
    (
        "encoder.blocks.{}.feed_forward.down",
        "encoder.layer.{}.output.dense",
    ),
    (
        "encoder.blocks.{}.norm_feed_forward",
        "encoder.layer.{}.output.LayerNorm",
    ),
];

const POOLER: (&str, &str) = ("pooler", "pooler.dense");

const BERT_MASKED_LM: [(&str, &str); 4] = [
    ("transform", "cls.predictions.transform.dense"),
    ("norm", "cls.predictions.transform.LayerNorm"),
    ("decoder", "cls.predictions.decoder"),
    ("bias", "cls.predictions.bias"),
];

const ROBERTA_MASKED_LM: [(&str, &str); 4] = [
    ("transform", "lm_head.dense"),
    ("norm", "lm_head.layer_norm"),
    ("decoder", "lm_head.decoder"),
    ("bias", "lm_head.bias"),
];

// The pooler of RoBERTa's classifier is a part of the classifier.
const ROBERTA_CLASSIFICATION: [(&str, &str); 2] = [
    ("bert.pooler", "classifier.dense"),
    ("classifier", "classifier.out_proj"),
];

impl BertKind {
    /// The name of the tower in checkpoints of a tower with a head.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta | Self::XlmRoberta | Self::Camembert => "roberta",
        }
    }

    /// Names of the head that guesses masked words.
    fn masked_lm_head(self) -> [(&'static str, &'static str); 4] {
        match self {
            Self::Bert => BERT_MASKED_LM,
            Self::Roberta | Self::XlmRoberta | Self::Camembert => ROBERTA_MASKED_LM,
        }
    }
}

impl BertConfig {
    /// Names of a [`BertModel`](super::BertModel), which stand under [`BertKind::prefix`] in a checkpoint of a tower with a
    /// head.
    pub fn tower_map(&self) -> KeyMap {
        pairs(&TOWER)
            .and(pairs(&[POOLER]))
            .ignore("embeddings.position_ids")
            .prefixes([String::new(), format!("{}.", self.kind.prefix())])
    }

    /// Names of a [`BertForMaskedLm`](super::BertForMaskedLm).
    pub fn masked_lm_map(&self) -> KeyMap {
        let head = self.kind.masked_lm_head();
        let [.., (_, decoder), _] = head;
        // What was only for training.
        let map = self
            .with_head(&head)
            .ignore("cls.seq_relationship")
            .ignore(&format!("{}.pooler", self.kind.prefix()));
        match self.tied {
            true => map.ignore(decoder), // a copy of what it is tied to
            false => map,
        }
    }

    /// Names of a [`BertForSequenceClassification`](super::BertForSequenceClassification).
    pub fn classification_map(&self) -> KeyMap {
        match self.kind {
            BertKind::Bert => self.with_head(&[]),
            _ => pairs(&ROBERTA_CLASSIFICATION).and(self.with_head(&[])),
        }
    }

    fn with_head(&self, head: &[(&str, &str)]) -> KeyMap {
        pairs(head).and(self.tower_map().nested("bert", self.kind.prefix()))
    }
}

impl Published for BertModel {
    type Config = BertConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, weights: &Weights, device: &Device) -> Self {
        match holds(weights, "pooler.dense.weight") {
            true => config.init_with_pooler(device),
            false => config.init(device),
        }
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.tower_map()
    }
}

impl Published for BertForMaskedLm {
    type Config = BertConfig;

    fn prepare(config: &Self::Config, weights: &Weights, device: &Device) -> Self {
        let [.., (_, decoder), _] = config.kind.masked_lm_head();
        // Older checkpoints hold the decoder's bias as the head's only.
        let own_bias = holds(weights, &format!("{decoder}.bias"));
        Self::new(config, own_bias, device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.masked_lm_map()
    }
}

impl Published for BertForSequenceClassification {
    type Config = BertConfig;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init_classification(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.classification_map()
    }
}
