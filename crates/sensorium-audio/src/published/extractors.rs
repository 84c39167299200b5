//! The extractors that a file can name, and what each does where the file says nothing.

use super::file::{File, shortened};
use crate::{
    AstMel, AstMelConfig, ClapConfig, ClapMel, ClapPadding, ClapTruncation, Error, Waveform,
    WaveformConfig, WhisperConfig, WhisperMel,
};

/// What a model hears of a sound, as its `preprocessor_config.json` says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SoundFeatures {
    /// `WhisperFeatureExtractor`
    Whisper(WhisperMel),
    /// `ASTFeatureExtractor`
    Ast(AstMel),
    /// `ClapFeatureExtractor`
    Clap(ClapMel),
    /// `Wav2Vec2FeatureExtractor`
    Waveform(Waveform),
}

/// Makes an extractor of a file's settings.
type Make = fn(&File) -> Result<SoundFeatures, Error>;

/// The extractors by name. Defaults are those of Transformers 5.23, `models/*/feature_extraction_*.py`.
const KNOWN: [(&str, Make); 4] = [
    ("WhisperFeatureExtractor", whisper),
    ("ASTFeatureExtractor", ast),
    ("ClapFeatureExtractor", clap),
    ("Wav2Vec2FeatureExtractor", waveform),
];

/// The extractor that a file names.
pub(super) fn extractor(file: &File) -> Result<SoundFeatures, Error> {
    const KEY: &str = "feature_extractor_type";
    let named = match (file.text(KEY)?, file.text("processor_class")?) {
        (Some(name), _) => name.to_owned(),
        // Old files may lack the one, and name the class of sound and text together.
        (None, Some(both)) => format!("{}FeatureExtractor", both.trim_end_matches("Processor")),
        (None, None) => {
            let names = KNOWN.map(|(name, _)| name).join(", ");
            return Err(file.error(
                KEY,
                format!("is missing; write one of {names} into the file"),
            ));
        }
    };
    if let Some((_, make)) = KNOWN.iter().find(|(name, _)| *name == named) {
        return make(file).map_err(|error| file.located(error));
    }
    let named = shortened(&named);
    let nearest = KNOWN
        .iter()
        .min_by_key(|(name, _)| strsim::damerau_levenshtein(name, &named));
    let nearest = nearest.map_or("", |(name, _)| name);
    let names = KNOWN.map(|(name, _)| name).join(", ");
    let problem = format!("{named:?} is not known; the nearest is {nearest} (of {names})");
    Err(file.error(KEY, problem))
}

/// Sounds are filled after their end; a model trained on sounds that were filled before it would hear another one.
fn right_side(file: &File) -> Result<(), Error> {
    file.one_of("padding_side", &[("right", ())])
}

fn whisper(file: &File) -> Result<SoundFeatures, Error> {
    right_side(file)?;
    let usual = WhisperConfig::new(file.whole("feature_size", 80)?);
    let mel = WhisperMel::new(WhisperConfig {
        sampling_rate: file.rate(16_000)?,
        hop_length: file.whole("hop_length", usual.hop_length)?,
        chunk_length: file.whole("chunk_length", usual.chunk_length)?,
        n_fft: file.whole("n_fft", usual.n_fft)?,
        padding_value: file.number("padding_value", 0.0)? as f32,
        dither: file.number("dither", 0.0)? as f32,
        ..usual
    })?;
    Ok(SoundFeatures::Whisper(mel))
}

fn ast(file: &File) -> Result<SoundFeatures, Error> {
    let usual = AstMelConfig::default();
    let mel = AstMel::new(AstMelConfig {
        num_mel_bins: file.whole("num_mel_bins", usual.num_mel_bins)?,
        sampling_rate: file.rate(16_000)?,
        max_length: file.whole("max_length", usual.max_length)?,
        do_normalize: file.switch("do_normalize", usual.do_normalize)?,
        mean: file.number("mean", f64::from(usual.mean))? as f32,
        std: file.number("std", f64::from(usual.std))? as f32,
    })?;
    Ok(SoundFeatures::Ast(mel))
}

fn clap(file: &File) -> Result<SoundFeatures, Error> {
    const TRUNCATIONS: [(&str, ClapTruncation); 2] = [
        ("fusion", ClapTruncation::Fusion),
        ("rand_trunc", ClapTruncation::RandTrunc),
    ];
    const PADDINGS: [(&str, ClapPadding); 3] = [
        ("repeatpad", ClapPadding::RepeatPad),
        ("repeat", ClapPadding::Repeat),
        ("pad", ClapPadding::Pad),
    ];
    let usual = ClapConfig::default();
    let mel = ClapMel::new(ClapConfig {
        feature_size: file.whole("feature_size", usual.feature_size)?,
        sampling_rate: file.rate(48_000)?,
        hop_length: file.whole("hop_length", usual.hop_length)?,
        max_length_s: file.whole("max_length_s", usual.max_length_s)?,
        fft_window_size: file.whole("fft_window_size", usual.fft_window_size)?,
        frequency_min: file.number("frequency_min", usual.frequency_min)?,
        frequency_max: file.number("frequency_max", usual.frequency_max)?,
        truncation: file.one_of("truncation", &TRUNCATIONS)?,
        padding: file.one_of("padding", &PADDINGS)?,
    })?;
    Ok(SoundFeatures::Clap(mel))
}

fn waveform(file: &File) -> Result<SoundFeatures, Error> {
    right_side(file)?;
    let channels = file.whole("feature_size", 1)?;
    if channels != 1 {
        let problem = format!("{channels} must be 1: a sound has one number at a time");
        return Err(file.error("feature_size", problem));
    }
    let waveform = Waveform::new(WaveformConfig {
        sampling_rate: file.rate(16_000)?,
        padding_value: file.number("padding_value", 0.0)? as f32,
        do_normalize: file.switch("do_normalize", true)?,
    })?;
    Ok(SoundFeatures::Waveform(waveform))
}
