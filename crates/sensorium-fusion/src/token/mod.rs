//! Fusions of tokens: sequences attend to each other, and a sequence comes out.
//!
//! One file a method; what they share, blocks that attend to other tokens and what stands in for a sequence that a sample
//! lacks, stands in `blocks` and `stand_in`.

mod blocks;
mod bottleneck;
mod co_attention;
mod cross;
mod film;
mod gated_cross;
mod modality_experts;
mod mult;
mod perceiver;
mod q_former;
mod stand_in;
mod transformer;

pub use blocks::{BlocksConfig, CrossBlock};
pub use bottleneck::{BottleneckFusion, BottleneckFusionConfig};
pub use co_attention::{CoAttentionFusion, CoAttentionFusionConfig, CoAttentionLayer};
pub use cross::{CrossAttentionFusion, CrossAttentionFusionConfig};
pub use film::{FilmFusion, FilmFusionConfig};
pub use gated_cross::{
    GatedCrossAttentionFusion, GatedCrossAttentionFusionConfig, GatedCrossLayer,
};
pub use modality_experts::{
    ExpertBlock, MixtureOfExperts, ModalityExpertsFusion, ModalityExpertsFusionConfig,
};
pub use mult::{DirectedPair, MultFusion, MultFusionConfig};
pub use perceiver::{
    PerceiverFusion, PerceiverFusionConfig, PerceiverResampler, PerceiverResamplerConfig,
    ResamplerBlock,
};
pub use q_former::{QFormer, QFormerBlock, QFormerConfig, QFormerFusion, QFormerFusionConfig};
pub use stand_in::StandIn;
pub use transformer::{CrossModalTransformer, CrossModalTransformerConfig};
