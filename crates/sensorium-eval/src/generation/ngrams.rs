//! Runs of words or characters, and how often they occur.

use std::collections::HashMap;
use std::hash::Hash;

/// How often each run of `n` units occurs in a text.
pub(super) fn counts<T: Eq + Hash>(units: &[T], n: usize) -> HashMap<&[T], u64> {
    let mut counts = HashMap::new();
    for run in units.windows(n) {
        *counts.entry(run).or_default() += 1;
    }
    counts
}

/// How many runs of the one are found in the other, each as often as it occurs in both.
pub(super) fn shared<T: Eq + Hash>(one: &HashMap<&[T], u64>, other: &HashMap<&[T], u64>) -> u64 {
    let both = |(run, &count): (&&[T], &u64)| other.get(run).map_or(0, |&there| count.min(there));
    one.iter().map(both).sum()
}

/// How many runs of `n` there are, equal ones among them.
pub(super) fn total<T>(units: &[T], n: usize) -> u64 {
    (units.len() + 1).saturating_sub(n) as u64
}
