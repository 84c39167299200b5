//! The modalities a fusion was made for: in order of their names, whatever order they were given in.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Bool, DType, Device, Tensor};
use sensorium_core::{Modality, Parts, Tokens};

/// A modality and the width of its tokens.
pub type Width = (Modality, usize);

/// Sorted by name.
///
/// # Panics
/// If there is none, or one twice.
pub(crate) fn sorted(widths: &[Width]) -> Vec<Width> {
    assert!(!widths.is_empty(), "a fusion needs at least one modality");
    let mut widths = widths.to_vec();
    widths.sort();
    for pair in widths.windows(2) {
        assert!(
            pair[0].0 != pair[1].0,
            "modality {} is named twice",
            pair[0].0
        );
    }
    widths
}

/// One linear map per modality to a common width.
#[derive(Module, Debug)]
pub struct Projections {
    /// In order of the modalities' names.
    pub linears: Vec<Linear>,
    #[module(skip)]
    widths: Vec<Width>,
}

impl Projections {
    pub(crate) fn new(widths: &[Width], d_model: usize, device: &Device) -> Self {
        let widths = sorted(widths);
        Self {
            linears: widths
                .iter()
                .map(|(_, width)| LinearConfig::new(*width, d_model).init(device))
                .collect(),
            widths,
        }
    }

    /// The modalities in their order as tokens of the common width. One that was left out is a single token of padding, so that
    /// there are as many sequences as modalities, each with a token at least.
    pub(crate) fn sequences(&self, parts: Parts) -> Vec<Tokens> {
        let (batch, device) = batch_of(&parts);
        let sequences = self.join(parts).into_iter().map(|(_, linear, tokens)| {
            let Some(Tokens { embeds, pad }) = tokens else {
                let [_, d_model] = linear.weight.dims();
                return nothing(batch, d_model, &device, linear.weight.val().dtype());
            };
            Tokens::new(linear.forward(embeds), pad)
        });
        sequences.collect()
    }

    /// Which of the modalities this one is.
    ///
    /// # Panics
    /// If the fusion was not made for it.
    pub(crate) fn place(&self, modality: Modality) -> usize {
        place(&self.widths, modality)
    }

    /// The modalities in their order, each with its map and, if any sample has it, its tokens.
    pub(crate) fn join(&self, mut parts: Parts) -> Vec<(Modality, &Linear, Option<Tokens>)> {
        let joined = self
            .widths
            .iter()
            .zip(&self.linears)
            .map(|((modality, width), linear)| {
                let tokens = parts.remove(*modality);
                if let Some(tokens) = &tokens {
                    check_width(*modality, *width, tokens);
                }
                (*modality, linear, tokens)
            })
            .collect();
        refuse_unknown(&parts, &self.widths);
        joined
    }
}

/// Which of the modalities this one is.
///
/// # Panics
/// If it is none of them.
pub(crate) fn place(widths: &[Width], modality: Modality) -> usize {
    let found = widths.iter().position(|(known, _)| *known == modality);
    found.unwrap_or_else(|| panic!("{modality} is none of the modalities of this fusion"))
}

pub(crate) fn check_width(modality: Modality, width: usize, tokens: &Tokens) {
    let found = tokens.dims()[2];
    assert!(
        found == width,
        "{modality} tokens are {found} wide, but this fusion was made for {width}"
    );
}

pub(crate) fn refuse_unknown(parts: &Parts, widths: &[Width]) {
    if let Some(modality) = parts.modalities().next() {
        let known: Vec<&str> = widths.iter().map(|(m, _)| m.name()).collect();
        panic!(
            "this fusion was made for {}, not for {modality}",
            known.join(", ")
        );
    }
}

/// Batch size and device of parts that may all be missing.
///
/// # Panics
/// If they are: there is nothing to take a batch's size from.
pub(crate) fn batch_of(parts: &Parts) -> (usize, Device) {
    parts
        .batch()
        .expect("a batch has tokens of at least one modality, be they all padding")
}

/// A modality that no sample of the batch has: one token of padding, `[batch, 1, width]`.
pub(crate) fn nothing(batch: usize, width: usize, device: &Device, dtype: DType) -> Tokens {
    Tokens::new(
        Tensor::zeros([batch, 1, width], (device, dtype)),
        Tensor::full([batch, 1], true, device),
    )
}

/// Sets rows of absent samples to zero: `[batch, d]` by `present` `[batch]`.
pub(crate) fn zero_absent(x: Tensor<2>, present: Tensor<1, Bool>) -> Tensor<2> {
    let [batch, d] = x.dims();
    let absent = present.bool_not().reshape([batch, 1]).expand([batch, d]);
    x.mask_fill(absent, 0.0)
}
