//! From what a model says of the next token to a text: which one is chosen, when the text ends, and its characters as they come; and, for
//! models that talk, from the turns of a talk to the text that asks for the next.
//!
//! All of it works on plain numbers of the host, so that it is the same on every backend. This crate must never know a model: it is
//! given the scores of all tokens, `[vocabulary]`, and gives an id. What is chosen, and with what probability, equals what
//! Transformers' processors of scores leave, key by key of `generation_config.json`.
//!
//! ```
//! use sensorium_decode::{Chooser, Generation};
//!
//! let how = Generation { top_k: 2, ..Generation::sampled(0.7) };
//! let mut chooser = Chooser::new(&how, &[5, 3], 42)?;    // a prompt of two tokens, and a seed
//! let chosen = chooser.choose(&mut [0.1, 2.0, 1.5, -3.0, 0.0, 0.4])?;
//! assert!([1, 2].contains(&chosen.id) && chosen.log_probability < 0.0);
//! # Ok::<(), sensorium_decode::Error>(())
//! ```

mod chat;
mod choose;
mod error;
mod follow;
mod generation;
mod stream;

pub use chat::{Chat, ChatTemplate, Content, Message, Part};
pub use choose::{Chooser, Chosen};
pub use error::Error;
pub use follow::{
    Beam, Beams, Chooses, Early, Finish, Next, Prompt, Search, Speaker, Text, follow, generate,
};
pub use generation::Generation;
pub use stream::TextStream;

/// ln Σ eˣ of scores, in double precision; minus infinity where there is nothing above it.
pub fn log_sum_exp(scores: &[f32]) -> f32 {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if most == f32::NEG_INFINITY {
        return most;
    }
    let sum: f64 = scores.iter().map(|s| f64::from(s - most).exp()).sum();
    (f64::from(most) + sum.ln()) as f32
}
