//! Sound towers of all families as one encoder of sounds.

use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor};
use sensorium_audio::{AUDIO, AudioBatch, SoundBatch, SoundProcessor};
use sensorium_core::nn::{PoolConfig, PoolKind};
use sensorium_core::{Encoder, Modality, NoTap, Tap, Tokens, one_of, present};
use sensorium_hub::Checkpoint;

use super::{Output, Tower, projects, takes_other, weights};
use crate::ast::{AstConfig, AstModel};
use crate::clap::{ClapAudioConfig, ClapAudioModel, ClapAudioModelWithProjection};
use crate::published::tower;
use crate::ready::{
    ast_processor, clap_processor, unit_rows, waveform_processor, whisper_processor,
};
use crate::wav2vec2::{Wav2Vec2Config, Wav2Vec2Model};
use crate::whisper::{WhisperConfig, WhisperEncoder};
use crate::{Error, Family};

/// A published model's tower of sounds, without what has no part in its output.
#[derive(Module, Debug)]
pub struct SoundTower {
    tower: AnySound,
    #[module(skip)]
    output: Output,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "modules cannot be boxed, and a model has one of these"
)]
enum AnySound {
    Ast(AstModel),
    Whisper(WhisperEncoder),
    Clap(ClapAudioModel),
    ClapProjected(ClapAudioModelWithProjection),
    Wav2Vec2(Wav2Vec2Model),
}

one_of!(AnySound {
    Ast,
    Whisper,
    Clap,
    ClapProjected,
    Wav2Vec2
});

impl SoundTower {
    /// What prepares a checkpoint's sounds, as long and with as many bands as its tower takes.
    ///
    /// # Errors
    /// If the model takes no sounds, or a file is missing, broken or does not fit.
    pub fn processor(checkpoint: &Checkpoint) -> Result<SoundProcessor, Error> {
        const FILE: &str = "config.json";
        let config = checkpoint.config()?;
        match Family::of(checkpoint.name(), &config)? {
            Family::Ast => ast_processor(checkpoint, &AstConfig::parse(FILE, &config)?),
            Family::Whisper => whisper_processor(checkpoint, &WhisperConfig::parse(FILE, &config)?),
            Family::Clap | Family::ClapAudio => {
                clap_processor(checkpoint, &ClapAudioConfig::parse(FILE, &config)?)
            }
            Family::Wav2Vec2 => waveform_processor(checkpoint),
            family => Err(takes_other(checkpoint, family, "sounds")),
        }
    }

    /// The model's own embedding, not normalised unless the model does it itself: `[batch, d]`. AST gives the mean of its class
    /// and distillation tokens after the last norm; Whisper, wav2vec 2.0 and HuBERT, which have none, the mean over the tokens
    /// that hold sound; CLAP its projected one, of length one. Unspecified where a sound is absent.
    pub fn embed(&self, batch: AudioBatch) -> Tensor<2> {
        self.embed_with(batch, &mut NoTap)
    }

    fn embed_with<T: Tap>(&self, batch: AudioBatch, tap: &mut T) -> Tensor<2> {
        match &self.tower {
            AnySound::Ast(ast) => ast.embed_with(batch, tap),
            AnySound::Whisper(encoder) => {
                let pad = every_second(batch.pad.clone());
                mean(Tokens::new(encoder.encode_with(batch, tap).embeds, pad))
            }
            AnySound::Clap(tower) => tower.embed_with(alone(batch), tap),
            AnySound::ClapProjected(tower) => unit_rows(tower.embed_with(alone(batch), tap)),
            AnySound::Wav2Vec2(tower) => mean(tower.encode_with(batch, tap)),
        }
    }
}

/// Sounds as CLAP is told of each alone: where it fuses views, that it is too long.
fn alone(batch: AudioBatch) -> SoundBatch {
    let AudioBatch { features, pad } = batch;
    let [batch, _, _] = features.dims();
    SoundBatch {
        features,
        pad,
        longer: vec![true; batch],
    }
}

