//! Published models ready for use, each with its own preparation: what comes in are files and texts, what comes out are
//! vectors, scores, what was said, and texts that go on.

mod answer;
mod classify;
mod ctc;
mod decoder;
mod image;
mod language;
mod listen;
mod memory;
mod several;
mod sound;
mod speech;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_answer;
#[cfg(test)]
mod tests_ctc;
#[cfg(test)]
mod tests_sound;
#[cfg(test)]
mod tests_write;
mod text;
mod write;
mod zero_shot;

pub use answer::{Answerer, Question};
pub use classify::{Classifier, Prepared};
pub use ctc::{CtcToText, Windows};
pub use decoder::PublishedDecoder;
pub use image::ImageEmbedder;
pub(crate) use image::{Takes, image_processor};
pub use language::LanguageModel;
pub use listen::{Heard, Listener, SpeechToText};
pub use memory::Memory;
pub use sound::SoundEmbedder;
pub(crate) use sound::{ast_processor, clap_processor, waveform_processor, whisper_processor};
pub use speech::{PreparedSpeech, Said, Speech, WhisperToText};
pub use text::TextEmbedder;
use text::tokenizer;
pub(crate) use text::{sentence_processor, text_processor};
pub use write::{Writer, Written};
pub use zero_shot::{Scoring, ZeroShot};

pub use sensorium_audio::SoundSample;
pub use sensorium_text::TextSample;
pub use sensorium_vision::ImageSample;

use burn::tensor::Tensor;
use sensorium_hub::Checkpoint;

use crate::Error;

/// Each row scaled to length one; zeros stay zeros: `[batch, d]`.
pub fn unit_rows(vectors: Tensor<2>) -> Tensor<2> {
    crate::clip::unit(vectors)
}

/// The file that says how inputs are prepared, under its old name or its new one: its name, and its text.
pub(crate) fn preparation(checkpoint: &Checkpoint) -> Result<(&'static str, String), Error> {
    const NAMES: [&str; 2] = ["preprocessor_config.json", "processor_config.json"];
    for name in NAMES {
        if let Some(json) = checkpoint.text(name)? {
            return Ok((name, json));
        }
    }
    Err(checkpoint.lacks(NAMES[0]).into())
}

pub(crate) fn unfit(checkpoint: &Checkpoint, problem: String) -> Error {
    Error::Unfit {
        model: checkpoint.name().to_owned(),
        problem,
    }
}
