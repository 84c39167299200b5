//! CIDEr and CIDEr-D (Vedantam, Zitnick and Parikh, 2015): captions that say what people say of a picture and of few others.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::samples::{interval_of_mean, mean_of};
use crate::python::split;
use crate::{Error, Interval};

/// Runs of up to so many words are compared.
const ORDER: usize = 4;
/// How fast CIDEr-D falls with a difference in length, in words.
const SIGMA: f64 = 6.0;
/// What both are multiplied by.
const SCALE: f64 = 10.0;

/// Keeps captions with what people wrote of the same pictures, one picture at a time; [`finish`](Self::finish) gives CIDEr-D, which is
/// what captions are reported with, and the plain CIDEr.
///
/// Texts are words between white space, compared as they come: bring both sides into one form first, with
/// [`caption_words`](crate::caption_words) or a tokenizer of your own.
///
/// How much a run of words tells is counted over the references of all pictures, so that scores of different sets cannot be compared, a
/// single picture scores 0, and a score is known only in the end.
///
/// # Memory
/// The runs of all texts: about 2 kB a picture with five captions.
///
/// # Differs from the paper
/// Words are not stemmed, as in pycocoevalcap. A difference in length is counted in pairs of words, as there.
///
/// ```
/// use sensorium_eval::Cider;
///
/// let mut captions = Cider::new();
/// captions.add("a cat sat on a mat", &["a cat on a mat", "the cat sat on the mat"])?;
/// captions.add("a dog runs in a park", &["a dog runs in the park"])?;
/// assert!((captions.finish().cider_d.unwrap() - 5.198130).abs() < 1e-6);
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cider {
    /// Runs in the order in which they first came; a run's number is its position.
    runs: Vec<Box<str>>,
    numbers: HashMap<Box<str>, usize>,
    /// How many pictures have a run among their references.
    pictures: Vec<u64>,
    samples: Vec<Sample>,
}

#[derive(Clone, Debug)]
struct Sample {
    hypothesis: Runs,
    references: Vec<Runs>,
}

/// Of each order the runs of a text and how often each occurs, as they first come, so that sums are the same in every run.
type Runs = [Vec<(usize, u32)>; ORDER];

impl Cider {
    /// Starts without pictures.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the caption of one picture, which may be empty, and what people wrote of it.
    ///
    /// # Errors
    /// [`Error::NoReferences`]; nothing is kept then.
    pub fn add<R: AsRef<str>>(&mut self, hypothesis: &str, references: &[R]) -> Result<(), Error> {
        if references.is_empty() {
            let sample = self.len();
            return Err(Error::NoReferences { sample });
        }
        let sample = Sample {
            hypothesis: self.runs_of(hypothesis),
            references: references
                .iter()
                .map(|reference| self.runs_of(reference.as_ref()))
                .collect(),
        };
        self.push(sample);
        Ok(())
    }

    fn push(&mut self, sample: Sample) {
        let runs = sample.references.iter().flatten().flatten();
        let mut seen: Vec<usize> = runs.map(|(run, _)| *run).collect();
        seen.sort_unstable();
        seen.dedup();
        for run in seen {
            self.pictures[run] += 1;
        }
        self.samples.push(sample);
    }

