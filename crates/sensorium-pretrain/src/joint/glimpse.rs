//! What is seen of a modality once something of it is hidden.

use burn::tensor::{Int, Tensor};
use sensorium_core::{Tokens, spread};
use sensorium_train::PatchTargets;

/// What [`MaskedModalities`](super::MaskedModalities) sees of one modality of a batch, and what it is to say of it.
#[derive(Clone, Debug)]
pub struct Glimpse {
    /// `[batch, tokens, d_model]`, of the joint Transformer's width.
    pub(super) tokens: Tokens,
    pub(super) hidden: Hidden,
}

#[allow(
    clippy::large_enum_variant,
    reason = "a batch has one of each modality, which is not moved about"
)]
#[derive(Clone, Debug)]
pub(super) enum Hidden {
    Patches(Box<PatchTargets>),
    /// -1 where nothing is hidden: `[batch, tokens]`
    Words(Tensor<2, Int>),
}

impl Glimpse {
    /// What those samples gave that have the modality, as a part of the whole batch: `place` `[whole batch]` is each row's
    /// place among them, or their number where it is absent, as `sensorium_core::Gathered` has it. Nothing is hidden of who is
    /// absent.
    #[must_use]
    pub fn spread(self, place: Tensor<1, Int>) -> Self {
        let hidden = match self.hidden {
            Hidden::Patches(targets) => {
                let PatchTargets { patches, masked } = *targets;
                let seen = Tokens::new(patches, masked.bool_not());
                let seen = spread(seen, place.clone());
                Hidden::Patches(Box::new(PatchTargets {
                    patches: seen.embeds,
                    masked: seen.pad.bool_not(),
                }))
            }
            Hidden::Words(words) => {
                let [_, n_tokens] = words.dims();
                let nothing = Tensor::full([1, n_tokens], -1, &words.device());
                Hidden::Words(Tensor::cat(vec![words, nothing], 0).select(0, place.clone()))
            }
        };
        Self {
            tokens: spread(self.tokens, place),
            hidden,
        }
    }
}
