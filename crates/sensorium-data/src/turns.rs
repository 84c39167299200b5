//! Whose turn it is, where several data sets are drawn from by weight.

/// Which of the data sets each of `n` draws is from. After any number of draws each has had its share of them, to within one draw:
/// the shares of every batch are as asked, where lots would only give them in the long run.
///
/// That is the chairman assignment of R. Tijdeman (Discrete Mathematics 32, 1980): of those who are owed at least `1/(2k-2)` of
/// a draw, the one whose share would be exceeded first.
///
/// ```
/// assert_eq!(sensorium_data::turns(&[2.0, 1.0], 6), [0, 1, 0, 0, 1, 0]);
/// ```
///
/// # Panics
/// If there is no weight, or one is not above zero and finite.
pub fn turns(weights: &[f64], n: usize) -> Vec<usize> {
    assert!(
        !weights.is_empty() && weights.iter().all(|w| w.is_finite() && *w > 0.0),
        "weights {weights:?} must be above zero and finite"
    );
    // Against the largest first: the sum of finite numbers may be infinite.
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let all: f64 = weights.iter().map(|weight| weight / largest).sum();
    let shares: Vec<f64> = weights.iter().map(|w| w / largest / all).collect();
    let least = 1.0 / (2.0 * weights.len() as f64 - 2.0).max(1.0);
    let mut had = vec![0.0; weights.len()];
    let mut turns = Vec::with_capacity(n);
    for draw in 1..=n {
        let owed = |i: usize| draw as f64 * shares[i] - had[i];
        // How many draws from now its share would be exceeded.
        let until = |i: &usize| (1.0 - least - owed(*i)) / shares[*i];
        let may = (0..shares.len()).filter(|i| shares[*i] > 0.0 && owed(*i) >= least - 1e-9);
        let next = may.min_by(|a, b| until(a).total_cmp(&until(b)));
        // Somebody may by the theorem; should rounding deny it, the one who is owed most.
        let next = next.or_else(|| (0..shares.len()).max_by(|a, b| owed(*a).total_cmp(&owed(*b))));
        let next = next.expect("there is a weight");
        had[next] += 1.0;
        turns.push(next);
    }
    turns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_has_its_share_after_any_number_of_draws(
            weights in proptest::collection::vec(0.001f64..100.0, 1..8),
        ) {
            let all: f64 = weights.iter().sum();
            let mut had = vec![0.0; weights.len()];
            for (i, turn) in turns(&weights, 500).into_iter().enumerate() {
                had[turn] += 1.0;
                for (had, weight) in had.iter().zip(&weights) {
                    let owed = (i + 1) as f64 * weight / all;
                    prop_assert!((had - owed).abs() < 1.0, "{had} of {owed}");
                }
            }
        }
    }

    #[test]
    fn one_alone_has_every_turn_and_a_small_weight_has_some() {
        assert_eq!(turns(&[0.3], 4), [0; 4]);
        let mut few = turns(&[1e300, 1e300, 1e298], 1005);
        few.retain(|turn| *turn == 2);
        assert!((4..=6).contains(&few.len()), "{}", few.len());
    }
}
