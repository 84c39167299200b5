//! Image files as a checkpoint's own files say, and what stands for each of them in a prompt.

use burn::tensor::Device;
use sensorium_core::{HostBytes, Processor, Source};
use sensorium_hub::Checkpoint;
use sensorium_vision::{
    ImageSample, PatchedImage, PatchedImageProcessor, PublishedImageProcessor, TiledImage,
    TiledImageProcessor,
};

use super::{ImageFeaturesConfig, Images, expand, idefics3, llava, qwen2_5_vl};
use crate::Error;
use crate::config::ModelConfig;
use crate::ready::{Takes, preparation, unfit};

/// Prepares images for a model that reads text with images in it, and says what stands for them.
/// [`Answerer`](crate::ready::Answerer) does so, and all that comes after it.
#[derive(Clone, Debug)]
pub struct Pictures(Preparing);

#[derive(Clone, Debug)]
enum Preparing {
    /// And how many vectors a tile becomes.
    Tiles(Box<TiledImageProcessor>, usize),
    /// And how many vectors an image becomes.
    Whole(Box<PublishedImageProcessor>, usize),
    Patches(Box<PatchedImageProcessor>),
}

/// An image as a family's model takes it, on the host.
#[derive(Clone, Debug, PartialEq)]
pub enum PreparedImage {
    /// In tiles of one size.
    Tiles(TiledImage),
    /// At one size.
    Whole(ImageSample),
    /// In patches, as many as it has.
    Patches(PatchedImage),
}

impl PreparedImage {
    /// How many patches stand in time, down and across, where they are of any number.
    pub(crate) fn grid(&self) -> Option<[usize; 3]> {
        match self {
            Self::Patches(image) => Some(image.grid()),
            Self::Tiles(_) | Self::Whole(_) => None,
        }
    }
}

impl HostBytes for PreparedImage {
    fn host_bytes(&self) -> usize {
        match self {
            Self::Tiles(image) => image.host_bytes(),
            Self::Whole(image) => image.host_bytes(),
            Self::Patches(image) => image.host_bytes(),
        }
    }
}

impl Pictures {
    /// Opens what a checkpoint says of images.
    ///
    /// # Errors
    /// If the model takes no text with images in it, or a file is missing, broken, or makes images that the model does not take.
    pub fn open(checkpoint: &Checkpoint) -> Result<Self, Error> {
        let config = ImageFeaturesConfig::parse("config.json", &checkpoint.config()?)?;
        let (name, json) = preparation(checkpoint)?;
        let need = |holds: bool, problem: String| match holds {
            true => Ok(()),
            false => Err(unfit(checkpoint, format!("{name} {problem}"))),
        };
        Ok(Self(match config {
            ImageFeaturesConfig::Idefics3(config) => {
                let processor = TiledImageProcessor::from_json(name, &json)?;
                let (tile, own) = (processor.tile(), config.vision.image_size[0]);
                need(
                    tile == own,
                    format!(
                        "makes tiles of {tile} pixels a side (max_image_size), but config.json says image_size = {own}"
                    ),
                )?;
                Preparing::Tiles(Box::new(processor), config.n_tokens())
            }
            ImageFeaturesConfig::Llava(config) => {
                let processor = PublishedImageProcessor::from_json(name, &json)?;
                let takes = Takes {
                    channels: config.vision.channels,
                    image_size: Some(config.vision.image_size),
                    patch_size: config.vision.patch_size,
                };
                if let Some(problem) = takes.complaint(name, processor.dims()) {
                    return Err(unfit(checkpoint, problem));
                }
                Preparing::Whole(Box::new(processor), config.n_tokens())
            }
            ImageFeaturesConfig::Qwen25Vl(config) => {
                let processor = PatchedImageProcessor::from_json(name, &json)?;
                let made = [processor.d_patch(), processor.merge()];
                let own = [config.d_patch(), config.merge];
                need(
                    made == own,
                    format!(
                        "makes patches of {} numbers that are merged {} by {1}, but config.json asks for {} and {} by {3}",
                        made[0], made[1], own[0], own[1]
                    ),
                )?;
                Preparing::Patches(Box::new(processor))
            }
        }))
    }

