//! Which tokens are drawn among: temperature, then the likeliest by number, by their sum, and by their share of the likeliest.

use super::NEVER;
use crate::Generation;

/// Leaves in `scores`, divided by the temperature, those that are drawn among. One always stays.
pub(super) fn narrow(how: &Generation, scores: &mut [f32]) {
    if how.temperature != 1.0 {
        scores
            .iter_mut()
            .for_each(|score| *score /= how.temperature);
    }
    if how.top_k > 0 {
        top_k(how.top_k, scores);
    }
    if how.top_p < 1.0 {
        top_p(how.top_p, scores);
    }
    if how.min_p > 0.0 {
        min_p(how.min_p, scores);
    }
}

/// The `k` largest, and what equals the last of them.
fn top_k(k: usize, scores: &mut [f32]) {
    if k >= scores.len() {
        return;
    }
    let mut sorted = scores.to_vec();
    let (_, least, _) = sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    let least = *least;
    keep(scores, |score| score >= least);
}

/// The fewest of the likeliest whose probabilities (arXiv 1904.09751) come to `p`: of the least likely, those that come to 1 - p go.
fn top_p(p: f32, scores: &mut [f32]) {
    let mut order: Vec<usize> = (0..scores.len())
        .filter(|id| scores[*id] != NEVER)
        .collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let Some(most) = order.last().map(|last| scores[*last]) else {
        return;
    };
    let weight = |id: &usize| f64::from(scores[*id] - most).exp();
    let all: f64 = order.iter().map(weight).sum();
    let mut sum = 0.0;
    let last = order.len() - 1;
    let gone = order[..last]
        .iter()
        .take_while(|id| {
            sum += weight(id) / all;
            sum <= 1.0 - f64::from(p)
        })
        .count();
    order[..gone].iter().for_each(|id| scores[*id] = NEVER);
}

/// Those at least `share` as likely as the likeliest (arXiv 2407.01082).
fn min_p(share: f32, scores: &mut [f32]) {
    let most = scores.iter().copied().fold(NEVER, f32::max);
    keep(scores, |score| {
        score == most || (score - most).exp() >= share
    });
}

fn keep(scores: &mut [f32], stays: impl Fn(f32) -> bool) {
    for score in scores {
        if !stays(*score) {
            *score = NEVER;
        }
    }
}
