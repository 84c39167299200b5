//! The table `[fusion]` of a recipe: which fusion, and the numbers that it looks at.

use burn::tensor::Device;
use sensorium_core::nn::PoolKind;
use sensorium_core::{Misfit, Modality, need};
use serde::{Deserialize, Serialize};

use crate::inputs::sorted;
use crate::{AnyFusion, Error, FusionKind, Width};

/// The most numbers that one weight of a fusion may have: 1 GiB of them.
const MOST_NUMBERS: usize = 1 << 28;

/// A recipe's table `[fusion]`. Which keys count hangs on the kind: see [`FusionKind::keys`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FusionConfig {
    /// Which fusion.
    pub kind: FusionKind,
    /// Width of the fused tokens.
    pub d_model: usize,
    /// How a modality's tokens become one vector.
    pub pool: PoolKind,
    /// The modality that the others inform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main: Option<String>,
    /// The width that each modality is brought to before features are multiplied.
    pub d_factor: usize,
    /// How many products are added up.
    pub rank: usize,
    /// Into how many blocks features are cut.
    pub n_chunks: usize,
    /// How many layers.
    pub n_layers: usize,
    /// How many attention heads.
    pub n_heads: usize,
    /// Width of the feed-forward part, four times `d_model` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_ff: Option<usize>,
    /// Share of features dropped in training.
    pub dropout: f64,
    /// Chance of skipping the last layer's residual branches in training.
    pub drop_path: f64,
    /// How many learned tokens, by default as many as the method's paper has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_latents: Option<usize>,
    /// How many experts each layer has.
    pub n_experts: usize,
    /// How many of them each token is sent to.
    pub top_k: usize,
    /// What the loss of how evenly experts are used is multiplied with.
    pub balance: f64,
}

impl Default for FusionConfig {
    fn default() -> Self {
        Self {
            kind: FusionKind::Transformer,
            d_model: 64,
            pool: PoolKind::Mean,
            main: None,
            d_factor: 16,
            rank: 4,
            n_chunks: 4,
            n_layers: 2,
            n_heads: 4,
            d_ff: None,
            dropout: 0.0,
            drop_path: 0.0,
            n_latents: None,
            n_experts: 4,
            top_k: 1,
            balance: 0.01,
        }
    }
}

