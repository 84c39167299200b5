//! Images as patches, as many as their size asks for: what Qwen2-VL and Qwen2.5-VL look at.

use burn::tensor::{Device, Tensor, TensorData};
use sensorium_core::{HostBytes, Source, assert_shape};

use super::classes::family;
use super::file::File;
use super::values::{self, Values};
use crate::decode::{Limits, decode};
use crate::{Error, Filter, Normalize, Picture, resize};

/// How often the shorter side may go into the longer one, in the reference.
const NARROWEST: usize = 200;

/// Decodes images and cuts them into patches as the `preprocessor_config.json` of a Qwen2-VL or a Qwen2.5-VL says
/// (arXiv 2409.12191, section 2.1).
///
/// Both sides are resized to a multiple of `patch_size * merge_size`, so that the shape stays about the same and there are
/// `min_pixels` to `max_pixels` pixels. Patches stand in the order in which the model merges them: square by square of
/// `merge_size` x `merge_size`. Each is a row of `[channels, temporal_patch_size, patch_size, patch_size]` numbers; a still
/// image is the same at all times.
///
/// ```
/// use sensorium_vision::{PatchedImageProcessor, Picture};
///
/// let json = r#"{"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 4, "min_pixels": 64, "max_pixels": 512}"#;
/// let processor = PatchedImageProcessor::from_json("preprocessor_config.json", json)?;
/// let image = processor.prepare("photo", Picture::new(30, 17, 3, vec![0; 30 * 17 * 3]))?;
/// assert_eq!(image.grid(), [1, 4, 8]);
/// assert_eq!(image.patches().len(), 4 * 8 * 3 * 2 * 4 * 4);
/// # Ok::<(), sensorium_vision::Error>(())
/// ```
///
/// # Differs from the reference
///
/// As [`PublishedImageProcessor`](crate::PublishedImageProcessor): it is Transformers' Pillow backend that is followed, to the
/// last bit, with Pillow 12. Files without `do_resize` are refused.
#[derive(Clone, Debug)]
pub struct PatchedImageProcessor {
    /// The least and the most pixels.
    area: [usize; 2],
    patch: usize,
    frames: usize,
    merge: usize,
    filter: Filter,
    values: Values,
    limits: Limits,
    source: String,
}

/// An image in patches on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchedImage {
    grid: [usize; 3],
    patches: Vec<f32>,
}

impl PatchedImage {
    /// How many patches stand one after the other in time (1), one below the other, and side by side: `image_grid_thw`.
    pub fn grid(&self) -> [usize; 3] {
        self.grid
    }

    /// All patches, row by row: `[patches, d_patch]`.
    pub fn patches(&self) -> &[f32] {
        &self.patches
    }
}

impl HostBytes for PatchedImage {
    fn host_bytes(&self) -> usize {
        self.patches.host_bytes()
    }
}

/// The patches of several images on a device.
#[derive(Clone, Debug)]
pub struct PatchBatch {
    /// Those of all images, one after the other: `[patches, d_patch]`.
    pub patches: Tensor<2>,
    /// Of each image: patches in time, down and across.
    pub grids: Vec<[usize; 3]>,
}

impl PatchBatch {
    /// Joins patches and grids.
    ///
    /// # Panics
    /// If there are not as many patches as the grids say.
    pub fn new(patches: Tensor<2>, grids: Vec<[usize; 3]>) -> Self {
        let [_, d_patch] = patches.dims();
        let count = grids.iter().map(|grid| grid.iter().product::<usize>());
        assert_shape!(patches, [count.sum(), d_patch]);
        Self { patches, grids }
    }
}

impl PatchedImageProcessor {
    /// Reads the text of a `preprocessor_config.json` or `processor_config.json`; `name` stands for the file in messages.
    ///
    /// # Errors
    /// [`Error::Published`] naming the key that cannot work, or asks for a step that is not known here.
    pub fn from_json(name: &str, json: &str) -> Result<Self, Error> {
        let file = File::parse(name, json)?;
        let class = file.class()?.unwrap_or_default();
        if !matches!(family(class), Some("Qwen2VL" | "Qwen2_5_VL")) {
            let problem =
                format!("is {class:?}; images are cut into patches for Qwen2VLImageProcessor");
            return Err(file.error("image_processor_type", problem));
        }
        file.refuse_other_steps(&[])?;
        if file.switch("do_resize")? == Some(false) {
            let problem = "is false: most images could not be cut evenly; set it to true";
            return Err(file.error("do_resize", problem));
        }
        // The class's defaults.
        let [least, most] = file.area()?;
        let area = [least.unwrap_or(56 * 56), most.unwrap_or(28 * 28 * 1280)];
        if area[0] > area[1] {
            let problem = format!(
                "asks for at least {} pixels and at most {}; use fewer of the first",
                area[0], area[1]
            );
            return Err(file.error("size", problem));
        }
        Ok(Self {
            area,
            patch: file.count("patch_size", 256)?.unwrap_or(14),
            frames: file.count("temporal_patch_size", 16)?.unwrap_or(2),
            merge: file.count("merge_size", 16)?.unwrap_or(2),
            filter: file.resample()?.unwrap_or(Filter::Bicubic),
            values: values::read(&file, Some(Normalize::Clip))?,
            limits: Limits::default(),
            source: json.to_owned(),
        })
    }

