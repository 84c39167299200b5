//! A multimodal toolkit on Burn: encode, fuse, train and ship models of text, images and sound.
//!
//! This crate re-exports the others behind one feature each: `text`, `vision`, `audio`, `models` (published
//! families and their checkpoints), `train` (with data, pretraining and evaluation) and `recipe`, all on by default; and the backends `flex` (on by default), `wgpu`, `libtorch` and `cuda`.
//!
//! ```
//! use sensorium::{fusion::ConcatFusionConfig, prelude::*, vision::{IMAGE, ImageBatch, VitConfig}};
//!
//! let device = sensorium::open("flex".parse()?)?;
//! let vit = VitConfig::debug().init(&device);
//! let tokens = vit.encode(ImageBatch::dense(sensorium::burn::tensor::Tensor::zeros([1, 3, 8, 8], &device)));
//! let fusion = ConcatFusionConfig::new(&[(IMAGE, vit.d_output())], 16).init(&device);
//! assert_eq!(fusion.fuse(Parts::new().with(IMAGE, tokens)).dims(), [1, 1, 16]);
//! # Ok::<(), sensorium::runtime::Error>(())
//! ```

pub use burn;
pub use sensorium_core as core;
pub use sensorium_fusion as fusion;
pub use sensorium_runtime as runtime;

#[cfg(feature = "audio")]
pub use sensorium_audio as audio;
#[cfg(feature = "train")]
pub use sensorium_data as data;
#[cfg(feature = "models")]
pub use sensorium_decode as decode;
#[cfg(feature = "train")]
pub use sensorium_eval as eval;
#[cfg(feature = "models")]
pub use sensorium_hub as hub;
#[cfg(feature = "models")]
pub use sensorium_models as models;
#[cfg(feature = "train")]
pub use sensorium_pretrain as pretrain;
#[cfg(feature = "recipe")]
pub use sensorium_recipe as recipe;
#[cfg(feature = "text")]
pub use sensorium_text as text;
#[cfg(feature = "train")]
pub use sensorium_train as train;
#[cfg(feature = "vision")]
pub use sensorium_vision as vision;

pub use sensorium_runtime::{Backend, open};

/// What nearly every program needs: the traits and the types they pass on.
pub mod prelude {
    pub use sensorium_core::{
        Composite, Encoder, EncoderSet, Fusion, Head, Logits, Modality, Model, Parts, Processor,
        Source, Tokens,
    };
}

/// The README's examples, as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

/// A chapter's examples, as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/src/pretraining.md")]
pub struct Pretraining;
