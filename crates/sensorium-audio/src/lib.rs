//! Sound to tokens: decoding, resampling, features (a short-time Fourier transform and its inverse, log-mel, cepstral
//! coefficients, and those of published models) and an audio spectrogram transformer. Knows no other modality.
//!
//! ```
//! use sensorium_audio::{Encoder, Processor, Source, runtime, AstConfig, AudioProcessor, LogMel, MelConfig};
//!
//! # let mut file = std::io::Cursor::new(Vec::new());
//! # let spec = hound::WavSpec { channels: 2, sample_rate: 44_100, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
//! # let mut writer = hound::WavWriter::new(&mut file, spec)?;
//! # for i in 0..44_100 { writer.write_sample(((i as f32 * 0.06).sin() * 9000.0) as i16)?; }
//! # writer.finalize()?;
//! # let half_a_second_of_stereo = file.into_inner();
//! let source = Source::bytes("tone.wav", half_a_second_of_stereo); // or Source::path("speech.mp3")
//! let processor = AudioProcessor::new(LogMel::new(MelConfig::new(16_000, 40))?, 10.0, 4)?;
//! let sample = processor.process(&source)?;
//! assert_eq!(sample.frames, 51); // one every 10 ms
//!
//! let device = runtime::open("flex".parse()?)?;
//! let encoder = AstConfig { patch_mels: 40, ..AstConfig::new(40, processor.max_frames(), 4, 64, 2, 4) }.init(&device);
//! let tokens = encoder.encode(processor.collate(&[Some(&sample), None], &device));
//! assert_eq!(tokens.dims(), [2, 13, 64]); // four frames a token; the second sound is absent
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ast;
mod augment;
mod decode;
mod error;
mod features;
mod kit;
mod normalize;
mod processor;
mod published;
mod resample;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_bounds;
#[cfg(test)]
mod tests_cepstra;
#[cfg(test)]
mod tests_resample;

pub use ast::{Ast, AstConfig};
pub use augment::{AugmentConfig, NoiseColour};
pub use decode::{LARGEST, LONGEST_S, Sound, decode, decode_window};
pub use error::Error;
pub use features::{
    AstMel, AstMelConfig, ClapConfig, ClapFeatures, ClapMel, ClapPadding, ClapTruncation,
    Complex32, DeviceMel, Edges, KaldiConfig, KaldiMel, LogMel, MelConfig, MelScale, Mfcc,
    MfccConfig, Spectrum, Stft, StftConfig, Waveform, WaveformConfig, WhisperConfig, WhisperMel,
    Window,
};
pub use kit::{AudioConfig, AudioKit};
pub use normalize::{NormalizeConfig, NormalizeOver};
pub use processor::{AudioBatch, AudioProcessor, AudioSample};
pub use published::{SoundBatch, SoundFeatures, SoundProcessor, SoundSample, TrainingSounds};
pub use resample::resample;

/// Of the contract, what is needed to use this crate alone.
pub use sensorium_core::{Encoder, Modality, ModalityKit, Processor, Source, Tokens};

/// Opens a device to run on; any `burn::tensor::Device` will do as well.
#[cfg(feature = "device")]
pub use sensorium_runtime as runtime;

/// Sound.
pub const AUDIO: Modality = Modality("audio");

/// The README's example is run too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
