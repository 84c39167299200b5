//! Layers every modality needs: attention that is right on every backend, transformer blocks,
//! positions, norms, pooling.

mod activation;
mod asked;
pub mod attention;
mod block;
mod cached;
#[cfg(test)]
mod cached_tests;
mod decoder;
#[cfg(test)]
mod decoder_tests;
mod drop_path;
mod feed_forward;
mod host;
mod init;
mod layer_scale;
mod linear;
mod norm;
mod pool;
mod positions;
mod rotary;
mod stack;
#[cfg(test)]
mod stack_tests;

pub use activation::Activation;
pub use attention::{
    Attend, Attention, AttentionConfig, KvCache, Remembered, attend, attention_weights,
};
pub use block::{DecoderBlock, EncoderBlock, NormOrder};
pub use cached::TransformerCache;
pub use decoder::{Decoder, DecoderCache, DecoderConfig};
pub use drop_path::DropPath;
pub use feed_forward::{FeedForward, FeedForwardConfig};
pub use init::trunc_normal;
pub use layer_scale::LayerScale;
pub use linear::{affine, linear};
pub use norm::{Norm, NormConfig, NormKind};
pub use pool::{Pool, PoolConfig, PoolKind};
pub use positions::{LearnedPositions, sinusoidal};
pub use rotary::{Angles, Positions, Rotary};
pub use stack::{Layout, Transformer, TransformerConfig};
