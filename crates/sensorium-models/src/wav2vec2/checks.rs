//! What a `config.json` of wav2vec 2.0 may say, and what is refused.

use serde_json::Value;

use super::Wav2Vec2Config;
use crate::Error;
use crate::error::{need, share, size};
use crate::vit::common;

/// Convolutions of the published models are 7.
const MOST_CONVOLUTIONS: usize = 64;
/// Samples that a token may hear; more than 17 minutes of 16 kHz.
const MOST_HEARD: usize = 1 << 24;

pub(super) fn all(config: &Wav2Vec2Config, file: &str) -> Result<(), Error> {
    common::validate_blocks(file, config.d_model, config.n_heads, config.n_layers)?;
    size(file, "intermediate_size", config.d_ff, 1 << 20)?;
    convolutions(config, file)?;
    positions(config, file)?;
    common::validate_epsilon(file, config.norm_epsilon)?;
    share(file, "hidden_dropout", config.dropout)?;
    share(file, "feat_proj_dropout", config.projection_dropout)?;
    share(file, "final_dropout", config.final_dropout)?;
    share(file, "mask_time_prob", config.mask_time_prob)?;
    share(file, "mask_feature_prob", config.mask_feature_prob)?;
    size(file, "mask_time_length", config.mask_time_length, 1 << 16)?;
    let length = config.mask_feature_length;
    size(file, "mask_feature_length", length, 1 << 16)?;
    for (key, least) in [
        ("mask_time_min_masks", config.mask_time_min_masks),
        ("mask_feature_min_masks", config.mask_feature_min_masks),
    ] {
        need(least <= 1 << 16, file, key, || {
            format!("{least} must be at most 65536")
        })?;
    }
    if let Some(count) = config.vocab_size {
        size(file, "vocab_size", count, 1 << 24)?;
    }
    size(file, "classifier_proj_size", config.d_classifier, 1 << 16)?;
    common::validate_labels(file, &config.id2label)?;
    unsupported(config, file)
}

fn convolutions(config: &Wav2Vec2Config, file: &str) -> Result<(), Error> {
    let count = config.conv_dim.len();
    need(
        (1..=MOST_CONVOLUTIONS).contains(&count),
        file,
        "conv_dim",
        || format!("names {count} convolutions; there must be 1 to {MOST_CONVOLUTIONS}"),
    )?;
    for (key, values, most) in [
        ("conv_dim", &config.conv_dim, 65_536),
        ("conv_stride", &config.conv_stride, 4096),
        ("conv_kernel", &config.conv_kernel, 4096),
    ] {
        need(values.len() == count, file, key, || {
            format!(
                "has {} numbers, but conv_dim has {count}: one for each convolution",
                values.len()
            )
        })?;
        for value in values {
            size(file, key, *value, most)?;
        }
    }
    let (mut heard, mut step) = (1_usize, 1_usize);
    for (kernel, stride) in config.conv_kernel.iter().zip(&config.conv_stride) {
        heard = heard.saturating_add((kernel - 1).saturating_mul(step));
        step = step.saturating_mul(*stride);
    }
    need(heard.max(step) <= MOST_HEARD, file, "conv_stride", || {
        format!("with conv_kernel makes tokens of more than {MOST_HEARD} samples")
    })
}

fn positions(config: &Wav2Vec2Config, file: &str) -> Result<(), Error> {
    let (kernel, groups) = (config.position_kernel, config.position_groups);
    size(file, "num_conv_pos_embeddings", kernel, 1 << 16)?;
    let divides = groups > 0 && config.d_model.is_multiple_of(groups);
    need(divides, file, "num_conv_pos_embedding_groups", || {
        format!("{groups} must divide hidden_size = {}", config.d_model)
    })
}

/// What would change the model.
fn unsupported(config: &Wav2Vec2Config, file: &str) -> Result<(), Error> {
    let set = |key: &str| match config.other.get(key) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(_) => true,
    };
    for (key, what) in [
        ("add_adapter", "convolutions after the last block"),
        ("adapter_attn_dim", "adapters of languages in each block"),
        ("conv_pos_batch_norm", "positions behind a batch norm"),
    ] {
        need(!set(key), file, key, || {
            format!(
                "{} is not supported: {what}",
                config.other.get(key).unwrap_or(&Value::Null)
            )
        })?;
    }
    Ok(())
}
