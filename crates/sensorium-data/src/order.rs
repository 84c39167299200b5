//! The order in which an epoch sees its rows.

use rand::seq::SliceRandom;
use sensorium_core::seed;

/// A permutation of `0..n` that depends on seed and epoch alone.
pub fn order(seed: u64, epoch: u64, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut seed::rng(seed, &[seed::of_name("order"), epoch]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_has_its_own_order_and_every_row_once() {
        let first = order(7, 0, 50);
        assert_eq!(first, order(7, 0, 50));
        assert_ne!(first, order(7, 1, 50));
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }
}
