//! Which rows an epoch draws, and which of them come together: a function of the seed, the epoch and what is known of the rows
//! beforehand, so that a run can be gone on with from any step.

use std::ops::Range;
use std::sync::Arc;

use sensorium_core::{Modality, seed};
use sensorium_data::{alike, in_order, order, order_within, padding, turns};

use super::learning::Draw;
use super::{Learning, unmade};
use crate::Error;
use crate::prepare::Prepared;

/// How rows are drawn; by default every row once an epoch, all shuffled together.
#[derive(Clone, Debug, Default)]
pub struct Drawing {
    /// How many rows an epoch has, instead of as many as there are.
    pub epoch_rows: Option<usize>,
    /// Shards are read one after the other, and rows shuffled within so many.
    pub buffer: Option<usize>,
    /// Data sets that are drawn from by weight.
    pub mix: Option<Arc<Mix>>,
    /// The length of each row, where batches are made of rows that are about as long.
    pub lengths: Option<Arc<[u32]>>,
}

/// Data sets that are drawn from by weight.
#[derive(Clone, Debug)]
pub struct Mix {
    weights: Vec<f64>,
    /// Which data set each row is of.
    source: Vec<usize>,
}

impl Mix {
    /// Of data sets with these weights, the rows of which were to be prepared one data set after the other, so many of each.
    ///
    /// # Panics
    /// If there are not as many weights as data sets.
    pub fn new(weights: &[f64], counts: &[usize], rows: &Prepared) -> Self {
        assert_eq!(weights.len(), counts.len(), "a weight for each data set");
        let ends = counts.iter().scan(0, |end, count| {
            *end += count;
            Some(*end)
        });
        let ends: Vec<usize> = ends.collect();
        let of = |row: usize| ends.partition_point(|end| *end <= rows.nth(row));
        Self {
            weights: weights.to_vec(),
            source: (0..rows.len()).map(of).collect(),
        }
    }

    /// Which data set a row is of.
    pub(crate) fn source(&self, row: usize) -> usize {
        self.source[row]
    }

    /// These rows by data set.
    pub(crate) fn parted(&self, rows: &[usize]) -> Vec<Vec<usize>> {
        let mut parts = vec![Vec::new(); self.weights.len()];
        rows.iter()
            .for_each(|row| parts[self.source(*row)].push(*row));
        parts
    }
}

impl Learning {
    /// How many rows an epoch has that would see `rows` of them.
    pub(crate) fn epoch_rows(&self, rows: usize) -> usize {
        self.drawing.epoch_rows.unwrap_or(rows)
    }

    /// The draws of an epoch of so many places, batch by batch.
    pub(crate) fn epoch(
        &self,
        rows: &[usize],
        epoch: usize,
        places: usize,
        size: usize,
    ) -> Vec<Vec<Draw>> {
        let draws = self.drawn(rows, epoch, places);
        let Some(lengths) = &self.drawing.lengths else {
            return draws.chunks(size).map(<[Draw]>::to_vec).collect();
        };
        let lengths: Vec<u32> = draws.iter().map(|draw| lengths[draw.row]).collect();
        let batches = alike(self.seed, epoch as u64, &lengths, size).into_iter();
        let batch = |places: Vec<usize>| places.into_iter().map(|place| draws[place]).collect();
        batches.map(batch).collect()
    }

    /// Of one epoch of batches of rows that are alike in length, which share is padding, and which would be if they were not.
    pub(crate) fn padding(&self, rows: &[usize]) -> Option<[f64; 2]> {
        let lengths = self.drawing.lengths.as_ref()?;
        let shuffled = Self {
            drawing: Drawing {
                lengths: None,
                ..self.drawing.clone()
            },
            ..self.clone()
        };
        Some([self, &shuffled].map(|learning| {
            let batches = learning.epoch(rows, 0, self.epoch_rows(rows.len()), self.size);
            let of = |batch: &Vec<Draw>| batch.iter().map(|draw| lengths[draw.row]).collect();
            let batches: Vec<Vec<u32>> = batches.iter().map(of).collect();
            padding(batches.iter().map(Vec::as_slice))
        }))
    }

    /// The draws of an epoch, one after the other.
    pub(crate) fn drawn(&self, rows: &[usize], epoch: usize, places: usize) -> Vec<Draw> {
        let Some(mix) = &self.drawing.mix else {
            return self.draw(rows, self.seed, epoch * places..(epoch + 1) * places);
        };
        // A data set that none of these rows is of has no turn.
        let parts = mix.parted(rows).into_iter().enumerate();
        let parts: Vec<(usize, Vec<usize>)> = parts.filter(|(_, part)| !part.is_empty()).collect();
        let weights: Vec<f64> = parts.iter().map(|(i, _)| mix.weights[*i]).collect();
        let turns = turns(&weights, places);
        let mut counts = vec![0; parts.len()];
        turns.iter().for_each(|turn| counts[*turn] += 1);
        // Each is gone through in an order of its own, from where the epoch before has left it: an epoch has as many turns of it
        // as the next.
        let each = parts.iter().zip(counts).map(|((i, part), count)| {
            let seed = seed::derive(self.seed, &[seed::of_name("source"), *i as u64]);
            let draws = self.draw(part, seed, epoch * count..(epoch + 1) * count);
            draws.into_iter()
        });
        let mut each: Vec<_> = each.collect();
        let next = |turn: usize| each[turn].next();
        turns.into_iter().filter_map(next).collect()
    }

    /// Places of an endless order: pass after pass over all of `rows`, each shuffled in its own way.
    fn draw(&self, rows: &[usize], seed: u64, places: Range<usize>) -> Vec<Draw> {
        let mut draws = Vec::with_capacity(places.len());
        let mut pass = None;
        for place in places {
            let of = (place / rows.len()) as u64;
            if pass.as_ref().is_none_or(|(known, _)| *known != of) {
                pass = Some((of, self.permutation(rows, seed, of)));
            }
            let shuffled = pass.iter().map(|(_, order)| order[place % rows.len()]);
            draws.extend(shuffled.map(|i| Draw {
                row: rows[i],
                pass: of,
            }));
        }
        draws
    }

    fn permutation(&self, rows: &[usize], seed: u64, pass: u64) -> Vec<usize> {
        match self.drawing.buffer {
            None => order(seed, pass, rows.len()),
            Some(buffer) => {
                let file = |row: &usize| self.rows.place(*row).file;
                let shards = rows.chunk_by(|one, next| file(one) == file(next));
                let shards: Vec<usize> = shards.map(<[usize]>::len).collect();
                order_within(seed, pass, &shards, buffer)
            }
        }
    }
}

/// The length of each row in one modality, as the memory that it takes there; of one without it, nothing. What is not in memory is
/// read for it.
///
/// # Errors
/// If a row can no longer be read and such rows are not skipped.
pub(crate) fn lengths(
    rows: &Prepared,
    modality: Modality,
    threads: usize,
) -> Result<Arc<[u32]>, Error> {
    let shared = rows.clone();
    let work = move |row: usize| -> Result<u32, Error> {
        let samples = shared.samples(row)?;
        let bytes = samples.map_or(0, |samples| samples.host_bytes_of(modality));
        Ok(u32::try_from(bytes).unwrap_or(u32::MAX))
    };
    let all = in_order((0..rows.len()).collect(), threads, 4 * threads, work);
    let each = all.enumerate().map(|(row, length)| match length {
        Ok(length) => length,
        Err(reason) => Err(unmade(rows.id(row).to_owned(), reason)),
    });
    each.collect()
}

#[cfg(test)]
#[path = "drawing_tests.rs"]
mod tests;
