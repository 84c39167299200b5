//! What the tensors of causal language models are called in published checkpoints, as pairs of our path and theirs; `{}` is one
//! segment that is carried over.

use burn::tensor::Device;
use sensorium_hub::{KeyMap, Weights};
use serde_json::Value;

use super::{CausalConfig, CausalLm, CausalModel};
use crate::published::pairs;
use crate::{Error, Published};

const LLAMA: [(&str, &str); 13] = [
    ("token", "embed_tokens"),
    ("transformer.norm", "norm"),
    (
        "transformer.blocks.{}.norm_attention",
        "layers.{}.input_layernorm",
    ),
    (
        "transformer.blocks.{}.attention.query",
        "layers.{}.self_attn.q_proj",
    ),
    (
        "transformer.blocks.{}.attention.key",
        "layers.{}.self_attn.k_proj",
    ),
    (
        "transformer.blocks.{}.attention.value",
        "layers.{}.self_attn.v_proj",
    ),
    (
        "transformer.blocks.{}.attention.output",
        "layers.{}.self_attn.o_proj",
    ),
    (
        "transformer.blocks.{}.attention.norm_query",
        "layers.{}.self_attn.q_norm",
    ),
    (
        "transformer.blocks.{}.attention.norm_key",
        "layers.{}.self_attn.k_norm",
    ),
    (
        "transformer.blocks.{}.norm_feed_forward",
        "layers.{}.post_attention_layernorm",
    ),
    (
        "transformer.blocks.{}.feed_forward.up",
        "layers.{}.mlp.up_proj",
    ),
    (
        "transformer.blocks.{}.feed_forward.gate",
        "layers.{}.mlp.gate_proj",
    ),
    (
        "transformer.blocks.{}.feed_forward.down",
        "layers.{}.mlp.down_proj",
    ),
];

const GPT2: [(&str, &str); 9] = [
    ("token", "wte"),
    ("position.weight", "wpe.weight"),
    ("transformer.norm", "ln_f"),
    ("transformer.blocks.{}.norm_attention", "h.{}.ln_1"),
    ("transformer.blocks.{}.attention.qkv", "h.{}.attn.c_attn"),
    ("transformer.blocks.{}.attention.output", "h.{}.attn.c_proj"),
    ("transformer.blocks.{}.norm_feed_forward", "h.{}.ln_2"),
    ("transformer.blocks.{}.feed_forward.up", "h.{}.mlp.c_fc"),
    ("transformer.blocks.{}.feed_forward.down", "h.{}.mlp.c_proj"),
];

/// GPT-2's weights lie as Burn's do.
const STRAIGHT: [&str; 4] = [
    "transformer.blocks.{}.attention.qkv",
    "transformer.blocks.{}.attention.output",
    "transformer.blocks.{}.feed_forward.up",
    "transformer.blocks.{}.feed_forward.down",
];

impl CausalConfig {
    /// Names of a [`CausalModel`] of which nothing stands before.
    fn bare_map(&self) -> KeyMap {
        match self {
            Self::Llama(_) => pairs(&LLAMA).ignore("layers.{}.self_attn.rotary_emb.inv_freq"),
            Self::Gpt2(_) => {
                let map = STRAIGHT
                    .iter()
                    .fold(pairs(&GPT2), |map, ours| map.straight(ours));
                // The mask, which older files hold.
                map.ignore("h.{}.attn.bias").ignore("h.{}.attn.masked_bias")
            }
        }
    }

    /// What older files hold beside weights: masks, and what positions are turned by.
    fn buffers(&self) -> &'static [&'static str] {
        match self {
            Self::Llama(_) => &["layers.{}.self_attn.rotary_emb.inv_freq"],
            Self::Gpt2(_) => &["h.{}.attn.bias", "h.{}.attn.masked_bias"],
        }
    }

    /// What stands before the model's names in a checkpoint with logits.
    fn stem(&self) -> &'static str {
        match self {
            Self::Llama(_) => "model",
            Self::Gpt2(_) => "transformer",
        }
    }

    /// Names of a [`CausalModel`].
    pub fn model_map(&self) -> KeyMap {
        let map = self.bare_map().ignore("lm_head.weight");
        let map = self
            .buffers()
            .iter()
            .fold(map, |map, name| map.ignore(name));
        map.prefixes(["", &format!("{}.", self.stem())])
    }

    /// Names of a [`CausalLm`].
    pub fn lm_map(&self) -> KeyMap {
        let stem = self.stem();
        let map = self.bare_map().nested("model", stem);
        // Checkpoints that were saved without logits.
        let tops: &[&str] = match self {
            Self::Llama(_) => &["embed_tokens", "norm", "layers"],
            Self::Gpt2(_) => &["wte", "wpe", "ln_f", "h"],
        };
        let older = |map: KeyMap, top: &&str| map.formerly(&format!("{stem}.{top}"), top);
        let map = tops.iter().fold(map, older);
        let map = self.buffers().iter().fold(map, |map, name| {
            map.ignore(name).ignore(&format!("{stem}.{name}"))
        });
        match self.tied() {
            true => map.ignore("lm_head.weight"), // a copy of what it is tied to
            false => map.rename("head", "lm_head"),
        }
    }
}

impl Published for CausalModel {
    type Config = CausalConfig;

    const PART: bool = true;

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init_model(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.model_map()
    }
}

impl Published for CausalLm {
    type Config = CausalConfig;

    fn parse(file: &str, json: &Value) -> Result<Self::Config, Error> {
        CausalConfig::parse(file, json)
    }

    fn prepare(config: &Self::Config, _weights: &Weights, device: &Device) -> Self {
        config.init(device)
    }

    fn key_map(config: &Self::Config) -> KeyMap {
        config.lm_map()
    }
}
