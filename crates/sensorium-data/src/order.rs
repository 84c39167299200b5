//! The order in which an epoch sees its rows. It is computed from seed, epoch and counts alone, so that a run can be gone on with
//! from any step, and any number of workers sees the same.

use rand::RngExt;
use rand::seq::SliceRandom;
use sensorium_core::seed;

/// A permutation of `0..n` that depends on seed and epoch alone.
pub fn order(seed: u64, epoch: u64, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut seed::rng(seed, &[seed::of_name("order"), epoch]));
    order
}

/// A permutation of the rows of shards with so many rows each, that reads one shard after the other: the shards are shuffled, and
/// then the rows within stretches of `buffer` rows, the first of which is shorter by a random number, so that no two epochs part
/// the rows alike. Each row stands less than `buffer` places from where its shard has it. All rows are shuffled together if the
/// buffer holds them all.
///
/// ```
/// let order = sensorium_data::order_within(7, 0, &[100, 100, 100], 20);
/// let shards: Vec<usize> = order.iter().map(|row| row / 100).collect();
/// // What is read first is of one shard, or of two where one ends.
/// assert!(shards[..80].iter().all(|shard| *shard == shards[0]));
/// ```
pub fn order_within(seed: u64, epoch: u64, shards: &[usize], buffer: usize) -> Vec<usize> {
    let n: usize = shards.iter().sum();
    if buffer >= n {
        return order(seed, epoch, n);
    }
    let starts = shards.iter().scan(0, |end, rows| {
        let start = *end;
        *end += rows;
        Some(start..*end)
    });
    let mut shards: Vec<_> = starts.collect();
    let mut rng = seed::rng(seed, &[seed::of_name("order within"), epoch]);
    shards.shuffle(&mut rng);
    let mut order: Vec<usize> = shards.into_iter().flatten().collect();
    let buffer = buffer.max(1);
    let (first, rest) = order.split_at_mut(rng.random_range(0..buffer));
    for stretch in std::iter::once(first).chain(rest.chunks_mut(buffer)) {
        stretch.shuffle(&mut rng);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far 20,000 permutations of ten rows are from having each row in each place equally often: Pearson's chi-square of
    /// the 10 x 10 counts, of which 81 are free.
    fn chi_square(permutation: impl Fn(u64) -> Vec<usize>) -> f64 {
        let mut counts = [[0.0f64; 10]; 10];
        for seed in 0..20_000 {
            for (place, row) in permutation(seed).into_iter().enumerate() {
                counts[place][row] += 1.0;
            }
        }
        let all = counts.iter().flatten();
        all.map(|count| (count - 2000.0).powi(2) / 2000.0).sum()
    }

    /// What chance exceeds once in a million times, by Wilson and Hilferty's approximation.
    const ONE_IN_A_MILLION: f64 = 156.8;

    #[test]
    fn each_epoch_has_its_own_order_and_every_row_once() {
        let first = order(7, 0, 50);
        assert_eq!(first, order(7, 0, 50));
        assert_ne!(first, order(7, 1, 50));
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn every_row_comes_in_every_place_equally_often() {
        let by_seed = chi_square(|seed| order(seed, 0, 10));
        assert!(by_seed < ONE_IN_A_MILLION, "{by_seed}");
        let by_epoch = chi_square(|epoch| order(7, epoch, 10));
        assert!(by_epoch < ONE_IN_A_MILLION, "{by_epoch}");
        let whole = chi_square(|seed| order_within(seed, 0, &[3, 3, 4], 10));
        assert!(whole < ONE_IN_A_MILLION, "{whole}");
        // Shards of one row each are shuffled whole, whatever the buffer.
        let shards = chi_square(|seed| order_within(seed, 0, &[1; 10], 2));
        assert!(shards < ONE_IN_A_MILLION, "{shards}");
        // The test can tell: rows that stay near their places are far from even.
        let near = chi_square(|seed| order_within(seed, 0, &[10], 5));
        assert!(near > 10.0 * ONE_IN_A_MILLION, "{near}");
    }

    #[test]
    fn a_window_moves_no_row_far_and_loses_none() {
        let shards = [40, 7, 0, 53, 1];
        let places = |order: &[usize]| {
            let mut at = vec![0; order.len()];
            order.iter().enumerate().for_each(|(i, row)| at[*row] = i);
            at
        };
        let starts = [0, 40, 47, 47, 100, 101];
        for (seed, buffer) in (0..400).map(|seed| (seed, [1, 2, 9, 30, 100][seed as usize % 5])) {
            let order = order_within(seed, 3, &shards, buffer);
            assert_eq!(order, order_within(seed, 3, &shards, buffer));
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..101).collect::<Vec<_>>());
            // The order of the shards is what a buffer of one row gives: it draws the same shards first.
            let read = places(&order_within(seed, 3, &shards, 1));
            let moved = places(&order);
            let far = (0..101).map(|row| read[row].abs_diff(moved[row])).max();
            assert!(far < Some(buffer), "{far:?} with {buffer}");
            for shard in starts.windows(2).filter(|s| s[0] < s[1]) {
                let rows = &read[shard[0]..shard[1]];
                assert!(rows.windows(2).all(|pair| pair[0] + 1 == pair[1]));
            }
        }
        assert_ne!(
            order_within(7, 0, &shards, 9),
            order_within(7, 1, &shards, 9)
        );
    }
}
