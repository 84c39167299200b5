//! Batches of prepared rows: shuffled, augmented and with modalities dropped for training; in order and
//! whole for measuring. Workers prepare ahead of the device; only collating happens on its thread.

use std::collections::BTreeSet;
use std::time::Duration;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt;
use rand::seq::IteratorRandom;
use sensorium_core::{Modality, SampleRng, seed};
use sensorium_data::{DEADLINE, in_order, order};
use sensorium_train::{Batches, BoxError, Fed, Feed};

use crate::Error;
use crate::modalities::{Batch, Samples};
use crate::prepare::Prepared;

/// Rows prepared on the host, ready to be collated.
pub(crate) struct HostBatch {
    pub rows: Vec<usize>,
    pub samples: Vec<Samples>,
}

/// Rows in the order given, with the modalities in `keep` only; rows that have none of them are left out.
pub(crate) fn batches_of(
    rows: &Prepared,
    order: Vec<usize>,
    size: usize,
    threads: usize,
    keep: BTreeSet<Modality>,
) -> impl Iterator<Item = Result<HostBatch, Error>> + use<> {
    let jobs: Vec<Vec<usize>> = order.chunks(size).map(<[usize]>::to_vec).collect();
    let prepared = rows.clone();
    let firsts = firsts(rows, &jobs);
    in_order(jobs, threads, 2 * threads, move |job: Vec<usize>| {
        let mut batch = HostBatch {
            rows: Vec::with_capacity(job.len()),
            samples: Vec::with_capacity(job.len()),
        };
        for row in job {
            let Some(mut samples) = prepared.samples(row)? else {
                continue;
            };
            samples.keep(&keep);
            if !samples.modalities().is_empty() {
                batch.rows.push(row);
                batch.samples.push(samples);
            }
        }
        Ok(batch)
    })
    .with_deadline(deadline(size))
    .zip(firsts)
    .map(|(job, first)| job.map_err(|reason| Error::Batch { first, reason })?)
}

/// A batch has the time of its rows together.
fn deadline(rows: usize) -> Duration {
    DEADLINE.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX))
}

/// The ids of the rows that batches begin with, to name a batch that fails as a whole.
fn firsts(rows: &Prepared, jobs: &[Vec<usize>]) -> Vec<String> {
    let firsts = jobs.iter().filter_map(|job| job.first());
    firsts.map(|row| rows.id(*row).to_owned()).collect()
}

/// What training reads.
pub struct TrainFeed {
    /// The rows to learn from.
    pub rows: Prepared,
    /// Samples a step.
    pub size: usize,
    /// The chance that a sample loses a modality.
    pub modality_dropout: f64,
    /// Threads that prepare.
    pub threads: usize,
    /// What order, augmentation and dropping derive from.
    pub seed: u64,
    /// Where batches go: the training device.
    pub device: Device,
}

impl Feed for TrainFeed {
    type Batch = (Batch, Tensor<1, Int>);

    fn batches_per_epoch(&self) -> usize {
        self.rows.len().div_ceil(self.size)
    }

    fn batches(
        &self,
        epoch: usize,
        from_batch: usize,
    ) -> Result<Batches<'_, Self::Batch>, BoxError> {
        let order = order(self.seed, epoch as u64, self.rows.len());
        let jobs: Vec<Vec<usize>> = order
            .chunks(self.size)
            .skip(from_batch)
            .map(<[usize]>::to_vec)
            .collect();
        let firsts = firsts(&self.rows, &jobs);
        let (prepared, seed, dropout) = (self.rows.clone(), self.seed, self.modality_dropout);
        let batches = in_order(
            jobs,
            self.threads,
            2 * self.threads,
            move |job: Vec<usize>| {
                let mut batch = HostBatch {
                    rows: Vec::with_capacity(job.len()),
                    samples: Vec::with_capacity(job.len()),
                };
                for row in job {
                    let path = [seed::of_name("augment"), epoch as u64, row as u64];
                    let mut rng = seed::rng(seed, &path);
                    let Some(mut samples) = prepared.samples(row)? else {
                        continue;
                    };
                    drop_modalities(&mut samples, dropout, &mut rng);
                    batch.rows.push(row);
                    batch
                        .samples
                        .push(prepared.processors.augment(samples, &mut rng));
                }
                match batch.rows.is_empty() {
                    true => Err(Error::Empty {
                        what: "a batch".to_owned(),
                        why: " left: none of its files can be read any more".to_owned(),
                    }),
                    false => Ok(batch),
                }
            },
        )
        .with_deadline(deadline(self.size));
        Ok(Box::new(batches.zip(firsts).map(|(job, first)| {
            let batch = job.map_err(|reason| Error::Batch { first, reason })??;
            Ok(self.collate(&batch.rows, &batch.samples))
        })))
    }

    fn identity(&self) -> String {
        self.rows.identity()
    }
}

