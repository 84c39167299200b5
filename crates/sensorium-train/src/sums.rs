//! What the batches of a step come to, on this process and on all that train together.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::{Device, FloatDType, Tensor};
use sensorium_core::seed;
use serde::{Deserialize, Serialize};

use crate::among::{Others, Told};
use crate::gradients::GradientSum;
use crate::{Error, Fed, Learned, Learner, Noted, Precision, Together};

/// What the batches of a step came to.
#[derive(Default)]
pub(crate) struct Sums {
    /// The samples; of a step that must not be applied, those of whoever found the fault.
    pub(crate) ids: Vec<String>,
    /// How many samples there were, on all ranks.
    pub(crate) samples: usize,
    pub(crate) grads: GradientSum,
    figures: Figures,
    /// What is to be remembered of samples, by the batch of the step.
    noted: Vec<Vec<Noted>>,
    /// Why the step must not be applied.
    pub(crate) fault: Option<String>,
    /// Seconds of waiting for data.
    pub(crate) data_s: f64,
    /// Seconds of telling other ranks, and of waiting for them.
    pub(crate) ranks_s: f64,
    /// Bytes that other ranks were told.
    pub(crate) ranks_bytes: u64,
}

/// Sums over batches, each counted by what its loss is a mean over.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Figures {
    over: f64,
    loss: f64,
    terms: BTreeMap<String, f64>,
    correct: f64,
    counted: f64,
    /// Samples by data set, where several are mixed.
    drawn: BTreeMap<String, usize>,
}

/// What a batch counts beside the others of the step.
#[derive(Clone, Copy)]
enum Weight {
    /// There are no others.
    All,
    /// As much as its loss says that it is a mean over, else so many samples.
    Samples(usize),
    /// So much, whatever is in it.
    Part(f64),
}

impl Weight {
    /// Whether it is only there because a rank had no share.
    fn is_nothing(self) -> bool {
        match self {
            Self::All => false,
            Self::Samples(count) => count == 0,
            Self::Part(weight) => weight == 0.0,
        }
    }
}

/// Which step of a run it is, and where it is taken.
pub(crate) struct At<'a> {
    pub(crate) seed: u64,
    pub(crate) epoch: usize,
    /// How many steps came before.
    pub(crate) step: usize,
    pub(crate) device: &'a Device,
    pub(crate) precision: Precision,
    /// Which data set a sample is of.
    pub(crate) data_set: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) ranks: &'a Together,
}

impl At<'_> {
    /// Seeds the device for a batch: by the same place, the same is drawn again.
    fn seeded<R>(&self, micro: usize, draw: impl FnOnce() -> R) -> R {
        let place = [self.epoch as u64, self.step as u64, micro as u64];
        let mut seed = seed::derive(self.seed, &place);
        if self.ranks.rank() > 0 {
            seed = seed::derive(seed, &[self.ranks.rank() as u64]);
        }
        seed::drawn(self.device, seed, draw)
    }
}

/// Runs forward and backward over so many batches, those of the step. After a loss that is not finite the rest of them is only
/// taken off the feed.
pub(crate) fn gather<L: Learner>(
    at: &At<'_>,
    learner: &L,
    count: usize,
    mut batches: impl FnMut() -> Result<Fed<L::Batch>, Error>,
) -> Result<Sums, Error> {
    let mut sums = Sums {
        grads: GradientSum::new(at.precision),
        ..Sums::default()
    };
    let in_parts = count > 1 || !at.ranks.is_alone();
    let first = sums.next(&mut batches)?;
    if in_parts && let Some(compared) = at.seeded(0, || learner.compared(first.batch.clone())) {
        let mut parts = vec![(first, compared.told())];
        for micro in 1..count {
            let fed = sums.next(&mut batches)?;
            let compared = at.seeded(micro, || learner.compared(fed.batch.clone()));
            let compared = compared.expect("what compares one batch of a step compares all");
            parts.push((fed, compared.told()));
        }
        return sums.learn_among(at, learner, parts);
    }
    let mut next = Some(first);
    for micro in 0..count {
        let Fed { ids, batch } = match next.take() {
            Some(first) => first,
            None => sums.next(&mut batches)?,
        };
        let weight = match in_parts {
            true => Weight::Samples(ids.len()),
            false => Weight::All,
        };
        sums.took(at, ids);
        if sums.fault.is_none() {
            let learned = at.seeded(micro, || learner.learn(batch));
            sums.add(learned, weight, at.step + 1, learner)?;
        }
    }
    Ok(sums)
}

