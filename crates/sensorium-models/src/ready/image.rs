//! Images to the vectors that a model was made to give.

use burn::tensor::{Device, Tensor};
use sensorium_core::{Processor, Source};
use sensorium_hub::Checkpoint;
use sensorium_vision::{ImageSample, PublishedImageProcessor};

use super::unfit;
use crate::Error;
use crate::tower::{ImageTower, Output};

/// A model that embeds images, with its preparation.
#[derive(Debug)]
pub struct ImageEmbedder {
    tower: ImageTower,
    processor: PublishedImageProcessor,
    device: Device,
}

impl ImageEmbedder {
    /// Opens the part of a checkpoint that embeds images.
    ///
    /// ViT and DINOv2 give the class token after the last norm, CLIP its projected and SigLIP its pooled embedding.
    ///
    /// # Errors
    /// If the model takes no images, or a file is missing, broken or does not fit.
    pub fn open(checkpoint: &Checkpoint, device: &Device) -> Result<Self, Error> {
        Ok(Self {
            processor: ImageTower::processor(checkpoint)?,
            tower: ImageTower::load(checkpoint, Output::Embedding, device)?,
            device: device.clone(),
        })
    }

    /// Decodes and prepares an image; may be called from many threads.
    ///
    /// # Errors
    /// If it cannot be read or decoded.
    pub fn prepare(&self, image: &Source) -> Result<ImageSample, Error> {
        Ok(self.processor.process(image)?)
    }

    /// Embeds a batch of images, not normalised: `[batch, d_embed]`.
    ///
    /// # Panics
    /// If there is no image.
    pub fn embed(&self, images: &[ImageSample]) -> Tensor<2> {
        let samples: Vec<Option<&ImageSample>> = images.iter().map(Some).collect();
        self.tower
            .embed(self.processor.collate(&samples, &self.device))
    }
}

/// Prepares images as the checkpoint's file says, which must come out at the model's size if it has one.
pub(crate) fn image_processor(
    checkpoint: &Checkpoint,
    side: Option<[usize; 2]>,
) -> Result<PublishedImageProcessor, Error> {
    const OLD: &str = "preprocessor_config.json";
    const NEW: &str = "processor_config.json";
    let (name, json) = match checkpoint.text(OLD)? {
        Some(json) => (OLD, json),
        None => match checkpoint.text(NEW)? {
            Some(json) => (NEW, json),
            None => {
                checkpoint.file(OLD)?; // says that it is missing
                return Err(unfit(checkpoint, format!("has no {OLD}")));
            }
        },
    };
    let processor = PublishedImageProcessor::from_json(name, &json)?;
    let [_, height, width] = processor.dims();
    match side {
        Some([h, w]) if [height, width] != [h, w] => Err(unfit(
            checkpoint,
            format!(
                "{name} makes images of {height} x {width} pixels, but config.json says {h} x {w}"
            ),
        )),
        _ => Ok(processor),
    }
}