impl TrainFeed {
    fn collate(&self, rows: &[usize], samples: &[Samples]) -> Fed<(Batch, Tensor<1, Int>)> {
        let labels: Vec<i64> = rows
            .iter()
            .map(|row| self.rows.label(*row) as i64)
            .collect();
        let count = labels.len();
        let targets = Tensor::from_data(TensorData::new(labels, [count]), &self.device);
        let batch = self.rows.processors.collate(samples, &self.device);
        Fed {
            ids: rows
                .iter()
                .map(|row| self.rows.id(*row).to_owned())
                .collect(),
            batch: (batch, targets),
        }
    }
}

/// Leaves out each modality with probability `chance`; if none would be left, one drawn evenly stays.
fn drop_modalities(samples: &mut Samples, chance: f64, rng: &mut SampleRng) {
    if chance <= 0.0 {
        return;
    }
    let present = samples.modalities();
    let mut keep: BTreeSet<Modality> = present
        .iter()
        .copied()
        .filter(|_| !rng.random_bool(chance))
        .collect();
    if keep.is_empty() {
        keep.extend(present.into_iter().choose(rng));
    }
    samples.keep(&keep);
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_text::TextSample;
    use sensorium_vision::ImageSample;

    /// What is kept of rows with a text and a picture, and of every third with a text alone.
    fn kept(chance: f64, epoch: u64) -> Vec<BTreeSet<Modality>> {
        let row = |row: u64| {
            let mut samples = Samples {
                text: Some(TextSample { ids: vec![1] }),
                image: (!row.is_multiple_of(3)).then(|| ImageSample::new(1, 1, 1, vec![0.5])),
                audio: None,
            };
            let mut rng = seed::rng(7, &[seed::of_name("augment"), epoch, row]);
            drop_modalities(&mut samples, chance, &mut rng);
            samples.modalities()
        };
        (0..3000).map(row).collect()
    }

    #[test]
    fn modalities_are_dropped_as_often_as_asked_and_one_stays() {
        assert_eq!(kept(0.3, 0), kept(0.3, 0), "a row's draw can be had again");
        assert_ne!(kept(0.3, 0), kept(0.3, 1), "epochs draw anew");
        for chance in [0.0, 0.3, 0.9] {
            let kept = kept(chance, 0);
            let (alone, both): (Vec<_>, Vec<_>) =
                kept.iter().enumerate().partition(|(row, _)| row % 3 == 0);
            assert!(alone.iter().all(|(_, kept)| kept.len() == 1));
            assert!(both.iter().all(|(_, kept)| !kept.is_empty()));
            // Each of two is lost with p; where both were, one drawn evenly stays.
            let expected = chance - chance * chance / 2.0;
            for modality in [sensorium_text::TEXT, sensorium_vision::IMAGE] {
                let lost = both.iter().filter(|(_, kept)| !kept.contains(&modality));
                let share = lost.count() as f64 / both.len() as f64;
                // Four deviations of a share over 2,000 rows.
                assert!((share - expected).abs() < 0.045, "{chance}: {share}");
            }
        }
    }
}