impl Sums {
    /// The next batch of the feed.
    fn next<B>(
        &mut self,
        mut batches: impl FnMut() -> Result<Fed<B>, Error>,
    ) -> Result<Fed<B>, Error> {
        let clock = Instant::now();
        let fed = batches()?;
        self.data_s += clock.elapsed().as_secs_f64();
        Ok(fed)
    }

    fn took(&mut self, at: &At<'_>, ids: Vec<String>) {
        for data_set in ids.iter().filter_map(|id| (at.data_set)(id)) {
            *self.figures.drawn.entry(data_set).or_default() += 1;
        }
        self.samples += ids.len();
        self.ids.extend(ids);
    }

    /// Learns from batches whose samples are compared with those of all others of the step, on all ranks. Their order is that of
    /// the whole batch: one batch after the other, of each the ranks' shares.
    fn learn_among<L: Learner>(
        mut self,
        at: &At<'_>,
        learner: &L,
        parts: Vec<(Fed<L::Batch>, Told)>,
    ) -> Result<Self, Error> {
        let (feds, told): (Vec<_>, Vec<Told>) = parts.into_iter().unzip();
        // What a rank was given in the place of a share has no samples, and is compared with nobody.
        let own: Vec<Option<Told>> = feds
            .iter()
            .zip(told)
            .map(|(fed, told)| (!fed.ids.is_empty()).then_some(told))
            .collect();
        let (clock, told) = (Instant::now(), at.ranks.told());
        let all: Vec<Vec<Option<Told>>> = at.ranks.gather(own)?;
        self.ranks_bytes += at.ranks.told() - told;
        self.ranks_s += clock.elapsed().as_secs_f64();
        let of = |micro: usize, rank: usize| all[rank].get(micro).and_then(Option::as_ref);
        let ranks = at.ranks.size();
        for (micro, Fed { ids, batch }) in feds.into_iter().enumerate() {
            let here = micro * ranks + at.ranks.rank();
            let told = |places: std::ops::Range<usize>| -> Vec<Told> {
                let told = places.filter_map(|place| of(place / ranks, place % ranks));
                told.cloned().collect()
            };
            let others = Others {
                before: told(0..here),
                after: told(here + 1..all[0].len() * ranks),
            };
            let weight = Weight::Part(if ids.is_empty() { 0.0 } else { 1.0 });
            self.took(at, ids);
            if self.fault.is_none() {
                let learned = at.seeded(micro, || learner.learn_among(batch, &others));
                self.add(learned, weight, at.step + 1, learner)?;
            }
        }
        Ok(self)
    }

    /// Adds what a batch taught, as much as it counts.
    fn add<L: Learner>(
        &mut self,
        learned: Learned,
        weight: Weight,
        step: usize,
        learner: &L,
    ) -> Result<(), Error> {
        let Learned { loss, tally } = learned;
        let counts = tally.map(|tally| [tally.correct, tally.counted]);
        let over = match weight {
            Weight::Samples(1..) => loss.over.clone(),
            _ => None,
        };
        let terms = loss.terms.iter().map(|(_, term)| term);
        let read: Vec<Tensor<1>> = std::iter::once(&loss.total)
            .chain(terms)
            .chain(counts.iter().flatten())
            .chain(&over)
            .map(|x| x.clone().inner().cast(FloatDType::F32))
            .collect();
        let mut read = numbers(step, Tensor::cat(read, 0))?;

        let over = match (weight, over) {
            (Weight::All, _) => 1.0,
            (Weight::Part(weight), _) => weight,
            (Weight::Samples(_), Some(_)) => read.pop().unwrap_or_default(),
            (Weight::Samples(count), None) => count as f64,
        };
        if counts.is_some() {
            let [counted, correct] = [(); 2].map(|()| read.pop().unwrap_or_default());
            if !weight.is_nothing() {
                self.figures.counted += counted;
                self.figures.correct += correct;
            }
        }
        let found = read[0];
        self.figures.over += over;
        self.figures.loss += found * over;
        for ((name, _), value) in loss.terms.iter().zip(&read[1..]) {
            *self.figures.terms.entry(name.clone()).or_default() += value * over;
        }
        if !found.is_finite() {
            self.fault = Some(format!("the loss is {}", spelled(found)));
            return Ok(());
        }
        if !loss.total.is_tracked() {
            return Err(Error::Untracked { step });
        }
        let total = match weight {
            Weight::All => loss.total,
            _ => loss.total.mul_scalar(over),
        };
        self.grads.add(learner, &total.backward());
        self.noted.push(match weight.is_nothing() {
            true => Vec::new(),
            false => loss.noted,
        });
        Ok(())
    }

