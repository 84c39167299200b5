//! Files to samples on the host, samples to batches on a device.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use sensorium_core::{Changes, HostBytes, Processor, SampleRng, Source, assert_shape};

use crate::augment::AugmentConfig;
use crate::decode::{Limits, decode};
use crate::{Error, PrepareConfig};

/// One prepared image on the host: normalised pixels, `[channels, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSample {
    channels: usize,
    height: usize,
    width: usize,
    pixels: Vec<f32>,
}

impl HostBytes for ImageSample {
    fn host_bytes(&self) -> usize {
        self.pixels.host_bytes()
    }
}

impl ImageSample {
    /// Joins sizes and pixels.
    ///
    /// # Panics
    /// If `pixels` is not `channels * height * width` long.
    pub fn new(channels: usize, height: usize, width: usize, pixels: Vec<f32>) -> Self {
        assert_eq!(
            pixels.len(),
            channels * height * width,
            "pixels of a sample"
        );
        Self {
            channels,
            height,
            width,
            pixels,
        }
    }

    /// `[channels, height, width]`
    pub fn dims(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// All pixels, channel by channel and row by row.
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    pub(crate) fn pixels_mut(&mut self) -> &mut [f32] {
        &mut self.pixels
    }
}

/// Many prepared images on a device, some of which may be absent.
#[derive(Clone, Debug)]
pub struct ImageBatch {
    /// Normalised pixels `[batch, channels, height, width]`; zeros where the image is absent.
    pub pixels: Tensor<4>,
    /// `[batch]`, true = there.
    pub present: Tensor<1, Bool>,
}

impl ImageBatch {
    /// Joins pixels and presence.
    ///
    /// # Panics
    /// If `present` is not `[batch]` of `pixels`.
    pub fn new(pixels: Tensor<4>, present: Tensor<1, Bool>) -> Self {
        let [batch, _, _, _] = pixels.dims();
        assert_shape!(present, [batch]);
        Self { pixels, present }
    }

    /// Images all of which are there: `[batch, channels, height, width]`.
    pub fn dense(pixels: Tensor<4>) -> Self {
        let [batch, _, _, _] = pixels.dims();
        let present = Tensor::<1, Bool>::full([batch], true, &pixels.device());
        Self { pixels, present }
    }
}

/// Decodes and prepares images.
#[derive(Clone, Debug)]
pub struct ImageProcessor {
    prepare: PrepareConfig,
    augment: AugmentConfig,
    strong: Option<AugmentConfig>,
    limits: Limits,
}

impl ImageProcessor {
    /// Prepares as `prepare` says, within the usual [`Limits`], without changing anything in training.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key that cannot work.
    pub fn new(prepare: PrepareConfig) -> Result<Self, Error> {
        prepare.validate()?;
        Ok(Self {
            prepare,
            augment: AugmentConfig::default(),
            strong: None,
            limits: Limits::default(),
        })
    }

    /// How samples are randomly changed in training.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key that cannot work.
    pub fn with_augment(mut self, augment: AugmentConfig) -> Result<Self, Error> {
        augment.validate()?;
        self.augment = augment;
        Ok(self)
    }

    /// What a strongly changed copy is, instead of what is [`stronger`](AugmentConfig::stronger) than the usual changes.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key that cannot work.
    pub fn with_strong(mut self, strong: Option<AugmentConfig>) -> Result<Self, Error> {
        if let Some(strong) = &strong {
            strong.validate_as(Changes::Strong)?;
        }
        self.strong = strong;
        Ok(self)
    }

    /// How much of a file is decoded at most.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How pictures are prepared.
    pub fn prepare(&self) -> &PrepareConfig {
        &self.prepare
    }
}

impl Processor for ImageProcessor {
    type Sample = ImageSample;
    type Batch = ImageBatch;
    type Error = Error;

    fn process(&self, source: &Source) -> Result<ImageSample, Error> {
        Ok(self.prepare.prepare(decode(source, &self.limits)?))
    }

    fn augment(&self, sample: ImageSample, rng: &mut SampleRng) -> ImageSample {
        self.augment
            .apply(sample, &self.prepare.black_and_white(), rng)
    }

    fn augment_strongly(&self, sample: ImageSample, rng: &mut SampleRng) -> ImageSample {
        let strong = self.strong.unwrap_or_else(|| self.augment.stronger());
        strong.apply(sample, &self.prepare.black_and_white(), rng)
    }

    fn collate(&self, samples: &[Option<&ImageSample>], device: &Device) -> ImageBatch {
        let size = self.prepare.image_size;
        stack(samples, [self.prepare.channels, size, size], device)
    }
}

/// Joins samples of one shape; where there is none, zeros.
pub(crate) fn stack(
    samples: &[Option<&ImageSample>],
    dims: [usize; 3],
    device: &Device,
) -> ImageBatch {
    assert!(!samples.is_empty(), "no samples to collate");
    let count = dims.iter().product::<usize>();
    let mut pixels = Vec::with_capacity(samples.len() * count);
    for sample in samples {
        match sample {
            Some(sample) => {
                assert_shape!(sample, dims);
                pixels.extend_from_slice(&sample.pixels);
            }
            None => pixels.resize(pixels.len() + count, 0.0),
        }
    }
    let present: Vec<bool> = samples.iter().map(Option::is_some).collect();
    let (batch, [channels, height, width]) = (samples.len(), dims);
    ImageBatch {
        pixels: Tensor::from_data(
            TensorData::new(pixels, [batch, channels, height, width]),
            device,
        ),
        present: Tensor::from_data(TensorData::new(present, [batch]), device),
    }
}

#[cfg(test)]
#[path = "processor_tests.rs"]
mod tests;
