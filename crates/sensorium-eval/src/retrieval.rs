//! Search: at which place the right answer comes, among all candidates.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{Error, Interval, wilson};

/// The k that image and text retrieval are reported with.
const RECALL_AT: [u64; 3] = [1, 5, 10];

/// Keeps the rank of each query's best right answer, one query at a time; [`finish`](Self::finish) gives the metrics.
///
/// A query may have several right answers, as an image has several captions: the best placed one counts, and the others neither help
/// nor stand in its way. Wrong candidates of the same score stand *before* the right one. A model whose vectors are all
/// alike gives every candidate the same score, and would find everything if ties went its way.
///
/// # Memory
/// Four bytes a query. Scores are looked at and let go: one row of them at a time with [`add`](Self::add), or one block of rows
/// with [`by_blocks`](Self::by_blocks), as matrix products are computed. The full matrix of 100,000 queries by 100,000 candidates
/// would take 40 GB; in blocks of 64 queries it is 26 MB at a time.
///
/// ```
/// use sensorium_eval::Retrieval;
///
/// let similarity = [[0.9, 0.2, 0.1], [0.3, 0.2, 0.8], [0.1, 0.7, 0.6]];
/// let mut counts = Retrieval::new();
/// for (query, scores) in similarity.iter().enumerate() {
///     counts.add(scores, &[query])?;
/// }
/// let report = counts.finish();
/// assert_eq!(report.median_rank, Some(2.0)); // ranks 1, 3 and 2
/// assert!((report.mrr.unwrap() - 0.6111).abs() < 1e-4);
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Retrieval {
    ranks: Vec<u32>,
    unanswerable: u64,
}

impl Retrieval {
    /// Starts counting.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one query: its score with every candidate, higher being more alike, and which candidates are right. Returns the rank
    /// of the best right one, the first being 1. A query without a right candidate has none; it is counted apart, and in no metric.
    ///
    /// # Errors
    /// [`Error::CandidateOutOfRange`], [`Error::NanSimilarity`]; nothing is counted then.
    pub fn add(&mut self, scores: &[f32], right: &[usize]) -> Result<Option<u32>, Error> {
        let query = self.len();
        if let Some(candidate) = scores.iter().position(|score| score.is_nan()) {
            return Err(Error::NanSimilarity { query, candidate });
        }
        let candidates = scores.len();
        if let Some(&candidate) = right.iter().find(|&&candidate| candidate >= candidates) {
            return Err(Error::CandidateOutOfRange {
                query,
                candidate,
                candidates,
            });
        }
        let best = right.iter().map(|&candidate| scores[candidate]);
        let Some(best) = best.reduce(f32::max) else {
            self.unanswerable += 1;
            return Ok(None);
        };
        let before = scores.iter().filter(|&&score| score >= best).count();
        let mut level: Vec<usize> = right.to_vec();
        level.retain(|&candidate| scores[candidate] >= best);
        level.sort_unstable();
        level.dedup();
        let rank = u32::try_from(before - level.len() + 1).unwrap_or(u32::MAX);
        self.ranks.push(rank);
        Ok(Some(rank))
    }

    /// Counts one query whose ranking was made elsewhere, by an index or a database.
    ///
    /// # Errors
    /// [`Error::RankZero`]: the first has rank 1.
    pub fn add_rank(&mut self, rank: u32) -> Result<(), Error> {
        if rank == 0 {
            return Err(Error::RankZero { query: self.len() });
        }
        self.ranks.push(rank);
        Ok(())
    }

