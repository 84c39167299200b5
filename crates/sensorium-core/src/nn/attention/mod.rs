//! Attention in three rooms: the operation itself, the check of the framework's fused kernel that
//! decides where it may run, and the multi-head layer on top.

mod layer;
mod op;
mod trust;

#[cfg(test)]
mod tests;

pub use layer::{Attention, AttentionConfig};
pub use op::{Attend, attend, attention_weights};
