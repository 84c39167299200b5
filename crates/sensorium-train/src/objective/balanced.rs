//! Weights for classes of unlike size.

/// Class-balanced weights (arXiv 1901.05555, equation 4): (1 - β) / (1 - β^n) for a class of n samples, scaled so that
/// the weights of classes that have samples average 1. For [`CrossEntropy`](super::CrossEntropy) and
/// [`Focal`](super::Focal).
///
/// (1 - β^n) / (1 - β) is the effective number of samples: the more there are, the less a further one shows that is
/// new. β = 0 weighs all classes the same; the nearer to 1, the nearer to weights inverse to n. The paper tries 0.9,
/// 0.99, 0.999 and 0.9999. A class without samples gets weight 0, since nothing would be weighed by it.
///
/// ```
/// let weights = sensorium_train::class_balanced_weights(&[1, 3], 0.5);
/// // Effective numbers 1 and 1.75, weights in the ratio of 7 to 4.
/// assert!((weights[0] - 14.0 / 11.0).abs() < 1e-6 && (weights[1] - 8.0 / 11.0).abs() < 1e-6);
/// ```
///
/// # Panics
/// If β is not in 0 (inclusive) to 1 (exclusive), or no class has a sample.
pub fn class_balanced_weights(samples: &[usize], beta: f64) -> Vec<f32> {
    assert!(
        (0.0..1.0).contains(&beta),
        "beta must be 0 or more and less than 1, not {beta}"
    );
    let weight = |n: &usize| match *n {
        0 => 0.0,
        // 1 - β^n without the digits a β near 1 would lose.
        n => (1.0 - beta) / -(n as f64 * beta.ln()).exp_m1(),
    };
    let weights: Vec<f64> = samples.iter().map(weight).collect();
    let seen = samples.iter().filter(|n| **n > 0).count();
    assert!(seen > 0, "no class has a sample");
    let scale = seen as f64 / weights.iter().sum::<f64>();
    weights
        .iter()
        .map(|weight| (weight * scale) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(samples: &[usize], beta: f64, expected: &[f32]) {
        let found = class_balanced_weights(samples, beta);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-5,
                "{found} instead of {expected}"
            );
        }
    }

    #[test]
    fn it_lies_between_equal_and_inverse_weights() {
        check(&[1, 10, 1000], 0.0, &[1.0, 1.0, 1.0]);
        // Inverse to n: 1, 0.1 and 0.001, times 3 / 1.101.
        check(
            &[1, 10, 1000],
            1.0 - 1e-9,
            &[2.724_796, 0.272_48, 0.002_724_8],
        );
        // The paper's middle: effective numbers 1, 9.955120 and 632.304575.
        check(&[1, 10, 1000], 0.999, &[2.722_243, 0.273_452, 0.004_305_27]);
    }

    #[test]
    fn a_class_without_samples_weighs_nothing() {
        check(&[4, 0, 4], 0.9, &[1.0, 0.0, 1.0]);
    }

    #[test]
    #[should_panic(expected = "less than 1")]
    fn a_beta_of_one_is_refused() {
        class_balanced_weights(&[1], 1.0);
    }
}
