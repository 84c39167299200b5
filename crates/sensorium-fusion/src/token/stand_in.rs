//! What stands in for a sequence that a sample lacks, where the others have nothing to inform without one.

use burn::module::{Module, Param};
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::Tokens;
use sensorium_core::nn::trunc_normal;

/// A learned token that takes the first place of a sequence that is all padding.
#[derive(Module, Debug)]
pub struct StandIn {
    /// `[1, d_model]`
    pub token: Param<Tensor<2>>,
}

impl StandIn {
    pub(super) fn new(d_model: usize, device: &Device) -> Self {
        Self {
            token: trunc_normal([1, d_model], 0.02, device),
        }
    }

    /// The same tokens, and where a sample has none, this one as the first: `[batch, tokens, d_model]`, the shape is kept.
    pub fn fill(&self, tokens: Tokens) -> Tokens {
        let [batch, n, d] = tokens.dims();
        let device = tokens.device();
        let first = Tensor::<1, Int>::arange(0..n as i64, &device).equal_elem(0);
        let first: Tensor<2, Bool> = first.reshape([1, n]).expand([batch, n]);
        let absent = tokens.present().bool_not().reshape([batch, 1]);
        let here = absent.expand([batch, n]).bool_and(first); // [B, T]
        let token = self.token.val().reshape([1, 1, d]).expand([batch, n, d]);
        let mask = here.clone().reshape([batch, n, 1]).expand([batch, n, d]);
        Tokens::new(
            tokens.embeds.mask_where(mask, token),
            tokens.pad.bool_and(here.bool_not()),
        )
    }
}
