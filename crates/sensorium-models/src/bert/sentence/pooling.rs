//! From tokens to one vector, as `1_Pooling/config.json` says.

use burn::tensor::Tensor;
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
    pooling_mode_mean_tokens: Option<bool>,
    #[serde(default)]
    pooling_mode_mean_sqrt_len_tokens: bool,
    #[serde(default)]
    pooling_mode_weightedmean_tokens: bool,
    #[serde(default)]
    pooling_mode_lasttoken: bool,
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
            None => self.switched_on(file)?,
        };
        need(!modes.is_empty(), file, "pooling_mode_mean_tokens", || {
            "no mode of pooling is on; the mean is the usual one".to_owned()
        })?;
        Ok(modes)
    }

    fn switched_on(&self, file: &str) -> Result<Vec<Pooling>, Error> {
        for (key, on) in [
            (
                "pooling_mode_weightedmean_tokens",
                self.pooling_mode_weightedmean_tokens,
            ),
            ("pooling_mode_lasttoken", self.pooling_mode_lasttoken),
        ] {
            need(!on, file, key, || {
                "is not supported; cls, max, mean and mean_sqrt_len are".to_owned()
            })?;
        }
        let modes = [
            (self.pooling_mode_cls_token, Pooling::Cls),
            (self.pooling_mode_max_tokens, Pooling::Max),
            // On where the file does not say.
            (self.pooling_mode_mean_tokens.unwrap_or(true), Pooling::Mean),
            (self.pooling_mode_mean_sqrt_len_tokens, Pooling::MeanSqrtLen),
        ];
        Ok(modes
            .into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, mode)| mode)
            .collect())
    }
}

fn named(file: &str, name: &str) -> Result<Pooling, Error> {
    Ok(match name {
        "cls" => Pooling::Cls,
        "max" => Pooling::Max,
        "mean" => Pooling::Mean,
        "mean_sqrt_len_tokens" => Pooling::MeanSqrtLen,
        _ => {
            return Err(Error::Config {
                file: file.to_owned(),
                key: "pooling_mode",
                problem: format!(
                    "\"{name}\" is not supported; cls, max, mean and mean_sqrt_len_tokens are"
                ),
            });
        }
    })
}

/// `[batch, tokens, d_model]` → `[batch, modes * d_model]`
pub(super) fn pool(tokens: Tokens, modes: &[Pooling]) -> Tensor<2> {
    let [batch, n_tokens, d_model] = tokens.dims();
    let dtype = tokens.embeds.dtype();
    let count = tokens.pad.clone().bool_not().float().cast(dtype).sum_dim(1); // [B, 1]
    let pad = tokens.pad.clone().reshape([batch, n_tokens, 1]);
    let pad = pad.expand([batch, n_tokens, d_model]); // [B, T] -> [B, T, D]
    let embeds = tokens.zero_padding().embeds;
    let sum = || embeds.clone().sum_dim(1).reshape([batch, d_model]); // [B, 1, D] -> [B, D]
    let parts = modes.iter().map(|mode| match mode {
        Pooling::Cls => embeds
            .clone()
            .slice([0..batch, 0..1, 0..d_model])
            .reshape([batch, d_model]),
        // Below all that a norm gives; what is absent becomes zero again.
        Pooling::Max => {
            let greatest = embeds.clone().mask_fill(pad.clone(), -1e9).max_dim(1);
            let absent = pad.clone().all_dim(1); // [B, 1, D]
            greatest.mask_fill(absent, 0.0).reshape([batch, d_model])
        }
        Pooling::Mean => sum() / count.clone().clamp_min(1.0),
        Pooling::MeanSqrtLen => sum() / count.clone().clamp_min(1.0).sqrt(),
    });
    Tensor::cat(parts.collect(), 1)
}
