//! Images to the vectors that a model was made to give.

use burn::tensor::{Device, Tensor};
use sensorium_core::{Processor, Source};
use sensorium_hub::Checkpoint;
use sensorium_vision::{ImageBatch, ImageSample, PublishedImageProcessor};

use super::unfit;
use crate::clip::{ClipVisionModel, ClipVisionModelWithProjection};
use crate::dino::Dinov2Model;
use crate::published::holds;
use crate::siglip::SiglipVisionModel;
use crate::vit::VitModel;
use crate::{Error, Family, Published};

/// A model that embeds images, with its preparation.
#[derive(Debug)]
pub struct ImageEmbedder {
    tower: Tower,
    processor: PublishedImageProcessor,
    device: Device,
}

#[derive(Debug)]
enum Tower {
    Vit(Box<VitModel>),
    Dinov2(Box<Dinov2Model>),
    Clip(Box<ClipVisionModelWithProjection>),
    ClipPooled(Box<ClipVisionModel>),
    Siglip(Box<SiglipVisionModel>),
}

impl ImageEmbedder {
    /// Opens the part of a checkpoint that embeds images.
    ///
    /// ViT and DINOv2 give the class token after the last norm, CLIP its projected and SigLIP its pooled embedding.
    ///
    /// # Errors
    /// If the model takes no images, or a file is missing, broken or does not fit.
    pub fn open(checkpoint: &Checkpoint, device: &Device) -> Result<Self, Error> {
        let (tower, side) = match Family::of_checkpoint(checkpoint)? {
            Family::Vit => {
                let loaded = VitModel::load(checkpoint, device)?;
                (
                    Tower::Vit(Box::new(loaded.model)),
                    Some(loaded.config.image_size),
                )
            }
            Family::Dinov2 => {
                let loaded = Dinov2Model::load(checkpoint, device)?;
                // It takes images of any size.
                (Tower::Dinov2(Box::new(loaded.model)), None)
            }
            Family::Clip | Family::ClipVision => clip(checkpoint, device)?,
            Family::Siglip | Family::SiglipVision => {
                let loaded = SiglipVisionModel::load(checkpoint, device)?;
                if !loaded.config.with_head {
                    let problem = "this SigLIP has no head that pools".to_owned();
                    return Err(unfit(checkpoint, problem));
                }
                let side = loaded.config.image_size;
                (Tower::Siglip(Box::new(loaded.model)), Some(side))
            }
            family => {
                return Err(unfit(
                    checkpoint,
                    format!("{family} takes texts, not images"),
                ));
            }
        };
        Ok(Self {
            tower,
            processor: processor(checkpoint, side)?,
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
        let batch: ImageBatch = self.processor.collate(&samples, &self.device);
        match &self.tower {
            Tower::Vit(vit) => vit.embed(batch),
            Tower::Dinov2(dino) => dino.embed(batch),
            Tower::Clip(clip) => clip.embed(batch),
            Tower::ClipPooled(tower) => tower.embed(batch),
            Tower::Siglip(tower) => tower.embed(batch).expect("`open` asks for a head"),
        }
    }
}

fn clip(checkpoint: &Checkpoint, device: &Device) -> Result<(Tower, Option<[usize; 2]>), Error> {
    let weights = checkpoint.weights()?;
    Ok(if holds(&weights, "visual_projection.weight") {
        let loaded = ClipVisionModelWithProjection::load(checkpoint, device)?;
        let side = loaded.config.image_size;
        (Tower::Clip(Box::new(loaded.model)), Some(side))
    } else {
        let loaded = ClipVisionModel::load(checkpoint, device)?;
        let side = loaded.config.image_size;
        (Tower::ClipPooled(Box::new(loaded.model)), Some(side))
    })
}

/// Prepares images as the checkpoint's file says, which must come out at the model's size if it has one.
pub(super) fn processor(
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
