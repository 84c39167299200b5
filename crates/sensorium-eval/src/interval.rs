//! How sure a share is: the Wilson interval, which stays inside 0..1 and is not empty at 0 or 1.

use serde::{Deserialize, Serialize};

/// The two-sided 95 % quantile of the normal distribution, Φ⁻¹(0.975).
const Z_95: f64 = 1.959_963_984_540_054;

/// A range that holds the true value with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end; of a share, in 0..1.
    pub low: f64,
    /// The upper end; of a share, in 0..1.
    pub high: f64,
}

/// The 95 % Wilson score interval of `hits` out of `n` (Wilson, 1927); `None` where nothing was counted.
///
/// `hits` above `n` count as `n`.
///
/// ```
/// let interval = sensorium_eval::wilson(8, 10).unwrap();
/// assert!((interval.low - 0.490162).abs() < 1e-6 && (interval.high - 0.943318).abs() < 1e-6);
/// assert_eq!(sensorium_eval::wilson(0, 0), None);
/// ```
pub fn wilson(hits: u64, n: u64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let hits = hits.min(n);
    let (count, p) = (n as f64, hits as f64 / n as f64);
    let z2 = Z_95 * Z_95;
    let scale = 1.0 + z2 / count;
    let centre = (p + z2 / (2.0 * count)) / scale;
    let half = Z_95 / scale * (p * (1.0 - p) / count + z2 / (4.0 * count * count)).sqrt();
    // At the ends the formula gives 0 and 1 but for rounding.
    Some(Interval {
        low: if hits == 0 {
            0.0
        } else {
            (centre - half).max(0.0)
        },
        high: if hits == n {
            1.0
        } else {
            (centre + half).min(1.0)
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equals_the_published_numbers() {
        for (hits, n, low, high) in [(8, 10, 0.490162, 0.943318), (0, 10, 0.0, 0.277533)] {
            let interval = wilson(hits, n).unwrap();
            assert!(
                (interval.low - low).abs() < 1e-6 && (interval.high - high).abs() < 1e-6,
                "{interval:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn holds_the_share_and_stays_in_range(n in 1_u64..100_000, part in 0.0..=1.0_f64) {
            let hits = (n as f64 * part) as u64;
            let Interval { low, high } = wilson(hits, n).unwrap();
            let share = hits as f64 / n as f64;
            prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
            prop_assert!(low < high);
        }
    }
}
