//! Sounds of every format become the same features, hostile bytes an error, and every parameter trains.

use burn::tensor::{Device, Tensor};
use proptest::prelude::*;
use sensorium_core::{Encoder, Maskable, ModalityKit, Opened, Processor, Source, Tokens, seed};
use sensorium_testkit::{
    assert_close, bools, check_gradients, devices, floats, parameter_snapshot, random,
};

use crate::*;

const TONE: &[u8] = include_bytes!("../tests/fixtures/tone.wav");
const FORMATS: [(&str, &[u8]); 7] = [
    ("tone.wav", TONE),
    (
        "stereo_float.wav",
        include_bytes!("../tests/fixtures/stereo_float.wav"),
    ),
    ("tone.flac", include_bytes!("../tests/fixtures/tone.flac")),
    ("tone.ogg", include_bytes!("../tests/fixtures/tone.ogg")),
    ("tone.mp3", include_bytes!("../tests/fixtures/tone.mp3")),
    ("tone.m4a", include_bytes!("../tests/fixtures/tone.m4a")),
    ("alac.m4a", include_bytes!("../tests/fixtures/alac.m4a")),
];

fn open(name: &str, bytes: &[u8]) -> Result<Sound, Error> {
    decode(&Source::bytes(name, bytes.to_vec()))
}

/// How many times the middle half crosses zero upwards, a second: the tone's frequency.
fn frequency(sound: &Sound) -> f64 {
    let middle = &sound.samples[sound.samples.len() / 4..sound.samples.len() * 3 / 4];
    let ups = middle
        .windows(2)
        .filter(|w| w[0] <= 0.0 && w[1] > 0.0)
        .count();
    ups as f64 * f64::from(sound.sample_rate_hz) / middle.len() as f64
}

#[test]
fn a_tone_is_heard_in_every_format() {
    for (name, bytes) in FORMATS {
        let sound = open(name, bytes).unwrap();
        assert_eq!(sound.sample_rate_hz, 16_000, "{name}");
        // Lossy formats add up to two frames of a codec around the sound.
        assert!(
            (0.24..0.40).contains(&sound.seconds()),
            "{name}: {} s",
            sound.seconds()
        );
        assert!(
            (frequency(&sound) - 440.0).abs() < 15.0,
            "{name}: {} Hz",
            frequency(&sound)
        );
        // The extension is a hint and no more.
        assert_eq!(open("sound.txt", bytes).unwrap(), sound, "{name}");
    }
}

#[test]
fn channels_become_their_mean() {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for sample in [16384i16, 0, -8192, 8192] {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
    assert_eq!(
        open("a.wav", &file.into_inner()).unwrap().samples,
        [0.25, 0.0]
    );
}

pub(crate) fn float_wav(samples: &[f32], rate: u32) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    samples
        .iter()
        .for_each(|s| writer.write_sample(*s).unwrap());
    writer.finalize().unwrap();
    file.into_inner()
}

#[test]
fn what_is_no_sound_says_so() {
    let check = |name: &str, bytes: &[u8], expected: &str| {
        assert_eq!(open(name, bytes).unwrap_err().to_string(), expected);
    };
    check("a.wav", b"", "a.wav: is empty");
    check(
        "a.mp3",
        b"just a text, renamed",
        "a.mp3: is no sound that can be read; WAV, FLAC, Ogg Vorbis, MP3, AAC, and the sound of MP4, Matroska and WebM are (whatever the extension says)",
    );
    check(
        "a.wav",
        &TONE[..TONE.len() - 100],
        "a.wav: is cut off: its header announces 8000 bytes of sound, but 7900 are there; copy it again",
    );
    check(
        "a.wav",
        &float_wav(&[0.1, f32::NAN], 8000),
        "a.wav: sample 1 is not a finite number",
    );
    check(
        "a.wav",
        &float_wav(&[0.1, 0.2, f32::INFINITY], 8000),
        "a.wav: sample 2 is not a finite number",
    );
    check(
        "a.wav",
        &float_wav(&[], 8000),
        "a.wav: holds no sound (no samples)",
    );
    check(
        "a.wav",
        &float_wav(&[0.1; 8], 900),
        "a.wav: has 900 samples a second; 1000 to 768000 are read",
    );
    let text = decode(&Source::text("hello")).unwrap_err().to_string();
    assert_eq!(text, "text \"hello\": is a text, not a sound; give a file");
}

#[test]
fn speech_of_a_real_recording_is_decoded() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/speech/jfk.flac"
    );
    if !std::path::Path::new(path).exists() {
        eprintln!("skipped: {path} is not there");
        return;
    }
    let sound = decode(&Source::path(path)).unwrap();
    assert!((sound.seconds() - 11.0).abs() < 0.1, "{}", sound.seconds());
    let frames = AudioKit::fit(&AudioConfig::default(), &mut std::iter::empty())
        .unwrap()
        .process(&Source::path(path))
        .unwrap()
        .frames;
    assert_eq!(frames, 1001, "cut at ten seconds");
}

