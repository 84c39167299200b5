//! Multi-head attention: projections around the operation.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Bool, Device, Tensor};

use super::cache::{KvCache, Remembered};
use super::op::{Attend, attend, attention_weights, mix};
use crate::nn::linear::linears;
use crate::nn::rotary::Angles;
use crate::nn::{Norm, NormConfig, linear};
use crate::{NoTap, Tap, Tokens};

/// Configuration of an [`Attention`] layer.
#[derive(Clone, Debug)]
pub struct AttentionConfig {
    d_model: usize,
    n_heads: usize,
    n_kv_heads: usize,
    d_head: Option<usize>,
    d_context: usize,
    fused_qkv: bool,
    bias: bool,
    qkv_bias: Option<bool>,
    key_bias: Option<bool>,
    qk_norm: Option<NormConfig>,
    dropout: f64,
}

impl AttentionConfig {
    /// `n_heads` heads over `d_model` features, with biases and without dropout.
    pub fn new(d_model: usize, n_heads: usize) -> Self {
        Self {
            d_model,
            n_heads,
            n_kv_heads: n_heads,
            d_head: None,
            d_context: d_model,
            fused_qkv: false,
            bias: true,
            qkv_bias: None,
            key_bias: None,
            qk_norm: None,
            dropout: 0.0,
        }
    }

    /// Fewer key and value heads than query heads (arXiv 2305.13245).
    pub fn with_kv_heads(mut self, n_kv_heads: usize) -> Self {
        self.n_kv_heads = n_kv_heads;
        self
    }

    /// The width of a head, where it is not `d_model / n_heads`.
    pub fn with_d_head(mut self, d_head: Option<usize>) -> Self {
        self.d_head = d_head;
        self
    }

    /// The width of the context that is attended to, where it differs from `d_model`.
    pub fn with_d_context(mut self, d_context: usize) -> Self {
        self.d_context = d_context;
        self
    }

    /// One linear map for query, key and value instead of three: for self-attention only.
    pub fn with_fused_qkv(mut self, fused_qkv: bool) -> Self {
        self.fused_qkv = fused_qkv;
        self
    }

    /// Whether the linear maps have biases.
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Whether the maps to query, key and value have biases; by default where the output's has.
    pub fn with_qkv_bias(mut self, qkv_bias: bool) -> Self {
        self.qkv_bias = Some(qkv_bias);
        self
    }

    /// Whether the map to the key has a bias, which a softmax does not see; by default where query and value have.
    pub fn with_key_bias(mut self, key_bias: bool) -> Self {
        self.key_bias = Some(key_bias);
        self
    }

    /// Share of output features dropped in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// A norm on each head's query, and one on its key, before they are turned (arXiv 2302.05442, section 2); its width is
    /// made that of a head.
    pub fn with_qk_norm(mut self, norm: Option<NormConfig>) -> Self {
        self.qk_norm = norm;
        self
    }

    /// A freshly initialised layer.
    ///
    /// # Panics
    /// If heads do not divide `d_model` and no width of a head is given, key heads do not divide heads, or projections of
    /// another context are to be fused.
    pub fn init(&self, device: &Device) -> Attention {
        let Self {
            d_model,
            n_heads,
            n_kv_heads,
            d_context,
            ..
        } = *self;
        assert!(
            n_heads > 0 && (self.d_head.is_some() || d_model.is_multiple_of(n_heads)),
            "d_model {d_model} cannot be divided among {n_heads} heads"
        );
        assert!(
            n_kv_heads > 0 && n_heads.is_multiple_of(n_kv_heads),
            "{n_heads} heads cannot share {n_kv_heads} key heads evenly"
        );
        assert!(
            !self.fused_qkv || d_context == d_model,
            "query, key and value can be fused only where the context is the input"
        );
        let d_head = self.d_head.unwrap_or(d_model / n_heads);
        let (d_query, d_kv) = (n_heads * d_head, n_kv_heads * d_head);
        let linear = |d_in, d_out, bias| {
            LinearConfig::new(d_in, d_out)
                .with_bias(bias)
                .with_initializer(crate::nn::init::LINEAR)
                .init(device)
        };
        let qkv_bias = self.qkv_bias.unwrap_or(self.bias);
        let split = |d_in, d_out, bias| (!self.fused_qkv).then(|| linear(d_in, d_out, bias));
        let norm = || {
            let norm = self.qk_norm.clone()?.with_d_model(d_head);
            Some(norm.init(device))
        };
        Attention {
            query: split(d_model, d_query, qkv_bias),
            key: split(d_context, d_kv, self.key_bias.unwrap_or(qkv_bias)),
            value: split(d_context, d_kv, qkv_bias),
            qkv: self
                .fused_qkv
                .then(|| linear(d_model, d_query + 2 * d_kv, qkv_bias)),
            norm_query: norm(),
            norm_key: norm(),
            output: linear(d_query, d_model, self.bias),
            dropout: DropoutConfig::new(self.dropout).init(),
            n_heads,
            n_kv_heads,
        }
    }
}

