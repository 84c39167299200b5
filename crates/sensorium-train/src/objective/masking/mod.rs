//! Learning by filling in: words of a text, patches of a picture.

mod patches;
mod tokens;

pub use patches::{MaskedPatches, PatchMask, PatchTargets, patches};
pub use tokens::{MaskTokens, MaskedTokens, TokenMask};
