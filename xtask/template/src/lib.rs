//! Series of numbers to tokens: reading, normalising and a transformer over patches.
//!
//! A sample is a table of numbers, a row per moment and a column per channel: `1.0 2.5 0.5` in a manifest's cell for one
//! channel, rows separated by `;` for several, or a `.csv` or `.txt` file with a row on each line. This crate must never
//! know another modality, a fusion, or how models are trained.
//!
//! ```
//! use burn::tensor::Device;
//! use sensorium_core::{Encoder, ModalityKit, Processor, Source};
//! use sensorium_template::{TemplateConfig, TemplateKit};
//!
//! let config = TemplateConfig::debug();
//! let sources = [Source::text("1 2 3 4 5"), Source::text("2.5 0.5")];
//! let processor = TemplateKit::fit(&config, &mut sources.iter().cloned())?;
//! let long = processor.process(&sources[0])?;
//! let short = processor.process(&sources[1])?;
//!
//! let device = Device::flex();
//! let encoder = TemplateKit::encoder(&config, &processor, &device)?;
//! let tokens = encoder.encode(processor.collate(&[Some(&long), Some(&short)], &device));
//! assert_eq!(tokens.dims(), [2, 3, 16]); // 5 rows are 3 patches of 2
//! # Ok::<(), sensorium_template::TemplateError>(())
//! ```

mod config;
mod encoder;
mod error;
mod kit;
mod processor;
mod series;

pub use config::TemplateConfig;
pub use encoder::{TemplateBatch, TemplateEncoder};
pub use error::TemplateError;
pub use kit::{TEMPLATE, TemplateKit};
pub use processor::{TemplateProcessor, TemplateSample};
