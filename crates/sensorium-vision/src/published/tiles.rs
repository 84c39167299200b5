//! Images cut into tiles of one size, with the whole image last: what Idefics3 and SmolVLM look at.

use burn::tensor::{Device, Tensor, TensorData};
use sensorium_core::{HostBytes, Source, assert_shape};

use super::classes::family;
use super::file::File;
use super::values::{self, Values};
use crate::decode::{Limits, decode};
use crate::{Error, Filter, ImageBatch, ImageSample, Normalize, Picture, resize};

/// The most pixels a side is resized to, whatever a file says: `MAX_IMAGE_SIZE` of the reference.
const LONGEST: usize = 4096;

/// Far more tiles a side than published models have, which is at most 6.
const MOST_TILES: usize = 64;

/// Decodes images and cuts them into tiles as the `preprocessor_config.json` of an Idefics3 (arXiv 2408.12637, section 2.2)
/// or a SmolVLM (arXiv 2504.05299) says.
///
/// The longer side is resized to `size.longest_edge` and the other to an even number, both are stretched to a multiple of
/// `max_image_size.longest_edge`, and tiles of that size are cut out, row by row; the whole image follows, squeezed into a
/// tile. What is no larger than a tile, or is not to be split, is one tile. All tiles are full, so that there is no mask of pixels.
///
/// ```
/// use sensorium_vision::{Picture, TiledImageProcessor};
///
/// let json = r#"{"image_processor_type": "SmolVLMImageProcessor", "size": {"longest_edge": 32},
///     "max_image_size": {"longest_edge": 16}}"#;
/// let processor = TiledImageProcessor::from_json("preprocessor_config.json", json)?;
/// let image = processor.prepare(Picture::new(60, 20, 3, vec![0; 60 * 20 * 3]));
/// assert_eq!(image.grid(), [1, 2]);
/// assert_eq!(image.tiles().len(), 3);
/// assert_eq!(image.tiles()[2].dims(), [3, 16, 16]);
/// # Ok::<(), sensorium_vision::Error>(())
/// ```
///
/// # Differs from the reference
///
/// As [`PublishedImageProcessor`](crate::PublishedImageProcessor): it is Transformers' Pillow backend that is followed, to the
/// last bit, with Pillow 12. Sizes other than by the longest edge, and files without `do_resize`, are refused.
#[derive(Clone, Debug)]
pub struct TiledImageProcessor {
    longest: usize,
    tile: usize,
    split: bool,
    filter: Filter,
    values: Values,
    limits: Limits,
    source: String,
}

/// An image in tiles on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct TiledImage {
    grid: [usize; 2],
    tiles: Vec<ImageSample>,
}

impl TiledImage {
    /// Rows and columns of the tiles before the last one, which is the whole image; `[0, 0]` where it is the only one.
    pub fn grid(&self) -> [usize; 2] {
        self.grid
    }

    /// Each `[3, tile, tile]`: row by row, and the whole image last.
    pub fn tiles(&self) -> &[ImageSample] {
        &self.tiles
    }
}

impl HostBytes for TiledImage {
    fn host_bytes(&self) -> usize {
        self.tiles.iter().map(HostBytes::host_bytes).sum()
    }
}

impl TiledImageProcessor {
    /// Reads the text of a `preprocessor_config.json` or `processor_config.json`; `name` stands for the file in messages.
    ///
    /// # Errors
    /// [`Error::Published`] naming the key that cannot work, or asks for a step that is not known here.
    pub fn from_json(name: &str, json: &str) -> Result<Self, Error> {
        let file = File::parse(name, json)?;
        let class = file.class()?.unwrap_or_default();
        if !matches!(family(class), Some("Idefics3" | "SmolVLM")) {
            let problem = format!(
                "is {class:?}; images are cut into tiles for Idefics3ImageProcessor and SmolVLMImageProcessor"
            );
            return Err(file.error("image_processor_type", problem));
        }
        file.refuse_other_steps(&["do_pad", "do_image_splitting"])?;
        if file.switch("do_resize")? == Some(false) {
            let problem = "is false: images would be cut at their own size; set it to true";
            return Err(file.error("do_resize", problem));
        }
        // The classes' defaults.
        let longest = file.longest("size")?.unwrap_or(4 * 364);
        let tile = file.longest("max_image_size")?.unwrap_or(364);
        if longest.min(LONGEST).div_ceil(tile) > MOST_TILES {
            let problem = format!(
                "is {tile} pixels, of which {longest} are more than {MOST_TILES} tiles; use more"
            );
            return Err(file.error("max_image_size", problem));
        }
        Ok(Self {
            longest,
            tile,
            split: file.switch("do_image_splitting")?.unwrap_or(true),
            filter: file.resample()?.unwrap_or(Filter::Lanczos),
            values: values::read(&file, Some(Normalize::Half))?,
            limits: Limits::default(),
            source: json.to_owned(),
        })
    }

