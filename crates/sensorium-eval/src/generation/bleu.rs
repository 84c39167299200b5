//! BLEU (Papineni et al., 2002), as sacreBLEU counts it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::ngrams::{counts, shared, total};
use super::samples::{Counted, References};
use super::words::BleuTokens;
use crate::python::split;
use crate::{Error, Interval};

/// Runs of up to so many words are compared.
const ORDER: usize = 4;
/// Of a sample: words of the hypothesis, words of the reference, right runs of each order, all runs of each order.
const COUNTS: usize = 2 + 2 * ORDER;

/// Counts hypotheses against their references, one at a time; [`finish`](Self::finish) gives BLEU of the corpus, in 0..100.
///
/// Case counts, unless [`with_lowercase`](Self::with_lowercase). Orders without a right run are smoothed by halving (`exp`), which is
/// sacreBLEU's default. Of several references each run may come from any, and the length nearest to the hypothesis's counts.
///
/// # Memory
/// 80 bytes a sample, no text.
///
/// ```
/// use sensorium_eval::Bleu;
///
/// let mut bleu = Bleu::new();
/// bleu.add("the cat is on the mat", &["the cat sat on the mat"])?;
/// assert!((bleu.finish().bleu.unwrap() - 37.99178).abs() < 1e-5);
/// assert_eq!(bleu.signature(), "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp");
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Bleu {
    tokens: BleuTokens,
    lowercase: bool,
    references: References,
    samples: Counted<COUNTS>,
}

impl Bleu {
    /// Starts counting, words parted as by `mteval-v13a`.
    pub fn new() -> Self {
        Self::default()
    }

    /// With words of another kind.
    #[must_use]
    pub fn with_tokens(mut self, tokens: BleuTokens) -> Self {
        self.tokens = tokens;
        self
    }

    /// With capital and small letters taken for the same.
    #[must_use]
    pub fn with_lowercase(mut self) -> Self {
        self.lowercase = true;
        self
    }

    /// Counts one hypothesis, which may be empty, and returns its own BLEU: over as many orders as it has words (`eff:yes`), as
    /// sacreBLEU does for one sentence. The mean of these is not the BLEU of the corpus.
    ///
    /// # Errors
    /// [`Error::NoReferences`]; nothing is counted then.
    pub fn add<R: AsRef<str>>(&mut self, hypothesis: &str, references: &[R]) -> Result<f64, Error> {
        self.references.see(self.len(), references.len())?;
        let hypothesis = self.parted(hypothesis);
        let references: Vec<String> = references.iter().map(|r| self.parted(r.as_ref())).collect();
        let row = compared(&hypothesis, &references);
        self.samples.push(row);
        Ok(scored(&row, true).0)
    }

    fn parted(&self, text: &str) -> String {
        match self.lowercase {
            true => self.tokens.part(&text.to_lowercase()),
            false => self.tokens.part(text),
        }
    }

    /// How many hypotheses were counted so far.
    pub fn len(&self) -> u64 {
        self.samples.len()
    }

    /// True before the first hypothesis.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds what another has counted, for evaluation in several parts, which must count alike.
    ///
    /// # Errors
    /// [`Error::CountedOtherwise`], which names both signatures.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if (self.tokens, self.lowercase) != (other.tokens, other.lowercase) {
            return Err(Error::CountedOtherwise {
                ours: self.signature(),
                theirs: other.signature(),
            });
        }
        self.references.merge(other.references);
        self.samples.merge(&other.samples);
        Ok(())
    }

    /// BLEU of all hypotheses counted so far.
    pub fn finish(&self) -> BleuReport {
        let sums = self.samples.sums();
        let (bleu, precisions, brevity_penalty) = scored(&sums, false);
        BleuReport {
            n: self.len(),
            bleu: (!self.is_empty()).then_some(bleu),
            precisions,
            brevity_penalty,
            hypothesis_len: sums[0],
            reference_len: sums[1],
        }
    }

    /// Its 95 % interval by the [bootstrap](crate::bootstrap) over the samples.
    pub fn interval(&self, resamples: usize, seed: u64) -> Option<Interval> {
        self.samples
            .interval(resamples, seed, |sums| scored(sums, false).0)
    }

    /// What was counted how, as sacreBLEU writes it but for its version: to be given with the number.
    pub fn signature(&self) -> String {
        let case = if self.lowercase { "lc" } else { "mixed" };
        let (references, tokens) = (self.references, self.tokens.name());
        format!("nrefs:{references}|case:{case}|eff:no|tok:{tokens}|smooth:exp")
    }
}

/// The counts of one sample.
fn compared(hypothesis: &str, references: &[String]) -> [u64; COUNTS] {
    let words: Vec<&str> = split(hypothesis).collect();
    let references: Vec<Vec<&str>> = references.iter().map(|r| split(r).collect()).collect();
    // Of two lengths as near the shorter counts.
    let away = |length: &usize| (length.abs_diff(words.len()), *length);
    let nearest = references.iter().map(Vec::len).min_by_key(away);
    let mut row = [0; COUNTS];
    row[0] = words.len() as u64;
    row[1] = nearest.unwrap_or(0) as u64;
    for n in 1..=ORDER {
        let mut most: HashMap<&[&str], u64> = HashMap::new();
        for reference in &references {
            for (run, count) in counts(reference, n) {
                let known = most.entry(run).or_default();
                *known = count.max(*known);
            }
        }
        row[1 + n] = shared(&counts(&words, n), &most);
        row[1 + ORDER + n] = total(&words, n);
    }
    row
}

/// BLEU, the precisions of the orders (in 0..100) and the penalty for brevity.
fn scored(row: &[u64; COUNTS], effective: bool) -> (f64, [f64; ORDER], f64) {
    let (said, wanted) = (row[0], row[1]);
    let (right, all) = row[2..].split_at(ORDER);
    let penalty = match said {
        _ if said >= wanted => 1.0,
        0 => 0.0,
        _ => (1.0 - wanted as f64 / said as f64).exp(),
    };
    let mut precisions = [0.0; ORDER];
    if right.iter().all(|&count| count == 0) {
        return (0.0, precisions, penalty);
    }
    let (mut orders, mut halved) = (ORDER, 1.0);
    for n in 0..ORDER {
        if all[n] == 0 {
            break;
        }
        if effective {
            orders = n + 1;
        }
        let all = all[n] as f64;
        precisions[n] = if right[n] == 0 {
            halved *= 2.0;
            100.0 / (halved * all)
        } else {
            100.0 * right[n] as f64 / all
        };
    }
    // An order without any run has the logarithm of 0, and the score is 0.
    let logarithms: f64 = precisions[..orders].iter().map(|p| p.ln()).sum();
    let score = penalty * (logarithms / orders as f64).exp();
    (score, precisions, penalty)
}

/// BLEU of a corpus; the keys of its JSON are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BleuReport {
    /// Hypotheses measured.
    pub n: u64,
    /// BLEU, in 0..100; undefined without hypotheses. What has fewer than four words everywhere scores 0.
    pub bleu: Option<f64>,
    /// Share of right runs of 1, 2, 3 and 4 words, in 0..100 and smoothed.
    pub precisions: [f64; ORDER],
    /// What hypotheses lose by being shorter than their references: 1 where they are not.
    pub brevity_penalty: f64,
    /// Words of all hypotheses.
    pub hypothesis_len: u64,
    /// Words of the references, of each sample the one nearest in length.
    pub reference_len: u64,
}