#[derive(serde::Deserialize)]
struct Case {
    rate: u32,
    count: usize,
    n_fft: usize,
    hop: usize,
    n_mels: usize,
    htk: bool,
    features: Vec<f32>,
}

#[derive(serde::Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[test]
fn parity_with_librosa() {
    let Cases { cases } =
        serde_json::from_str(include_str!("../tests/fixtures/log_mel.json")).unwrap();
    for case in cases {
        let samples: Vec<f32> = (0..case.count)
            .map(|i| {
                let t = i as f64 / f64::from(case.rate);
                let noise = (i as f64 * 12.9898).sin() * 43758.5453;
                let noise = noise - noise.floor() - 0.5;
                (0.5 * (std::f64::consts::TAU * (200.0 * t + 1500.0 * t * t)).sin() + 0.01 * noise)
                    as f32
            })
            .collect();
        let scale = if case.htk {
            MelScale::Htk
        } else {
            MelScale::Slaney
        };
        let config = MelConfig {
            n_fft: case.n_fft,
            hop: case.hop,
            scale,
            ..MelConfig::new(case.rate, case.n_mels)
        };
        let found = LogMel::new(config).unwrap().compute(&samples);
        assert_eq!(found.len(), case.features.len());
        for (i, (f, e)) in found.iter().zip(&case.features).enumerate() {
            assert!(
                (f - e).abs() < 1e-4,
                "{} Hz, number {i}: {f} is not {e}",
                case.rate
            );
        }
    }
}

fn processor() -> AudioProcessor {
    let mel = LogMel::new(MelConfig::new(16_000, 8)).unwrap();
    AudioProcessor::new(mel, 0.12, 4).unwrap()
}

fn sample(frames: usize, seed: u64) -> AudioSample {
    let values = random::<1>([frames * 8], seed, &devices()[0]);
    AudioSample {
        features: floats(&values),
        frames,
        samples: Default::default(),
    }
}

fn row(tokens: &Tokens, row: usize, len: usize) -> Tensor<3> {
    let [_, _, d] = tokens.dims();
    tokens.embeds.clone().slice([row..row + 1, 0..len, 0..d])
}

#[test]
fn neighbours_padding_and_absence_change_nothing() {
    for device in devices() {
        let encoder = AstConfig::debug().init(&device);
        // Seven frames: the second patch over time is half padding.
        let (short, long) = (sample(7, 1), sample(12, 2));
        let alone = encoder.encode(processor().collate(&[Some(&short)], &device));
        let together =
            encoder.encode(processor().collate(&[Some(&long), None, Some(&short)], &device));
        assert_eq!((alone.dims(), together.dims()), ([1, 4, 8], [3, 6, 8]));
        assert_close(&row(&alone, 0, 4), &row(&together, 2, 4), 1e-5);
        assert_eq!(bools(&together.present()), [true, false, true]);
        assert_eq!(
            bools(&together.pad)[12..],
            [false, false, false, false, true, true]
        );
    }
}

#[test]
fn a_patch_holds_its_frames_and_bands() {
    let device = &devices()[0];
    let config = AstConfig::debug();
    let mut encoder = config.init(device);
    // Weights that pick out the second frame's third band of each patch.
    let mut weight = vec![0f32; 16 * 8];
    weight[(4 + 2) * 8] = 1.0;
    encoder.patch.weight = burn::module::Param::from_tensor(
        Tensor::<1>::from_floats(weight.as_slice(), device).reshape([16, 8]),
    );
    encoder.patch.bias = None;
    encoder.position = burn::module::Param::from_tensor(Tensor::zeros([3, 2, 8], device));
    let values: Vec<f32> = (0..8 * 8).map(|v| v as f32).collect();
    let batch = processor().collate(
        &[Some(&AudioSample {
            features: values,
            frames: 8,
            samples: Default::default(),
        })],
        device,
    );
    let mut tap = sensorium_core::Recorder::default();
    encoder.encode_with(batch, &mut tap);
    let (_, patches) = tap.get("patches").unwrap();
    let firsts: Vec<f32> = patches.iter().step_by(8).copied().collect();
    // Frames 1 and 5, bands 2 and 6; a frame has eight numbers.
    assert_eq!(firsts, [10.0, 14.0, 42.0, 46.0]);
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        let encoder = AstConfig::debug().init(&device);
        let batch = processor().collate(&[Some(&sample(12, 1)), Some(&sample(9, 2))], &device);
        let w = random([2, 6, 8], 3, &device);
        check_gradients(encoder, |e| {
            (e.encode(batch).zero_padding().embeds * w).sum()
        });
    }
}

