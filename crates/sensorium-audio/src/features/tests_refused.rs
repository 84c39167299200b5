//! Values that cannot work are refused by name, and what can work is bounded.

use crate::*;

fn message<T: std::fmt::Debug>(made: Result<T, Error>) -> String {
    made.expect_err("cannot work").to_string()
}

#[test]
fn transforms_that_cannot_work_are_refused() {
    let base = StftConfig::new(64, 16);
    let check = |config: StftConfig, expected: &str| {
        assert_eq!(message(Stft::new(config)), expected);
    };
    let n_fft = |n_fft| StftConfig { n_fft, ..base };
    check(n_fft(1), "n_fft: 1 must be 2 to 1048576");
    check(
        n_fft(usize::MAX),
        "n_fft: 18446744073709551615 must be 2 to 1048576",
    );
    check(n_fft(32), "win_length: 64 must be 1 to 32");
    check(
        StftConfig {
            win_length: 0,
            ..base
        },
        "win_length: 0 must be 1 to 64",
    );
    check(
        StftConfig { hop: 0, ..base },
        "hop: 0 must be 1 to n_fft = 64",
    );
    check(
        StftConfig { hop: 65, ..base },
        "hop: 65 must be 1 to n_fft = 64",
    );
}

#[test]
fn spectra_that_cannot_be_turned_back_are_refused() {
    let stft = Stft::new(StftConfig::new(64, 64)).expect("can work");
    let spectrum = stft.forward(&[0.5; 400]);
    assert_eq!(
        message(stft.inverse(&spectrum, None)),
        "hop: 64 is too long for the window: sample 32 is under none, or under its zeros"
    );
    let other = Spectrum::new(10, vec![Complex32::new(1.0, 0.0); 30]).expect("three frames");
    assert_eq!(
        message(stft.inverse(&other, None)),
        "bins: 10 must be n_fft / 2 + 1 = 33"
    );
    for bins in [0, 7] {
        let made = Spectrum::new(bins, vec![Complex32::new(1.0, 0.0); 30]);
        assert_eq!(
            message(made),
            format!("bins: {bins} must divide the 30 numbers")
        );
    }
}

#[test]
fn no_frames_are_turned_back_into_silence() {
    let none = Spectrum::new(33, Vec::new()).expect("no frames");
    for edges in [Edges::Inside, Edges::Reflect] {
        let config = StftConfig {
            edges,
            ..StftConfig::new(64, 16)
        };
        let stft = Stft::new(config).expect("can work");
        assert!(stft.inverse(&none, None).expect("empty").is_empty());
        assert_eq!(stft.inverse(&none, Some(3)).expect("silence"), [0.0; 3]);
    }
}

#[test]
fn no_samples_and_few_samples_give_features() {
    let kaldi = KaldiMel::new(KaldiConfig::new(16_000, 8)).expect("can work");
    assert!(kaldi.compute(&[0.5; 399]).is_empty());
    assert_eq!(kaldi.compute(&[0.5; 400]).len(), 8);
    let whisper = WhisperMel::new(WhisperConfig::new(80)).expect("can work");
    assert!(whisper.whole(&[]).is_empty());
    assert!(whisper.whole(&[0.5; 159]).is_empty());
    assert_eq!(whisper.whole(&[0.5; 160]).len(), 80);
    // Silence is the floor: log10(1e-10), four more, a quarter.
    assert!(whisper.compute(&[]).iter().all(|v| *v == -1.5));
    let rng = || sensorium_core::seed::rng(1, &[]);
    let clap = ClapMel::new(ClapConfig::default()).expect("can work");
    let silent = clap.compute(&[], &mut rng());
    assert!(silent.features.iter().all(|v| *v == -100.0));
    let wave = Waveform::new(WaveformConfig::default()).expect("can work");
    assert!(wave.compute(&[]).is_empty());
    assert_eq!(wave.compute(&[0.25; 3]), [0.0; 3]);
    let stft = Stft::new(StftConfig::new(64, 16)).expect("can work");
    assert!(stft.forward(&[]).power().iter().all(|p| *p == 0.0));
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let kaldi = |config: KaldiConfig| message(KaldiMel::new(config));
    let base = KaldiConfig::new(16_000, 8);
    assert_eq!(
        kaldi(KaldiConfig {
            f_max: f32::NAN,
            ..base
        }),
        "f_max: NaN must be above f_min = 20 and at most half the sample rate, 8000"
    );
    assert_eq!(
        kaldi(KaldiConfig {
            preemphasis: f32::NAN,
            ..base
        }),
        "preemphasis: NaN must be 0.0 to 1.0"
    );
    assert_eq!(
        kaldi(KaldiConfig { n_mels: 0, ..base }),
        "n_mels: 0 must be 1 to 1024"
    );
    assert_eq!(
        message(Mfcc::new(MfccConfig::new(8000, 20, 21))),
        "n_mfcc: 21 must be 1 to 20"
    );
    let ast = AstMelConfig {
        std: 0.0,
        ..AstMelConfig::default()
    };
    assert_eq!(
        message(AstMel::new(ast)),
        "std: 0.0 must be 1e-6 to 1000000.0"
    );
}
