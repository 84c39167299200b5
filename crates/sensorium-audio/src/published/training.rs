//! A published model's sounds in a recipe, whose samples and batches are those of the modality's own encoder.

use burn::tensor::Device;
use sensorium_core::{Changes, Processor, SampleRng, Source, changes_key, need};

use super::{SoundFeatures, SoundProcessor, SoundSample};
use crate::augment::Tables;
use crate::normalize::moments;
use crate::processor::{check_seconds, go_on};
use crate::{AudioBatch, AudioSample, AugmentConfig, Error};

/// Prepares sounds as a published model's file says, and changes them in training.
#[derive(Clone, Debug)]
pub struct TrainingSounds {
    processor: SoundProcessor,
    /// Samples of a sound that the model hears, at most.
    most: usize,
    augment: Tables,
}

impl SoundProcessor {
    /// The same for training. A model that hears sounds of any length, wav2vec 2.0, hears at most `max_seconds` of each:
    /// memory grows with the square.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key that cannot work, for features of this kind or at all.
    pub fn for_training(
        self,
        max_seconds: f64,
        augment: AugmentConfig,
    ) -> Result<TrainingSounds, Error> {
        check_seconds(max_seconds)?;
        self.check(&augment, Changes::Usual)?;
        let most = match self.hears_samples() {
            true => (max_seconds * f64::from(self.sample_rate_hz())).ceil() as usize,
            false => self.most_samples(),
        };
        Ok(TrainingSounds {
            processor: self,
            most,
            augment: Tables {
                usual: augment,
                strong: None,
            },
        })
    }

    /// Whether a model hears samples, and not bands.
    fn hears_samples(&self) -> bool {
        matches!(self.features, SoundFeatures::Waveform(_))
    }

    /// Refuses changes that cannot be made of what the model hears.
    fn check(&self, config: &AugmentConfig, table: Changes) -> Result<(), Error> {
        config.validate_as(table)?;
        let name = match table {
            Changes::Usual => "augment",
            Changes::Strong => "strong",
        };
        let fits = !(self.hears_samples() && config.changes_features());
        need(fits, name, || {
            "this model hears samples, not bands: only speed, shift_s, gain_db and snr_db can \
             change them"
                .to_owned()
        })?;
        need(config.tempo == 0.0, changes_key!(table, "tempo"), || {
            "this model hears a set number of frames: take speed instead".to_owned()
        })?;
        Ok(())
    }
}

impl TrainingSounds {
    /// What a strongly changed copy is, instead of what is stronger than the usual changes: [`AugmentConfig::stronger`], or
    /// [`AugmentConfig::stronger_waveform`] where the model hears samples.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key that cannot work, for features of this kind or at all.
    pub fn with_strong(mut self, strong: Option<AugmentConfig>) -> Result<Self, Error> {
        if let Some(strong) = &strong {
            self.processor.check(strong, Changes::Strong)?;
        }
        self.augment.strong = strong;
        Ok(self)
    }

    /// What is stronger than the usual changes.
    fn stronger(&self) -> AugmentConfig {
        match self.processor.hears_samples() {
            true => self.augment.usual.stronger_waveform(),
            false => self.augment.usual.stronger(self.processor.width()),
        }
    }

    /// What the model hears of samples.
    fn hear(&self, samples: &[f32]) -> SoundSample {
        self.processor
            .prepare(&samples[..samples.len().min(self.most)])
    }

    /// A sample changed as a table says.
    fn change(
        &self,
        config: &AugmentConfig,
        mut sample: AudioSample,
        rng: &mut SampleRng,
    ) -> AudioSample {
        // Who hears samples has them in any case, normalised, which changes no ratio.
        let kept = match sample.samples.is_empty() && self.processor.hears_samples() {
            true => &sample.features[..sample.frames],
            false => &sample.samples,
        };
        let heard_anew = config.changes_waveform() && !kept.is_empty();
        if heard_anew {
            let rate_hz = self.processor.sample_rate_hz();
            let heard = self.hear(&config.waveform(kept, rate_hz, rng));
            (sample.features, sample.frames) = (heard.features, heard.heard);
        }
        if config.changes_features() {
            let width = self.processor.width();
            let heard = &mut sample.features[..sample.frames * width];
            at_mean_zero(heard, |heard| config.features(heard, width, rng));
        }
        if heard_anew {
            go_on(rng);
        }
        sample
    }
}

impl Processor for TrainingSounds {
    type Sample = AudioSample;
    type Batch = AudioBatch;
    type Error = Error;