    /// What stands for an image in a prompt before it is expanded.
    pub fn placeholder(&self) -> &'static str {
        match self.0 {
            Preparing::Tiles(..) | Preparing::Whole(..) => "<image>",
            Preparing::Patches(_) => "<|image_pad|>",
        }
    }

    /// Decodes and prepares an image; may be called from many threads.
    ///
    /// # Errors
    /// If it cannot be read or decoded, or is too narrow.
    pub fn process(&self, image: &Source) -> Result<PreparedImage, Error> {
        Ok(match &self.0 {
            Preparing::Tiles(processor, _) => PreparedImage::Tiles(processor.process(image)?),
            Preparing::Whole(processor, _) => PreparedImage::Whole(processor.process(image)?),
            Preparing::Patches(processor) => PreparedImage::Patches(processor.process(image)?),
        })
    }

    /// A prompt in which each placeholder is what stands for an image, in order.
    ///
    /// # Errors
    /// [`Error::Images`] if there are more or fewer placeholders than images.
    ///
    /// # Panics
    /// If an image was prepared for another family.
    pub fn expand(&self, prompt: &str, images: &[PreparedImage]) -> Result<String, Error> {
        let text = |image: &PreparedImage| match (&self.0, image) {
            (Preparing::Tiles(_, n_tokens), PreparedImage::Tiles(image)) => {
                idefics3::image_text(image.grid(), *n_tokens)
            }
            (Preparing::Whole(_, n_tokens), PreparedImage::Whole(_)) => {
                llava::image_text(*n_tokens)
            }
            (Preparing::Patches(processor), PreparedImage::Patches(image)) => {
                qwen2_5_vl::image_text(image.grid(), processor.merge())
            }
            _ => panic!("{OTHER}"),
        };
        let images: Vec<String> = images.iter().map(text).collect();
        expand(prompt, self.placeholder(), &images)
    }

    /// How many vectors an image becomes, and so how many places it has in a prompt.
    ///
    /// # Panics
    /// If it was prepared for another family.
    pub fn n_vectors(&self, image: &PreparedImage) -> usize {
        match (&self.0, image) {
            (Preparing::Tiles(_, n_tokens), PreparedImage::Tiles(image)) => {
                n_tokens * image.tiles().len()
            }
            (Preparing::Whole(_, n_tokens), PreparedImage::Whole(_)) => *n_tokens,
            (Preparing::Patches(processor), PreparedImage::Patches(image)) => {
                image.grid().iter().product::<usize>() / processor.merge().pow(2)
            }
            _ => panic!("{OTHER}"),
        }
    }

    /// The images on a device, as the model takes them; nothing if there are none.
    ///
    /// # Panics
    /// If an image was prepared for another family.
    pub fn collate(&self, images: &[PreparedImage], device: &Device) -> Option<Images> {
        if images.is_empty() {
            return None;
        }
        let images = images.iter().cloned();
        Some(match &self.0 {
            Preparing::Tiles(processor, _) => {
                let images = images.map(|image| match image {
                    PreparedImage::Tiles(image) => image,
                    _ => panic!("{OTHER}"),
                });
                let images: Vec<TiledImage> = images.collect();
                Images::Pixels(processor.collate(&images, device).pixels)
            }
            Preparing::Whole(processor, _) => {
                let images = images.map(|image| match image {
                    PreparedImage::Whole(image) => image,
                    _ => panic!("{OTHER}"),
                });
                let images: Vec<ImageSample> = images.collect();
                let images: Vec<Option<&ImageSample>> = images.iter().map(Some).collect();
                Images::Pixels(processor.collate(&images, device).pixels)
            }
            Preparing::Patches(processor) => {
                let images = images.map(|image| match image {
                    PreparedImage::Patches(image) => image,
                    _ => panic!("{OTHER}"),
                });
                let images: Vec<PatchedImage> = images.collect();
                Images::Patches(processor.collate(&images, device))
            }
        })
    }
}

const OTHER: &str = "an image that was prepared for another family";