    /// Counts queries block by block, so that there is never more than a block of scores: `similarity` is asked for the scores of a
    /// range of queries with all `candidates`, a row a query, and `right` for the right candidates of each.
    ///
    /// For the other direction, captions to images, exchange the two sides.
    ///
    /// ```
    /// use sensorium_eval::{Error, Retrieval};
    ///
    /// let (images, captions) = ([0.0_f32, 1.0, 2.0], [0.1_f32, 0.2, 1.1, 0.9, 2.2, 1.4]); // two captions an image
    /// let mut counts = Retrieval::new();
    /// counts.by_blocks(3, 6, 2, |image| [2 * image, 2 * image + 1], |block| {
    ///     let near = |image: usize| captions.iter().map(move |caption| -(caption - images[image]).abs());
    ///     Ok::<_, Error>(block.flat_map(near).collect())
    /// })?;
    /// assert_eq!(counts.ranks(), [1, 1, 1]);
    /// # Ok::<(), sensorium_eval::Error>(())
    /// ```
    ///
    /// # Errors
    /// What `similarity` fails with, [`Error::BlockSize`], and as [`add`](Self::add). The queries before stay counted.
    ///
    /// # Panics
    /// If a block is of no queries.
    pub fn by_blocks<R: AsRef<[usize]>, E: From<Error>>(
        &mut self,
        queries: usize,
        candidates: usize,
        block: usize,
        right: impl Fn(usize) -> R,
        mut similarity: impl FnMut(Range<usize>) -> Result<Vec<f32>, E>,
    ) -> Result<(), E> {
        assert!(block > 0, "a block holds at least one query");
        for first in (0..queries).step_by(block) {
            let range = first..first.saturating_add(block).min(queries);
            let scores = similarity(range.clone())?;
            let expected = range.len().saturating_mul(candidates);
            if scores.len() != expected {
                return Err(E::from(Error::BlockSize {
                    first,
                    last: range.end - 1,
                    found: scores.len(),
                    expected,
                }));
            }
            for (i, query) in range.enumerate() {
                let row = &scores[i * candidates..(i + 1) * candidates];
                self.add(row, right(query).as_ref())?;
            }
        }
        Ok(())
    }

    /// How many queries were counted so far, those without a right answer among them.
    pub fn len(&self) -> u64 {
        self.ranks.len() as u64 + self.unanswerable
    }

    /// True before the first query.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ranks so far, in the order of the queries that have one.
    pub fn ranks(&self) -> &[u32] {
        &self.ranks
    }

    /// Adds what another has counted, for evaluation in several parts.
    pub fn merge(&mut self, other: &Self) {
        self.ranks.extend_from_slice(&other.ranks);
        self.unanswerable += other.unanswerable;
    }

    /// The share of queries that have a right answer among the first `k`; `None` where there was no query.
    pub fn recall_at(&self, k: u64) -> Option<RecallAt> {
        let n = self.ranks.len() as u64;
        let within = |&&rank: &&u32| u64::from(rank) <= k;
        let hits = self.ranks.iter().filter(within).count() as u64;
        let interval = wilson(hits, n)?;
        Some(RecallAt {
            k,
            recall: hits as f64 / n as f64,
            interval,
        })
    }

    /// The metrics of all queries counted so far.
    pub fn finish(&self) -> RetrievalReport {
        let ranks = || self.ranks.iter().map(|&rank| f64::from(rank));
        let per_query = |sum: f64| (!self.ranks.is_empty()).then(|| sum / self.ranks.len() as f64);
        RetrievalReport {
            n: self.ranks.len() as u64,
            unanswerable: self.unanswerable,
            recall: RECALL_AT
                .into_iter()
                .filter_map(|k| self.recall_at(k))
                .collect(),
            median_rank: median(self.ranks.clone()),
            mean_rank: per_query(ranks().sum()),
            mrr: per_query(ranks().map(f64::recip).sum()),
        }
    }
}

/// The middle one, or halfway between the middle two.
fn median(mut ranks: Vec<u32>) -> Option<f64> {
    if ranks.is_empty() {
        return None;
    }
    ranks.sort_unstable();
    let [low, high] = [(ranks.len() - 1) / 2, ranks.len() / 2].map(|i| f64::from(ranks[i]));
    Some((low + high) / 2.0)
}

/// All metrics of a search. `None` is "undefined", never a number; the keys of its JSON are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RetrievalReport {
    /// Queries measured.
    pub n: u64,
    /// Queries that have no right candidate and are in none of the numbers.
    pub unanswerable: u64,
    /// Share of queries with a right answer among the first k, for the k of 1, 5 and 10; [`Retrieval::recall_at`] gives others.
    pub recall: Vec<RecallAt>,
    /// The rank that half of the queries do not exceed.
    pub median_rank: Option<f64>,
    /// The mean of the ranks.
    pub mean_rank: Option<f64>,
    /// The mean of one over the rank: mean reciprocal rank.
    pub mrr: Option<f64>,
}

/// Share of queries with a right answer among the first `k`, as CLIP and its kin report "R@k". Of several right answers one suffices,
/// other than in recall over documents.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecallAt {
    /// How many places count.
    pub k: u64,
    /// The share.
    pub recall: f64,
    /// Its 95 % Wilson interval.
    pub interval: Interval,
}
