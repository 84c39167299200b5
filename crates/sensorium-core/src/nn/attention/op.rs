//! Scaled dot-product attention, the same on every backend, with and without autodiff.

use burn::tensor::activation::softmax;
use burn::tensor::module::attention as fused;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor};

use super::blocks;
use super::trust::{self, Means, Trust};

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

    /// What QKᵀ is multiplied with.
    pub(super) fn factor(&self, d_head: usize) -> f64 {
        self.scale.unwrap_or_else(|| 1.0 / (d_head as f64).sqrt())
    }

    /// Whether nothing but the causal rule has to be honoured.
    fn is_only_causal(&self) -> bool {
        let masked = self.key_pad.is_some() || self.mask.is_some();
        self.causal && !masked && self.bias.is_none() && self.softcap.is_none()
    }

    /// What true means in the mask that the fused kernel is given, if there is one; nothing if it cannot be trusted.
    fn way(&self, trust: Trust, masked: bool) -> Option<Means> {
        match (self.softcap.is_some() || self.bias.is_some(), masked) {
            (false, false) => trust.plain.then_some(Means::Blocked),
            (false, true) => trust.mask,
            (true, _) => trust.all.then_some(Means::Blocked),
        }
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
    assert_shared(query.dims()[1], key.dims()[1]);
    if blocks::pays(&query, &key, how) {
        return blocks::attend(query, key, value, how);
    }
    let [batch, heads, queries, d_head] = query.dims();
    let device = query.device();
    // With autodiff the framework runs its own decomposed path, which saves nothing over ours.
    let trust = (!device.is_autodiff()).then(|| trust::of(&device));
    if trust.is_some_and(|trust| trust.causal) && how.is_only_causal() && queries == key.dims()[2] {
        let options = AttentionModuleOptions {
            scale: how.scale,
            is_causal: true,
            ..Default::default()
        };
        let [key, value] = [key, value].map(|x| for_each_head(x, heads));
        return fused(query, key, value, None, None, options);
    }
    let blocked = how.blocked(&query, &key);
    let (query, bias, blocked) = grouped(query, &key, how.bias.clone(), blocked);
    let way = match trust {
        Some(trust) if !blocks::few(&query) => how.way(trust, blocked.is_some()),
        _ => None,
    };
    let mixed = match way {
        None => weights(query, key, how, bias, blocked).matmul(value),
        Some(means) => {
            let options = AttentionModuleOptions {
                scale: how.scale,
                softcap: how.softcap,
                ..Default::default()
            };
            let [_, kv_heads, queries, _] = query.dims();
            let full = [batch, kv_heads, queries, key.dims()[2]];
            let mask = blocked.map(|blocked| means.say(blocked.expand(full)));
            let bias = bias.map(|bias| bias.expand(full));
            fused(query, key, value, mask, bias, options)
        }
    };
    mixed.reshape([batch, heads, queries, d_head]) // [B, G, H / G * Q, Dh] -> [B, H, Q, Dh]
}

/// Keys or values `[batch, kv_heads, keys, d_head]` once for each head that reads them: `[batch, heads, keys, d_head]`.
fn for_each_head(x: Tensor<4>, heads: usize) -> Tensor<4> {
    let [batch, kv_heads, keys, d_head] = x.dims();
    if heads == kv_heads {
        return x;
    }
    x.reshape([batch, kv_heads, 1, keys, d_head])
        .expand([batch, kv_heads, heads / kv_heads, keys, d_head])
        .reshape([batch, heads, keys, d_head])
}

/// The weights `softmax(QKᵀ/√d)`, `[batch, heads, queries, keys]`; their product with the value is
/// what [`attend`] gives.
///
/// # Panics
/// If the shapes do not fit each other.
pub fn attention_weights(query: Tensor<4>, key: Tensor<4>, how: &Attend) -> Tensor<4> {
    let [batch, heads, queries, _] = query.dims();
    let keys = key.dims()[2];
    let blocked = how.blocked(&query, &key);
    let (query, bias, blocked) = grouped(query, &key, how.bias.clone(), blocked);
    weights(query, key, how, bias, blocked).reshape([batch, heads, queries, keys])
}

/// Values by weights `[batch, heads, queries, keys]`: `[batch, heads, queries, d_head]`.
pub(super) fn mix(weights: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    let [batch, heads, queries, keys] = weights.dims();
    let [_, kv_heads, _, d_head] = value.dims();
    let rows = heads / kv_heads * queries;
    let mixed = weights.reshape([batch, kv_heads, rows, keys]).matmul(value);
    mixed.reshape([batch, heads, queries, d_head])
}

/// The weights, for a query, a bias and a mask that have the key's heads.
pub(super) fn weights(
    query: Tensor<4>,
    key: Tensor<4>,
    how: &Attend,
    bias: Option<Tensor<4>>,
    blocked: Option<Tensor<4, Bool>>,
) -> Tensor<4> {
    let [batch, heads, queries, d_head] = query.dims();
    let keys = key.dims()[2];
    let full = [batch, heads, queries, keys];
    let scale = how.factor(d_head);
    // Scaling the query touches fewer numbers than scaling the scores.
    let mut scores = query.mul_scalar(scale).matmul(key.transpose());
    if let Some(cap) = how.softcap {
        scores = scores.div_scalar(cap).tanh().mul_scalar(cap);
    }
    if let Some(bias) = bias {
        scores = scores + bias.expand(full);
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

fn assert_shared(heads: usize, kv_heads: usize) {
    assert!(
        kv_heads > 0 && heads.is_multiple_of(kv_heads),
        "{heads} query heads cannot share {kv_heads} key heads evenly"
    );
}

/// Heads that share a key head as queries of one head, so that keys and values are read as they lie and never copied for each:
/// query `[batch, heads, queries, d_head]` → `[batch, kv_heads, heads / kv_heads * queries, d_head]`, bias and mask alike.
fn grouped(
    query: Tensor<4>,
    key: &Tensor<4>,
    bias: Option<Tensor<4>>,
    blocked: Option<Tensor<4, Bool>>,
) -> (Tensor<4>, Option<Tensor<4>>, Option<Tensor<4, Bool>>) {
    let [batch, heads, queries, d_head] = query.dims();
    let [_, kv_heads, keys, _] = key.dims();
    assert_shared(heads, kv_heads);
    if heads == kv_heads {
        return (query, bias, blocked);
    }
    let rows = heads / kv_heads * queries;
    let query = query.reshape([batch, kv_heads, rows, d_head]);
    let bias = bias.map(|bias| {
        bias.expand([batch, heads, queries, keys])
            .reshape([batch, kv_heads, rows, keys])
    });
    let blocked = blocked.map(|mask| match mask.dims()[1] {
        // The same for all heads: for each of a group, one after the other.
        1 => mask
            .reshape([batch, 1, 1, queries, keys])
            .expand([batch, 1, heads / kv_heads, queries, keys])
            .reshape([batch, 1, rows, keys]),
        _ => mask
            .expand([batch, heads, queries, keys])
            .reshape([batch, kv_heads, rows, keys]),
    });
    (query, bias, blocked)
}
