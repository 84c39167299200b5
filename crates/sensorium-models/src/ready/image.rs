//! Images to the vectors that a model was made to give.

use burn::tensor::{Device, Tensor};
use sensorium_core::{Processor, Source};
use sensorium_hub::Checkpoint;
use sensorium_vision::{ImageSample, PublishedImageProcessor};

use super::{preparation, unfit};
use crate::Error;
use crate::tower::{ImageTower, Output, Tower};
use crate::vit::common::{MOST_PLACES, grid};

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
        self.embed_all(&samples)
    }

    pub(super) fn embed_all(&self, images: &[Option<&ImageSample>]) -> Tensor<2> {
        self.tower
            .embed(self.processor.collate(images, &self.device))
    }
}

/// What a tower's `config.json` says of its images.
#[derive(Clone, Debug)]
pub(crate) struct Takes {
    pub(crate) channels: usize,
    /// Height and width; `None` if they may be of any size.
    pub(crate) image_size: Option<[usize; 2]>,
    pub(crate) patch_size: [usize; 2],
}

/// Prepares images as the checkpoint's file says, which must come out as the model takes them.
pub(crate) fn image_processor(
    checkpoint: &Checkpoint,
    takes: &Takes,
) -> Result<PublishedImageProcessor, Error> {
    let (name, json) = preparation(checkpoint)?;
    let processor = PublishedImageProcessor::from_json(name, &json)?;
    match takes.complaint(name, processor.dims()) {
        Some(problem) => Err(unfit(checkpoint, problem)),
        None => Ok(processor),
    }
}

impl Takes {
    /// Why a model cannot take the images that a file makes.
    pub(crate) fn complaint(
        &self,
        file: &str,
        [channels, height, width]: [usize; 3],
    ) -> Option<String> {
        if channels != self.channels {
            let own = self.channels;
            return Some(format!(
                "{file} makes images of {channels} channels, but config.json says num_channels = {own}"
            ));
        }
        let made = format!("{file} makes images of {height} x {width} pixels (size, crop_size)");
        if let Some([h, w]) = self.image_size.filter(|own| *own != [height, width]) {
            return Some(format!(
                "{file} makes images of {height} x {width} pixels, but config.json says {h} x {w}"
            ));
        }
        let [rows, columns] = self.patch_size;
        if height < rows || width < columns {
            return Some(format!(
                "{made}, less than a patch of {rows} x {columns} (patch_size in config.json)"
            ));
        }
        let [rows, columns] = grid([height, width], self.patch_size);
        (rows.saturating_mul(columns) > MOST_PLACES).then(|| {
            format!(
                "{made}, which are {rows} x {columns} patches by patch_size in config.json; {MOST_PLACES} in all are allowed"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_a_model_cannot_take_are_told() {
        let any = Takes {
            channels: 3,
            image_size: None,
            patch_size: [14, 14],
        };
        let told = |takes: &Takes, dims| takes.complaint("p.json", dims).unwrap_or_default();
        assert_eq!(told(&any, [3, 14, 30]), "");
        let small = told(&any, [3, 30, 13]);
        assert!(
            small.contains("30 x 13 pixels (size, crop_size), less than a patch"),
            "{small}"
        );
        let many = told(&any, [3, 1 << 20, 1 << 20]);
        assert!(many.contains("patch_size in config.json; "), "{many}");
        let gray = Takes {
            channels: 1,
            ..any.clone()
        };
        assert_eq!(
            told(&gray, [3, 28, 28]),
            "p.json makes images of 3 channels, but config.json says num_channels = 1"
        );
        let fixed = Takes {
            image_size: Some([28, 28]),
            ..any
        };
        assert!(told(&fixed, [3, 28, 42]).contains("config.json says 28 x 28"));
    }
}
