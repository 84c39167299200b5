//! FlexMatch's memory: which samples a model is sure of, and the thresholds that follow from it.

use serde::{Deserialize, Serialize};

/// What a model took each unlabelled sample for when it last was sure of it. Classes of which there are few are hard, and
/// get a lower threshold (arXiv 2110.08263, section 3).
///
/// ```
/// let mut status = sensorium_train::LearningStatus::new(5, 2);
/// for (sample, class) in [(0, 0), (1, 0), (2, 1)] {
///     status.set(sample, class);
/// }
/// // Two are not yet learned, as many as the commonest class has: β = 2/2 and 1/2.
/// let [easy, hard] = status.thresholds(0.95, true)[..] else { panic!() };
/// assert!((easy - 0.95).abs() < 1e-6 && (hard - 0.316667).abs() < 1e-6);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearningStatus {
    n_classes: usize,
    /// The class of each sample, -1 if the model has not been sure of it yet.
    samples: Vec<i64>,
}

impl LearningStatus {
    /// So many samples, none of them learned.
    pub fn new(samples: usize, n_classes: usize) -> Self {
        Self {
            n_classes,
            samples: vec![-1; samples],
        }
    }

    /// Goes on with what is known of each sample: its class, or -1.
    ///
    /// # Panics
    /// If a class is outside of -1 to `n_classes`.
    pub fn of(samples: Vec<i64>, n_classes: usize) -> Self {
        let inside = |class: &i64| (-1..n_classes as i64).contains(class);
        assert!(
            samples.iter().all(inside),
            "a sample's class must be -1 or less than {n_classes}"
        );
        Self { n_classes, samples }
    }

    /// The class of each sample, or -1.
    pub fn samples(&self) -> &[i64] {
        &self.samples
    }

    /// Writes down that the model is sure of a sample.
    ///
    /// # Panics
    /// If there is no such sample or class.
    pub fn set(&mut self, sample: usize, class: usize) {
        assert!(
            sample < self.samples.len() && class < self.n_classes,
            "sample {sample} of {}, class {class} of {}: there is no such",
            self.samples.len(),
            self.n_classes
        );
        self.samples[sample] = class as i64;
    }

    /// The threshold of each class: τ · β / (2 - β), where β is the class's samples by those of the commonest class
    /// (equations 6, 8 and 11). With the warm-up, samples not yet learned count as a class of their own, which keeps all
    /// thresholds low until there are fewer of them.
    pub fn thresholds(&self, threshold: f64, warm_up: bool) -> Vec<f64> {
        let mut counts = vec![0usize; self.n_classes];
        let mut unlearned = 0;
        for class in &self.samples {
            match usize::try_from(*class) {
                Ok(class) => counts[class] += 1,
                Err(_) => unlearned += 1,
            }
        }
        let most = counts.iter().copied().max().unwrap_or(0);
        let most = if warm_up { most.max(unlearned) } else { most };
        let of_class = |count: usize| {
            let beta = count as f64 / most.max(1) as f64;
            threshold * beta / (2.0 - beta)
        };
        counts.into_iter().map(of_class).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(samples: &[i64], warm_up: bool, expected: &[f64]) {
        let found = LearningStatus::of(samples.to_vec(), 3).thresholds(0.95, warm_up);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-6,
                "{found} instead of {expected}"
            );
        }
    }

    #[test]
    fn thresholds_follow_what_is_learned() {
        check(&[-1; 6], true, &[0.0; 3]);
        check(&[-1; 6], false, &[0.0; 3]);
        // β = 1, 1/2, 0.
        check(&[0, 0, 1], true, &[0.95, 0.316_667, 0.0]);
        // Four not learned: β = 2/4, 1/4, 0; without the warm-up as above.
        check(
            &[0, 0, 1, -1, -1, -1, -1],
            true,
            &[0.316_667, 0.135_714, 0.0],
        );
        check(&[0, 0, 1, -1, -1, -1, -1], false, &[0.95, 0.316_667, 0.0]);
    }

    #[test]
    fn it_survives_json() {
        let mut status = LearningStatus::new(4, 3);
        status.set(2, 1);
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(json, r#"{"n_classes":3,"samples":[-1,-1,1,-1]}"#);
        assert_eq!(
            serde_json::from_str::<LearningStatus>(&json).unwrap(),
            status
        );
    }

    #[test]
    #[should_panic(expected = "sample 4 of 4")]
    fn a_sample_that_is_not_there_is_refused() {
        LearningStatus::new(4, 3).set(4, 0);
    }
}
