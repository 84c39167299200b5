//! How sure any metric is: the same metric on samples drawn from the samples, again and again.

use crate::Interval;

/// The 95 % percentile interval of a metric by the bootstrap (Efron, 1979): `n` samples are drawn out of `n` with replacement,
/// `resamples` times, and `metric` is asked for its value on the positions drawn; the interval lies between the 2.5 and the 97.5 %
/// quantile of the values.
///
/// The same seed gives the same interval on any machine. Draws on which the metric is undefined are left out; where those are half of
/// them or more, so is the interval, as without samples. A thousand resamples are the custom.
///
/// ```
/// use sensorium_eval::{auroc, bootstrap};
///
/// let positive: Vec<bool> = (0..60).map(|i| i % 3 == 0).collect();
/// let scores: Vec<f64> = (0..60).map(|i| f64::from(i * 7 % 20) + if i % 3 == 0 { 8.0 } else { 0.0 }).collect();
/// let area = auroc(&positive, &scores)?.unwrap();
/// let interval = bootstrap(60, 1000, 7, |drawn| {
///     let positive: Vec<bool> = drawn.iter().map(|&i| positive[i]).collect();
///     let scores: Vec<f64> = drawn.iter().map(|&i| scores[i]).collect();
///     auroc(&positive, &scores).ok().flatten()
/// }).unwrap();
/// assert!(interval.low < area && area < interval.high);
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
pub fn bootstrap(
    n: usize,
    resamples: usize,
    seed: u64,
    mut metric: impl FnMut(&[usize]) -> Option<f64>,
) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let (mut dice, mut drawn) = (SplitMix(seed), vec![0; n]);
    let mut values = Vec::new();
    for _ in 0..resamples {
        drawn.fill_with(|| dice.below(n));
        values.extend(metric(&drawn).filter(|value| value.is_finite()));
    }
    if 2 * values.len() <= resamples {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    Some(Interval {
        low: quantile(&values, 0.025),
        high: quantile(&values, 0.975),
    })
}

/// Between the two nearest of sorted values, as NumPy's default.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and good enough to draw rows with.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// A number below `n`: the high half of a product, whose bias of n/2⁶⁴ no one can see.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numpys() {
        let values = [1.0, 2.0, 4.0, 8.0, 16.0];
        // numpy.quantile(values, [0, .025, .3, .975, 1])
        let expected = [1.0, 1.1, 2.4, 15.2, 16.0];
        for (share, expected) in [0.0, 0.025, 0.3, 0.975, 1.0].into_iter().zip(expected) {
            assert!((quantile(&values, share) - expected).abs() < 1e-12);
        }
        assert_eq!(quantile(&[3.0], 0.975), 3.0);
    }

    #[test]
    fn draws_are_the_published_ones() {
        // The reference program's first three for the seed 1234567.
        let mut dice = SplitMix(1_234_567);
        let drawn = [(); 3].map(|()| dice.next());
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(drawn, published);
    }

    #[test]
    fn a_mean_is_as_sure_as_its_standard_error_says() {
        let n = 400;
        let mean = |drawn: &[usize]| drawn.iter().sum::<usize>() as f64 / n as f64;
        // So many that a quantile's own error is a fiftieth of the standard error.
        let interval_of = |seed| bootstrap(n, 20_000, seed, |drawn| Some(mean(drawn))).unwrap();
        let interval = interval_of(3);
        let error = ((n * n - 1) as f64 / 12.0 / n as f64).sqrt();
        let centre = (n - 1) as f64 / 2.0;
        assert!((interval.high - centre - 1.96 * error).abs() < 0.1 * error);
        assert!((centre - interval.low - 1.96 * error).abs() < 0.1 * error);
        assert_eq!(interval_of(3), interval);
        assert_ne!(interval_of(4), interval);
    }

    #[test]
    fn undefined_more_often_than_not_is_undefined() {
        assert_eq!(bootstrap(0, 100, 0, |_| Some(1.0)), None);
        assert_eq!(bootstrap(5, 0, 0, |_| Some(1.0)), None);
        assert_eq!(bootstrap(5, 100, 0, |_| Some(f64::NAN)), None);
        let mut turn = 0;
        let mut every = |stride: usize| {
            bootstrap(5, 100, 0, |_| {
                turn += 1;
                (turn % stride == 0).then_some(0.5)
            })
        };
        assert_eq!(every(2), None);
        let sure = Interval {
            low: 0.5,
            high: 0.5,
        };
        assert_eq!(every(1), Some(sure));
    }
}
