//! BERT and RoBERTa, their heads, and the sentence encoders built on them.
//!
//! ```
//! use sensorium_core::{Encoder, Processor, Source};
//! use sensorium_models::bert::BertConfig;
//! use sensorium_text::{TextProcessor, Tokenizer};
//!
//! let device = sensorium_runtime::open("flex".parse()?)?;
//! let tokenizer = Tokenizer::fit(["a cat on a mat"].into_iter(), 20)?;
//! let processor = TextProcessor::new(tokenizer, 10);
//! let sample = processor.process(&Source::text("a cat"))?;
//!
//! let bert = BertConfig::debug().init(&device);
//! let tokens = bert.encode(processor.collate(&[Some(&sample)], &device));
//! assert_eq!(tokens.embeds.dims()[2], 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod heads;
mod keys;
mod model;
mod sentence;
#[cfg(test)]
mod tests;

pub use config::{BertConfig, BertKind};
pub use heads::{BertForMaskedLm, BertForSequenceClassification};
pub use model::{BertEmbeddings, BertInput, BertModel};
pub use sentence::{
    Dense, DenseActivation, DenseConfig, Pooling, SentenceConfig, SentenceEncoder,
    SentenceProcessor,
};
pub(crate) use sentence::{MODULES, join, tower_folder};
