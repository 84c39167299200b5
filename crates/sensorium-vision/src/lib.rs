//! Images to tokens: decoding, Pillow-equal resizing and a vision transformer.
//!
//! This crate must never know another modality, a task, a data set or a recipe, and it names no
//! backend: it runs on whatever device it is handed, from `sensorium-runtime` or from Burn itself. It is
//! all it takes to turn a JPEG into tokens:
//!
//! ```
//! use sensorium_vision::{
//!     Encoder, ImageProcessor, PrepareConfig, Processor, Source, VitConfig, runtime,
//! };
//!
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("photo.jpg");
//! # image::RgbImage::from_fn(320, 200, |x, y| image::Rgb([x as u8, y as u8, 99])).save(&file)?;
//! // The pure-Rust CPU backend; `burn::tensor::Device::flex()` is the same.
//! let device = runtime::open("flex".parse()?)?;
//!
//! // File → upright RGB → shorter side to 32 pixels, centre cut out → pixels in -1..1.
//! let processor = ImageProcessor::new(PrepareConfig::new(32))?;
//! let photo = processor.process(&Source::path(file))?;
//!
//! // Samples → batch; `None` is a sample without an image.
//! let batch = processor.collate(&[Some(&photo), None], &device);
//!
//! // 32 / 8 = 4 patches a side, and a class token: 17 tokens of width 64.
//! let vit = VitConfig::new(32, 8, 64, 2, 4).init(&device);
//! let tokens = vit.encode(batch);
//! assert_eq!(tokens.dims(), [2, 17, 64]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod augment;
mod convolve;
mod decode;
mod error;
mod grid;
mod kit;
mod patch;
mod picture;
mod prepare;
mod processor;
mod published;
mod resize;
mod stem;
mod vit;

pub use augment::{AugmentConfig, RandAugment};
pub use decode::{Limits, decode};
pub use error::Error;
pub use grid::{GridResample, resample_grid};
pub use kit::{ImageConfig, ImageKit};
pub use patch::{PatchEmbedding, PatchEmbeddingConfig};
pub use picture::Picture;
pub use prepare::{Normalize, PrepareConfig};
pub use processor::{ImageBatch, ImageProcessor, ImageSample};
pub use published::{
    PatchBatch, PatchedImage, PatchedImageProcessor, PublishedImageProcessor, TiledImage,
    TiledImageProcessor,
};
pub use resize::{Filter, Fit, resize, resize_and_crop};
pub use stem::{Stem, StemConfig, StemLayer};
pub use vit::{Vit, VitConfig};

/// Of the contract, what is needed to use this crate alone.
pub use sensorium_core::{Encoder, Modality, ModalityKit, Processor, Source, Tokens};

/// Opens a device to run on; any `burn::tensor::Device` will do as well.
#[cfg(feature = "device")]
pub use sensorium_runtime as runtime;

/// What this crate encodes.
pub const IMAGE: Modality = Modality("image");

/// The README's example and table are run too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