/// Over the tokens that are no padding: `[batch, d]`.
fn mean(tokens: Tokens) -> Tensor<2> {
    let [_, _, d_model] = tokens.dims();
    let mean = PoolConfig::new(PoolKind::Mean, d_model);
    mean.init(&tokens.device()).forward(tokens)
}

/// Whisper's tokens are of two frames each: `[batch, frames]` → `[batch, frames / 2]`.
fn every_second(pad: Tensor<2, Bool>) -> Tensor<2, Bool> {
    let [batch, frames] = pad.dims();
    let pairs = pad.reshape([batch, frames / 2, 2]);
    pairs.narrow(2, 0, 1).reshape([batch, frames / 2])
}

impl Tower for SoundTower {
    fn build(
        checkpoint: &Checkpoint,
        output: Output,
        pretrained: bool,
        device: &Device,
    ) -> Result<Self, Error> {
        let weights = weights(checkpoint, pretrained)?;
        let weights = weights.as_ref();
        let config = checkpoint.config()?;
        let family = Family::of(checkpoint.name(), &config)?;
        let tower = match family {
            Family::Ast => {
                let init = |config: &AstConfig| Ok(config.init(device));
                AnySound::Ast(tower(checkpoint, weights, init)?)
            }
            Family::Whisper => {
                let init = |config: &WhisperConfig| Ok(config.init_encoder(device));
                AnySound::Whisper(tower(checkpoint, weights, init)?)
            }
            Family::Clap | Family::ClapAudio
                if output == Output::Embedding && projects(family, &config, weights) =>
            {
                let init = |config: &ClapAudioConfig| Ok(config.init_with_projection(device));
                AnySound::ClapProjected(tower(checkpoint, weights, init)?)
            }
            Family::Clap | Family::ClapAudio => {
                let init = |config: &ClapAudioConfig| Ok(config.init(device));
                AnySound::Clap(tower(checkpoint, weights, init)?)
            }
            Family::Wav2Vec2 => {
                // Nothing is hidden from a tower, so that nothing stands for it.
                let init = |config: &Wav2Vec2Config| Ok(config.init(device).without_mask());
                AnySound::Wav2Vec2(tower(checkpoint, weights, init)?)
            }
            family => return Err(takes_other(checkpoint, family, "sounds")),
        };
        Ok(Self { tower, output })
    }
}

impl Encoder for SoundTower {
    const MODALITY: Modality = AUDIO;
    type Batch = AudioBatch;

    fn d_output(&self) -> usize {
        match &self.tower {
            AnySound::Ast(tower) => tower.d_output(),
            AnySound::Whisper(tower) => tower.d_output(),
            AnySound::Clap(tower) => tower.d_output(),
            AnySound::ClapProjected(tower) => tower.d_output(),
            AnySound::Wav2Vec2(tower) => tower.d_output(),
        }
    }

    /// `[batch, frames, bands]`, or samples for bands of which there is one, → `[batch, tokens, d]`, or `[batch, 1, d]` where the embedding is handed on.
    ///
    /// # Panics
    /// If there are other frames or bands than the tower takes.
    fn encode_with<T: Tap>(&self, batch: AudioBatch, tap: &mut T) -> Tokens {
        if self.output == Output::Embedding {
            let present = present(batch.pad.clone());
            let embedding = self.embed_with(batch, tap);
            return Tokens::with_presence(embedding.unsqueeze_dim(1), present); // [B, D] -> [B, 1, D]
        }
        match &self.tower {
            AnySound::Ast(tower) => tower.encode_with(batch, tap),
            AnySound::Whisper(tower) => tower.encode_with(batch, tap),
            AnySound::Clap(tower) => tower.encode_with(alone(batch), tap),
            AnySound::ClapProjected(tower) => tower.encode_with(alone(batch), tap),
            AnySound::Wav2Vec2(tower) => tower.encode_with(batch, tap),
        }
    }
}
