//! One file per command.

pub mod chat;
pub mod check;
pub mod classify;
pub mod convert;
pub mod data;
pub mod devices;
pub mod dry_run;
pub mod embed;
pub mod eval;
pub mod generate;
pub mod inspect;
pub mod merge;
pub mod predict;
pub mod runs;
pub mod sweep;
pub mod train;
pub mod transcribe;