    /// How much of a file is decoded at most.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How many patches a side become one token.
    pub fn merge(&self) -> usize {
        self.merge
    }

    /// How many numbers a patch is.
    pub fn d_patch(&self) -> usize {
        3 * self.frames * self.patch * self.patch
    }

    /// The text it was read from, unchanged, so that a model is saved with its own file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Decodes and prepares an image.
    ///
    /// # Errors
    /// If it cannot be read or decoded, or is too narrow.
    pub fn process(&self, source: &Source) -> Result<PatchedImage, Error> {
        self.prepare(&source.describe(), decode(source, &self.limits)?)
    }

    /// Prepares a picture that is decoded already; `name` stands for it in messages.
    ///
    /// # Errors
    /// [`Error::TooNarrow`] if a side is more than 200 times the other.
    pub fn prepare(&self, name: &str, picture: Picture) -> Result<PatchedImage, Error> {
        let (width, height) = (picture.width(), picture.height());
        if width.max(height) > NARROWEST * width.min(height) {
            return Err(Error::TooNarrow {
                name: name.to_owned(),
                width,
                height,
                most: NARROWEST,
            });
        }
        let factor = self.patch * self.merge;
        let [height, width] = resized([height, width], factor, self.area);
        let picture = resize(&picture.to_rgb(), width, height, self.filter);
        Ok(PatchedImage {
            grid: [1, height / self.patch, width / self.patch],
            patches: self.cut(&picture),
        })
    }

    /// The patches of all images, one after the other.
    ///
    /// # Panics
    /// If there is no image, or one was made by another processor.
    pub fn collate(&self, images: &[PatchedImage], device: &Device) -> PatchBatch {
        assert!(!images.is_empty(), "no images to collate");
        let grids = images.iter().map(PatchedImage::grid).collect();
        let patches: Vec<&[f32]> = images.iter().map(PatchedImage::patches).collect();
        let patches = patches.concat();
        let shape = [patches.len() / self.d_patch(), self.d_patch()];
        let patches = Tensor::from_data(TensorData::new(patches, shape), device);
        PatchBatch::new(patches, grids)
    }

    /// A picture's patches, square by square of those that are merged.
    fn cut(&self, picture: &Picture) -> Vec<f32> {
        let (patch, merge) = (self.patch, self.merge);
        let (width, height) = (picture.width(), picture.height());
        let pixels = values::pixels(&self.values, picture);
        let mut patches = Vec::with_capacity(pixels.len() * self.frames);
        for top in (0..height).step_by(patch * merge) {
            for left in (0..width).step_by(patch * merge) {
                for place in 0..merge * merge {
                    let y = top + place / merge * patch;
                    let x = left + place % merge * patch;
                    for plane in pixels.chunks_exact(width * height) {
                        for _ in 0..self.frames {
                            let rows = plane.chunks_exact(width).skip(y).take(patch);
                            patches.extend(rows.flat_map(|row| &row[x..x + patch]));
                        }
                    }
                }
            }
        }
        patches
    }
}

/// Height and width as multiples of `factor`, of about the same shape and with the pixels that are allowed, in the
/// reference's own order of operations (`smart_resize`), so that both round alike.
fn resized([height, width]: [usize; 2], factor: usize, [least, most]: [usize; 2]) -> [usize; 2] {
    let (unit, pixels) = (factor as f64, (height * width) as f64);
    let sides = [height, width].map(|side| side as f64);
    let nearest = sides.map(|side| (side / unit).round_ties_even() as usize * factor);
    match nearest[0] * nearest[1] {
        area if area > most => {
            let shrink = (pixels / most as f64).sqrt();
            sides.map(|side| ((side / shrink / unit) as usize * factor).max(factor))
        }
        area if area < least => {
            let grow = (least as f64 / pixels).sqrt();
            sides.map(|side| (side * grow / unit).ceil() as usize * factor)
        }
        _ => nearest,
    }
}
