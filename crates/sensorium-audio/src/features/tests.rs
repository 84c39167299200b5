//! Features are those of PyTorch, torchaudio and librosa, on fixtures made by tools/parity/audio/features.py.

use std::f64::consts::TAU;

use proptest::prelude::*;
use safetensors::SafeTensors;
use sensorium_core::seed;
use serde_json::Value;

use crate::*;

/// The largest difference from a reference that passes.
const TOLERANCE: f32 = 1e-4;

/// A case of the fixture: what it is about, and the reference's numbers.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) about: Value,
    pub(crate) numbers: Vec<f32>,
}

impl Case {
    pub(crate) fn whole(&self, key: &str) -> usize {
        let value = self.about[key].as_u64();
        value.unwrap_or_else(|| panic!("{}: {key}", self.name)) as usize
    }

    /// The sound that the script made.
    pub(crate) fn sound(&self) -> Vec<f32> {
        let rate = self.whole("rate") as u32;
        let mut samples = sound(rate, self.whole("count"));
        if let Some(gate) = self.about["gate"].as_u64() {
            samples[gate as usize..].fill(0.0);
        }
        samples
    }

    /// Compares numbers with the reference's.
    #[track_caller]
    pub(crate) fn equals(&self, found: &[f32]) {
        assert_eq!(found.len(), self.numbers.len(), "{}", self.name);
        for (i, (f, e)) in found.iter().zip(&self.numbers).enumerate() {
            let difference = (f - e).abs();
            assert!(difference < TOLERANCE, "{}, {i}: {f} is not {e}", self.name);
        }
    }
}

/// A tone that rises, with some noise from a fixed rule.
pub(crate) fn sound(rate: u32, count: usize) -> Vec<f32> {
    let sample = |i: usize| {
        let t = i as f64 / f64::from(rate);
        let noise = (i as f64 * 12.9898).sin() * 43758.5453;
        let noise = noise - noise.floor() - 0.5;
        (0.5 * (TAU * (200.0 * t + 1500.0 * t * t)).sin() + 0.01 * noise) as f32
    };
    (0..count).map(sample).collect()
}

