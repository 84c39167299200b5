//! Attention in five rooms: the operation itself, the check of the framework's fused kernel that
//! decides where it may run, its blocks where memory is the host's, the multi-head layer on top, and what
//! decoding keeps of it.

mod blocks;
mod cache;
mod layer;
mod op;
mod trust;

#[cfg(test)]
mod tests;

pub use cache::{KvCache, Remembered};
pub use layer::{Attention, AttentionConfig};
pub use op::{Attend, attend, attention_weights};
