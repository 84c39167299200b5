//! The tower: embeddings, post-norm blocks, and the pooler that heads stand on.

use burn::module::Module;
use burn::nn::{
    Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer, Linear, LinearConfig,
};
use burn::tensor::activation::tanh;
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::nn::{Norm, NormConfig, Transformer};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Modality, NoTap, Tap, Tokens, assert_shape};
use sensorium_text::{TEXT, TextBatch};

use super::{BertConfig, BertKind};

/// Texts for a BERT. A [`TextBatch`] becomes one in which all tokens are of type 0.
#[derive(Clone, Debug)]
pub struct BertInput {
    /// `[batch, tokens]`
    pub ids: Tensor<2, Int>,
    /// `[batch, tokens]`, true = padding
    pub pad: Tensor<2, Bool>,
    /// `[batch, tokens]`: 0 for the first of two texts, 1 for the second. All 0 where there is none.
    pub types: Option<Tensor<2, Int>>,
}

impl From<TextBatch> for BertInput {
    fn from(TextBatch { ids, pad }: TextBatch) -> Self {
        Self {
            ids,
            pad,
            types: None,
        }
    }
}

impl BertInput {
    /// Tells the first of two texts from the second.
    ///
    /// # Panics
    /// If `types` has another shape than the ids.
    pub fn with_types(mut self, types: Tensor<2, Int>) -> Self {
        assert_shape!(types, self.ids.dims());
        self.types = Some(types);
        self
    }
}

/// Words, positions and types, summed and normalised.
#[derive(Module, Debug)]
pub struct BertEmbeddings {
    /// One vector per id.
    pub word: Embedding,
    /// One vector per place.
    pub position: Embedding,
    /// One vector per token type.
    pub token_type: Embedding,
    /// Over the sum.
    pub norm: Norm,
    /// On what is normalised.
    pub dropout: Dropout,
    /// The position of padding, if positions are counted over what is not padding.
    #[module(skip)]
    padding: Option<usize>,
}

impl BertEmbeddings {
    fn new(config: &BertConfig, device: &Device) -> Self {
        // As BERT begins (`initializer_range`).
        let begin = Initializer::Normal {
            mean: 0.0,
            std: 0.02,
        };
        let table = |rows| {
            EmbeddingConfig::new(rows, config.d_model)
                .with_initializer(begin.clone())
                .init(device)
        };
        Self {
            word: table(config.vocab_size),
            position: table(config.max_positions),
            token_type: table(config.n_types),
            norm: NormConfig::new(config.d_model)
                .with_epsilon(config.norm_epsilon)
                .init(device),
            dropout: DropoutConfig::new(config.dropout).init(),
            padding: (config.kind != BertKind::Bert).then(|| config.pad_id()),
        }
    }

    /// `[batch, tokens]` → `[batch, tokens, d_model]`
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn forward(&self, input: &BertInput) -> Tensor<3> {
        let [_, n_tokens] = input.ids.dims();
        let first = self.padding.map_or(0, |padding| padding + 1);
        let [rows, d_model] = self.position.weight.shape().dims();
        let longest = rows.saturating_sub(first);
        assert!(
            n_tokens <= longest,
            "{n_tokens} tokens, but there are only {longest} positions"
        );
        let words = self.word.forward(input.ids.clone()); // [B, T] -> [B, T, D]
        let types = match &input.types {
            Some(types) => self.token_type.forward(types.clone()),
            None => {
                let table = self.token_type.weight.val();
                table.slice([0..1, 0..d_model]).reshape([1, 1, d_model])
            }
        };
        let positions = match self.padding {
            Some(padding) => self.position.forward(counted(&input.pad, padding)),
            None => {
                let table = self.position.weight.val();
                let rows = table.slice([0..n_tokens, 0..d_model]);
                rows.reshape([1, n_tokens, d_model])
            }
        };
        self.dropout
            .forward(self.norm.forward(words + types + positions))
    }
}

/// RoBERTa's positions: tokens are counted from `padding + 1`, and padding has the position `padding`.
fn counted(pad: &Tensor<2, Bool>, padding: usize) -> Tensor<2, Int> {
    let there = pad.clone().bool_not().int();
    there.clone().cumsum(1) * there + padding as i64
}

/// BERT or RoBERTa without a head (arXiv 1810.04805, 1907.11692).
#[derive(Module, Debug)]
pub struct BertModel {
    /// Ids to vectors.
    pub embeddings: BertEmbeddings,
    /// The blocks.
    pub encoder: Transformer,
    /// On the first token, with a tanh, if there is one.
    pub pooler: Option<Linear>,
    #[module(skip)]
    d_model: usize,
}

impl BertModel {
    pub(super) fn new(config: &BertConfig, with_pooler: bool, device: &Device) -> Self {
        let d = config.d_model;
        Self {
            embeddings: BertEmbeddings::new(config, device),
            encoder: config.transformer().init(device),
            pooler: with_pooler.then(|| LinearConfig::new(d, d).init(device)),
            d_model: d,
        }
    }

    /// The last hidden state `[batch, tokens, d_model]`.
    ///
    /// # Panics
    /// If there are more tokens than [`BertConfig::max_tokens`].
    pub fn forward(&self, input: impl Into<BertInput>) -> Tokens {
        self.forward_with(input, &mut NoTap)
    }

    /// The same, showing `embeds` and `encoder.blocks.N.output` to the tap, and `encoder.blocks.N.attention.weights`
    /// where weights are wanted.
    ///
    /// # Panics
    /// If there are more tokens than [`BertConfig::max_tokens`].
    pub fn forward_with<T: Tap>(&self, input: impl Into<BertInput>, tap: &mut T) -> Tokens {
        let input = input.into();
        let embeds = tap.tensor("embeds", self.embeddings.forward(&input));
        in_layer(tap, "encoder", |tap| {
            self.encoder
                .forward_with(Tokens::new(embeds, input.pad), tap)
        })
    }

    /// `tanh(pooler(first token))`: `[batch, tokens, d_model]` → `[batch, d_model]`; `None` without a pooler.
    pub fn pool(&self, tokens: &Tokens) -> Option<Tensor<2>> {
        let pooler = self.pooler.as_ref()?;
        Some(tanh(pooler.forward(first(tokens))))
    }
}

/// The first token of each sample: `[batch, tokens, d_model]` → `[batch, d_model]`
pub(super) fn first(tokens: &Tokens) -> Tensor<2> {
    let [batch, _, d_model] = tokens.dims();
    let embeds = tokens.embeds.clone();
    embeds
        .slice([0..batch, 0..1, 0..d_model])
        .reshape([batch, d_model])
}

impl Encoder for BertModel {
    const MODALITY: Modality = TEXT;
    type Batch = TextBatch;

    fn d_output(&self) -> usize {
        self.d_model
    }

    fn encode_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tokens {
        self.forward_with(batch, tap)
    }
}
