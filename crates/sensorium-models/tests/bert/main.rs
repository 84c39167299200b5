//! BERT and its relatives against the reference: tiny random checkpoints layer by layer, and real weights.

mod common;
mod minilm;
mod parity;
