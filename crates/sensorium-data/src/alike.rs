//! Batches of rows that are about as long as each other, so that little of a batch is padding.

use rand::seq::SliceRandom;
use sensorium_core::seed;

/// How many batches' rows are sorted together: the more, the less padding, and the less is left to chance which rows meet.
const POOL: usize = 50;

/// Batches of places, each of which is in one of them. `lengths` are those of rows in the order in which they were shuffled: rows that
/// stand together there, fifty batches of them at a time, are sorted by length and cut into batches, whose order is then shuffled.
/// Everything depends on seed, epoch and lengths alone. All batches are full but one.
///
/// ```
/// let batches = sensorium_data::alike(7, 0, &[3, 90, 4, 91], 2);
/// assert!(batches.iter().all(|batch| batch == &[0, 2] || batch == &[1, 3]));
/// ```
pub fn alike(seed: u64, epoch: u64, lengths: &[u32], size: usize) -> Vec<Vec<usize>> {
    let size = size.max(1);
    let mut places: Vec<usize> = (0..lengths.len()).collect();
    let mut rng = seed::rng(seed, &[seed::of_name("alike"), epoch]);
    let mut batches = Vec::with_capacity(lengths.len().div_ceil(size));
    for pool in places.chunks_mut(size.saturating_mul(POOL)) {
        // In the order of the draw where they are as long: that one is shuffled.
        pool.sort_by_key(|place| lengths[*place]);
        let mut own: Vec<Vec<usize>> = pool.chunks(size).map(<[usize]>::to_vec).collect();
        own.shuffle(&mut rng);
        batches.extend(own);
    }
    batches
}

/// Which share of batches is padding, where every row takes as much as the longest of its batch.
pub fn padding<'a>(batches: impl IntoIterator<Item = &'a [u32]>) -> f64 {
    let (mut taken, mut needed) = (0u64, 0u64);
    for batch in batches {
        let longest = batch.iter().copied().max().unwrap_or(0);
        taken += u64::from(longest) * batch.len() as u64;
        needed += batch.iter().map(|length| u64::from(*length)).sum::<u64>();
    }
    match taken {
        0 => 0.0,
        taken => 1.0 - needed as f64 / taken as f64,
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    /// Texts as they are: many short ones and a few long.
    fn lengths(n: usize) -> Vec<u32> {
        let mut rng = seed::rng(1, &[]);
        let long = |_| (4.0 * (3.0 * rng.random_range(0.0..1.0f64)).exp()) as u32;
        (0..n).map(long).collect()
    }

    #[test]
    fn every_place_is_in_one_batch_and_less_is_padding() {
        let lengths = lengths(5003);
        let batches = alike(7, 2, &lengths, 16);
        assert_eq!(batches, alike(7, 2, &lengths, 16));
        assert_ne!(batches, alike(7, 3, &lengths, 16));
        assert_eq!(
            batches.iter().filter(|batch| batch.len() == 16).count(),
            312
        );
        let mut places: Vec<usize> = batches.concat();
        places.sort_unstable();
        assert_eq!(places, (0..5003).collect::<Vec<_>>());

        let sorted: Vec<Vec<u32>> = batches
            .iter()
            .map(|batch| batch.iter().map(|place| lengths[*place]).collect())
            .collect();
        let with = padding(sorted.iter().map(Vec::as_slice));
        let without = padding(lengths.chunks(16));
        assert!(with < 0.05 && without > 0.4, "{with} {without}");
        // Short ones do not come before long ones.
        let means = sorted.iter().map(|batch| batch.iter().sum::<u32>() / 16);
        let means: Vec<u32> = means.collect();
        let rises = means.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((100..212).contains(&rises), "{rises} of {}", means.len());
    }

    #[test]
    fn nothing_is_no_batch_and_the_same_length_no_padding() {
        assert!(alike(1, 0, &[], 4).is_empty());
        assert_eq!(padding([&[5, 5][..], &[2]]), 0.0);
        assert_eq!(padding([&[1, 3][..]]), 1.0 - 4.0 / 6.0);
        assert_eq!(padding([]), 0.0);
    }
}