/// The cases whose names begin so, at least one.
pub(crate) fn cases(start: &str) -> Vec<Case> {
    let bytes = include_bytes!("../../tests/fixtures/features.safetensors");
    let (_, metadata) = SafeTensors::read_metadata(bytes).expect("a fixture");
    let metadata = metadata.metadata().as_ref().expect("descriptions");
    let about: Value = serde_json::from_str(&metadata["about"]).expect("JSON");
    let file = SafeTensors::deserialize(bytes).expect("a fixture");
    let mut cases: Vec<Case> = file
        .iter()
        .filter(|(name, _)| name.starts_with(start))
        .map(|(name, tensor)| Case {
            name: name.to_owned(),
            about: about["cases"][name].clone(),
            numbers: tensor
                .data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
        })
        .collect();
    assert!(!cases.is_empty(), "no case is named {start}");
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn case(name: &str) -> Case {
    let found = cases(name).into_iter().find(|case| case.name == name);
    found.unwrap_or_else(|| panic!("no case is named {name}"))
}

const STFT: [&str; 3] = ["stft-reflect", "stft-zero", "stft-inside"];

fn stft(case: &Case) -> Stft {
    let hann = case.about["window"] == "hann";
    Stft::new(StftConfig {
        win_length: case.whole("win_length"),
        window: if hann { Window::Hann } else { Window::Hamming },
        periodic: case.about["periodic"] == true,
        edges: match case.about["edges"].as_str() {
            Some("reflect") => Edges::Reflect,
            Some("zero") => Edges::Zero,
            _ => Edges::Inside,
        },
        ..StftConfig::new(case.whole("n_fft"), case.whole("hop"))
    })
    .expect("can work")
}

fn flat(spectrum: &Spectrum) -> Vec<f32> {
    let both = |bin: &Complex32| [bin.re, bin.im];
    spectrum.values().iter().flat_map(both).collect()
}

#[test]
fn parity_of_spectra_with_pytorch() {
    for case in STFT.map(case) {
        case.equals(&flat(&stft(&case).forward(&case.sound())));
    }
}

#[test]
fn parity_of_sounds_of_changed_spectra_with_pytorch() {
    for name in STFT {
        let about = case(name);
        let stft = stft(&about);
        let mut spectrum = stft.forward(&about.sound());
        for bin in spectrum.values_mut() {
            *bin *= Complex32::new(1.0, 0.5);
        }
        let found = stft.inverse(&spectrum, None).expect("can be turned back");
        case(&format!("{name}.inverse")).equals(&found);
        if name != "stft-inside" {
            let length = about.whole("count") - 7;
            let found = stft
                .inverse(&spectrum, Some(length))
                .expect("can be turned back");
            case(&format!("{name}.inverse-length")).equals(&found);
        }
    }
}

#[test]
fn parity_of_kaldi_features_with_torchaudio() {
    for case in cases("kaldi") {
        let window = match case.about["window"].as_str() {
            Some("povey") => Window::Povey,
            _ => Window::Hann,
        };
        let config = KaldiConfig::new(case.whole("rate") as u32, case.whole("n_mels"));
        let kaldi = KaldiMel::new(KaldiConfig { window, ..config }).expect("can work");
        case.equals(&kaldi.compute(&case.sound()));
    }
}

#[test]
fn parity_of_cepstral_coefficients_with_librosa() {
    let case = case("mfcc");
    let config = MfccConfig::new(16_000, case.whole("n_mels"), case.whole("n_mfcc"));
    let mfcc = Mfcc::new(config).expect("can work");
    case.equals(&mfcc.compute(&case.sound()));
}

#[test]
fn all_cepstral_coefficients_keep_the_energy() {
    let mfcc = Mfcc::new(MfccConfig::new(8000, 24, 24)).expect("can work");
    let log_mel = mfcc.mel().compute(&sound(8000, 900));
    let energy = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>();
    let frames = log_mel.chunks_exact(24);
    for (mel, cepstrum) in frames.zip(mfcc.of_log_mel(&log_mel).chunks_exact(24)) {
        let (a, b) = (energy(mel), energy(cepstrum));
        assert!((a - b).abs() < 1e-4 * a, "{a} {b}");
    }
}

#[test]
fn a_short_sound_is_mirrored_again_and_again() {
    let stft = Stft::new(StftConfig::new(16, 4)).expect("can work");
    // A sound of two values in turn, mirrored, is the same two in turn for ever.
    let short = stft.forward(&[1.0, -1.0]);
    let long = stft.forward(&[1.0, -1.0].repeat(40));
    assert_eq!((short.frames(), long.frames()), (1, 21));
    assert_eq!(short.values(), &long.values()[10 * 9..11 * 9]);
}

#[test]
fn threads_share_a_plan() {
    let mel = WhisperMel::new(WhisperConfig {
        chunk_length: 1,
        ..WhisperConfig::new(80)
    })
    .expect("can work");
    let sounds: Vec<Vec<f32>> = (0..8).map(|i| sound(16_000 + i, 9000)).collect();
    let alone: Vec<Vec<f32>> = sounds.iter().map(|s| mel.compute(s)).collect();
    let together: Vec<Vec<f32>> = std::thread::scope(|scope| {
        let started: Vec<_> = sounds
            .iter()
            .map(|s| scope.spawn(|| mel.compute(s)))
            .collect();
        started
            .into_iter()
            .map(|t| t.join().expect("no panic"))
            .collect()
    });
    assert_eq!(alone, together);
}

#[test]
fn segments_are_cut_anywhere_and_filled_with_zeros() {
    let config = WhisperConfig {
        chunk_length: 1,
        ..WhisperConfig::new(4)
    };
    let mel = WhisperMel::new(config).expect("can work");
    let whole = mel.whole(&sound(16_000, 40_000));
    assert_eq!((whole.len(), mel.chunk_frames()), (250 * 4, 100));
    assert_eq!(mel.segment(&whole, 0), whole[..400]);
    assert_eq!(mel.segment(&whole, 77), whole[308..708]);
    let last = mel.segment(&whole, 200);
    assert_eq!(last[..200], whole[800..]);
    assert_eq!(last[200..], [0.0; 200]);
    for beyond in [250, 9999, usize::MAX] {
        assert_eq!(mel.segment(&whole, beyond), [0.0; 400]);
    }
}

#[test]
fn noise_is_small_and_the_same_each_time() {
    let quiet = WhisperConfig {
        chunk_length: 1,
        ..WhisperConfig::new(20)
    };
    let noisy = WhisperConfig {
        dither: 1e-3,
        ..quiet
    };
    let [quiet, noisy] = [quiet, noisy].map(|config| WhisperMel::new(config).expect("can work"));
    let samples = sound(16_000, 16_000);
    let (without, with) = (quiet.compute(&samples), noisy.compute(&samples));
    assert_eq!(with, noisy.compute(&samples));
    let apart = without.iter().zip(&with).map(|(a, b)| (a - b).abs());
    let most = apart.fold(0f32, f32::max);
    assert!((1e-4..0.5).contains(&most), "{most}");
}

#[test]
fn crops_are_drawn_from_the_generator_that_is_given() {
    for truncation in [ClapTruncation::Fusion, ClapTruncation::RandTrunc] {
        let config = ClapConfig {
            sampling_rate: 8000,
            max_length_s: 1,
            hop_length: 80,
            fft_window_size: 256,
            frequency_max: 4000.0,
            truncation,
            ..ClapConfig::default()
        };
        let clap = ClapMel::new(config).expect("can work");
        let samples = sound(8000, 20_000);
        let draw = |seed| clap.compute(&samples, &mut seed::rng(seed, &[]));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(1).longer);
        assert_eq!(draw(1).features.len(), config.views() * 101 * 64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_sound_comes_back_from_its_spectra(
        n in 1usize..600, n_fft in 2usize..90, part in 1usize..8, which in 0usize..4, zero in any::<bool>(),
    ) {
        let config = StftConfig {
            window: [Window::Hann, Window::Hamming, Window::Povey, Window::Rectangular][which],
            edges: if zero { Edges::Zero } else { Edges::Reflect },
            ..StftConfig::new(n_fft, (n_fft / 2 / part).max(1))
        };
        let stft = Stft::new(config).expect("can work");
        let samples = sound(8000, n);
        let spectrum = stft.forward(&samples);
        prop_assert_eq!(spectrum.frames(), stft.n_frames(n));
        let again = stft.inverse(&spectrum, Some(n)).expect("windows overlap");
        // The last samples of a sound that is no whole number of hops may lie beyond the last frame.
        let sure = ((spectrum.frames() - 1) * config.hop + 1).min(n);
        for (i, (a, b)) in samples.iter().zip(&again).take(sure).enumerate() {
            prop_assert!((a - b).abs() < 1e-5, "{} of {}: {} {}", i, n, a, b);
        }
    }
}
