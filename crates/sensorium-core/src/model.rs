//! A model put together: encoders, a fusion and a head.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use crate::tap::in_layer;
use crate::{EncoderSet, NoTap, Parts, Tap, Tokens};

/// Joins the tokens of all modalities into one sequence.
///
/// A sample without a modality is all padding there, and a modality that no sample has may be left
/// out of the parts: both must give the same result.
pub trait Fusion: Module + ModuleDisplay {
    /// The width of the fused tokens.
    fn d_output(&self) -> usize;

    /// Fuses, showing named intermediates to `tap`.
    fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens;

    /// Fuses parts into tokens `[batch, tokens, d_output]`.
    fn fuse(&self, parts: Parts) -> Tokens {
        self.fuse_with(parts, &mut NoTap)
    }
}

/// Turns fused tokens into an answer.
pub trait Head: Module + ModuleDisplay {
    /// The answer, such as logits `[batch, classes]`.
    type Output;

    /// Answers, showing named intermediates to `tap`.
    fn forward_with<T: Tap>(&self, fused: Tokens, tap: &mut T) -> Self::Output;

    /// Answers.
    fn forward(&self, fused: Tokens) -> Self::Output {
        self.forward_with(fused, &mut NoTap)
    }
}

/// Anything that turns a batch into an answer: what objectives train and metrics measure.
pub trait Model: Module + ModuleDisplay {
    /// What it takes.
    type Batch: Clone + core::fmt::Debug + Send + 'static;
    /// What it answers.
    type Output;

    /// Runs the model, showing named intermediates to `tap`.
    fn run_with<T: Tap>(&self, batch: Self::Batch, tap: &mut T) -> Self::Output;

    /// Runs the model.
    fn run(&self, batch: Self::Batch) -> Self::Output {
        self.run_with(batch, &mut NoTap)
    }
}

/// Encoders, a fusion and a head. Parameter paths begin with these field names.
#[derive(Module, Debug)]
pub struct Composite<E: EncoderSet, F: Fusion, H: Head> {
    /// One encoder per modality.
    pub encoders: E,
    /// Joins what they give.
    pub fusion: F,
    /// Answers from what the fusion gives.
    pub head: H,
}

impl<E: EncoderSet, F: Fusion, H: Head> Composite<E, F, H> {
    /// Puts a model together.
    pub fn new(encoders: E, fusion: F, head: H) -> Self {
        Self {
            encoders,
            fusion,
            head,
        }
    }
}

impl<E: EncoderSet, F: Fusion, H: Head> Model for Composite<E, F, H> {
    type Batch = E::Batch;
    type Output = H::Output;

    fn run_with<T: Tap>(&self, batch: Self::Batch, tap: &mut T) -> Self::Output {
        let parts = in_layer(tap, "encoders", |tap| self.encoders.encode_with(batch, tap));
        let fused = in_layer(tap, "fusion", |tap| self.fusion.fuse_with(parts, tap));
        in_layer(tap, "head", |tap| self.head.forward_with(fused, tap))
    }
}

/// Logits over classes: the output of classifiers, `[batch, classes]`.
pub type Logits = Tensor<2>;
