//! What every fusion must keep, asked of every kind in the list; what each keeps besides; and what others compute.

mod config;
mod every_kind;
mod head;
mod parity;
mod particular;
mod prefix;

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{PoolConfig, PoolKind};
use sensorium_core::{Fusion, Modality, Parts, Tokens, seed};
use sensorium_testkit::{parameter_snapshot, random};

use crate::*;

const TEXT: Modality = Modality("text");
const IMAGE: Modality = Modality("image");
const AUDIO: Modality = Modality("audio");
/// In another order than that of their names.
const WIDTHS: [Width; 3] = [(TEXT, 6), (IMAGE, 4), (AUDIO, 8)];
/// How many tokens each has.
const TOKENS: usize = 3;

const POOLS: [PoolKind; 3] = [PoolKind::First, PoolKind::Mean, PoolKind::Attention];

/// A fusion of a recipe, and the modalities it is made for.
#[derive(Clone, Debug)]
struct Case {
    table: FusionConfig,
    widths: Vec<Width>,
}

impl Case {
    /// Of weights that are the same each time.
    fn build(&self, device: &Device) -> AnyFusion {
        seed::drawn(device, 1, || {
            let fusion = self.table.build(&self.widths, device).unwrap();
            parameter_snapshot(&fusion); // weights are drawn when they are first looked at
            fusion
        })
    }

    fn parts(&self, batch: usize, device: &Device) -> Parts {
        self.widths
            .iter()
            .map(|(m, _)| (*m, tokens(*m, batch, device)))
            .collect()
    }
}

/// A small one of a kind.
fn small(kind: FusionKind) -> FusionConfig {
    FusionConfig {
        kind,
        d_model: 8,
        main: kind.looks_at("main").then(|| "text".to_owned()),
        n_heads: 2,
        d_factor: 4,
        rank: 2,
        n_chunks: 2,
        n_latents: kind.looks_at("n_latents").then_some(3),
        n_experts: 3,
        top_k: 2,
        ..FusionConfig::default()
    }
}

/// Every kind over each number of modalities that it joins, pooled in each way where it pools.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in FusionKind::ALL {
        let (least, most) = kind.modalities();
        for n in least..=most.unwrap_or(WIDTHS.len()) {
            let pools = if kind.looks_at("pool") {
                &POOLS[..]
            } else {
                &POOLS[1..2]
            };
            cases.extend(pools.iter().map(|pool| Case {
                table: FusionConfig {
                    pool: *pool,
                    ..small(*kind)
                },
                widths: WIDTHS[..n].to_vec(),
            }));
        }
    }
    cases
}

/// The same over two modalities alone, pooled by the mean.
fn pair(kind: FusionKind) -> Case {
    Case {
        table: small(kind),
        widths: WIDTHS[..2].to_vec(),
    }
}

fn tokens(modality: Modality, batch: usize, device: &Device) -> Tokens {
    let place = WIDTHS.iter().position(|(m, _)| *m == modality).unwrap();
    let shape = [batch, TOKENS, WIDTHS[place].1];
    Tokens::dense(random(shape, place as u64 + 1, device))
}

/// What two heads make of it, that of the first token and that of their mean: sequences may differ in padding, answers may not.
fn answer(fusion: &AnyFusion, parts: Parts) -> Tensor<2> {
    let fused = fusion.fuse(parts);
    let [_, _, d] = fused.dims();
    let pool = |kind| {
        let pool = PoolConfig::new(kind, d).init(&fused.device());
        pool.forward(fused.clone())
    };
    Tensor::cat(vec![pool(PoolKind::First), pool(PoolKind::Mean)], 1)
}

/// Opens what is closed at the start, and leaves out what a softmax does not see.
fn trainable(mut fusion: AnyFusion) -> AnyFusion {
    if let Some(transformer) = &mut fusion.transformer {
        for block in &mut transformer.transformer.blocks {
            block.attention.key.as_mut().unwrap().bias = None;
        }
    }
    if let Some(fusion) = &mut fusion.gated_cross_attention {
        for layer in &mut fusion.layers {
            let gates = [
                &mut layer.gated.gate_cross,
                &mut layer.gated.gate_feed_forward,
            ];
            for gate in gates.into_iter().flatten() {
                let device = gate.val().device();
                *gate = Param::from_tensor(Tensor::full([1], 0.5, &device));
            }
        }
    }
    fusion
}
