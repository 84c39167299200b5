//! How well modalities find each other in their common space.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::Device;
use sensorium_core::Modality;
use sensorium_eval::{Retrieval, Search};

use super::PretextModel;
use crate::feed::batches_of;
use crate::prepare::Prepared;
use crate::{Error, Observer};

/// Rows whose likeness to all others is held in memory at once.
const BLOCK: usize = 256;

/// Vectors of length 1, each with its row.
pub(crate) type OfRows = Vec<(usize, Vec<f32>)>;

/// Those of each modality.
pub(crate) type Vectors = BTreeMap<Modality, OfRows>;

/// How rows are gone through.
#[derive(Clone, Copy)]
pub(crate) struct Pace<'a> {
    pub device: &'a Device,
    pub batch_size: usize,
    pub threads: usize,
}

/// The vectors of all rows.
pub(crate) fn vectors(
    model: &PretextModel,
    rows: &Prepared,
    pace: Pace<'_>,
    observer: &mut dyn Observer,
) -> Result<Vectors, Error> {
    let mut all = Vectors::new();
    let keep = rows.processors.modalities();
    let order = (0..rows.len()).collect();
    observer.phase("embedding", rows.len());
    let mut done = 0;
    for batch in batches_of(rows, order, pace.batch_size, pace.threads, keep) {
        let batch = batch?;
        if batch.rows.is_empty() {
            continue;
        }
        let collated = rows.processors.collate(&batch.samples, pace.device);
        for (modality, embedded) in model.embed(collated) {
            let [_, width] = embedded.vectors.dims();
            let values: Vec<f32> = embedded.vectors.into_data().iter::<f32>().collect();
            let present = embedded.present.into_data();
            let own = all.entry(modality).or_default();
            for ((row, vector), present) in batch
                .rows
                .iter()
                .zip(values.chunks(width))
                .zip(present.iter::<bool>())
            {
                if present {
                    own.push((*row, vector.to_vec()));
                }
            }
        }
        done += batch.rows.len();
        observer.advance(done);
    }
    observer.phase_end();
    Ok(all)
}

/// Each modality looks for its rows in each other.
pub(crate) fn search(vectors: &Vectors) -> Result<Vec<Search>, Error> {
    let mut found = Vec::new();
    for (from, queries) in vectors {
        for (to, candidates) in vectors.iter().filter(|(to, _)| *to != from) {
            let place: BTreeMap<usize, usize> = candidates
                .iter()
                .enumerate()
                .map(|(place, (row, _))| (*row, place))
                .collect();
            let right = |query: usize| -> Vec<usize> {
                place.get(&queries[query].0).copied().into_iter().collect()
            };
            let likeness = |range: Range<usize>| -> Result<Vec<f32>, Error> {
                let rows = queries[range].iter();
                Ok(rows
                    .flat_map(|(_, query)| candidates.iter().map(|(_, other)| dot(query, other)))
                    .collect())
            };
            let mut retrieval = Retrieval::new();
            retrieval.by_blocks(queries.len(), candidates.len(), BLOCK, right, likeness)?;
            found.push(Search {
                from: from.to_string(),
                to: to.to_string(),
                report: retrieval.finish(),
            });
        }
    }
    Ok(found)
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
