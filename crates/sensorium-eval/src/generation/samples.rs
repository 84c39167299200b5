//! What is kept of each sample, so that a corpus can be put together, and drawn from again and again.

use crate::{Error, Interval, bootstrap};

/// Counts of a corpus that are added up over its samples: a row a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counted<const N: usize>(Vec<[u64; N]>);

impl<const N: usize> Default for Counted<N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<const N: usize> Counted<N> {
    pub(super) fn push(&mut self, row: [u64; N]) {
        self.0.push(row);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The sums over all samples.
    pub(super) fn sums(&self) -> [u64; N] {
        added(self.0.iter())
    }

    /// The interval of a score that is made of such sums.
    pub(super) fn interval(
        &self,
        resamples: usize,
        seed: u64,
        score: impl Fn(&[u64; N]) -> f64,
    ) -> Option<Interval> {
        bootstrap(self.0.len(), resamples, seed, |drawn| {
            Some(score(&added(drawn.iter().map(|&i| &self.0[i]))))
        })
    }
}

fn added<'a, const N: usize>(rows: impl Iterator<Item = &'a [u64; N]>) -> [u64; N] {
    rows.fold([0; N], |mut sums, row| {
        for (sum, count) in sums.iter_mut().zip(row) {
            *sum += count;
        }
        sums
    })
}

/// The mean of what each sample scores; undefined without samples.
pub(super) fn mean_of<T>(samples: &[T], score: impl Fn(&T) -> f64) -> Option<f64> {
    let n = samples.len() as f64;
    (!samples.is_empty()).then(|| samples.iter().map(score).sum::<f64>() / n)
}

/// The interval of such a mean.
pub(super) fn interval_of_mean<T>(
    samples: &[T],
    resamples: usize,
    seed: u64,
    score: impl Fn(&T) -> f64,
) -> Option<Interval> {
    let n = samples.len() as f64;
    bootstrap(samples.len(), resamples, seed, |drawn| {
        Some(drawn.iter().map(|&i| score(&samples[i])).sum::<f64>() / n)
    })
}

/// How many references the samples have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum References {
    /// There is no sample yet.
    #[default]
    Unknown,
    /// So many each.
    Each(usize),
    /// Some have more than others.
    Varying,
}

impl References {
    /// Takes note of a sample's references.
    ///
    /// # Errors
    /// [`Error::NoReferences`] where there are none.
    pub(super) fn see(&mut self, sample: u64, count: usize) -> Result<(), Error> {
        if count == 0 {
            return Err(Error::NoReferences { sample });
        }
        self.merge(Self::Each(count));
        Ok(())
    }

    pub(super) fn merge(&mut self, other: Self) {
        *self = match (*self, other) {
            (Self::Unknown, known) | (known, Self::Unknown) => known,
            (one, other) if one == other => one,
            _ => Self::Varying,
        };
    }
}

impl std::fmt::Display for References {
    /// As sacreBLEU's signatures have it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("0"),
            Self::Each(count) => count.fmt(f),
            Self::Varying => f.write_str("var"),
        }
    }
}