/// Multi-head attention (arXiv 1706.03762, section 3.2.2).
#[derive(Module, Debug)]
pub struct Attention {
    /// `d_model` → `n_heads * d_head`, unless fused.
    pub query: Option<Linear>,
    /// `d_context` → `n_kv_heads * d_head`, unless fused.
    pub key: Option<Linear>,
    /// `d_context` → `n_kv_heads * d_head`, unless fused.
    pub value: Option<Linear>,
    /// `d_model` → query, key and value one after the other, if fused.
    pub qkv: Option<Linear>,
    /// On each head's query.
    pub norm_query: Option<Norm>,
    /// On each head's key.
    pub norm_key: Option<Norm>,
    /// `n_heads * d_head` → `d_model`
    pub output: Linear,
    /// On the output.
    pub dropout: Dropout,
    #[module(skip)]
    n_heads: usize,
    #[module(skip)]
    n_kv_heads: usize,
}

impl Attention {
    /// Attends from `x` to itself: `[batch, tokens, d_model]`, the shape is kept. Queries and keys are turned by `angles`, if
    /// there are any.
    ///
    /// Taps `weights` `[batch, heads, tokens, tokens]` if the tap wants weights.
    pub fn self_attend_with<T: Tap>(
        &self,
        x: Tensor<3>,
        angles: Option<&Angles>,
        how: &Attend,
        tap: &mut T,
    ) -> Tensor<3> {
        let (query, key, value) = self.project(x, None);
        let (query, key) = turned(query, key, angles);
        self.finish(query, key, value, how, tap)
    }

    /// What [`self_attend_with`](Self::self_attend_with) gives for the first token alone: `[batch, tokens, d_model]` →
    /// `[batch, 1, d_model]`. Others are attended to, but do not attend.
    ///
    /// # Panics
    /// If `how` is causal, or holds a mask or a bias, which are for all queries.
    pub fn first_attends(&self, x: Tensor<3>, angles: Option<&Angles>, how: &Attend) -> Tensor<3> {
        assert!(
            !how.causal && how.mask.is_none() && how.bias.is_none(),
            "the first token alone attends by padding only"
        );
        let (query, key, value) = match self.qkv {
            Some(_) => {
                let (query, key, value) = self.project(x, None);
                (query.narrow(2, 0, 1), key, value)
            }
            None => self.project(x.clone().narrow(1, 0, 1), Some(x)),
        };
        let (query, key) = match angles {
            Some(angles) => (angles.first().turn(query), angles.turn(key)),
            None => (query, key),
        };
        self.finish(query, key, value, how, &mut NoTap)
    }

    /// Attends from new tokens, which `angles` turn, to themselves and to those in the cache, which they join; none sees a
    /// later one, nor what `pad` `[batch, keys]` of all tokens so far says is padding: `[batch, tokens, d_model]`, the shape is
    /// kept. What [`self_attend_with`](Self::self_attend_with) gives these tokens causally, when all stand in one row.
    ///
    /// # Panics
    /// If the cache has no room for them.
    pub fn step(
        &self,
        x: Tensor<3>,
        angles: Option<&Angles>,
        pad: Option<&Tensor<2, Bool>>,
        cache: &mut KvCache,
    ) -> Tensor<3> {
        let [_, tokens, _] = x.dims();
        let (query, key, value) = self.project(x, None);
        let (query, key) = turned(query, key, angles);
        let (key, value) = cache.push(key, value);
        // The last token sees all: alone, it needs no mask.
        let how = Attend {
            key_pad: pad.cloned(),
            ..Attend::default().with_causal(tokens > 1)
        };
        self.finish(query, key, value, &how, &mut NoTap)
    }

    /// Keys and values of a context `[batch, keys, d_context]` that many tokens will attend to, one after the other.
    /// `pad` `[batch, keys]` is true at padding; none is quicker than one without padding.
    ///
    /// # Panics
    /// If the layer was made with fused projections.
    pub fn remember(&self, context: Tensor<3>, pad: Option<Tensor<2, Bool>>) -> Remembered {
        let (Some(key), Some(value)) = (&self.key, &self.value) else {
            panic!("a layer with fused projections can only attend to its own input");
        };
        // Laid out head by head once: a kernel would do it anew for every token.
        let laid_out = |x: Tensor<4>| {
            let ranges = x.dims().map(|n| 0..n);
            Tensor::zeros(x.dims(), &x.device()).slice_assign(ranges, x)
        };
        let split = |layer, x| split_heads(linear(layer, x), self.n_kv_heads);
        let key = normed(split(key, context.clone()), &self.norm_key);
        Remembered {
            key: laid_out(key),
            value: laid_out(split(value, context)),
            pad,
        }
    }

