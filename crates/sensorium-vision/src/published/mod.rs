//! Images prepared exactly as a published model's `preprocessor_config.json` says.

mod classes;
mod file;
mod patches;
mod steps;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_cut;
mod tiles;
mod values;

use burn::tensor::Device;
use sensorium_core::{Changes, Processor, SampleRng, Source};

use crate::decode::{Limits, decode};
use crate::processor::stack;
use crate::{AugmentConfig, Error, ImageBatch, ImageSample, Picture};
use file::File;
use steps::Steps;
use values::Values;

pub use patches::{PatchBatch, PatchedImage, PatchedImageProcessor};
pub use tiles::{TiledImage, TiledImageProcessor};

/// Decodes and prepares images as a model's `preprocessor_config.json` says: to RGB, resize, centre crop,
/// rescale, normalise, in this order, each where the file asks for it.
///
/// Old files (`feature_extractor_type`, sizes as a number) and new ones (`image_processor_type`, sizes by
/// name, nested under `image_processor`) are read. Where a key is missing, the class that the file names
/// says its default, as in Hugging Face's Transformers 5.23.
///
/// ```
/// use sensorium_vision::PublishedImageProcessor;
///
/// let json = r#"{"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224}"#;
/// let processor = PublishedImageProcessor::from_json("preprocessor_config.json", json)?;
/// assert_eq!(processor.dims(), [3, 224, 224]);
///
/// let json = r#"{"image_processor_type": "ViTImageProcessor", "size": {"shortest_edge": 256}}"#;
/// let error = PublishedImageProcessor::from_json("preprocessor_config.json", json).unwrap_err();
/// assert!(error.to_string().starts_with("preprocessor_config.json: size: "));
/// # Ok::<(), sensorium_vision::Error>(())
/// ```
///
/// # Differs from the reference
///
/// - Files are decoded as [`decode`] does and as Transformers' `load_image` does: upright by EXIF, alpha
///   dropped. But 16-bit grey is scaled to 8 bits, where Pillow makes everything above 255 white.
/// - It is the resizing of Pillow 12 that is followed, to the last bit, and NumPy's centre crop. The torchvision
///   backend differs by a step of a byte here and there, and by a pixel in where it places a picture that is
///   smaller than the crop by an odd number; Pillow 13 differs where the height shrinks much more than the
///   width.
/// - Transformers 5 puts what is transparent on white where it is handed an image with alpha in memory, or a
///   palette with a transparent colour; Transformers 4, and `load_image` for all other files, drop the alpha.
/// - Every picture must come out at one size: a file that resizes the shortest edge and does not crop is
///   refused.
#[derive(Clone, Debug)]
pub struct PublishedImageProcessor {
    steps: Steps,
    /// Each byte's number once rescaled and normalised, by channel.
    values: Values,
    limits: Limits,
    augment: AugmentConfig,
    strong: Option<AugmentConfig>,
    source: String,
}

impl PublishedImageProcessor {
    /// Reads the text of a `preprocessor_config.json` or `processor_config.json`; `name` stands for the file
    /// in messages.
    ///
    /// # Errors
    /// [`Error::Published`] naming the key that is missing, cannot work, or asks for a step that is not
    /// known here.
    pub fn from_json(name: &str, json: &str) -> Result<Self, Error> {
        let (steps, values) = Steps::read(&File::parse(name, json)?)?;
        Ok(Self {
            steps,
            values,
            limits: Limits::default(),
            augment: AugmentConfig::default(),
            strong: None,
            source: json.to_owned(),
        })
    }

    /// How much of a file is decoded at most.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How samples are randomly changed in training; by default not at all.
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

    /// `[channels, height, width]` of every sample.
    pub fn dims(&self) -> [usize; 3] {
        let [height, width] = self.steps.output();
        [3, height, width]
    }

    /// The least and the greatest number of a pixel, by channel.
    fn black_and_white(&self) -> [[f32; 2]; 3] {
        self.values.map(|v| [v[0].min(v[255]), v[0].max(v[255])])
    }

    /// The text it was read from, unchanged, so that a model is saved with its own file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Prepares a picture that is decoded already.
    pub fn prepare(&self, picture: Picture) -> ImageSample {
        let [channels, height, width] = self.dims();
        let picture = self.steps.place(picture.to_rgb());
        let pixels = values::pixels(&self.values, &picture);
        ImageSample::new(channels, height, width, pixels)
    }
}

impl Processor for PublishedImageProcessor {
    type Sample = ImageSample;
    type Batch = ImageBatch;
    type Error = Error;

    fn process(&self, source: &Source) -> Result<ImageSample, Error> {
        let picture = decode(source, &self.limits)?;
        self.steps.fit(source, &picture, &self.limits)?;
        Ok(self.prepare(picture))
    }

    fn augment(&self, sample: ImageSample, rng: &mut SampleRng) -> ImageSample {
        self.augment.apply(sample, &self.black_and_white(), rng)
    }

    fn augment_strongly(&self, sample: ImageSample, rng: &mut SampleRng) -> ImageSample {
        let strong = self.strong.unwrap_or_else(|| self.augment.stronger());
        strong.apply(sample, &self.black_and_white(), rng)
    }

    fn collate(&self, samples: &[Option<&ImageSample>], device: &Device) -> ImageBatch {
        stack(samples, self.dims(), device)
    }
}
