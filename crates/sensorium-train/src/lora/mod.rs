//! Low-rank additions to any module's matrices: put on, saved by themselves as PEFT saves them, and put onto another module.

mod adapter;
mod attach;
mod config;
mod onto;
#[cfg(test)]
mod tests;

pub use adapter::Adapter;
pub use attach::add_lora;
pub use config::LoraConfig;
pub use onto::{Addition, Additions, import_with_adapter, with_adapter};

/// What stands between a matrix's path and those of its factors.
pub(crate) const BETWEEN: &str = ".lora.";

/// How the path of the first factor ends.
pub(crate) const FIRST_FACTOR: &str = ".lora.a";

/// The type whose matrices are added to.
const LINEAR: &str = "Linear";

/// Whether a parameter is the matrix of a linear layer.
fn is_matrix(path: &str, holder: &str, shape: &[usize]) -> bool {
    holder == LINEAR && path.ends_with(".weight") && shape.len() == 2
}