    /// Attends from `x` `[batch, queries, d_model]` to a context that is remembered, as
    /// [`cross_attend_with`](Self::cross_attend_with) does to the context itself. Where fewer contexts are remembered, each is
    /// that of as many samples that follow each other.
    ///
    /// # Panics
    /// If the layer was made with fused projections, or the samples cannot be divided among the contexts.
    pub fn recall(&self, x: Tensor<3>, context: &Remembered) -> Tensor<3> {
        let Some(query) = &self.query else {
            panic!("a layer with fused projections can only attend to its own input");
        };
        let [batch, queries, d_model] = x.dims();
        let contexts = context.key.dims()[0];
        assert!(
            batch.is_multiple_of(contexts),
            "{batch} samples cannot share {contexts} contexts evenly"
        );
        // Queries do not see each other, so those of several samples may stand in one row: [B, Q, D] -> [C, B / C * Q, D]
        let x = x.reshape([contexts, batch / contexts * queries, d_model]);
        let query = normed(
            split_heads(linear(query, x), self.n_heads),
            &self.norm_query,
        );
        let how = Attend {
            key_pad: context.pad.clone(),
            ..Attend::default()
        };
        let (key, value) = (context.key.clone(), context.value.clone());
        self.finish(query, key, value, &how, &mut NoTap)
            .reshape([batch, queries, d_model]) // [C, B / C * Q, D] -> [B, Q, D]
    }

    /// Attends from `x` `[batch, queries, d_model]` to the tokens of `context` that are not padding.
    ///
    /// Taps `weights` `[batch, heads, queries, keys]` if the tap wants weights.
    ///
    /// # Panics
    /// If the layer was made with fused projections.
    pub fn cross_attend_with<T: Tap>(
        &self,
        x: Tensor<3>,
        context: &Tokens,
        tap: &mut T,
    ) -> Tensor<3> {
        assert!(
            self.qkv.is_none(),
            "a layer with fused projections can only attend to its own input"
        );
        let (query, key, value) = self.project(x, Some(context.embeds.clone()));
        self.finish(query, key, value, &Attend::keys(context.pad.clone()), tap)
    }

    /// Query from `x`, key and value from `context`, each `[batch, heads, tokens, d_head]`.
    fn project(
        &self,
        x: Tensor<3>,
        context: Option<Tensor<3>>,
    ) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
        let (query, key, value) = match (&self.qkv, &self.query, &self.key, &self.value) {
            (Some(qkv), ..) => {
                let d_query = self.output.weight.dims()[0];
                let d_kv = d_query / self.n_heads * self.n_kv_heads;
                let mut parts = linear(qkv, x)
                    .split_with_sizes(vec![d_query, d_kv, d_kv], 2)
                    .into_iter();
                let mut next = || parts.next().expect("three sizes give three parts");
                (next(), next(), next())
            }
            (None, Some(query), Some(key), Some(value)) => match context {
                Some(context) => {
                    let [key, value] = linears([key, value], context);
                    (linear(query, x), key, value)
                }
                None => linears([query, key, value], x).into(),
            },
            _ => unreachable!("init sets either the fused or all three projections"),
        };
        (
            normed(split_heads(query, self.n_heads), &self.norm_query),
            normed(split_heads(key, self.n_kv_heads), &self.norm_key),
            split_heads(value, self.n_kv_heads),
        )
    }

    fn finish<T: Tap>(
        &self,
        query: Tensor<4>,
        key: Tensor<4>,
        value: Tensor<4>,
        how: &Attend,
        tap: &mut T,
    ) -> Tensor<3> {
        let [batch, heads, queries, d_head] = query.dims();
        let mixed = if T::WEIGHTS {
            let weights = tap.tensor("weights", attention_weights(query, key, how));
            mix(weights, value)
        } else {
            attend(query, key, value, how)
        };
        let joined = mixed
            .swap_dims(1, 2)
            .reshape([batch, queries, heads * d_head]); // [B, H, Q, Dh] -> [B, Q, D]
        self.dropout.forward(linear(&self.output, joined))
    }
}

/// Query and key as `angles` turn them, if there are any.
fn turned(query: Tensor<4>, key: Tensor<4>, angles: Option<&Angles>) -> (Tensor<4>, Tensor<4>) {
    match angles {
        Some(angles) => (angles.turn(query), angles.turn(key)),
        None => (query, key),
    }
}

fn normed(x: Tensor<4>, norm: &Option<Norm>) -> Tensor<4> {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}

fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, tokens, d] = x.dims();
    x.reshape([batch, tokens, heads, d / heads]).swap_dims(1, 2) // [B, T, D] -> [B, H, T, Dh]
}