    fn process(&self, source: &Source) -> Result<AudioSample, Error> {
        let most = self.augment.needed(self.most);
        let samples = self.processor.start(source, most)?;
        let heard = self.hear(&samples);
        Ok(AudioSample {
            features: heard.features,
            frames: heard.heard,
            samples: self.augment.kept(&samples, most),
        })
    }

    fn augment(&self, sample: AudioSample, rng: &mut SampleRng) -> AudioSample {
        self.change(&self.augment.usual, sample, rng)
    }

    fn augment_strongly(&self, sample: AudioSample, rng: &mut SampleRng) -> AudioSample {
        let strong = self.augment.strong.unwrap_or_else(|| self.stronger());
        self.change(&strong, sample, rng)
    }

    fn collate(&self, samples: &[Option<&AudioSample>], device: &Device) -> AudioBatch {
        let (width, fill) = (self.processor.width(), self.processor.fill());
        AudioBatch::stack(samples, width, 1, fill, device)
    }
}

/// Changes features while their mean is 0 and their deviation 1, as random changes of them are meant.
fn at_mean_zero(features: &mut [f32], change: impl FnOnce(&mut [f32])) {
    let (mean, variance) = moments(features);
    let (mean, deviation) = (mean as f32, variance.sqrt().max(1e-5) as f32);
    features
        .iter_mut()
        .for_each(|v| *v = (*v - mean) / deviation);
    change(features);
    features.iter_mut().for_each(|v| *v = *v * deviation + mean);
}

#[cfg(test)]
mod tests {
    use sensorium_core::seed;
    use sensorium_testkit::floats;

    use super::*;
    use crate::tests::float_wav;

    const ALL: [&str; 4] = [
        "WhisperFeatureExtractor",
        "ASTFeatureExtractor",
        "ClapFeatureExtractor",
        "Wav2Vec2FeatureExtractor",
    ];

