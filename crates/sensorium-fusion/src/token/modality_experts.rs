//! Modality experts: a transformer over all tokens, in which a router sends each to the experts it is for.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::nn::{Attend, Attention, DropPath, FeedForward, Norm, trunc_normal};
use sensorium_core::tap::in_layer;
use sensorium_core::{Fusion, Parts, Tap, Tokens};

use super::blocks::{BlocksConfig, token_config};
use super::transformer::all_tokens;
use crate::inputs::{Projections, Width};
use crate::{FromTable, FusionConfig};

token_config! {
    /// Configuration of a [`ModalityExpertsFusion`].
    ModalityExpertsFusionConfig() {
        /// How many experts each layer has.
        with_n_experts(n_experts: usize) = 4;
        /// How many of them each token is sent to.
        with_top_k(top_k: usize) = 1;
        /// What the balance loss is multiplied with before it is added to the objective's.
        with_balance(balance: f64) = 0.01;
    }
}

impl ModalityExpertsFusionConfig {
    /// A freshly initialised fusion.
    ///
    /// # Panics
    /// If heads do not divide `d_model`, or a token is to go to more experts than there are, or to none.
    pub fn init(&self, device: &Device) -> ModalityExpertsFusion {
        assert!(
            (1..=self.n_experts).contains(&self.top_k),
            "a token cannot be sent to {} of {} experts",
            self.top_k,
            self.n_experts
        );
        let d = self.blocks.d_model;
        let block = |layer| ExpertBlock {
            norm_attention: self.blocks.norm(device),
            attention: self.blocks.self_attention(device),
            norm_experts: self.blocks.norm(device),
            experts: MixtureOfExperts {
                router: LinearConfig::new(d, self.n_experts)
                    .with_bias(false)
                    .init(device),
                experts: self.blocks.experts(self.n_experts, device),
                top_k: self.top_k,
            },
            drop_path: self.blocks.drop_path(layer),
        };
        ModalityExpertsFusion {
            projections: Projections::new(&self.widths, d, device),
            modality_embeddings: trunc_normal([self.widths.len(), d], 0.02, device),
            class_token: trunc_normal([1, d], 0.02, device),
            blocks: (0..self.blocks.n_layers).map(block).collect(),
            norm: self.blocks.norm(device),
            balance: self.balance,
            d_model: d,
        }
    }
}

/// Feed-forward layers, of which a router chooses `top_k` for each token and weighs them by how likely it holds them.
#[derive(Module, Debug)]
pub struct MixtureOfExperts {
    /// `d_model` → `n_experts`, without a bias.
    pub router: Linear,
    /// Feed-forward layers.
    pub experts: Vec<FeedForward>,
    #[module(skip)]
    top_k: usize,
}

impl MixtureOfExperts {
    /// What the chosen experts make of each token, and how evenly they are used: `[batch, tokens, d_model]` → the same, and `[1]`.
    ///
    /// The balance is `E Σ_e f_e P_e` (arXiv 2101.03961, equation 4) over tokens that are not padding: `f_e` is the share of all
    /// choices that fell on expert `e`, `P_e` its mean probability. It is one where all are used alike, and at most `E`.
    ///
    /// Every expert sees every token, and those that were not chosen count zero: right on every backend, but as much work as
    /// all experts together.
    pub fn forward_with<T: Tap>(&self, tokens: Tokens, tap: &mut T) -> (Tensor<3>, Tensor<1>) {
        let Tokens { embeds, pad } = tokens;
        let likely = softmax(self.router.forward(embeds.clone()), 2); // [B, T, E]
        let chosen = self.chosen(likely.clone()); // [B, T, E], 1 or 0
        let gates = tap.tensor("gates", likely.clone() * chosen.clone());
        let balance = self.balance(likely, chosen, pad);
        let made = self.experts.iter().enumerate().map(|(e, expert)| {
            let gate = gates.clone().narrow(2, e, 1); // [B, T, 1]
            expert.forward(embeds.clone()) * gate
        });
        let sum = made.reduce(|a, b| a + b);
        (sum.expect("there is at least one expert"), balance)
    }

