//! What every task must keep, around an encoder of the tests' own, and what others compute.

mod alignment;
mod autoencoder;
mod joint;
mod language;
mod matching;
mod parity;
mod projection;

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{LearnedPositions, Transformer, TransformerConfig, linear, trunc_normal};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Maskable, Modality, Opened, Tap, Tokens};
use sensorium_testkit::random;

/// An encoder of rows of numbers, of which each is a token, built as a vision transformer is.
#[derive(Module, Debug)]
struct Rows {
    patch: Linear,
    class: Option<Param<Tensor<2>>>,
    position: LearnedPositions,
    transformer: Transformer,
    #[module(skip)]
    grid: [usize; 2],
}

impl Rows {
    fn new(d_content: usize, grid: [usize; 2], class: bool, device: &Device) -> Self {
        let [rows, columns] = grid;
        let n_tokens = rows * columns + usize::from(class);
        let transformer = TransformerConfig::new(8, 2, 2)
            .with_d_ff(12)
            .with_norm_epsilon(1e-6);
        Self {
            patch: LinearConfig::new(d_content, 8).init(device),
            class: class.then(|| trunc_normal([1, 8], 0.5, device)),
            position: LearnedPositions::new(n_tokens, 8, device),
            transformer: transformer.init(device),
            grid,
        }
    }

    /// Without what a softmax does not see.
    fn trainable(mut self) -> Self {
        without_key_bias(&mut self.transformer);
        self
    }
}

fn without_key_bias(transformer: &mut Transformer) {
    for block in &mut transformer.blocks {
        if let Some(key) = &mut block.attention.key {
            key.bias = None;
        }
    }
}

impl Encoder for Rows {
    const MODALITY: Modality = Modality("rows");
    /// `[batch, tokens, d_content]`
    type Batch = Tokens;

    fn d_output(&self) -> usize {
        8
    }

    fn encode_with<T: Tap>(&self, batch: Tokens, tap: &mut T) -> Tokens {
        let opened = self.open_with(batch, tap);
        self.close_with(opened.tokens, tap)
    }
}

impl Maskable for Rows {
    fn d_content(&self) -> usize {
        self.patch.weight.shape().dims::<2>()[0]
    }

    fn grid(&self) -> [usize; 2] {
        self.grid
    }

    fn n_extra(&self) -> usize {
        usize::from(self.class.is_some())
    }

    fn open_with<T: Tap>(&self, batch: Tokens, _tap: &mut T) -> Opened {
        let x = linear(&self.patch, batch.embeds.clone());
        let x = self.position.forward_from(x, self.n_extra());
        Opened::new(Tokens::new(x, batch.pad), batch.embeds)
    }

    fn close_with<T: Tap>(&self, mut tokens: Tokens, tap: &mut T) -> Tokens {
        if let Some(class) = &self.class {
            let [batch, _, _] = tokens.dims();
            let class = self.position.forward(class.val().unsqueeze_dim(0));
            let class = class.expand([batch, 1, 8]);
            let class = Tokens::with_presence(class, tokens.present());
            tokens = Tokens::concat(vec![class, tokens]);
        }
        tokens.embeds = tap.tensor("embeds", tokens.embeds);
        in_layer(tap, "transformer", |tap| {
            self.transformer.forward_with(tokens, tap)
        })
    }
}

/// Samples of so many tokens each, padded with large numbers to the longest or beyond.
fn ragged(lengths: &[usize], most: usize, d: usize, device: &Device) -> Tokens {
    let samples = lengths.iter().enumerate().map(|(seed, length)| {
        let there = Tokens::dense(random([1, most, d], seed as u64, device));
        let there = Tokens::dense(there.embeds.narrow(1, 0, (*length).max(1)));
        let place = Tensor::<2, burn::tensor::Int>::zeros([1, most], device);
        let place = place + Tensor::arange(0..most as i64, device).unsqueeze_dim(0);
        let garbage = Tensor::full([1, most, d], 50.0, device);
        let there = garbage.slice_assign([0..1, 0..(*length).max(1), 0..d], there.embeds);
        Tokens::new(there, place.greater_equal_elem(*length as i64))
    });
    let samples: Vec<Tokens> = samples.collect();
    Tokens::new(
        Tensor::cat(samples.iter().map(|t| t.embeds.clone()).collect(), 0),
        Tensor::cat(samples.iter().map(|t| t.pad.clone()).collect(), 0),
    )
}

/// Samples `range` of a batch, with the first `tokens` tokens.
fn part(batch: &Tokens, range: std::ops::Range<usize>, tokens: usize) -> Tokens {
    let (start, n) = (range.start, range.len());
    Tokens::new(
        batch
            .embeds
            .clone()
            .narrow(0, start, n)
            .narrow(1, 0, tokens),
        batch.pad.clone().narrow(0, start, n).narrow(1, 0, tokens),
    )
}