    fn processor(extractor: &str) -> SoundProcessor {
        let json =
            format!(r#"{{"feature_extractor_type": "{extractor}", "truncation": "fusion"}}"#);
        SoundProcessor::published("preprocessor_config.json", &json).expect("a published file")
    }

    fn trained(extractor: &str, augment: AugmentConfig) -> TrainingSounds {
        let sounds = processor(extractor).for_training(0.5, augment);
        sounds.expect("changes that can be made")
    }

    /// A tone of some seconds at 16 kHz.
    fn tone(seconds: f64) -> Source {
        let count = (seconds * 16_000.0) as usize;
        let samples: Vec<f32> = (0..count).map(|i| 0.3 * (i as f32 * 0.2).sin()).collect();
        Source::bytes("tone.wav", float_wav(&samples, 16_000))
    }

    #[test]
    fn without_changes_it_prepares_what_the_published_one_does() {
        let device = &Device::flex();
        for extractor in ALL {
            let plain = processor(extractor);
            let expected = plain.process(&tone(0.3)).expect("a tone");
            let sounds = trained(extractor, AugmentConfig::default());
            let found = sounds.process(&tone(0.3)).expect("a tone");
            assert_eq!(found.features, expected.features, "{extractor}");
            assert_eq!((found.frames, found.samples.len()), (expected.heard, 0));
            assert_eq!(sounds.augment(found.clone(), &mut seed::rng(1, &[])), found);
            let expected = plain.collate(&[None, Some(&expected)], device);
            let batch = sounds.collate(&[None, Some(&found)], device);
            assert_eq!(floats(&batch.features), floats(&expected.features));
        }
    }

    #[test]
    fn a_sound_of_any_length_is_cut() {
        let sounds = trained("Wav2Vec2FeatureExtractor", AugmentConfig::default());
        let sample = sounds.process(&tone(2.0)).expect("a tone");
        assert_eq!(sample.frames, 8000);
    }

    #[test]
    fn changes_come_of_the_generator_and_leave_silence_alone() {
        let augment = AugmentConfig {
            gain_db: 6.0,
            snr_db: Some([10.0, 20.0]),
            ..AugmentConfig::default()
        };
        let masks = AugmentConfig {
            mask_frames: 10,
            mask_mels: 10,
            ..augment
        };
        for (extractor, augment) in [
            (ALL[0], masks),
            (ALL[1], masks),
            (ALL[2], masks),
            (ALL[3], augment),
        ] {
            let sounds = trained(extractor, augment);
            let sample = sounds.process(&tone(0.3)).expect("a tone");
            let changed = |n| sounds.augment(sample.clone(), &mut seed::rng(1, &[n]));
            assert_eq!(changed(1), changed(1), "{extractor}");
            assert_ne!(changed(1).features, changed(2).features, "{extractor}");
            assert_ne!(changed(1).features, sample.features, "{extractor}");
            let (found, width) = (changed(1), sounds.processor.width());
            assert!(found.features.iter().all(|v| v.is_finite()));
            assert_eq!(found.features.len(), sample.features.len());
            if extractor == ALL[1] {
                // AST's silence is a constant.
                let silence = &found.features[found.frames * width..];
                assert!(silence.iter().all(|v| *v == silence[0]));
            }
        }
    }

    #[test]
    fn a_set_number_of_frames_has_no_pace() {
        let augment = AugmentConfig {
            tempo: 0.2,
            ..AugmentConfig::default()
        };
        for extractor in &ALL[..3] {
            let refused = processor(extractor).for_training(0.5, augment);
            assert_eq!(
                refused.unwrap_err().to_string(),
                "augment.tempo: this model hears a set number of frames: take speed instead"
            );
        }
    }

    #[test]
    fn what_is_blanked_is_at_the_mean() {
        let augment = AugmentConfig {
            mask_mels: 128,
            ..AugmentConfig::default()
        };
        let sounds = trained(ALL[1], augment);
        let sample = sounds.process(&tone(0.3)).expect("a tone");
        let width = sounds.processor.width();
        let heard = &sample.features[..sample.frames * width];
        let mean = heard.iter().sum::<f32>() / heard.len() as f32;
        let changed = sounds.augment(sample.clone(), &mut seed::rng(1, &[3]));
        let blanked: Vec<f32> = changed.features[..sample.frames * width]
            .iter()
            .zip(heard)
            .filter(|(a, b)| (*a - *b).abs() > 1e-3)
            .map(|(a, _)| *a)
            .collect();
        assert!(blanked.len() > width, "{}", blanked.len());
        assert!(blanked.iter().all(|v| (v - mean).abs() < 1e-4), "{mean}");
    }

    #[test]
    fn a_strong_copy_is_stronger_than_the_usual_or_what_its_table_says() {
        for extractor in ALL {
            let sounds = trained(extractor, AugmentConfig::default());
            let sample = sounds.process(&tone(0.3)).expect("a tone");
            assert!(
                sample.samples.is_empty(),
                "{extractor} keeps nothing for it"
            );
            let strongly = |n| sounds.augment_strongly(sample.clone(), &mut seed::rng(1, &[n]));
            assert_eq!(strongly(1), strongly(1), "{extractor}");
            assert_ne!(strongly(1).features, strongly(2).features, "{extractor}");
            let changed = (0..20).filter(|n| strongly(*n) != sample).count();
            assert!(changed > 15, "{extractor}: {changed} of 20");
            assert!(strongly(1).features.iter().all(|v| v.is_finite()));
            assert_eq!(strongly(1).features.len(), sample.features.len());

            let gain = AugmentConfig {
                gain_db: 6.0,
                ..AugmentConfig::default()
            };
            let said = trained(extractor, AugmentConfig::default());
            let said = said.with_strong(Some(gain)).expect("can be made");
            let usual = trained(extractor, gain);
            let sample = said.process(&tone(0.3)).expect("a tone");
            let rate_hz = f64::from(said.processor.sample_rate_hz());
            assert_eq!(sample.samples.len() as f64, 0.3 * rate_hz, "{extractor}");
            let mut rng = seed::rng(1, &[1]);
            let found = said.augment_strongly(sample.clone(), &mut rng.clone());
            assert_eq!(found, usual.augment(sample.clone(), &mut rng));
            assert_eq!(said.augment(sample.clone(), &mut rng), sample);
        }
    }

    #[test]
    fn strong_changes_that_cannot_be_made_are_refused_by_key() {
        let check = |extractor, strong, expected: &str| {
            let sounds = trained(extractor, AugmentConfig::default());
            let error = sounds.with_strong(Some(strong)).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        let base = AugmentConfig::default;
        let tempo = AugmentConfig {
            tempo: 0.1,
            ..base()
        };
        check(ALL[0], tempo, "strong.tempo: this model hears a set");
        let masks = AugmentConfig {
            mask_mels: 3,
            ..base()
        };
        check(ALL[3], masks, "strong: this model hears samples");
        let speed = AugmentConfig {
            speed: 0.9,
            ..base()
        };
        check(ALL[1], speed, "strong.speed: 0.9; use 0 (off) to 0.5");
    }

    #[test]
    fn masks_of_bands_are_refused_where_there_are_none() {
        let augment = AugmentConfig {
            mask_frames: 4,
            ..AugmentConfig::default()
        };
        let error = processor(ALL[3]).for_training(1.0, augment).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("augment: this model hears samples")
        );
        let error = processor(ALL[0]).for_training(0.0, AugmentConfig::default());
        assert!(error.unwrap_err().to_string().contains("max_seconds"));
    }
}
