//! Series on the host: normalised by what the training data holds, cut into patches, joined into batches.

use burn::tensor::{Device, Tensor, TensorData};
use sensorium_core::{HostBytes, Processor, Source};
use serde::{Deserialize, Serialize};

use crate::series::Series;
use crate::{TemplateBatch, TemplateConfig, TemplateError};

/// Prepares series: each channel gets mean 0 and deviation 1 over the training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateProcessor {
    patch_rows: usize,
    max_rows: usize,
    /// Of each channel.
    mean: Vec<f32>,
    /// Of each channel; 1 where it never changes.
    deviation: Vec<f32>,
}

/// A series cut into patches: `[patches, patch_rows * channels]`, the last patch filled up with zeros.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateSample {
    values: Vec<f32>,
    patches: usize,
}

impl HostBytes for TemplateSample {
    fn host_bytes(&self) -> usize {
        self.values.host_bytes()
    }
}

impl TemplateProcessor {
    /// Learns channels, means and deviations from series.
    ///
    /// # Errors
    /// If a series is broken, or there is none.
    pub fn fit(
        config: &TemplateConfig,
        sources: &mut dyn Iterator<Item = Source>,
    ) -> Result<Self, TemplateError> {
        // Per channel: sum and sum of squares, in double precision so that long data loses nothing.
        let mut sums: Vec<[f64; 2]> = Vec::new();
        let mut rows = 0;
        for source in sources {
            let series = Series::read(&source, config.max_rows)?;
            if sums.is_empty() {
                sums = vec![[0.0; 2]; series.channels];
            }
            check_channels(&series, sums.len(), &source)?;
            rows += series.rows();
            for row in series.values.chunks(series.channels) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    sum[0] += f64::from(*value);
                    sum[1] += f64::from(*value).powi(2);
                }
            }
        }
        if rows == 0 {
            return Err(TemplateError::NothingToLearn);
        }
        let mean: Vec<f64> = sums.iter().map(|[sum, _]| sum / rows as f64).collect();
        let deviation = sums.iter().zip(&mean).map(|([_, squares], mean)| {
            let variance = squares / rows as f64 - mean * mean;
            if variance > 1e-12 {
                variance.sqrt() as f32
            } else {
                1.0
            }
        });
        Ok(Self {
            patch_rows: config.patch_rows,
            max_rows: config.max_rows,
            deviation: deviation.collect(),
            mean: mean.iter().map(|mean| *mean as f32).collect(),
        })
    }

    /// Channels of the series.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// Numbers in a patch.
    pub fn patch_len(&self) -> usize {
        self.patch_rows * self.channels()
    }

    /// Whether this is what `fit` gives for a config: a saved file may hold anything.
    pub(crate) fn fits(&self, config: &TemplateConfig) -> bool {
        self.patch_rows == config.patch_rows
            && self.max_rows == config.max_rows
            && !self.mean.is_empty()
            && self.mean.len() == self.deviation.len()
            && self.mean.iter().all(|mean| mean.is_finite())
            && self
                .deviation
                .iter()
                .all(|deviation| deviation.is_finite() && *deviation > 0.0)
    }
}

fn check_channels(series: &Series, expected: usize, source: &Source) -> Result<(), TemplateError> {
    if series.channels == expected {
        return Ok(());
    }
    Err(TemplateError::Channels {
        name: source.describe(),
        found: series.channels,
        expected,
    })
}

impl Processor for TemplateProcessor {
    type Sample = TemplateSample;
    type Batch = TemplateBatch;
    type Error = TemplateError;

    fn process(&self, source: &Source) -> Result<TemplateSample, TemplateError> {
        let series = Series::read(source, self.max_rows)?;
        check_channels(&series, self.channels(), source)?;
        let patches = series.rows().div_ceil(self.patch_rows);
        let mut values = series.values;
        for row in values.chunks_mut(series.channels) {
            for ((value, mean), deviation) in row.iter_mut().zip(&self.mean).zip(&self.deviation) {
                *value = (*value - mean) / deviation;
            }
        }
        values.resize(patches * self.patch_len(), 0.0);
        Ok(TemplateSample { values, patches })
    }

    fn collate(&self, samples: &[Option<&TemplateSample>], device: &Device) -> TemplateBatch {
        assert!(!samples.is_empty(), "no samples to collate");
        // A batch without any series still has a token, of padding.
        let longest = samples.iter().flatten().map(|sample| sample.patches).max();
        let patches = longest.unwrap_or(1);
        let mut values = Vec::with_capacity(samples.len() * patches * self.patch_len());
        let mut pad = Vec::with_capacity(samples.len() * patches);
        for (index, sample) in samples.iter().enumerate() {
            values.extend(sample.iter().flat_map(|sample| &sample.values));
            values.resize((index + 1) * patches * self.patch_len(), 0.0);
            let present = sample.map_or(0, |sample| sample.patches);
            pad.extend((0..patches).map(|patch| patch >= present));
        }
        let shape = [samples.len(), patches, self.patch_len()];
        TemplateBatch {
            patches: Tensor::from_data(TensorData::new(values, shape), device),
            pad: Tensor::from_data(TensorData::new(pad, [samples.len(), patches]), device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{bools, devices, floats};

    fn fitted(texts: &[&str]) -> TemplateProcessor {
        let sources: Vec<_> = texts.iter().map(|text| Source::text(*text)).collect();
        TemplateProcessor::fit(&TemplateConfig::debug(), &mut sources.into_iter()).unwrap()
    }

    #[test]
    fn channels_get_mean_zero_and_deviation_one() {
        let processor = fitted(&["1 5; 3 5"]);
        let sample = processor.process(&Source::text("1 5; 3 6; 2 5")).unwrap();
        assert_eq!(sample.patches, 2);
        assert_eq!(sample.values, [-1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn what_a_sample_lacks_is_padding() {
        let processor = fitted(&["1 3"]);
        let long = processor.process(&Source::text("1 3 1")).unwrap();
        let short = processor.process(&Source::text("3")).unwrap();
        for device in devices() {
            let batch = processor.collate(&[Some(&short), None, Some(&long)], &device);
            assert_eq!(batch.patches.dims(), [3, 2, 2]);
            assert_eq!(bools(&batch.pad), [false, true, true, true, false, false]);
            let expected = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 1.0, -1.0, 0.0];
            assert_eq!(floats(&batch.patches), expected);

            let nobody = processor.collate(&[None, None], &device);
            assert_eq!(bools(&nobody.pad), [true, true]);
        }
    }

    #[test]
    fn other_channels_than_those_trained_on_are_refused() {
        let message = fitted(&["1 3"])
            .process(&Source::text("1 2; 3 4"))
            .unwrap_err();
        assert!(
            message
                .to_string()
                .contains("has 2 channels, but the training data has 1")
        );
        let nothing = TemplateProcessor::fit(&TemplateConfig::debug(), &mut std::iter::empty());
        assert!(matches!(nothing, Err(TemplateError::NothingToLearn)));
    }
}
