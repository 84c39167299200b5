//! Prompts side by side, with their images' vectors in place: vectors, padding, and where each stands.

use burn::tensor::{Int, Tensor};
use sensorium_core::nn::Positions;

use crate::Error;
use crate::causal::Rows;

impl Rows<'_> {
    /// How many places images have.
    fn count(&self, image: u32) -> usize {
        let tokens = self.rows.iter().copied().flatten();
        tokens.filter(|token| **token == image).count()
    }

    /// The vectors of tokens `[rows, longest, d]`, in whose places for images `features` `[vectors, d]` stand, in order.
    ///
    /// # Errors
    /// [`Error::Images`] if there are more or fewer of them than places.
    pub(super) fn merged(
        &self,
        image: u32,
        tokens: Tensor<3>,
        features: Option<Tensor<2>>,
    ) -> Result<Tensor<3>, Error> {
        let places = self.count(image);
        let vectors = features.as_ref().map_or(0, |features| features.dims()[0]);
        if places != vectors {
            return Err(Error::Images {
                problem: format!(
                    "places for images in the prompts (token {image}): {places}; vectors that images give: {vectors}"
                ),
            });
        }
        let Some(features) = features else {
            return Ok(tokens);
        };
        let [rows, longest, d] = tokens.dims();
        let is_image = self.places(false, |row, at| self.rows[row][at] == image);
        let mut next = (rows * longest) as i64;
        let from = is_image.iter().enumerate().map(|(place, is_image)| {
            if !is_image {
                return place as i64;
            }
            next += 1;
            next - 1
        });
        let from: Vec<i64> = from.collect();
        let from = Tensor::<1, Int>::from_data(from.as_slice(), &tokens.device());
        let all = Tensor::cat(vec![tokens.reshape([rows * longest, d]), features], 0); // [R*T + V, D]
        Ok(all.select(0, from).reshape([rows, longest, d])) // [R*T, D] -> [R, T, D]
    }
}

/// Where the tokens of a row stand in time, down and across: a text's go by all three alike, an image's by its rows and
/// columns, and what follows an image begins behind its longer side (arXiv 2409.12191, section 2.1).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Places {
    /// `[axes][rows][longest]`
    at: [Vec<Vec<u32>>; 3],
    /// Where the token after each row would stand.
    pub(super) next: Vec<u32>,
}

impl Places {
    /// Of prompts with these images, of which `merge` x `merge` patches are one vector.
    ///
    /// # Errors
    /// [`Error::Images`] if an image has not as many places in a row as it has vectors.
    pub(super) fn new(
        rows: &Rows,
        image: u32,
        grids: &[[usize; 3]],
        merge: usize,
    ) -> Result<Self, Error> {
        let (mut at, mut next) = ([const { Vec::new() }; 3], Vec::new());
        let mut images = grids.iter().enumerate();
        for (tokens, before) in rows.rows.iter().zip(&rows.before) {
            let mut row = [const { Vec::new() }; 3];
            row.iter_mut().for_each(|axis| axis.resize(*before, 0));
            let (mut place, mut from) = (0, 0);
            while from < tokens.len() {
                if tokens[from] != image {
                    row.iter_mut().for_each(|axis| axis.push(place));
                    (place, from) = (place + 1, from + 1);
                    continue;
                }
                let Some((number, [frames, down, across])) = images.next() else {
                    return Err(too_few(from, grids.len()));
                };
                let [down, across] = [down / merge, across / merge];
                let vectors = frames * down * across;
                let run = tokens[from..].iter().take(vectors);
                let run = run.take_while(|token| **token == image).count();
                if run < vectors {
                    return Err(Error::Images {
                        problem: format!(
                            "vectors that image {} gives: {vectors} ({frames} x {down} x {across}); places in a row for it in the prompt: {run}",
                            number + 1
                        ),
                    });
                }
                for vector in 0..vectors {
                    let inside = vector % (down * across);
                    let place_of = [vector / (down * across), inside / across, inside % across];
                    for (axis, offset) in row.iter_mut().zip(place_of) {
                        axis.push(place + offset as u32);
                    }
                }
                (place, from) = (place + down.max(across) as u32, from + vectors);
            }
            for (axis, row) in at.iter_mut().zip(row) {
                axis.push(row);
            }
            next.push(place);
        }
        Ok(Self { at, next })
    }

    /// Those of some of the tokens of each row.
    pub(super) fn part(&self, from: usize, to: usize) -> Positions {
        let axis = |axis: &Vec<Vec<u32>>| {
            axis.iter()
                .flat_map(|row| &row[from..to])
                .copied()
                .collect()
        };
        Positions::on_axes(self.at.iter().map(axis).collect(), self.next.len())
    }

    #[cfg(test)]
    pub(crate) fn axes(&self, row: usize) -> [&[u32]; 3] {
        [0, 1, 2].map(|axis| self.at[axis][row].as_slice())
    }
}

fn too_few(place: usize, images: usize) -> Error {
    Error::Images {
        problem: format!(
            "the prompt has a place for an image at token {place}, behind those of all images, {images} in number"
        ),
    }
}
