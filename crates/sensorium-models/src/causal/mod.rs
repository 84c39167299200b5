//! Causal language models: Llama (arXiv 2302.13971; SmolLM2, TinyLlama, Llama 3), Qwen2.5 (arXiv 2412.15115), Qwen3 (arXiv
//! 2505.09388) and GPT-2 (Radford et al. 2019).
//!
//! All are one [`CausalLm`]: a table of tokens, blocks that see what came before, and logits of what is next. A family is what its
//! [`CausalConfig`] says: norms, positions, heads, names.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use sensorium_decode::{Generation, Prompt, generate};
//! use sensorium_hub::Checkpoint;
//! use sensorium_models::Published;
//! use sensorium_models::causal::CausalLm;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let checkpoint = Checkpoint::open("HuggingFaceTB/SmolLM2-135M")?; // or a folder
//! let model = CausalLm::load(&checkpoint, &Device::flex())?.model;
//!
//! let tokens = [1, 504, 3575];
//! let (mut speaking, scores) = model.read(&[&tokens], 64)?;
//! let prompt = Prompt { tokens: &tokens, seed: 0 };
//! let go_on = |_, _: &_| std::ops::ControlFlow::Continue(());
//! let texts = generate(&mut speaking, scores, &[prompt], &Generation::default(), &[64], go_on)?;
//! println!("{:?}", texts[0].tokens);
//! # Ok(()) }
//! ```

mod config;
mod keys;
mod model;
mod rows;
mod speaking;
#[cfg(test)]
mod tests;

pub use config::{CausalConfig, Gpt2Config, LlamaConfig, LlamaKind, Rope};
pub use model::{CausalLm, CausalModel};
pub(crate) use rows::Rows;
pub use speaking::{Kept, Speaking};