    /// One where an expert is among a token's likeliest, else zero; the lower one of two that are as likely.
    fn chosen(&self, likely: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, n] = likely.dims();
        let (device, dtype) = (likely.device(), likely.dtype());
        let shape = [batch, tokens, n];
        let numbers = Tensor::<1, Int>::arange(0..n as i64, &device).reshape([1, 1, n]);
        let numbers = numbers.expand(shape);
        let mut left = likely.detach();
        let mut chosen = Tensor::zeros(shape, (&device, dtype));
        for _ in 0..self.top_k {
            let best = left.clone().argmax(2).expand(shape).equal(numbers.clone());
            left = left.mask_fill(best.clone(), -1.0);
            chosen = chosen + best.float().cast(dtype);
        }
        chosen
    }

    fn balance(&self, likely: Tensor<3>, chosen: Tensor<3>, pad: Tensor<2, Bool>) -> Tensor<1> {
        let [batch, tokens, n] = likely.dims();
        let real = pad.bool_not().float().cast(likely.dtype());
        let real: Tensor<2> = real.reshape([batch * tokens, 1]);
        let count = real.clone().sum().clamp_min(1.0).reshape([1, 1]);
        let mean = |x: Tensor<3>| {
            let x = x.reshape([batch * tokens, n]) * real.clone();
            x.sum_dim(0) / count.clone() // [1, E]
        };
        let chosen = mean(chosen).div_scalar(self.top_k as f64);
        (chosen * mean(likely)).sum().mul_scalar(n as f64)
    }
}

/// Self-attention, and experts in place of the feed-forward part; norms stand before.
#[derive(Module, Debug)]
pub struct ExpertBlock {
    /// Before attention.
    pub norm_attention: Norm,
    /// Self-attention.
    pub attention: Attention,
    /// Before the experts.
    pub norm_experts: Norm,
    /// In place of the feed-forward part.
    pub experts: MixtureOfExperts,
    /// On both residual branches.
    pub drop_path: DropPath,
}

impl ExpertBlock {
    fn forward_with<T: Tap>(&self, tokens: Tokens, balance: f64, tap: &mut T) -> Tokens {
        let Tokens { embeds: x, pad } = tokens;
        let how = Attend::keys(pad.clone());
        let branch = in_layer(tap, "attention", |tap| {
            let x = self.norm_attention.forward(x.clone());
            self.attention.self_attend_with(x, None, &how, tap)
        });
        let x = x + self.drop_path.forward(branch);
        let normed = Tokens::new(self.norm_experts.forward(x.clone()), pad.clone());
        let branch = in_layer(tap, "experts", |tap| {
            let (x, loss) = self.experts.forward_with(normed, tap);
            tap.loss("balance", loss, balance);
            x
        });
        let x = x + self.drop_path.forward(branch);
        Tokens::new(tap.tensor("output", x), pad)
    }
}

/// [`CrossModalTransformer`](crate::CrossModalTransformer) with a mixture of experts in place of each feed-forward part (LIMoE,
/// arXiv 2206.02770; with one expert a modality compare VLMo, arXiv 2111.02358): experts come to be for one modality or another by
/// themselves, as the router sees each token's modality.
///
/// # Shapes
/// `[batch, tokens_i, d_i]` for each modality → `[batch, 1 + Σ tokens_i, d_model]`
///
/// How unevenly experts are used is a loss, shown to the tap as `blocks.N.experts.balance`: a learner adds it to the objective's.
/// Padding is attended to by nothing and does not count in that loss. The class token is never padding.
///
/// # Differs from the paper
/// No expert has a capacity, and of LIMoE's losses only that of balance is here.
#[derive(Module, Debug)]
pub struct ModalityExpertsFusion {
    /// `d_i` → `d_model`
    pub projections: Projections,
    /// `[modalities, d_model]`, in order of their names.
    pub modality_embeddings: Param<Tensor<2>>,
    /// `[1, d_model]`
    pub class_token: Param<Tensor<2>>,
    /// First to last.
    pub blocks: Vec<ExpertBlock>,
    /// After the last block.
    pub norm: Norm,
    #[module(skip)]
    balance: f64,
    #[module(skip)]
    d_model: usize,
}

impl Fusion for ModalityExpertsFusion {
    fn d_output(&self) -> usize {
        self.d_model
    }

    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
        let class = Some(self.class_token.val());
        let tokens = all_tokens(
            &self.projections,
            self.modality_embeddings.val(),
            class,
            parts,
        );
        let blocks = self.blocks.iter().enumerate();
        let Tokens { embeds, pad } = blocks.fold(tokens, |tokens, (i, block)| {
            in_layer(tap, &format!("blocks.{i}"), |tap| {
                block.forward_with(tokens, self.balance, tap)
            })
        });
        Tokens::new(tap.tensor("output", self.norm.forward(embeds)), pad)
    }
}

impl FromTable for ModalityExpertsFusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
        let config = ModalityExpertsFusionConfig::new(widths, BlocksConfig::of_table(table));
        config
            .with_n_experts(table.n_experts)
            .with_top_k(table.top_k)
            .with_balance(table.balance)
            .init(device)
    }
}
