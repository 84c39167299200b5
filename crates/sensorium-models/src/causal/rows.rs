//! Prompts side by side: of several lengths, padded in front so that all end together.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

/// Prompts of several lengths.
pub(crate) struct Rows<'a> {
    pub(crate) rows: &'a [&'a [u32]],
    /// How many tokens the longest has.
    pub(crate) longest: usize,
    /// How many tokens of padding stand before each.
    pub(crate) before: Vec<usize>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(rows: &'a [&'a [u32]]) -> Self {
        let longest = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        Self {
            rows,
            longest,
            before: rows.iter().map(|row| longest - row.len()).collect(),
        }
    }

    /// Something of each place, row by row, and `fill` where padding stands.
    pub(crate) fn places<T: Clone>(&self, fill: T, of: impl Fn(usize, usize) -> T) -> Vec<T> {
        let mut all = Vec::with_capacity(self.rows.len() * self.longest);
        for (row, before) in self.before.iter().enumerate() {
            all.extend(std::iter::repeat_n(fill.clone(), *before));
            all.extend((0..self.rows[row].len()).map(|at| of(row, at)));
        }
        all
    }

    fn shape(&self) -> [usize; 2] {
        [self.rows.len(), self.longest]
    }

    /// `[rows, longest]`
    pub(crate) fn ids(&self, device: &Device) -> Tensor<2, Int> {
        let ids = self.places(0, |row, at| i64::from(self.rows[row][at]));
        Tensor::from_data(TensorData::new(ids, self.shape()), device)
    }

    /// `[rows, longest]`, true at padding.
    pub(crate) fn pad(&self, device: &Device) -> Tensor<2, Bool> {
        let pad = self.places(true, |_, _| false);
        Tensor::from_data(TensorData::new(pad, self.shape()), device)
    }
}
