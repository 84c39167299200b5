//! Sounds to the vectors that a model was made to give.

use burn::tensor::{Device, Tensor};
use sensorium_audio::{SoundFeatures, SoundProcessor, SoundSample};
use sensorium_core::{Processor, Source};
use sensorium_hub::Checkpoint;

use super::{preparation, unfit};
use crate::Error;
use crate::ast::AstConfig;
use crate::tower::{Output, SoundTower};
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
    /// AST gives the mean of its class and distillation tokens after the last norm, Whisper, wav2vec 2.0 and HuBERT the mean
    /// over the tokens that hold sound.
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

    /// Embeds a batch of sounds, not normalised: `[batch, d_embed]`.
    ///
    /// # Panics
    /// If there is no sound.
    pub fn embed(&self, sounds: &[SoundSample]) -> Tensor<2> {
        let samples: Vec<Option<&SoundSample>> = sounds.iter().map(Some).collect();
        let batch = self.processor.collate(&samples, &self.device);
        self.tower.embed(batch.into())
    }
}

/// Prepares sounds as a checkpoint's file says, which must be of the kind that `own` knows and come out as frames of bands
/// that the model `takes`. `kind` is what an extractor of that kind is called.
fn sound_processor(
    checkpoint: &Checkpoint,
    kind: &str,
    own: impl Fn(&SoundFeatures) -> Option<[usize; 2]>,
    takes: [usize; 2],
) -> Result<SoundProcessor, Error> {
    let (name, json) = preparation(checkpoint)?;
    let processor = SoundProcessor::published(name, &json)?;
    let Some(made) = own(processor.features()) else {
        let problem = format!("{name} is another model's: {kind} is needed");
        return Err(unfit(checkpoint, problem));
    };
    if made != takes {
        let ([frames, bands], [own_frames, own_bands]) = (made, takes);
        let problem = format!(
            "{name} makes {frames} frames of {bands} bands, but config.json says {own_frames} of {own_bands}"
        );
        return Err(unfit(checkpoint, problem));
    }
    Ok(processor)
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
    let takes = [config.max_length, config.n_mels];
    sound_processor(checkpoint, "ASTFeatureExtractor", own, takes)
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
    let takes = [config.n_frames(), config.n_mels];
    sound_processor(checkpoint, "WhisperFeatureExtractor", own, takes)
}

/// What prepares sounds for a model that hears samples as they are.
pub(crate) fn waveform_processor(checkpoint: &Checkpoint) -> Result<SoundProcessor, Error> {
    let own = |features: &SoundFeatures| match features {
        SoundFeatures::Waveform(_) => Some([1, 1]),
        _ => None,
    };
    sound_processor(checkpoint, "Wav2Vec2FeatureExtractor", own, [1, 1])
}
