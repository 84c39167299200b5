//! One input looked at: decoded, measured, and a number kept for its content.

use sensorium_core::{Modality, Source};
use sensorium_vision::Limits;
use sha2::{Digest, Sha256};

use super::alike::{Numbers, picture_bits, text_numbers};

/// The largest input that is read, in bytes: the most that any decoder takes.
const LARGEST: u64 = sensorium_audio::LARGEST;

/// What is kept of an input.
pub(super) struct Looked {
    pub(super) modality: Modality,
    /// Half of the SHA-256 of the content.
    pub(super) content: u128,
    pub(super) measure: Measure,
}

/// How large it is, and what it is compared by.
pub(super) enum Measure {
    Picture {
        width: usize,
        height: usize,
        bits: Option<u128>,
    },
    Sound {
        seconds: f64,
        rate_hz: u32,
    },
    Text {
        characters: usize,
        numbers: Option<Numbers>,
    },
    Other,
}

impl Measure {
    pub(super) fn sizes(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Picture { width, height, .. } => {
                vec![("width", *width as f64), ("height", *height as f64)]
            }
            Self::Sound { seconds, rate_hz } => {
                vec![("seconds", *seconds), ("rate_hz", f64::from(*rate_hz))]
            }
            Self::Text { characters, .. } => vec![("characters", *characters as f64)],
            Self::Other => Vec::new(),
        }
    }
}

/// Reads and decodes an input.
pub(super) fn look(modality: Modality, source: &Source) -> Result<Looked, (Modality, String)> {
    let failed = |reason: String| (modality, reason);
    let bytes = source
        .read(LARGEST)
        .map_err(|error| failed(error.to_string()))?;
    let digest = Sha256::digest(&bytes[..]);
    let content = digest
        .iter()
        .take(16)
        .fold(0, |n, byte| n << 8 | u128::from(*byte));
    // Read once; a text in a table stays one, which is no picture.
    let read = match source {
        Source::Text(_) => source.clone(),
        _ => Source::bytes(source.describe(), bytes.clone()),
    };
    let measure = match modality {
        sensorium_vision::IMAGE => {
            let picture = sensorium_vision::decode(&read, &Limits::default());
            let picture = picture.map_err(|error| failed(error.to_string()))?;
            Measure::Picture {
                width: picture.width(),
                height: picture.height(),
                bits: picture_bits(&picture),
            }
        }
        sensorium_audio::AUDIO => {
            let sound = sensorium_audio::decode(&read);
            let sound = sound.map_err(|error| failed(error.to_string()))?;
            Measure::Sound {
                seconds: sound.seconds(),
                rate_hz: sound.sample_rate_hz,
            }
        }
        sensorium_text::TEXT => {
            let text = std::str::from_utf8(&bytes);
            let text = text.map_err(|_| failed(format!("{} is not UTF-8", source.describe())))?;
            Measure::Text {
                characters: text.chars().count(),
                numbers: text_numbers(text),
            }
        }
        _ => Measure::Other,
    };
    Ok(Looked {
        modality,
        content,
        measure,
    })
}
