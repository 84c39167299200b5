//! From a sequence of tokens to one vector per sample, going by the padding.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::attention::{Attend, attend};
use super::init::trunc_normal;
use crate::Tokens;

/// How tokens become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolKind {
    /// The first token (BERT's and ViT's class token).
    First,
    /// The mean over tokens that are not padding.
    #[default]
    Mean,
    /// A learned query attends to the tokens that are not padding.
    Attention,
}

/// Configuration of a [`Pool`].
#[derive(Clone, Debug)]
pub struct PoolConfig {
    kind: PoolKind,
    d_model: usize,
}

impl PoolConfig {
    /// Pools tokens of width `d_model`.
    pub fn new(kind: PoolKind, d_model: usize) -> Self {
        Self { kind, d_model }
    }

    /// A freshly initialised pool.
    pub fn init(&self, device: &Device) -> Pool {
        Pool {
            query: (self.kind == PoolKind::Attention)
                .then(|| trunc_normal([1, self.d_model], 0.02, device)),
            kind: self.kind,
        }
    }
}

/// Tokens to one vector per sample. A sample that is all padding gives zeros.
#[derive(Module, Debug)]
pub struct Pool {
    /// `[1, d_model]`, for [`PoolKind::Attention`].
    pub query: Option<Param<Tensor<2>>>,
    #[module(skip)]
    kind: PoolKind,
}

impl Pool {
    /// `[batch, tokens, d_model]` → `[batch, d_model]`
    pub fn forward(&self, tokens: Tokens) -> Tensor<2> {
        match self.kind {
            PoolKind::First => first(tokens),
            PoolKind::Mean => mean(tokens),
            PoolKind::Attention => self.attention(tokens),
        }
    }

    fn attention(&self, tokens: Tokens) -> Tensor<2> {
        let [batch, n_tokens, d_model] = tokens.dims();
        let query = self
            .query
            .as_ref()
            .expect("attention pooling has a query")
            .val();
        let query = query
            .reshape([1, 1, 1, d_model])
            .expand([batch, 1, 1, d_model]);
        let keys = tokens.embeds.reshape([batch, 1, n_tokens, d_model]); // one head
        let out = attend(query, keys.clone(), keys, &Attend::keys(tokens.pad));
        out.reshape([batch, d_model]) // [B, 1, 1, D] -> [B, D]
    }
}

fn first(tokens: Tokens) -> Tensor<2> {
    let [batch, _, d_model] = tokens.dims();
    tokens
        .zero_padding()
        .embeds
        .slice([0..batch, 0..1, 0..d_model])
        .reshape([batch, d_model])
}

fn mean(tokens: Tokens) -> Tensor<2> {
    let [batch, _, d_model] = tokens.dims();
    let dtype = tokens.embeds.dtype();
    let count = tokens.pad.clone().bool_not().float().cast(dtype).sum_dim(1); // [B, 1]
    let sum = tokens
        .zero_padding()
        .embeds
        .sum_dim(1)
        .reshape([batch, d_model]);
    sum / count.clamp_min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{assert_close, check_gradients, devices, floats, random};

    const KINDS: [PoolKind; 3] = [PoolKind::First, PoolKind::Mean, PoolKind::Attention];

    #[test]
    fn padding_changes_nothing_and_an_absent_sample_is_zero() {
        for (device, kind) in devices().iter().flat_map(|d| KINDS.map(|k| (d, k))) {
            let pool = PoolConfig::new(kind, 4).init(device);
            let x = random::<3>([2, 3, 4], 1, device);
            let short = pool.forward(Tokens::dense(x.clone()));

            let garbage = random::<3>([2, 2, 4], 9, device).mul_scalar(1e3);
            let pad = Tensor::from_data([[false, false, false, true, true]; 2], device);
            let long = Tokens::new(Tensor::cat(vec![x.clone(), garbage], 1), pad);
            assert_close(&short, &pool.forward(long), 1e-5);

            let absent = Tokens::new(x, Tensor::from_data([[true; 3]; 2], device));
            assert_eq!(floats(&pool.forward(absent)), [0.0; 8], "{kind:?}");
        }
    }

    #[test]
    fn attention_weighs_tokens_by_the_query() {
        for device in devices() {
            let pool = PoolConfig::new(PoolKind::Attention, 4).init(&device);
            let query = random::<2>([1, 4], 3, &device);
            let pool = Pool {
                query: Some(Param::from_tensor(query.clone())),
                ..pool
            };
            let x = random::<3>([1, 3, 4], 1, &device);
            let pad = Tensor::from_data([[false, true, false]], &device);
            let found = floats(&pool.forward(Tokens::new(x.clone(), pad)));

            let query: Vec<f64> = floats(&query).into_iter().map(f64::from).collect();
            let tokens: Vec<f64> = floats(&x).into_iter().map(f64::from).collect();
            let seen = [&tokens[0..4], &tokens[8..12]]; // the second one is padding
            let dot = |a: &[f64]| a.iter().zip(&query).map(|(a, b)| a * b).sum::<f64>();
            let weights = seen.map(|token| (dot(token) / 4f64.sqrt()).exp());
            let total: f64 = weights.iter().sum();
            for (i, found) in found.iter().enumerate() {
                let expected = (weights[0] * seen[0][i] + weights[1] * seen[1][i]) / total;
                assert!((f64::from(*found) - expected).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn the_query_trains() {
        for device in devices().into_iter().map(Device::autodiff) {
            let x = random([2, 3, 4], 1, &device);
            let w = random([2, 4], 2, &device);
            let pool = PoolConfig::new(PoolKind::Attention, 4).init(&device);
            check_gradients(pool, |p| (p.forward(Tokens::dense(x)) * w).sum());
        }
    }
}
