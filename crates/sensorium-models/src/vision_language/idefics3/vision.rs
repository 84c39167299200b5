//! The vision tower: tiles to vectors, each patch at its place as a share of the tile.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use sensorium_core::nn::Transformer;
use sensorium_core::tap::in_layer;
use sensorium_core::{Tap, Tokens};

use crate::clip::VisionEmbeddings;
use crate::siglip::SiglipVisionConfig;

/// A SigLIP without its head, for images of any size: where a patch stands is a share of the image, rounded down to a place
/// of the table (arXiv 2307.06304, section 2.1).
#[derive(Module, Debug)]
pub struct Idefics3VisionModel {
    /// Patches to vectors, and the table of places.
    pub embeddings: VisionEmbeddings,
    /// The blocks and the norm after them.
    pub encoder: Transformer,
}

impl Idefics3VisionModel {
    pub(super) fn new(config: &SiglipVisionConfig, device: &Device) -> Self {
        Self {
            embeddings: config.embeddings().init(device),
            encoder: config.blocks().transformer().init(device),
        }
    }

    /// `[images, channels, height, width]` → `[images, patches, d_model]`. Shows `embeds`, `encoder.blocks.N.output` and
    /// `encoder.output` to the tap.
    ///
    /// # Panics
    /// If images have other channels than the model, or are smaller than a patch.
    pub fn forward_with<T: Tap>(&self, pixels: Tensor<4>, tap: &mut T) -> Tensor<3> {
        let [_, _, height, width] = pixels.dims();
        let grid = self.embeddings.patch.grid(height, width);
        let places = self.positions(&self.places(grid, grid), &pixels.device()); // [N, D]
        let embeds = self.embeddings.patch.forward(pixels) + places.unsqueeze();
        let embeds = tap.tensor("embeds", embeds);
        in_layer(tap, "encoder", |tap| {
            self.encoder.forward_dense_with(embeds, tap)
        })
    }

    /// The same for images of which only so many rows and columns of pixels, from the top left, are looked at: the rest is
    /// padding.
    ///
    /// # Panics
    /// As [`forward_with`](Self::forward_with), and unless there are a row and a column for each image.
    pub fn forward_filled_with<T: Tap>(
        &self,
        pixels: Tensor<4>,
        filled: &[[usize; 2]],
        tap: &mut T,
    ) -> Tokens {
        let [images, _, height, width] = pixels.dims();
        assert_eq!(images, filled.len(), "images and what is filled of them");
        let patch = self.embeddings.patch.patch_size();
        let grid = self.embeddings.patch.grid(height, width);
        let (mut places, mut pad) = (Vec::new(), Vec::new());
        for filled in filled {
            assert!(filled.iter().all(|side| *side > 0), "an image of nothing");
            // A patch is looked at if any pixel of it is.
            let of = |axis: usize| filled[axis].div_ceil(patch[axis]).min(grid[axis]);
            let seen = [of(0), of(1)];
            places.extend(self.places(seen, grid));
            let rows = (0..grid[0]).flat_map(|row| (0..grid[1]).map(move |column| [row, column]));
            pad.extend(rows.map(|[row, column]| row >= seen[0] || column >= seen[1]));
        }
        let device = pixels.device();
        let shape = [images, grid[0] * grid[1]];
        let pad = Tensor::<2, Bool>::from_data(TensorData::new(pad, shape), &device);
        let embeds = self.embeddings.patch.forward(pixels);
        let positions = self.positions(&places, &device).reshape(embeds.dims()); // [I*N, D] -> [I, N, D]
        let tokens = Tokens::new(tap.tensor("embeds", embeds + positions), pad);
        in_layer(tap, "encoder", |tap| self.encoder.forward_with(tokens, tap))
    }

    /// The places of all patches of a grid, of which so many rows and columns are looked at; 0 for the others.
    fn places(&self, seen: [usize; 2], grid: [usize; 2]) -> Vec<usize> {
        let side = self.embeddings.position.max_len().isqrt();
        let (rows, columns) = (places(seen[0], side), places(seen[1], side));
        let of = |row: usize| {
            let row = rows.get(row);
            let columns = &columns;
            (0..grid[1]).map(move |column| match (row, columns.get(column)) {
                (Some(row), Some(column)) => row * side + column,
                _ => 0,
            })
        };
        (0..grid[0]).flat_map(of).collect()
    }

    /// The vectors of places, `[places, d_model]`.
    fn positions(&self, places: &[usize], device: &Device) -> Tensor<2> {
        let places: Vec<i64> = places.iter().map(|place| *place as i64).collect();
        let places = Tensor::<1, Int>::from_data(places.as_slice(), device);
        self.embeddings.position.weight.val().select(0, places)
    }
}

/// Where so many patches stand in a table of `side` places: each at its share of the whole, rounded down.
///
/// In single precision as the reference has it. Where a share lies on the edge of a place, the reference's own answer depends
/// on how wide its processor adds; it is the same for tables of up to 32 places, and no published one is larger.
pub(crate) fn places(patches: usize, side: usize) -> Vec<usize> {
    let step = 1.0 / patches as f32;
    let width = 1.0 / side as f64;
    let edge = |place: usize| (width + place as f64 * width) as f32;
    let of = |patch: usize| {
        let share = (patch as f32 * step).min((1.0 - 1e-6) as f32);
        (0..side - 1)
            .take_while(|place| edge(*place) <= share)
            .count()
    };
    (0..patches).map(of).collect()
}
