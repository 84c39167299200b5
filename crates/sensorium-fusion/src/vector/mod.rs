//! Fusions of vectors: each modality is pooled to one, and what comes out is one vector a sample, `[batch, 1, d_output]`.
//!
//! One file a method; what they share, a modality's vector and whether the sample has it, stands in `inputs`.

mod attention_sum;
mod block;
mod concat;
mod gated;
pub(crate) mod inputs;
mod low_rank;
mod multiplicative;
mod product_of_experts;
mod set;
mod tensor;

pub use attention_sum::{AttentionSumFusion, AttentionSumFusionConfig};
pub use block::{BlockFusion, BlockFusionConfig};
pub use concat::{ConcatFusion, ConcatFusionConfig};
pub use gated::{GatedFusion, GatedFusionConfig};
pub use inputs::VectorInputs;
pub use low_rank::{LowRankFusion, LowRankFusionConfig};
pub use multiplicative::{MultiplicativeFusion, MultiplicativeFusionConfig};
pub use product_of_experts::{ProductOfExperts, ProductOfExpertsConfig};
pub use set::{Reduce, SetFusion, SetFusionConfig};
pub use tensor::{TensorFusion, TensorFusionConfig, outer_product};
