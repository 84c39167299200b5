//! A spoken digit as a short recording, made hard to hear.

use std::io::Read;
use std::path::Path;

use rand::RngExt;
use sensorium_core::SampleRng;

use super::picture::normal;
use crate::{Error, Split};

/// Samples a second of every recording.
pub(crate) const RATE_HZ: u32 = 8000;

/// Silence before and after the word, in seconds.
const SILENCE_S: (f32, f32) = (0.02, 0.12);
/// How loud the word is, of full scale.
const PEAK: (f32, f32) = (0.15, 0.8);
/// How far the word stands above the noise, in decibels: from a street to a quiet room.
const SNR_DB: (f32, f32) = (5.0, 20.0);
/// How long the recording drops out, in seconds: about a vowel's half.
const GAP_S: (f32, f32) = (0.02, 0.09);
/// The most seconds of a recording that are used. The longest word takes less than one.
const LONGEST_S: f32 = 1.5;
/// The most bytes the packed speech may unpack to.
const LARGEST: u64 = 64 << 20;

/// A clean recording of one word.
#[derive(Clone, Debug)]
pub(crate) struct Clip {
    pub digit: u8,
    /// Who speaks.
    pub voice: String,
    /// In which part that voice is heard.
    pub split: Split,
    /// Between -1 and 1.
    pub samples: Vec<f32>,
}

/// What was done to a recording, for the row's notes.
pub(crate) struct Placed {
    pub snr_db: f32,
}

/// Reads the embedded archive: `PART/DIGIT_VOICE.wav`.
pub(crate) fn read_archive(bytes: &[u8]) -> Result<Vec<Clip>, Error> {
    let path = Path::new("av-digits/speech.tar.gz");
    let io = |error| Error::io(path, "unpack", error);
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes).take(LARGEST));
    let mut clips = Vec::new();
    for entry in archive.entries().map_err(io)? {
        let mut entry = entry.map_err(io)?;
        let name = entry.path().map_err(io)?.into_owned();
        if name.extension().is_none_or(|e| e != "wav") {
            continue;
        }
        let stem = name
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or_default();
        let part = name
            .parent()
            .and_then(|p| p.to_str())
            .and_then(Split::named);
        let (Some(split), Some((digit, voice))) = (part, stem.split_once('_')) else {
            return Err(Error::broken(
                &name,
                None,
                "is not named PART/DIGIT_VOICE.wav",
            ));
        };
        let mut wav = Vec::new();
        entry.read_to_end(&mut wav).map_err(io)?;
        clips.push(Clip {
            digit: digit
                .parse()
                .map_err(|_| Error::broken(&name, None, "names no digit"))?,
            voice: voice.to_owned(),
            split,
            samples: read_wav(&name, &wav)?,
        });
    }
    Ok(clips)
}

/// Reads a mono WAV of [`RATE_HZ`].
pub(crate) fn read_wav(path: &Path, bytes: &[u8]) -> Result<Vec<f32>, Error> {
    let broken = |reason: String| Error::broken(path, None, reason);
    let reader = hound::WavReader::new(bytes).map_err(|error| broken(error.to_string()))?;
    let spec = reader.spec();
    if spec.channels != 1 || spec.sample_rate != RATE_HZ {
        return Err(broken(format!(
            "has {} channels at {} Hz; one at {RATE_HZ} Hz is needed",
            spec.channels, spec.sample_rate
        )));
    }
    if spec.sample_format != hound::SampleFormat::Int {
        return Err(broken(
            "holds floating-point samples; integers are needed".to_owned(),
        ));
    }
    let full = 2f32.powi(i32::from(spec.bits_per_sample) - 1);
    let most = (LONGEST_S * RATE_HZ as f32) as usize;
    let samples: Vec<f32> = reader
        .into_samples::<i32>()
        .take(most)
        .map(|s| {
            s.map(|s| s as f32 / full)
                .map_err(|error| broken(error.to_string()))
        })
        .collect::<Result<_, _>>()?;
    if samples.iter().all(|s| s.abs() < 1e-4) {
        return Err(broken("is silent".to_owned()));
    }
    Ok(samples)
}

/// Puts a word into noise: a 16-bit WAV.
pub(crate) fn place(clip: &Clip, rng: &mut SampleRng) -> (Vec<u8>, Placed) {
    let seconds = |range: (f32, f32), rng: &mut SampleRng| {
        (rng.random_range(range.0..range.1) * RATE_HZ as f32) as usize
    };
    let loudest = clip.samples.iter().fold(0f32, |m, s| m.max(s.abs()));
    let gain = rng.random_range(PEAK.0..PEAK.1) / loudest;
    let (before, after) = (seconds(SILENCE_S, rng), seconds(SILENCE_S, rng));
    let gap = seconds(GAP_S, rng).min(clip.samples.len());
    let gap_at = rng.random_range(0..=clip.samples.len() - gap);
    let snr_db = rng.random_range(SNR_DB.0..SNR_DB.1);

    let power = clip.samples.iter().map(|s| s * s).sum::<f32>() / clip.samples.len() as f32;
    let noise = gain * power.sqrt() * 10f32.powf(-snr_db / 20.0);
    // Between white and a low rumble: `colour` is how much of each sample's noise the next one keeps.
    let colour: f32 = rng.random_range(0.0..0.9);
    let fresh = (1.0 - colour * colour).sqrt();
    let mut hum = 0.0;
    let total = before + clip.samples.len() + after;
    let samples = (0..total).map(|i| {
        hum = colour * hum + fresh * normal(rng);
        let word = i
            .checked_sub(before)
            .and_then(|i| clip.samples.get(i).map(|s| (i, *s)));
        let word = match word {
            Some((i, _)) if (gap_at..gap_at + gap).contains(&i) => 0.0,
            Some((_, sample)) => gain * sample,
            None => 0.0,
        };
        word + noise * hum
    });
    (wav(samples), Placed { snr_db })
}

/// A 16-bit WAV of [`RATE_HZ`].
pub(crate) fn wav(samples: impl Iterator<Item = f32>) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let written = hound::WavWriter::new(&mut bytes, spec).and_then(|mut writer| {
        for sample in samples {
            writer.write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16)?;
        }
        writer.finalize()
    });
    written.expect("a short recording can be encoded into memory");
    bytes.into_inner()
}
