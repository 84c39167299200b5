//! Towers for recipes: what a modality's own encoder can be exchanged for.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use sensorium_audio::{AudioConfig, AudioKit, TrainingSounds};
use sensorium_core::{ModalityKit, Processor, SampleRng, Source};
use sensorium_hub::Checkpoint;
use sensorium_text::{TextConfig, TextKit};
use sensorium_vision::{ImageConfig, ImageKit, PublishedImageProcessor};

use super::{ImageTower, SoundTower, TextPreparation, TextTower, Tower, TowerConfig};
use crate::Error;
use crate::published::copy_files;

type OwnConfig<K> = <<K as TowerKit>::Own as ModalityKit>::Config;
type OwnProcessor<K> = <<K as TowerKit>::Own as ModalityKit>::Processor;

/// Published towers of a modality: they take the place of the encoder of its own kit, prepare the same samples in their
/// own way, and are changed in training as its table says.
pub trait TowerKit: Sized {
    /// The kit whose place they can take.
    type Own: ModalityKit;
    /// Prepares samples.
    type Processor: Processor<
            Sample = <OwnProcessor<Self> as Processor>::Sample,
            Batch = <OwnProcessor<Self> as Processor>::Batch,
        >;
    /// Encodes them.
    type Encoder: Tower<Batch = <Self::Processor as Processor>::Batch>;

    /// The preparation of a checkpoint's tower. Of the modality's `own` table only its random changes in training count, and
    /// where a model hears sounds of any length, its `max_seconds`.
    ///
    /// # Errors
    /// If the model is not of this modality, or a file is missing or broken.
    fn processor(own: &OwnConfig<Self>, checkpoint: &Checkpoint) -> Result<Self::Processor, Error>;

    /// The preparation of a checkpoint's tower, whose weights are read when the [encoder](Self::encoder) is asked for.
    ///
    /// # Errors
    /// As [`processor`](Self::processor).
    fn open(
        own: &OwnConfig<Self>,
        checkpoint: Checkpoint,
    ) -> Result<OfCheckpoint<Self::Processor>, Error> {
        let processor = Self::processor(own, &checkpoint)?;
        Ok(OfCheckpoint::new(processor, checkpoint, true))
    }

    /// The same of a tower that was [saved](Self::save), and has no weights of its own there.
    ///
    /// # Errors
    /// If a file is missing or broken.
    fn reopen(
        own: &OwnConfig<Self>,
        folder: &Path,
    ) -> Result<OfCheckpoint<Self::Processor>, Error> {
        let checkpoint = Checkpoint::folder(folder);
        let processor = Self::processor(own, &checkpoint)?;
        Ok(OfCheckpoint::new(processor, checkpoint, false))
    }

    /// Copies what lays a tower out, and prepares for it, into an empty folder.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    fn save(processor: &OfCheckpoint<Self::Processor>, folder: &Path) -> Result<(), Error> {
        copy_files(&processor.checkpoint, folder)
    }

    /// The tower, with as much of it left to train as `tower` says; one that was reopened is only laid out.
    ///
    /// # Errors
    /// If its weights are missing, broken or do not fit.
    fn encoder(
        tower: &TowerConfig,
        processor: &OfCheckpoint<Self::Processor>,
        device: &Device,
    ) -> Result<Self::Encoder, Error> {
        let OfCheckpoint {
            checkpoint,
            pretrained,
            ..
        } = processor;
        let encoder = Self::Encoder::build(checkpoint, tower.output, *pretrained, device)?;
        Ok(match pretrained {
            true => tower.tune.apply(encoder, &tower.lora),
            false => encoder,
        })
    }
}

/// Prepares samples for a tower, and knows where it comes from.
#[derive(Clone, Debug)]
pub struct OfCheckpoint<P> {
    processor: P,
    checkpoint: Arc<Checkpoint>,
    /// Whether there are weights in it.
    pretrained: bool,
}

impl<P> OfCheckpoint<P> {
    fn new(processor: P, checkpoint: Checkpoint, pretrained: bool) -> Self {
        Self {
            processor,
            checkpoint: Arc::new(checkpoint),
            pretrained,
        }
    }
}

impl<P: Processor> Processor for OfCheckpoint<P> {
    type Sample = P::Sample;
    type Batch = P::Batch;
    type Error = P::Error;

    fn process(&self, source: &Source) -> Result<P::Sample, P::Error> {
        self.processor.process(source)
    }

    fn augment(&self, sample: P::Sample, rng: &mut SampleRng) -> P::Sample {
        self.processor.augment(sample, rng)
    }

    fn augment_strongly(&self, sample: P::Sample, rng: &mut SampleRng) -> P::Sample {
        self.processor.augment_strongly(sample, rng)
    }

    fn collate(&self, samples: &[Option<&P::Sample>], device: &Device) -> P::Batch {
        self.processor.collate(samples, device)
    }
}

/// Vision towers in the place of a [`sensorium_vision::Vit`].
#[derive(Clone, Copy, Debug)]
pub struct ImageTowers;

impl TowerKit for ImageTowers {
    type Own = ImageKit;
    type Processor = PublishedImageProcessor;
    type Encoder = ImageTower;

    fn processor(
        own: &ImageConfig,
        checkpoint: &Checkpoint,
    ) -> Result<PublishedImageProcessor, Error> {
        let images = ImageTower::processor(checkpoint)?.with_augment(own.augment)?;
        Ok(images.with_strong(own.strong)?)
    }
}

/// Text towers in the place of a [`sensorium_text::TextEncoder`].
#[derive(Clone, Copy, Debug)]
pub struct TextTowers;

impl TowerKit for TextTowers {
    type Own = TextKit;
    type Processor = TextPreparation;
    type Encoder = TextTower;

    fn processor(own: &TextConfig, checkpoint: &Checkpoint) -> Result<TextPreparation, Error> {
        let texts = TextTower::processor(checkpoint)?.with_augment(own.augment)?;
        Ok(texts.with_strong(own.strong)?)
    }
}

/// Sound towers in the place of a [`sensorium_audio::Ast`].
#[derive(Clone, Copy, Debug)]
pub struct SoundTowers;

impl TowerKit for SoundTowers {
    type Own = AudioKit;
    type Processor = TrainingSounds;
    type Encoder = SoundTower;

    fn processor(own: &AudioConfig, checkpoint: &Checkpoint) -> Result<TrainingSounds, Error> {
        let sounds = SoundTower::processor(checkpoint)?;
        let sounds = sounds.for_training(own.max_seconds, own.augment)?;
        Ok(sounds.with_strong(own.strong)?)
    }
}
