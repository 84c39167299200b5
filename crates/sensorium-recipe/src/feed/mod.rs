//! Batches of prepared rows: shuffled, augmented and with modalities dropped for training; in order and
//! whole for measuring. Workers prepare ahead of the device; only collating happens on its thread.

mod drawing;
mod labelled;
mod learning;
mod next;
mod pairs;
mod pretext;
mod semi;
mod taught;
mod texts;
mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use burn::tensor::{Device, Int, Tensor, TensorData};
use sensorium_core::Modality;
use sensorium_data::{DEADLINE, in_order};
use sensorium_train::{Batches, BoxError, Fed, Feed, Together, share};

use crate::Error;
use crate::labels::Label;
use crate::modalities::Samples;
use crate::prepare::Prepared;

pub(crate) use drawing::lengths;
pub use drawing::{Drawing, Mix};
pub use labelled::{Classes, Labelled, Teaching, Values};
pub use learning::Learning;
pub(crate) use learning::{Draw, View};
pub(crate) use pretext::Unlabelled;
pub(crate) use semi::Semi;
pub(crate) use taught::Lessons;
pub(crate) use texts::Wordings;

/// Rows prepared on the host, ready to be collated.
#[derive(Debug)]
pub struct HostBatch {
    pub(crate) rows: Vec<usize>,
    pub(crate) samples: Vec<Samples>,
}

impl HostBatch {
    /// Rows that are learned from, those left out that can no longer be read; nothing, if none can.
    fn of(learning: &Learning, draws: &[Draw], view: View) -> Result<Option<Self>, Error> {
        let mut batch = Self {
            rows: Vec::with_capacity(draws.len()),
            samples: Vec::with_capacity(draws.len()),
        };
        for draw in draws {
            if let Some(samples) = learning.sample(*draw, view)? {
                batch.rows.push(draw.row);
                batch.samples.push(samples);
            }
        }
        Ok((!batch.rows.is_empty()).then_some(batch))
    }

    /// Two views of the same rows; nothing, if none can be read any more.
    fn views(
        learning: &Learning,
        draws: &[Draw],
        views: [View; 2],
    ) -> Result<Option<[Self; 2]>, Error> {
        let (mut rows, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
        for draw in draws {
            if let Some([one, other]) = learning.views(*draw, views)? {
                rows.push(draw.row);
                first.push(one);
                second.push(other);
            }
        }
        let batch = |samples| Self {
            rows: rows.clone(),
            samples,
        };
        Ok((!rows.is_empty()).then(|| [first, second].map(batch)))
    }
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
    let firsts: Vec<String> = jobs
        .iter()
        .filter_map(|job| job.first())
        .map(|row| rows.id(*row).to_owned())
        .collect();
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
    .map(|(job, first)| job.map_err(|reason| unmade(first, reason))?)
}

fn unmade(first: String, reason: sensorium_data::Error) -> Error {
    Error::Batch {
        first,
        reason: Box::new(reason),
    }
}

/// A batch has the time of its rows together.
fn deadline(rows: usize) -> Duration {
    DEADLINE.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX))
}

/// Which rows a batch is made of.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Those that are learned from with their label.
    pub(crate) labelled: Vec<Draw>,
    /// Those that are learned from without.
    pub(crate) others: Vec<Draw>,
}

impl Plan {
    fn draws(&self) -> impl Iterator<Item = &Draw> {
        self.labelled.iter().chain(&self.others)
    }

    /// A rank's share, and whether it counts: where there are fewer samples than ranks, the last ranks have none of their own, and
    /// learn from some that others learn from, which does not count.
    fn share(self, ranks: &Together) -> (Self, bool) {
        let lists = [&self.labelled, &self.others].map(Vec::len);
        let fewest = lists.into_iter().filter(|n| *n > 0).min();
        let (rank, size) = (ranks.rank(), ranks.size().min(fewest.unwrap_or(1)));
        let counts = rank < size;
        let rank = if counts { rank } else { 0 };
        let own = |draws: Vec<Draw>| draws[share(draws.len(), rank, size)].to_vec();
        let shared = Self {
            labelled: own(self.labelled),
            others: own(self.others),
        };
        (shared, counts)
    }
}

