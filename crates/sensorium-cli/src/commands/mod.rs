//! One file per command.

pub mod data;
pub mod devices;
pub mod eval;
pub mod predict;
pub mod train;
