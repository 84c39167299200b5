//! Sounds to the vectors that a model was made to give.

use burn::tensor::{Device, Tensor};
use sensorium_audio::{SoundFeatures, SoundProcessor, SoundSample};
use sensorium_core::{Processor, Source};
use sensorium_hub::Checkpoint;

use super::{preparation, unfit};
use crate::Error;
use crate::ast::AstConfig;
use crate::clap::ClapAudioConfig;
use crate::tower::{Output, SoundTower, Tower};
use crate::whisper::WhisperConfig;

/// A model that embeds sounds, with its preparation.
#[derive(Debug)]
pub struct SoundEmbedder {
    tower: SoundTower,
    processor: SoundProcessor,
    device: Device,
}

impl SoundEmbedder {
    /// Opens the part of a checkpoint that embeds sounds.
    ///
    /// AST gives the mean of its class and distillation tokens after the last norm; Whisper, wav2vec 2.0 and HuBERT the mean
    /// over the tokens that hold sound; CLAP its projected embedding.
    ///
    /// # Errors
    /// If the model takes no sounds, or a file is missing, broken or does not fit.
    pub fn open(checkpoint: &Checkpoint, device: &Device) -> Result<Self, Error> {
        Ok(Self {
            processor: SoundTower::processor(checkpoint)?,
            tower: SoundTower::load(checkpoint, Output::Embedding, device)?,
            device: device.clone(),
        })
    }

    /// Decodes and prepares a sound; may be called from many threads.
    ///
    /// # Errors
    /// If it cannot be read or decoded.
    pub fn prepare(&self, sound: &Source) -> Result<SoundSample, Error> {
        Ok(self.processor.process(sound)?)
    }

    /// Embeds a batch of sounds, not normalised unless the model does it itself: `[batch, d_embed]`.
    ///
    /// # Panics
    /// If there is no sound.
    pub fn embed(&self, sounds: &[SoundSample]) -> Tensor<2> {
        let samples: Vec<Option<&SoundSample>> = sounds.iter().map(Some).collect();
        self.embed_all(&samples)
    }

    pub(super) fn embed_all(&self, sounds: &[Option<&SoundSample>]) -> Tensor<2> {
        let batch = self.processor.collate(sounds, &self.device);
        self.tower.embed(batch.into())
    }
}

/// Prepares sounds as a checkpoint's file says, which must be of the kind that `own` knows. `kind` is what an extractor of
/// that kind is called. The file's name comes along, and what `own` says of it.
fn sound_processor<T>(
    checkpoint: &Checkpoint,
    kind: &str,
    own: impl Fn(&SoundFeatures) -> Option<T>,
) -> Result<(&'static str, SoundProcessor, T), Error> {
    let (name, json) = preparation(checkpoint)?;
    let processor = SoundProcessor::published(name, &json)?;
    match own(processor.features()) {
        Some(made) => Ok((name, processor, made)),
        None => {
            let problem = format!("{name} is another model's: {kind} is needed");
            Err(unfit(checkpoint, problem))
        }
    }
}

/// Refuses other frames or bands than a model takes.
fn same(
    checkpoint: &Checkpoint,
    name: &str,
    [frames, bands]: [usize; 2],
    takes: [usize; 2],
) -> Result<(), Error> {
    if [frames, bands] == takes {
        return Ok(());
    }
    let [own_frames, own_bands] = takes;
    let problem = format!(
        "{name} makes {frames} frames of {bands} bands, but config.json says {own_frames} of {own_bands}"
    );
    Err(unfit(checkpoint, problem))
}

/// What prepares sounds for an AST.
pub(crate) fn ast_processor(
    checkpoint: &Checkpoint,
    config: &AstConfig,
) -> Result<SoundProcessor, Error> {
    let own = |features: &SoundFeatures| match features {
        SoundFeatures::Ast(mel) => Some([mel.config().max_length, mel.config().num_mel_bins]),
        _ => None,
    };
    let (name, processor, made) = sound_processor(checkpoint, "ASTFeatureExtractor", own)?;
    same(checkpoint, name, made, [config.max_length, config.n_mels])?;
    Ok(processor)
}

/// What prepares sounds for a Whisper.
pub(crate) fn whisper_processor(
    checkpoint: &Checkpoint,
    config: &WhisperConfig,
) -> Result<SoundProcessor, Error> {
    let own = |features: &SoundFeatures| match features {
        SoundFeatures::Whisper(mel) => Some([mel.chunk_frames(), mel.config().feature_size]),
        _ => None,
    };
    let (name, processor, made) = sound_processor(checkpoint, "WhisperFeatureExtractor", own)?;
    same(checkpoint, name, made, [config.n_frames(), config.n_mels])?;
    Ok(processor)
}

/// What prepares sounds for a CLAP, which stretches what has fewer frames than it looks at.
pub(crate) fn clap_processor(
    checkpoint: &Checkpoint,
    config: &ClapAudioConfig,
) -> Result<SoundProcessor, Error> {
    let own = |features: &SoundFeatures| match features {
        SoundFeatures::Clap(mel) => Some(*mel.config()),
        _ => None,
    };
    let (name, processor, made) = sound_processor(checkpoint, "ClapFeatureExtractor", own)?;
    if made.views() != config.views() {
        let problem = format!(
            "{name} makes {} views of a sound (truncation), but config.json says enable_fusion = {}, which takes {}",
            made.views(),
            config.fusion,
            config.views()
        );
        return Err(unfit(checkpoint, problem));
    }
    let [most, _] = config.spectrogram();
    let frames = made.chunk_frames();
    let takes = [frames.min(most), config.n_mels];
    same(checkpoint, name, [frames, made.feature_size], takes)?;
    Ok(processor)
}

/// What prepares sounds for a model that hears samples as they are.
pub(crate) fn waveform_processor(checkpoint: &Checkpoint) -> Result<SoundProcessor, Error> {
    let own = |features: &SoundFeatures| match features {
        SoundFeatures::Waveform(_) => Some(()),
        _ => None,
    };
    let (_, processor, ()) = sound_processor(checkpoint, "Wav2Vec2FeatureExtractor", own)?;
    Ok(processor)
}