#[test]
fn opening_and_closing_is_encoding_to_the_last_bit() {
    for device in devices() {
        let encoder = AstConfig::debug().init(&device);
        let samples = [sample(12, 1), sample(7, 2)];
        let batch = processor().collate(&[Some(&samples[0]), None, Some(&samples[1])], &device);
        let expected = encoder.encode(batch.clone());
        let Opened { tokens, contents } = encoder.open(batch.clone());
        assert_eq!(encoder.grid(), [3, 2]);
        assert_eq!((tokens.dims(), contents.dims()), ([3, 6, 8], [3, 6, 16]));
        assert_eq!((encoder.d_content(), encoder.n_extra()), (16, 0));
        // A patch is its frames, one after the other, and each frame its bands: the third is frames 4 to 7, bands 0 to 3.
        let features = batch.features.clone().slice([0..1, 4..8, 0..4]);
        let third = contents.slice([0..1, 2..3]);
        assert_eq!(floats(&third), floats(&features));
        // In one piece: patches, positions, blocks.
        let x = encoder.patch.forward(encoder.open(batch).contents);
        let x = x + encoder.position.val().reshape([1, 6, 8]);
        let whole = Tokens::new(x, tokens.pad.clone());
        for found in [encoder.close(tokens), encoder.transformer.forward(whole)] {
            assert_eq!(floats(&found.embeds), floats(&expected.embeds));
            assert_eq!(bools(&found.pad), bools(&expected.pad));
        }
    }
}

#[test]
fn parameter_paths_are_api() {
    let encoder = AstConfig {
        n_layers: 1,
        ..AstConfig::debug()
    }
    .init(&devices()[0]);
    let snapshot = parameter_snapshot(&encoder);
    let lines: Vec<&str> = snapshot.trim().lines().collect();
    assert_eq!(
        lines[..3],
        [
            "patch.weight [16, 8]",
            "patch.bias [8]",
            "position [3, 2, 8]"
        ]
    );
    assert!(
        lines.contains(&"transformer.blocks.0.attention.qkv.weight [8, 24]"),
        "{snapshot}"
    );
}

#[test]
fn changes_are_drawn_by_the_sample_and_bounded() {
    let augment = AugmentConfig {
        shift_frames: 3,
        mask_frames: 4,
        mask_mels: 3,
        noise: 0.1,
        ..AugmentConfig::default()
    };
    let processor = processor().with_augment(augment).unwrap();
    let original = sample(12, 5);
    let draw = |n| processor.augment(original.clone(), &mut seed::rng(1, &[n]));
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
    assert!(
        (0..20)
            .map(draw)
            .all(|s| s.frames == 12 && s.features.iter().all(|v| v.is_finite()))
    );
    let none = self::processor().augment(original.clone(), &mut seed::rng(1, &[1]));
    assert_eq!(none, original);
}

#[test]
fn silence_is_finite() {
    let wav = float_wav(&[0.0; 4000], 16_000);
    let sample = processor()
        .process(&Source::bytes("silence.wav", wav))
        .unwrap();
    assert!(sample.features.iter().all(|v| *v == 0.0));
}

#[test]
fn what_is_wrong_is_named() {
    let check = |config: AudioConfig, expected: &str| {
        assert_eq!(
            AudioKit::validate(&config).unwrap_err().to_string(),
            expected
        );
    };
    let base = AudioConfig::default;
    check(
        AudioConfig {
            d_model: 10,
            ..base()
        },
        "d_model: 10 must be a multiple of n_heads = 4, at most 65536",
    );
    check(
        AudioConfig {
            patch_mels: Some(7),
            ..base()
        },
        "patch_mels: 7 must divide n_mels = 40",
    );
    check(
        AudioConfig {
            f_max: Some(9000.0),
            ..base()
        },
        "f_max: 9000 must be above f_min = 0 and at most half the sample rate, 8000",
    );
    check(
        AudioConfig {
            max_seconds: 0.0,
            ..base()
        },
        "max_seconds: 0 must be above 0 and at most 3600",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn broken_files_give_sound_or_an_error(which in 0usize..7, cut in any::<u16>(), flip in any::<u16>(), to in any::<u8>()) {
        let (name, bytes) = FORMATS[which];
        let mut bytes = bytes.to_vec();
        let at = usize::from(flip) % bytes.len();
        bytes[at] = to;
        bytes.truncate(bytes.len() - usize::from(cut) % bytes.len());
        if let Ok(sound) = open(name, &bytes) {
            prop_assert!(sound.samples.iter().all(|s| s.is_finite()));
        }
    }

    #[test]
    fn any_bytes_give_sound_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = open("a.wav", &bytes);
    }
}