    /// Adds what other ranks' shares taught. A fault of one is a fault of all.
    pub(crate) fn join<L: Learner>(&mut self, ranks: &Together, learner: &L) -> Result<(), Error> {
        if ranks.is_alone() {
            return Ok(());
        }
        let (clock, told) = (Instant::now(), ranks.told());
        let fault = self.fault.take();
        let ids = fault.is_some().then(|| std::mem::take(&mut self.ids));
        let noted = std::mem::take(&mut self.noted);
        let own = (self.figures.clone(), self.samples, fault, ids, noted);
        (self.figures, self.samples) = Default::default();
        for (figures, samples, fault, ids, noted) in ranks.gather(own)? {
            self.figures.add(figures);
            self.samples += samples;
            self.note(noted);
            if self.fault.is_none() && fault.is_some() {
                self.fault = fault;
                self.ids = ids.unwrap_or_default();
            }
        }
        if self.fault.is_none() {
            self.grads.add_up(learner, ranks)?;
        }
        self.ranks_bytes += ranks.told() - told;
        self.ranks_s += clock.elapsed().as_secs_f64();
        Ok(())
    }

    /// Adds what a rank noted to what those before it did.
    fn note(&mut self, noted: Vec<Vec<Noted>>) {
        let batches = self.noted.len().max(noted.len());
        self.noted.resize_with(batches, Vec::new);
        for (all, own) in self.noted.iter_mut().zip(noted) {
            all.extend(own);
        }
    }

    /// What is to be remembered of samples, in the order of the whole batch: where one is in it twice, the later word holds.
    pub(crate) fn noted(&self) -> Vec<Noted> {
        self.noted.concat()
    }

    /// What all sums are divided by. Of batches that say nothing of anything, such as some without a label, they are 0.
    pub(crate) fn over(&self) -> f64 {
        match self.figures.over {
            0.0 => 1.0,
            over => over,
        }
    }

    pub(crate) fn loss(&self) -> f64 {
        self.figures.loss / self.over()
    }

    pub(crate) fn terms(&self) -> BTreeMap<String, f64> {
        let terms = self.figures.terms.iter();
        terms
            .map(|(name, sum)| (name.clone(), sum / self.over()))
            .collect()
    }

    /// Samples by data set, on all ranks.
    pub(crate) fn drawn(&self) -> BTreeMap<String, usize> {
        self.figures.drawn.clone()
    }

    /// The share of right answers, where something was counted.
    pub(crate) fn accuracy(&self) -> Option<f64> {
        let Figures {
            correct, counted, ..
        } = self.figures;
        (counted > 0.0).then(|| correct / counted)
    }
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.over += other.over;
        self.loss += other.loss;
        self.correct += other.correct;
        self.counted += other.counted;
        for (name, sum) in other.terms {
            *self.terms.entry(name).or_default() += sum;
        }
        for (name, count) in other.drawn {
            *self.drawn.entry(name).or_default() += count;
        }
    }
}

/// Reads numbers back from the device.
pub(crate) fn numbers(step: usize, tensor: Tensor<1>) -> Result<Vec<f64>, Error> {
    let read = tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| Error::Device {
            step,
            reason: error.to_string(),
        })?;
    Ok(read.into_iter().map(f64::from).collect())
}

/// A number that is not finite, as people write it.
pub(crate) fn spelled(number: f64) -> &'static str {
    match number.is_nan() {
        true => "NaN",
        false => "infinite",
    }
}