/// How an objective's batches are made.
pub trait Batching: Clone + Send + Sync + 'static {
    /// What workers prepare.
    type Host: Send + 'static;
    /// What the learner takes.
    type Batch;

    /// What is learned from, and how it is drawn.
    fn learning(&self) -> &Learning;

    /// How many batches an epoch has.
    fn batches(&self) -> usize;

    /// The rows of each of them.
    fn plan(&self, epoch: usize) -> Vec<Plan>;

    /// A batch on the host; nothing, if none of its rows can be read any more.
    ///
    /// # Errors
    /// If a row can no longer be decoded and bad rows are not skipped.
    fn prepare(&self, plan: &Plan) -> Result<Option<Self::Host>, Error>;

    /// The batch on the training device.
    fn collate(&self, host: Self::Host, device: &Device) -> Fed<Self::Batch>;
}

/// What training reads.
#[derive(Clone, Debug)]
pub struct TrainFeed<B> {
    /// How batches are made.
    pub batching: B,
    /// Threads that prepare.
    pub threads: usize,
    /// Where batches go: the training device, with autodiff.
    pub device: Device,
    /// Who shares each batch.
    pub ranks: Together,
    /// The data sets that are mixed, if there are several: the run's own, and then the others, whose rows have ids that begin with the
    /// name and a slash.
    pub data_sets: Vec<String>,
}

impl<B: Batching> Feed for TrainFeed<B> {
    type Batch = B::Batch;

    fn batches_per_epoch(&self) -> usize {
        self.batching.batches()
    }

    fn batches(&self, epoch: usize, from_batch: usize) -> Result<Batches<'_, B::Batch>, BoxError> {
        let plan = self.batching.plan(epoch).split_off(from_batch);
        let shared = plan.into_iter().map(|plan| plan.share(&self.ranks));
        let (plan, counts): (Vec<Plan>, Vec<bool>) = shared.unzip();
        let rows = &self.batching.learning().rows;
        let first = |plan: &Plan| plan.draws().next().map(|draw| rows.id(draw.row).to_owned());
        let firsts: Vec<String> = plan.iter().filter_map(first).collect();
        let most = plan.iter().map(|plan| plan.draws().count()).max();
        let batching = self.batching.clone();
        let batches = in_order(plan, self.threads, 2 * self.threads, move |plan: Plan| {
            batching.prepare(&plan)?.ok_or_else(|| Error::Empty {
                what: "a batch".to_owned(),
                why: " left: none of its files can be read any more".to_owned(),
            })
        })
        .with_deadline(deadline(most.unwrap_or(1)));
        let batches = batches.zip(firsts).zip(counts);
        Ok(Box::new(batches.map(|((job, first), counts)| {
            let host = job.map_err(|reason| unmade(first, reason))??;
            let mut fed = self.batching.collate(host, &self.device);
            if !counts {
                fed.ids.clear();
            }
            Ok(fed)
        })))
    }

    fn data_set(&self, id: &str) -> Option<&str> {
        let (own, others) = self.data_sets.split_first()?;
        let is_of = |name: &&String| {
            id.strip_prefix(name.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        // Of a data set within another's folder the longer name.
        let of = others.iter().filter(is_of).max_by_key(|name| name.len());
        Some(of.unwrap_or(own))
    }

    fn identity(&self) -> String {
        self.batching.learning().rows.identity()
    }
}

/// The classes of rows, -1 where one has none: `[rows]`
fn classes(rows: &Prepared, of: &[usize], device: &Device) -> Tensor<1, Int> {
    let label = |row: &usize| match rows.label(*row) {
        Some(Label::Class(class)) => *class as i64,
        _ => -1,
    };
    numbers(of.iter().map(label).collect(), device)
}

fn numbers(values: Vec<i64>, device: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

fn ids(rows: &Prepared, of: &[usize]) -> Vec<String> {
    of.iter().map(|row| rows.id(*row).to_owned()).collect()
}
