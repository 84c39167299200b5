//! From tokens to one vector, as `1_Pooling/config.json` says.

use burn::tensor::{Int, Tensor};
use sensorium_core::Tokens;
use serde::Deserialize;

use crate::Error;
use crate::error::need;

/// How tokens become one vector. A sample that is all padding gives zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The first token.
    Cls,
    /// The greatest of each feature.
    Max,
    /// The sum divided by how many tokens there are.
    Mean,
    /// The sum divided by the root of how many tokens there are.
    MeanSqrtLen,
    /// The mean, in which each token counts as often as its place says, from 1.
    WeightedMean,
    /// The last token.
    Last,
}

/// The file, in its older form of one key a mode and its newer one of a single key.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PoolingFile {
    #[serde(alias = "embedding_dimension")]
    word_embedding_dimension: usize,
    #[serde(default)]
    pooling_mode: Option<Modes>,
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_max_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_sqrt_len_tokens: bool,
    #[serde(default)]
    pooling_mode_weightedmean_tokens: bool,
    #[serde(default)]
    pooling_mode_lasttoken: bool,
    #[serde(default = "yes")]
    include_prompt: bool,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Modes {
    One(String),
    Many(Vec<String>),
}

impl PoolingFile {
    /// The modes in the order in which their vectors are put together.
    pub(super) fn modes(&self, file: &str, d_model: usize) -> Result<Vec<Pooling>, Error> {
        let width = self.word_embedding_dimension;
        need(width == d_model, file, "word_embedding_dimension", || {
            format!("{width} must be the tower's hidden_size, {d_model}")
        })?;
        let modes = match &self.pooling_mode {
            Some(Modes::One(name)) => vec![named(file, name)?],
            Some(Modes::Many(names)) => names
                .iter()
                .map(|name| named(file, name))
                .collect::<Result<_, _>>()?,
            None => self.switched_on(),
        };
        need(!modes.is_empty(), file, "pooling_mode", || {
            "names no mode; the mean is the usual one".to_owned()
        })?;
        Ok(modes)
    }

    /// Where the older form has no mode on, it is the mean.
    fn switched_on(&self) -> Vec<Pooling> {
        let modes = [
            (self.pooling_mode_cls_token, Pooling::Cls),
            (self.pooling_mode_max_tokens, Pooling::Max),
            (self.pooling_mode_mean_tokens, Pooling::Mean),
            (self.pooling_mode_mean_sqrt_len_tokens, Pooling::MeanSqrtLen),
            (self.pooling_mode_weightedmean_tokens, Pooling::WeightedMean),
            (self.pooling_mode_lasttoken, Pooling::Last),
        ];
        let on = modes.into_iter().filter(|(on, _)| *on);
        let on: Vec<Pooling> = on.map(|(_, mode)| mode).collect();
        match on.is_empty() {
            true => vec![Pooling::Mean],
            false => on,
        }
    }

    /// Whether the tokens of a prompt are a part of the vector.
    pub(super) fn includes_prompt(&self) -> bool {
        self.include_prompt
    }
}

fn named(file: &str, name: &str) -> Result<Pooling, Error> {
    Ok(match name {
        "cls" => Pooling::Cls,
        "max" => Pooling::Max,
        "mean" => Pooling::Mean,
        "mean_sqrt_len_tokens" => Pooling::MeanSqrtLen,
        "weightedmean" => Pooling::WeightedMean,
        "lasttoken" => Pooling::Last,
        _ => {
            return Err(Error::Config {
                file: file.to_owned(),
                key: "pooling_mode",
                problem: format!(
                    "\"{name}\" is not supported; cls, max, mean, mean_sqrt_len_tokens, weightedmean and lasttoken are"
                ),
            });
        }
    })
}

/// `[batch, tokens, d_model]` → `[batch, modes * d_model]`; padding may stand at either end.
pub(super) fn pool(tokens: Tokens, modes: &[Pooling]) -> Tensor<2> {
    let [batch, n_tokens, d_model] = tokens.dims();
    let there = tokens.pad.clone().bool_not().float();
    let there = there.cast(tokens.embeds.dtype()); // [B, T]
    let place = || {
        let place = Tensor::<1, Int>::arange(1..n_tokens as i64 + 1, &there.device());
        let place = place.float().cast(there.dtype()).unsqueeze::<2>();
        place.expand([batch, n_tokens]) // [B, T], from 1
    };
    // Where the first and the last token stand; nowhere if all is padding.
    let first = || {
        let from_behind = (place() - (n_tokens + 1) as f64).neg() * there.clone();
        (from_behind.max_dim(1) - (n_tokens + 1) as f64).neg() // [B, 1]
    };
    let last = || (place() * there.clone()).max_dim(1);
    let pad = tokens.pad.clone().reshape([batch, n_tokens, 1]);
    let pad = pad.expand([batch, n_tokens, d_model]); // [B, T] -> [B, T, D]
    let embeds = tokens.zero_padding().embeds;
    let flat = |x: Tensor<3>| x.reshape([batch, d_model]); // [B, 1, D] -> [B, D]
    let weighted = |weights: Tensor<2>| {
        let weighted = embeds.clone() * weights.unsqueeze_dim(2);
        flat(weighted.sum_dim(1))
    };
    let one = |at: Tensor<2>| {
        let found = place().equal(at.expand([batch, n_tokens]));
        weighted(found.float().cast(there.dtype()))
    };
    let sum = || flat(embeds.clone().sum_dim(1));
    let count = || there.clone().sum_dim(1).clamp_min(1.0); // [B, 1]
    let parts = modes.iter().map(|mode| match mode {
        Pooling::Cls => one(first()),
        Pooling::Last => one(last()),
        // Below all that a norm gives; what is absent becomes zero again.
        Pooling::Max => {
            let greatest = embeds.clone().mask_fill(pad.clone(), -1e9).max_dim(1);
            let absent = pad.clone().all_dim(1); // [B, 1, D]
            flat(greatest.mask_fill(absent, 0.0))
        }
        Pooling::Mean => sum() / count(),
        Pooling::MeanSqrtLen => sum() / count().sqrt(),
        Pooling::WeightedMean => {
            let weights = (place() - first() + 1.0) * there.clone();
            let all = weights.clone().sum_dim(1).clamp_min(1.0);
            weighted(weights) / all
        }
    });
    Tensor::cat(parts.collect(), 1)
}