impl FusionConfig {
    /// Refuses numbers that do not fit each other, or that no machine holds. Only keys that count for the kind are looked at.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        for (key, value, most) in [
            ("d_model", self.d_model, 65_536),
            ("n_heads", self.n_heads, 1024),
            ("d_ff", self.d_ff.unwrap_or(1), 1 << 20),
            ("n_latents", self.n_latents.unwrap_or(1), 65_536),
            ("n_experts", self.n_experts, 1024),
            ("d_factor", self.d_factor, 4096),
            ("rank", self.rank, 4096),
            ("n_chunks", self.n_chunks, 4096),
        ] {
            self.check(key, (1..=most).contains(&value), || {
                format!("{value} must be 1 to {most}")
            })?;
        }
        for (key, share) in [("dropout", self.dropout), ("drop_path", self.drop_path)] {
            self.check(key, (0.0..1.0).contains(&share), || {
                format!("{share} must be at least 0 and below 1")
            })?;
        }
        self.check("balance", (0.0..=1e6).contains(&self.balance), || {
            format!("{} must be 0 to 1000000", self.balance)
        })?;
        self.validate_together()?;
        Ok(())
    }

    /// Numbers that are right alone, but not beside each other.
    fn validate_together(&self) -> Result<(), Misfit> {
        // The transformer over all tokens is the one that says something without any layer.
        let least = usize::from(self.kind != FusionKind::Transformer);
        let layers = (least..=512).contains(&self.n_layers);
        self.check("n_layers", layers, || match least {
            0 => format!("{} must be at most 512", self.n_layers),
            _ => format!("{} must be 1 to 512", self.n_layers),
        })?;
        if self.kind.looks_at("n_heads") {
            let divides = self.d_model.is_multiple_of(self.n_heads);
            need(divides, "d_model", || {
                format!(
                    "{} must be a multiple of n_heads = {}",
                    self.d_model, self.n_heads
                )
            })?;
        }
        let few = (1..=self.n_experts).contains(&self.top_k);
        self.check("top_k", few, || {
            format!("{} must be 1 to n_experts = {}", self.top_k, self.n_experts)
        })?;
        let cut = self.d_factor.is_multiple_of(self.n_chunks);
        self.check("n_chunks", cut, || {
            format!("{} must divide d_factor = {}", self.n_chunks, self.d_factor)
        })?;
        self.validate_sizes()
    }

    /// Numbers that multiply each other.
    fn validate_sizes(&self) -> Result<(), Misfit> {
        let chunks = match self.kind {
            FusionKind::Block => self.n_chunks,
            _ => 1,
        };
        let d_chunk = self.d_factor / chunks;
        let bilinear = matches!(self.kind, FusionKind::Mutan | FusionKind::Block);
        let numbers = [self.rank, d_chunk, d_chunk];
        let numbers = numbers.into_iter().fold(1, usize::saturating_mul);
        need(!bilinear || numbers <= MOST_NUMBERS, "rank", || {
            format!(
                "{} times {d_chunk}² features are too many: lower it, or d_factor",
                self.rank
            )
        })?;
        let d_ff = self.d_ff.unwrap_or(self.d_model.saturating_mul(4));
        let numbers = [self.n_experts, self.d_model, d_ff];
        let numbers = numbers.into_iter().fold(1, usize::saturating_mul);
        self.check("n_experts", numbers <= MOST_NUMBERS, || {
            format!(
                "{} times d_model = {} times d_ff = {d_ff} are too many: lower one of them",
                self.n_experts, self.d_model
            )
        })
    }

    /// As [`need`], for a key that counts.
    fn check(
        &self,
        key: &'static str,
        holds: bool,
        problem: impl FnOnce() -> String,
    ) -> Result<(), Misfit> {
        need(holds || !self.kind.looks_at(key), key, problem)
    }

    /// Refuses modalities that this fusion cannot join: too few, too many, or the main one not among them.
    ///
    /// # Errors
    /// The key, and what to change.
    pub fn validate_for(&self, modalities: &[Modality]) -> Result<(), Error> {
        let names: Vec<&str> = modalities.iter().map(|m| m.name()).collect();
        let (n, kind) = (names.len(), self.kind.name());
        let (least, most) = self.kind.modalities();
        let named = names.join(", ");
        need(n >= least, "kind", || {
            format!(
                "{kind:?} joins {least} modalities or more, and there {}: add an encoder, or choose one of {}",
                match n {
                    0 => "is none".to_owned(),
                    1 => format!("is {named} alone"),
                    _ => format!("are {named}"),
                },
                FusionKind::that_join(n).join(", ")
            )
        })?;
        need(most.is_none_or(|most| n <= most), "kind", || {
            format!(
                "{kind:?} joins two modalities, and there are {n} ({named}): leave out an encoder, or choose one of {}",
                FusionKind::that_join(n).join(", ")
            )
        })?;
        if self.kind.looks_at("main") {
            self.validate_main(&names)?;
        }
        let product = (self.d_factor.saturating_add(1)).saturating_pow(n as u32);
        let fits = product.saturating_mul(self.d_model) <= MOST_NUMBERS;
        need(self.kind != FusionKind::Tensor || fits, "d_factor", || {
            format!(
                "({} + 1)^{n} features times d_model = {} are too many: lower d_factor, or choose \"low-rank-tensor\", which \
                 never forms them",
                self.d_factor, self.d_model
            )
        })?;
        Ok(())
    }

    fn validate_main(&self, names: &[&str]) -> Result<(), Misfit> {
        let choice = names.join(", ");
        let Some(main) = &self.main else {
            let problem = format!(
                "{:?} must be told which modality the others inform: set it to one of {choice}",
                self.kind.name()
            );
            return need(false, "main", || problem);
        };
        need(names.contains(&main.as_str()), "main", || {
            format!("{main:?} is none of the modalities: set it to one of {choice}")
        })
    }

    /// The main modality, or the first by name.
    pub(crate) fn main_or_first(&self, widths: &[Width]) -> Modality {
        let widths = sorted(widths);
        let named = widths
            .iter()
            .find(|(modality, _)| Some(modality.name()) == self.main.as_deref());
        named.unwrap_or(&widths[0]).0
    }

    /// The fusion it names, for modalities of these widths.
    ///
    /// # Errors
    /// As [`validate`](Self::validate) and [`validate_for`](Self::validate_for); and if the widths make a weight that no machine
    /// holds.
    ///
    /// # Panics
    /// If a modality is there twice.
    pub fn build(&self, widths: &[Width], device: &Device) -> Result<AnyFusion, Error> {
        self.validate()?;
        let modalities: Vec<Modality> = widths.iter().map(|(modality, _)| *modality).collect();
        self.validate_for(&modalities)?;
        let numbers = self.largest_weight(widths);
        need(numbers <= MOST_NUMBERS, "d_model", || {
            format!(
                "{} and encoders of {} features make a weight of {numbers} numbers, more than {MOST_NUMBERS}: make them narrower",
                self.d_model,
                widths
                    .iter()
                    .map(|(_, d)| d.to_string())
                    .collect::<Vec<_>>()
                    .join(" and ")
            )
        })?;
        Ok(AnyFusion::from_table(self, widths, device))
    }

    /// How many numbers the largest weight has of those that grow with a product of widths.
    fn largest_weight(&self, widths: &[Width]) -> usize {
        let each = widths.iter().map(|(_, width)| *width);
        let factors = match self.kind {
            FusionKind::Multiplicative => each.fold(1, usize::saturating_mul),
            FusionKind::LowRankTensor => self
                .rank
                .saturating_mul(each.max().unwrap_or(0).saturating_add(1)),
            _ => each.fold(0, usize::saturating_add),
        };
        factors.saturating_mul(self.d_model)
    }
}
