//! What BERT's tensors are called in published checkpoints, as pairs of our path and theirs; `{}` is one segment that
//! is carried over.

use super::{BertConfig, BertKind};

/// A path of ours and the published one, each the beginning of a parameter's name.
pub type Rename = (String, String);

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
}

impl BertConfig {
    /// Names of a [`BertModel`](super::BertModel). In a checkpoint of a tower with a head, theirs stand under
    /// [`BertKind::prefix`].
    pub fn tower_names(&self) -> Vec<Rename> {
        TOWER.into_iter().chain([POOLER]).map(owned).collect()
    }

    /// Names of a [`BertForMaskedLm`](super::BertForMaskedLm).
    pub fn masked_lm_names(&self) -> Vec<Rename> {
        let head = match self.kind {
            BertKind::Bert => BERT_MASKED_LM,
            _ => ROBERTA_MASKED_LM,
        };
        self.with_head(&head, false)
    }

    /// Names of a [`BertForSequenceClassification`](super::BertForSequenceClassification).
    pub fn classification_names(&self) -> Vec<Rename> {
        match self.kind {
            BertKind::Bert => self.with_head(&[("classifier", "classifier")], true),
            _ => self.with_head(&ROBERTA_CLASSIFICATION, false),
        }
    }

    fn with_head(&self, head: &[(&str, &str)], with_pooler: bool) -> Vec<Rename> {
        let theirs = self.kind.prefix();
        let tower = TOWER.into_iter().chain(with_pooler.then_some(POOLER));
        let tower = tower.map(|(own, other)| (format!("bert.{own}"), format!("{theirs}.{other}")));
        tower.chain(head.iter().copied().map(owned)).collect()
    }
}

fn owned((ours, theirs): (&str, &str)) -> Rename {
    (ours.to_owned(), theirs.to_owned())
}