    fn runs_of(&mut self, text: &str) -> Runs {
        let words: Vec<&str> = split(text).collect();
        std::array::from_fn(|n| {
            let mut counts: Vec<(usize, u32)> = Vec::new();
            let mut places: HashMap<usize, usize> = HashMap::new();
            for run in words.windows(n + 1) {
                let number = self.number(&run.join(" "));
                let place = *places.entry(number).or_insert(counts.len());
                match counts.get_mut(place) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((number, 1)),
                }
            }
            counts
        })
    }

    /// The number of a run, which is a new one where it has not come before.
    fn number(&mut self, run: &str) -> usize {
        if let Some(number) = self.numbers.get(run) {
            return *number;
        }
        let number = self.runs.len();
        self.runs.push(run.into());
        self.numbers.insert(run.into(), number);
        self.pictures.push(0);
        number
    }

    /// How many pictures there are so far.
    pub fn len(&self) -> u64 {
        self.samples.len() as u64
    }

    /// True before the first picture.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Adds what another has kept, for evaluation in several parts.
    pub fn merge(&mut self, other: &Self) {
        let numbers: Vec<usize> = other.runs.iter().map(|run| self.number(run)).collect();
        let renumbered = |runs: &Runs| -> Runs {
            let renumbered = |(run, count): &(usize, u32)| (numbers[*run], *count);
            std::array::from_fn(|n| runs[n].iter().map(renumbered).collect())
        };
        for sample in &other.samples {
            self.push(Sample {
                hypothesis: renumbered(&sample.hypothesis),
                references: sample.references.iter().map(renumbered).collect(),
            });
        }
    }

    /// What each picture's caption scores, in their order.
    pub fn scores(&self) -> Vec<CiderScore> {
        let all = (self.samples.len() as f64).ln();
        let rarity = |pictures: &u64| all - ((*pictures).max(1) as f64).ln();
        let rarity: Vec<f64> = self.pictures.iter().map(rarity).collect();
        let scored = |sample: &Sample| {
            let said = Weighed::new(&sample.hypothesis, &rarity);
            let (mut cider, mut cider_d) = (0.0, 0.0);
            for reference in &sample.references {
                let [plain, clipped] = said.alike(&Weighed::new(reference, &rarity));
                cider += plain;
                cider_d += clipped;
            }
            let scale = SCALE / sample.references.len() as f64;
            CiderScore {
                cider: cider * scale,
                cider_d: cider_d * scale,
            }
        };
        self.samples.iter().map(scored).collect()
    }

    /// The means over all pictures.
    pub fn finish(&self) -> CiderReport {
        let scores = self.scores();
        CiderReport {
            n: self.len(),
            cider_d: mean_of(&scores, |score| score.cider_d),
            cider: mean_of(&scores, |score| score.cider),
        }
    }

    /// The 95 % interval of CIDEr-D, by the [bootstrap](crate::bootstrap) over the pictures. What a run of words tells stays what it is over
    /// all of them.
    pub fn interval(&self, resamples: usize, seed: u64) -> Option<Interval> {
        let scores = self.scores();
        interval_of_mean(&scores, resamples, seed, |score| score.cider_d)
    }
}

/// A text with its runs weighed by how much they tell.
struct Weighed {
    orders: [HashMap<usize, f64>; ORDER],
    /// The same in the order of the text.
    in_order: [Vec<(usize, f64)>; ORDER],
    norms: [f64; ORDER],
    length: f64,
}

impl Weighed {
    fn new(runs: &Runs, rarity: &[f64]) -> Self {
        let weighed = |(run, count): &(usize, u32)| (*run, f64::from(*count) * rarity[*run]);
        let in_order: [Vec<(usize, f64)>; ORDER] =
            std::array::from_fn(|n| runs[n].iter().map(weighed).collect());
        let squares = |n: usize| in_order[n].iter().map(|(_, weight)| weight * weight);
        Self {
            norms: std::array::from_fn(|n| squares(n).sum::<f64>().sqrt()),
            orders: std::array::from_fn(|n| in_order[n].iter().copied().collect()),
            // The reference counts pairs of words.
            length: runs[1].iter().map(|(_, count)| f64::from(*count)).sum(),
            in_order,
        }
    }

    /// The mean over the orders of the cosine with a reference; and the same with no weight above the reference's, and less the more
    /// the lengths differ.
    fn alike(&self, reference: &Self) -> [f64; 2] {
        let apart = self.length - reference.length;
        let penalty = (-apart * apart / (2.0 * SIGMA * SIGMA)).exp();
        let mut sums = [0.0; 2];
        for n in 0..ORDER {
            let (mut plain, mut clipped) = (0.0, 0.0);
            for (run, weight) in &self.in_order[n] {
                if let Some(wanted) = reference.orders[n].get(run) {
                    plain += weight * wanted;
                    clipped += weight.min(*wanted) * wanted;
                }
            }
            let norms = self.norms[n] * reference.norms[n];
            if norms != 0.0 {
                sums[0] += plain / norms;
                sums[1] += clipped / norms * penalty;
            }
        }
        sums.map(|sum| sum / ORDER as f64)
    }
}

/// What one caption scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CiderScore {
    /// CIDEr-D, in 0..10.
    pub cider_d: f64,
    /// CIDEr, in 0..10.
    pub cider: f64,
}

/// CIDEr of a set of captions. `None` is "undefined", without pictures; the keys of its JSON are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CiderReport {
    /// Pictures measured.
    pub n: u64,
    /// CIDEr-D, in 0..10: what pycocoevalcap calls CIDEr. Papers print it times 100: their 120.3 is 1.203.
    pub cider_d: Option<f64>,
    /// CIDEr, in 0..10: without clipping and without a penalty for length, which saying a good word again and again can win.
    pub cider: Option<f64>,
}
