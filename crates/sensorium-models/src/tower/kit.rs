//! Towers for recipes: what a modality's own encoder can be exchanged for.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use sensorium_core::{Encoder, ModalityKit, Processor, SampleRng, Source};
use sensorium_hub::Checkpoint;
use sensorium_text::{TextBatch, TextConfig, TextKit, TextSample};
use sensorium_vision::{ImageBatch, ImageConfig, ImageKit, ImageSample, PublishedImageProcessor};

use super::{ImageTower, TextPreparation, TextTower, TowerConfig};
use crate::Error;
use crate::published::copy_files;

/// Published towers of a modality: they take the place of the encoder of its own kit, prepare the same samples in their
/// own way, and are changed in training as its table says.
pub trait TowerKit {
    /// The kit whose place they can take.
    type Own: ModalityKit;
    /// Prepares samples.
    type Processor: Processor<
            Sample = <<Self::Own as ModalityKit>::Processor as Processor>::Sample,
            Batch = <<Self::Own as ModalityKit>::Processor as Processor>::Batch,
        >;
    /// Encodes them.
    type Encoder: Encoder<Batch = <Self::Processor as Processor>::Batch>;

    /// The preparation of a checkpoint's tower, whose weights are read when the [encoder](Self::encoder) is asked for. Of the
    /// modality's `own` table only its random changes in training count.
    ///
    /// # Errors
    /// If the model is not of this modality, or a file is missing or broken.
    fn open(
        own: &<Self::Own as ModalityKit>::Config,
        checkpoint: Checkpoint,
    ) -> Result<Self::Processor, Error>;

    /// The same of a tower that was [saved](Self::save), and has no weights of its own there.
    ///
    /// # Errors
    /// If a file is missing or broken.
    fn reopen(
        own: &<Self::Own as ModalityKit>::Config,
        folder: &Path,
    ) -> Result<Self::Processor, Error>;

    /// Copies what lays a tower out, and prepares for it, into an empty folder.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    fn save(processor: &Self::Processor, folder: &Path) -> Result<(), Error>;

    /// The tower, with as much of it left to train as `tower` says; one that was reopened is only laid out.
    ///
    /// # Errors
    /// If its weights are missing, broken or do not fit.
    fn encoder(
        tower: &TowerConfig,
        processor: &Self::Processor,
        device: &Device,
    ) -> Result<Self::Encoder, Error>;
}

/// Where a tower comes from.
#[derive(Clone, Debug)]
struct Origin {
    checkpoint: Arc<Checkpoint>,
    /// Whether there are weights in it.
    pretrained: bool,
}

impl Origin {
    fn new(checkpoint: Checkpoint, pretrained: bool) -> Self {
        Self {
            checkpoint: Arc::new(checkpoint),
            pretrained,
        }
    }
}

/// Vision towers in the place of a [`sensorium_vision::Vit`].
#[derive(Clone, Copy, Debug)]
pub struct ImageTowers;

/// Prepares images for an [`ImageTower`].
#[derive(Clone, Debug)]
pub struct TowerImages {
    images: PublishedImageProcessor,
    origin: Origin,
}

impl TowerImages {
    fn new(own: &ImageConfig, origin: Origin) -> Result<Self, Error> {
        let images = ImageTower::processor(&origin.checkpoint)?;
        Ok(Self {
            images: images.with_augment(own.augment)?,
            origin,
        })
    }
}

impl TowerKit for ImageTowers {
    type Own = ImageKit;
    type Processor = TowerImages;
    type Encoder = ImageTower;

    fn open(own: &ImageConfig, checkpoint: Checkpoint) -> Result<TowerImages, Error> {
        TowerImages::new(own, Origin::new(checkpoint, true))
    }

    fn reopen(own: &ImageConfig, folder: &Path) -> Result<TowerImages, Error> {
        TowerImages::new(own, Origin::new(Checkpoint::folder(folder), false))
    }

    fn save(processor: &TowerImages, folder: &Path) -> Result<(), Error> {
        copy_files(&processor.origin.checkpoint, folder)
    }

    fn encoder(
        tower: &TowerConfig,
        processor: &TowerImages,
        device: &Device,
    ) -> Result<ImageTower, Error> {
        let Origin {
            checkpoint,
            pretrained,
        } = &processor.origin;
        if !pretrained {
            return ImageTower::lay_out(checkpoint, tower.output, device);
        }
        let encoder = ImageTower::load(checkpoint, tower.output, device)?;
        Ok(tower.tune.apply(encoder, &tower.lora))
    }
}

impl Processor for TowerImages {
    type Sample = ImageSample;
    type Batch = ImageBatch;
    type Error = sensorium_vision::Error;

    fn process(&self, source: &Source) -> Result<ImageSample, Self::Error> {
        self.images.process(source)
    }

    fn augment(&self, sample: ImageSample, rng: &mut SampleRng) -> ImageSample {
        self.images.augment(sample, rng)
    }

    fn collate(&self, samples: &[Option<&ImageSample>], device: &Device) -> ImageBatch {
        self.images.collate(samples, device)
    }
}

/// Text towers in the place of a [`sensorium_text::TextEncoder`].
#[derive(Clone, Copy, Debug)]
pub struct TextTowers;

/// Prepares texts for a [`TextTower`].
#[derive(Clone, Debug)]
pub struct TowerTexts {
    texts: TextPreparation,
    origin: Origin,
}

impl TowerTexts {
    fn new(own: &TextConfig, origin: Origin) -> Result<Self, Error> {
        let texts = TextTower::processor(&origin.checkpoint)?;
        Ok(Self {
            texts: texts.with_augment(own.augment),
            origin,
        })
    }
}

impl TowerKit for TextTowers {
    type Own = TextKit;
    type Processor = TowerTexts;
    type Encoder = TextTower;

    fn open(own: &TextConfig, checkpoint: Checkpoint) -> Result<TowerTexts, Error> {
        TowerTexts::new(own, Origin::new(checkpoint, true))
    }

    fn reopen(own: &TextConfig, folder: &Path) -> Result<TowerTexts, Error> {
        TowerTexts::new(own, Origin::new(Checkpoint::folder(folder), false))
    }

    fn save(processor: &TowerTexts, folder: &Path) -> Result<(), Error> {
        copy_files(&processor.origin.checkpoint, folder)
    }

    fn encoder(
        tower: &TowerConfig,
        processor: &TowerTexts,
        device: &Device,
    ) -> Result<TextTower, Error> {
        let Origin {
            checkpoint,
            pretrained,
        } = &processor.origin;
        if !pretrained {
            return TextTower::lay_out(checkpoint, tower.output, device);
        }
        let encoder = TextTower::load(checkpoint, tower.output, device)?;
        Ok(tower.tune.apply(encoder, &tower.lora))
    }
}

impl Processor for TowerTexts {
    type Sample = TextSample;
    type Batch = TextBatch;
    type Error = sensorium_text::Error;

    fn process(&self, source: &Source) -> Result<TextSample, Self::Error> {
        self.texts.process(source)
    }

    fn augment(&self, sample: TextSample, rng: &mut SampleRng) -> TextSample {
        self.texts.augment(sample, rng)
    }

    fn collate(&self, samples: &[Option<&TextSample>], device: &Device) -> TextBatch {
        self.texts.collate(samples, device)
    }
}
