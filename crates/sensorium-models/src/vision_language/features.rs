//! From images to vectors that stand among those of a text's tokens.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Tensor};
use sensorium_core::tap::in_layer;
use sensorium_core::{NoTap, Tap};
use sensorium_hub::KeyMap;
use sensorium_vision::PatchBatch;
use serde_json::Value;

use super::idefics3::{Idefics3ImagesConfig, Idefics3VisionModel, ShuffleProjector};
use super::llava::{LlavaImagesConfig, LlavaVisionModel, MlpProjector};
use super::qwen2_5_vl::{MergeProjector, Qwen25VlImagesConfig, Qwen25VlVisionModel};
use crate::config::ModelConfig;
use crate::{Error, Family};

/// Images as an encoder takes them.
#[derive(Clone, Debug)]
pub enum Images {
    /// Images or tiles of one size, `[images, channels, height, width]`.
    Pixels(Tensor<4>),
    /// Patches of images of any size.
    Patches(PatchBatch),
}

/// What sees: one of the families' towers.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // There is one of it.
pub enum ImageEncoder {
    /// Tiles of one size, each seen by itself.
    Idefics3(Idefics3VisionModel),
    /// Images of one size, by what CLIP knows of them before its last block.
    Llava(LlavaVisionModel),
    /// Images of any size.
    Qwen25Vl(Qwen25VlVisionModel),
}
sensorium_core::one_of!(ImageEncoder {
    Idefics3,
    Llava,
    Qwen25Vl
});

/// From the width of an encoder, and often from many vectors to fewer, to the width of a text's tokens.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // There is one of it.
pub enum Projector {
    /// Squares of vectors are put together and mapped.
    Shuffle(ShuffleProjector),
    /// Each vector through two linear maps.
    Mlp(MlpProjector),
    /// Squares of vectors are put together and go through two linear maps.
    Merge(MergeProjector),
}
sensorium_core::one_of!(Projector {
    Shuffle,
    Mlp,
    Merge
});

/// What gives vectors for the places that a text holds free: of images, or of anything else that can be encoded.
pub trait Features: Module + ModuleDisplay {
    /// What it is given.
    type Input;

    /// Width of the vectors.
    fn d_text(&self) -> usize;

    /// The vectors, one after the other in the order of their places: `[vectors, d_text]`.
    ///
    /// # Panics
    /// If the input is not such as it takes.
    fn features_with<T: Tap>(&self, input: Self::Input, tap: &mut T) -> Tensor<2>;

    /// How many patches there are of each image in time, down and across, where vectors stand on axes of their own.
    fn grids(_input: &Self::Input) -> &[[usize; 3]] {
        &[]
    }
}

/// An encoder of images and the projector behind it.
#[derive(Module, Debug)]
pub struct ImageFeatures {
    /// What sees.
    pub encoder: ImageEncoder,
    /// Into the width of the text's tokens.
    pub projector: Projector,
}

impl ImageFeatures {
    /// The vectors of all images, one after the other in the order in which they stand in a prompt: `[vectors, d_text]`.
    ///
    /// # Panics
    /// If the images are not such as the encoder takes.
    pub fn forward(&self, images: Images) -> Tensor<2> {
        self.forward_with(images, &mut NoTap)
    }

    /// The same, showing what the encoder shows under `encoder`, and `features`, to the tap.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_with<T: Tap>(&self, images: Images, tap: &mut T) -> Tensor<2> {
        let seen = in_layer(tap, "encoder", |tap| match (&self.encoder, images) {
            (ImageEncoder::Idefics3(model), Images::Pixels(pixels)) => {
                model.forward_with(pixels, tap)
            }
            (ImageEncoder::Llava(model), Images::Pixels(pixels)) => model.forward_with(pixels, tap),
            (ImageEncoder::Qwen25Vl(model), Images::Patches(patches)) => {
                model.forward_with(patches, tap)
            }
            (ImageEncoder::Qwen25Vl(_), Images::Pixels(_)) => {
                panic!("pixels for an encoder that takes patches")
            }
            (_, Images::Patches(_)) => panic!("patches for an encoder that takes pixels"),
        });
        let features = match &self.projector {
            Projector::Shuffle(projector) => projector.forward(seen),
            Projector::Mlp(projector) => projector.forward(seen),
            Projector::Merge(projector) => projector.forward(seen),
        };
        let [images, tokens, d_text] = features.dims();
        tap.tensor("features", features.reshape([images * tokens, d_text]))
    }
}

impl Features for ImageFeatures {
    type Input = Images;

    fn d_text(&self) -> usize {
        let last = match &self.projector {
            Projector::Shuffle(projector) => &projector.projection,
            Projector::Mlp(projector) => &projector.down,
            Projector::Merge(projector) => &projector.down,
        };
        last.weight.dims()[1]
    }

    fn features_with<T: Tap>(&self, images: Images, tap: &mut T) -> Tensor<2> {
        self.forward_with(images, tap)
    }

    fn grids(images: &Images) -> &[[usize; 3]] {
        match images {
            Images::Pixels(_) => &[],
            Images::Patches(batch) => &batch.grids,
        }
    }
}

/// What of a `config.json` says how images are seen.
#[derive(Clone, Debug, PartialEq)]
pub enum ImageFeaturesConfig {
    /// As Idefics3 and SmolVLM.
    Idefics3(Idefics3ImagesConfig),
    /// As LLaVA 1.5.
    Llava(LlavaImagesConfig),
    /// As Qwen2.5-VL.
    Qwen25Vl(Qwen25VlImagesConfig),
}

impl ImageFeaturesConfig {
    /// Width of the vectors that come out.
    pub fn d_text(&self) -> usize {
        match self {
            Self::Idefics3(config) => config.d_text,
            Self::Llava(config) => config.d_text,
            Self::Qwen25Vl(config) => config.d_text,
        }
    }

    /// A freshly initialised model.
    ///
    /// # Panics
    /// If the configuration's `validate` would refuse it.
    pub fn init(&self, device: &Device) -> ImageFeatures {
        match self {
            Self::Idefics3(config) => config.init(device),
            Self::Llava(config) => config.init(device),
            Self::Qwen25Vl(config) => config.init(device),
        }
    }

    /// Names of an [`ImageFeatures`], without what stands before all of them.
    pub(super) fn bare_map(&self) -> KeyMap {
        match self {
            Self::Idefics3(config) => config.bare_map(),
            Self::Llava(config) => config.bare_map(),
            Self::Qwen25Vl(config) => config.bare_map(),
        }
    }
}

impl ModelConfig for ImageFeaturesConfig {
    fn parse(file: &str, json: &Value) -> Result<Self, Error> {
        Ok(match Family::of(file, json)? {
            Family::Idefics3 => Self::Idefics3(Idefics3ImagesConfig::parse(file, json)?),
            Family::Llava => Self::Llava(LlavaImagesConfig::parse(file, json)?),
            Family::Qwen25Vl => Self::Qwen25Vl(Qwen25VlImagesConfig::parse(file, json)?),
            family => {
                return Err(Error::Unfit {
                    model: file.to_owned(),
                    problem: format!(
                        "is a {family}, which does not read text with images in it; name an Idefics3, SmolVLM, LLaVA or Qwen2.5-VL"
                    ),
                });
            }
        })
    }
}
