//! Scaled dot-product attention, the same on every backend, with and without autodiff.

use burn::tensor::activation::softmax;
use burn::tensor::module::attention as fused;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor};

use super::trust;

/// What attention is to honour besides query, key and value.
#[derive(Clone, Debug, Default)]
pub struct Attend {
    /// `[batch, keys]`, true = padding: no query attends to it.
    pub key_pad: Option<Tensor<2, Bool>>,
    /// `[batch or 1, heads or 1, queries, keys]`, true = blocked.
    pub mask: Option<Tensor<4, Bool>>,
    /// Added to the scores before the softmax: `[batch or 1, heads or 1, queries, keys]`.
    pub bias: Option<Tensor<4>>,
    /// No query sees a later key. With more keys than queries the queries are the *last* positions
    /// (as when decoding with a cache): query `i` sees keys `0..=i + keys - queries`.
    pub causal: bool,
    /// Factor on QKᵀ; `1/sqrt(d_head)` if none.
    pub scale: Option<f64>,
    /// Scores become `cap * tanh(scores / cap)` before masking.
    pub softcap: Option<f64>,
}

impl Attend {
    /// Only the padding of the keys matters.
    pub fn keys(key_pad: Tensor<2, Bool>) -> Self {
        Self {
            key_pad: Some(key_pad),
            ..Self::default()
        }
    }

    /// The same with or without the causal rule.
    pub fn with_causal(mut self, causal: bool) -> Self {
        self.causal = causal;
        self
    }

    /// Which scores are blocked, by any of the rules: `[batch, heads or 1, queries, keys]`.
    fn blocked(&self, query: &Tensor<4>, key: &Tensor<4>) -> Option<Tensor<4, Bool>> {
        let [batch, _, queries, _] = query.dims();
        let [_, _, keys, _] = key.dims();
        let pad = self.key_pad.clone().map(|pad| {
            pad.reshape([batch, 1, 1, keys])
                .expand([batch, 1, queries, keys]) // [B, K] -> [B, 1, Q, K]
        });
        let causal = self.causal.then(|| {
            // Without more keys than queries this is the usual lower triangle.
            let offset = keys as i64 - queries as i64;
            Tensor::<2, Bool>::tril_mask([queries, keys], offset, &query.device())
                .reshape([1, 1, queries, keys])
                .expand([batch, 1, queries, keys])
        });
        let mask = self.mask.clone().map(|mask| {
            let [_, heads, _, _] = mask.dims();
            mask.expand([batch, heads, queries, keys])
        });
        [pad, causal, mask].into_iter().flatten().reduce(|a, b| {
            let heads = a.dims()[1].max(b.dims()[1]);
            let full = [batch, heads, queries, keys];
            a.expand(full).bool_or(b.expand(full))
        })
    }
}

/// `softmax(QKᵀ/√d)V` without forming the weights where the device's fused kernel can be trusted.
///
/// # Shapes
/// - `query`: `[batch, heads, queries, d_head]`
/// - `key`, `value`: `[batch, kv_heads, keys, d_head]`; `kv_heads` divides `heads` (grouped-query
///   attention, arXiv 2305.13245: head `h` reads key head `h * kv_heads / heads`)
/// - returns `[batch, heads, queries, d_head]`
///
/// A row whose keys are all blocked gives zero.
///
/// # Panics
/// If the shapes do not fit each other.
pub fn attend(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, how: &Attend) -> Tensor<4> {
    let (key, value) = (repeat_heads(key, &query), repeat_heads(value, &query));
    let blocked = how.blocked(&query, &key);
    let plain = blocked.is_none() && how.softcap.is_none() && how.bias.is_none();
    let device = query.device();
    // With autodiff the framework runs its own decomposed path, which saves nothing over ours.
    if device.is_autodiff() || !trust::fused_is_right(&device, plain) {
        return weights(query, key, how, blocked).matmul(value);
    }
    let options = AttentionModuleOptions {
        scale: how.scale,
        softcap: how.softcap,
        ..Default::default()
    };
    let [batch, heads, queries, _] = query.dims();
    let keys = key.dims()[2];
    let full = [batch, heads, queries, keys];
    fused(
        query,
        key,
        value,
        blocked.map(|mask| mask.expand(full)),
        how.bias.clone().map(|bias| bias.expand(full)),
        options,
    )
}

/// The weights `softmax(QKᵀ/√d)`, `[batch, heads, queries, keys]`; their product with the value is
/// what [`attend`] gives.
///
/// # Panics
/// If the shapes do not fit each other.
pub fn attention_weights(query: Tensor<4>, key: Tensor<4>, how: &Attend) -> Tensor<4> {
    let key = repeat_heads(key, &query);
    let blocked = how.blocked(&query, &key);
    weights(query, key, how, blocked)
}

/// The weights, for a key that already has the query's heads.
pub(super) fn weights(
    query: Tensor<4>,
    key: Tensor<4>,
    how: &Attend,
    blocked: Option<Tensor<4, Bool>>,
) -> Tensor<4> {
    let [batch, heads, queries, d_head] = query.dims();
    let keys = key.dims()[2];
    let full = [batch, heads, queries, keys];
    let scale = how.scale.unwrap_or_else(|| 1.0 / (d_head as f64).sqrt());
    // Scaling the query touches fewer numbers than scaling the scores.
    let mut scores = query.mul_scalar(scale).matmul(key.transpose());
    if let Some(cap) = how.softcap {
        scores = scores.div_scalar(cap).tanh().mul_scalar(cap);
    }
    if let Some(bias) = &how.bias {
        scores = scores + bias.clone().expand(full);
    }
    match blocked {
        None => softmax(scores, 3),
        Some(blocked) => {
            let blocked = blocked.expand(full);
            // Finite, so that a row of nothing but blocked keys has a softmax at all; within half
            // precision too. The second fill gives such a row zero weights.
            let scores = scores.mask_fill(blocked.clone(), -3e4);
            softmax(scores, 3).mask_fill(blocked, 0.0)
        }
    }
}

/// Gives key or value the query's number of heads: head `h` of the result is head `h / group`.
pub(super) fn repeat_heads(kv: Tensor<4>, query: &Tensor<4>) -> Tensor<4> {
    let heads = query.dims()[1];
    let [batch, kv_heads, keys, d_head] = kv.dims();
    assert!(
        kv_heads > 0 && heads.is_multiple_of(kv_heads),
        "{heads} query heads cannot share {kv_heads} key heads evenly"
    );
    if heads == kv_heads {
        return kv;
    }
    let group = heads / kv_heads;
    kv.reshape([batch, kv_heads, 1, keys, d_head])
        .expand([batch, kv_heads, group, keys, d_head])
        .reshape([batch, heads, keys, d_head]) // [B, G, 1, K, Dh] -> [B, H, K, Dh]
}