    /// How much of a file is decoded at most.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether images are split at all; one that is not is a single tile.
    pub fn with_splitting(mut self, split: bool) -> Self {
        self.split = split;
        self
    }

    /// Height and width of a tile.
    pub fn tile(&self) -> usize {
        self.tile
    }

    /// The text it was read from, unchanged, so that a model is saved with its own file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Decodes and prepares an image.
    ///
    /// # Errors
    /// If it cannot be read or decoded.
    pub fn process(&self, source: &Source) -> Result<TiledImage, Error> {
        Ok(self.prepare(decode(source, &self.limits)?))
    }

    /// Prepares a picture that is decoded already.
    pub fn prepare(&self, picture: Picture) -> TiledImage {
        let picture = picture.to_rgb();
        let [height, width] = resized([picture.height(), picture.width()], self.longest);
        let picture = resize(&picture, width, height, self.filter);
        if !self.split {
            return self.single(&picture);
        }
        let [height, width] = stretched([height, width], self.tile);
        let picture = resize(&picture, width, height, self.filter);
        let grid = [height / self.tile, width / self.tile];
        if grid == [1, 1] {
            return self.single(&picture);
        }
        let places = (0..grid[0]).flat_map(|row| (0..grid[1]).map(move |column| [row, column]));
        let tiles = places.map(|place| self.cut(&picture, place));
        let whole = self.single(&picture).tiles;
        TiledImage {
            grid,
            tiles: tiles.chain(whole).collect(),
        }
    }

    /// The tiles of all images, one after the other: `[tiles, 3, tile, tile]`.
    ///
    /// # Panics
    /// If there is no image, or one was made by another processor.
    pub fn collate(&self, images: &[TiledImage], device: &Device) -> ImageBatch {
        let tiles: Vec<&ImageSample> = images.iter().flat_map(|image| &image.tiles).collect();
        assert!(!tiles.is_empty(), "no images to collate");
        let dims = [3, self.tile, self.tile];
        let mut pixels = Vec::with_capacity(tiles.len() * dims.iter().product::<usize>());
        for tile in &tiles {
            assert_shape!(tile, dims);
            pixels.extend_from_slice(tile.pixels());
        }
        let shape = [tiles.len(), 3, self.tile, self.tile];
        ImageBatch::dense(Tensor::from_data(TensorData::new(pixels, shape), device))
    }

    /// A picture squeezed into one tile.
    fn single(&self, picture: &Picture) -> TiledImage {
        let whole = resize(picture, self.tile, self.tile, self.filter);
        TiledImage {
            grid: [0, 0],
            tiles: vec![self.sample(&whole)],
        }
    }

    fn cut(&self, picture: &Picture, [row, column]: [usize; 2]) -> ImageSample {
        let channels = picture.channels();
        let (start, length) = (column * self.tile * channels, self.tile * channels);
        let rows = picture.data().chunks_exact(picture.width() * channels);
        let rows = rows.skip(row * self.tile).take(self.tile);
        let data = rows.flat_map(|row| &row[start..start + length]);
        let data = data.copied().collect();
        self.sample(&Picture::new(self.tile, self.tile, channels, data))
    }

    fn sample(&self, tile: &Picture) -> ImageSample {
        let pixels = values::pixels(&self.values, tile);
        ImageSample::new(3, self.tile, self.tile, pixels)
    }
}

/// Height and width with the longer side as long as asked for and the other an even number, in the reference's own order
/// of operations, so that both round alike.
fn resized([height, width]: [usize; 2], longest: usize) -> [usize; 2] {
    let ratio = width as f64 / height as f64;
    let even = |side: f64| (side as usize).next_multiple_of(2).max(1);
    let longer = longest as f64;
    let [height, width] = match width >= height {
        true => [even(longer / ratio), longest],
        false => [longest, even(longer * ratio)],
    };
    if longest <= LONGEST {
        return [height, width];
    }
    let ratio = width as f64 / height as f64;
    match width >= height {
        true => [((LONGEST as f64 / ratio) as usize).max(1), LONGEST],
        false => [LONGEST, ((LONGEST as f64 * ratio) as usize).max(1)],
    }
}

/// Height and width as multiples of a tile's side, of about the same shape.
fn stretched([height, width]: [usize; 2], tile: usize) -> [usize; 2] {
    let ratio = width as f64 / height as f64;
    let multiple = |side: usize| side.max(1).next_multiple_of(tile);
    match width >= height {
        true => {
            let width = multiple(width);
            [multiple((width as f64 / ratio) as usize), width]
        }
        false => {
            let height = multiple(height);
            [height, multiple((height as f64 * ratio) as usize)]
        }
    }
}
