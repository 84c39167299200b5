//! Objectives of rows whose label is several classes, or numbers.

use burn::tensor::Tensor;
use sensorium_core::{Logits, one_of};
use sensorium_train::{BinaryCrossEntropy, BinaryFocal, Loss, Objective, Regression, Targets};
use serde::{Deserialize, Serialize};

use super::classes::GAMMA;
use super::{ObjectiveConfig, ObjectiveKind};
use crate::labels::Distance;

/// `objective.loss`: how far an answer is from a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegressionLoss {
    /// Squared: finds the mean, and is led by the farthest sample.
    #[default]
    Squared,
    /// As it is: finds the median, and forgives outliers.
    Absolute,
    /// The one near the target and the other far from it.
    Huber,
}

/// From where on Huber's loss grows in a line, in deviations of the targets.
const DELTA: f64 = 1.0;

impl ObjectiveConfig {
    /// How far an answer is from a number.
    pub(crate) fn distance(&self) -> Distance {
        match self.loss.unwrap_or_default() {
            RegressionLoss::Squared => Distance::Squared,
            RegressionLoss::Absolute => Distance::Absolute,
            RegressionLoss::Huber => Distance::Huber(self.delta.unwrap_or(DELTA)),
        }
    }

    /// Huber's δ, where the loss looks at it.
    pub(super) fn resolved_delta(&self) -> Option<f64> {
        let looks =
            self.kind == ObjectiveKind::Regression && self.loss == Some(RegressionLoss::Huber);
        self.delta.or(looks.then_some(DELTA))
    }

    /// Refuses a δ that no loss looks at, or that cannot be.
    pub(super) fn validate_delta(&self) -> Result<(), String> {
        let Some(delta) = self.delta else {
            return Ok(());
        };
        if self.loss != Some(RegressionLoss::Huber) {
            return Err(
                "objective.delta has no effect without objective.loss = \"huber\": remove it, or set that"
                    .to_owned(),
            );
        }
        match delta > 0.0 && delta <= 1e6 {
            true => Ok(()),
            false => Err(format!(
                "objective.delta = {delta} must be above 0 and at most 1000000"
            )),
        }
    }

    /// The objective for so many training rows, of which `there` have each class; nobody asks for that of numbers.
    pub(crate) fn for_targets(&self, there: &[usize], rows: usize) -> TargetObjective {
        match self.kind {
            ObjectiveKind::MultiLabelFocal => {
                TargetObjective::BinaryFocal(BinaryFocal::new(self.gamma.unwrap_or(GAMMA)))
            }
            ObjectiveKind::Regression => TargetObjective::Regression(match self.distance() {
                Distance::Squared => Regression::squared(),
                Distance::Absolute => Regression::absolute(),
                Distance::Huber(delta) => Regression::huber(delta),
            }),
            _ => {
                let plain = BinaryCrossEntropy::new();
                TargetObjective::Binary(match self.positive_weights {
                    Some(true) => plain.with_positive_weights(positive_weights(there, rows)),
                    _ => plain,
                })
            }
        }
    }
}

/// Rows without a class by rows with it: so both weigh the same. A class that is always there or never has nothing to weigh.
fn positive_weights(there: &[usize], rows: usize) -> Vec<f32> {
    let weight = |there: &usize| match (*there, rows - there) {
        (0, _) | (_, 0) => 1.0,
        (with, without) => without as f32 / with as f32,
    };
    there.iter().map(weight).collect()
}

/// Whichever objective a recipe names.
#[derive(Clone, Debug)]
pub(crate) enum TargetObjective {
    Binary(BinaryCrossEntropy),
    BinaryFocal(BinaryFocal),
    Regression(Regression),
}

one_of!(TargetObjective {
    Binary,
    BinaryFocal,
    Regression
});

impl Objective for TargetObjective {
    type Output = Logits;
    type Target = Targets;

    fn loss(&self, output: Tensor<2>, target: Targets) -> Loss {
        match self {
            Self::Binary(objective) => objective.loss(output, target),
            Self::BinaryFocal(objective) => objective.loss(output, target),
            Self::Regression(objective) => objective.loss(output, target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn loss(text: &str, output: f32, target: f32) -> f32 {
        let config: ObjectiveConfig = toml::from_str(text).unwrap();
        assert_eq!(config.validate(), Ok(()));
        let device = Device::flex();
        let [output, target] = [output, target].map(|x| Tensor::from_data([[x]], &device));
        let loss = config.for_targets(&[1], 4).loss(output, target.into());
        loss.total.into_scalar::<f32>()
    }

    #[test]
    fn a_recipes_keys_are_the_objectives() {
        let surprise = |x: f32| (1.0 + (-x).exp()).ln();
        for (text, output, target, expected) in [
            ("kind = \"multi-label\"", 1.0, 1.0, surprise(1.0)),
            ("kind = \"multi-label\"", 1.0, 0.0, surprise(-1.0)),
            // Three rows without to one with.
            (
                "kind = \"multi-label\"\npositive_weights = true",
                1.0,
                1.0,
                3.0 * surprise(1.0),
            ),
            (
                "kind = \"multi-label-focal\"",
                1.0,
                1.0,
                (1.0 - (-surprise(1.0)).exp()).powi(2) * surprise(1.0),
            ),
            (
                "kind = \"multi-label-focal\"\ngamma = 0.0",
                1.0,
                1.0,
                surprise(1.0),
            ),
            ("kind = \"regression\"", 3.0, 1.0, 4.0),
            ("kind = \"regression\"\nloss = \"absolute\"", 3.0, 1.0, 2.0),
            ("kind = \"regression\"\nloss = \"huber\"", 3.0, 1.0, 1.5),
            (
                "kind = \"regression\"\nloss = \"huber\"\ndelta = 0.5",
                3.0,
                1.0,
                0.875,
            ),
        ] {
            let found = loss(text, output, target);
            assert!(
                (found - expected).abs() < 1e-6,
                "{text}: {found} {expected}"
            );
        }
    }

    #[test]
    fn classes_that_are_never_or_always_there_are_not_weighed() {
        assert_eq!(positive_weights(&[0, 1, 2, 4], 4), [1.0, 3.0, 1.0, 1.0]);
    }

    #[test]
    fn delta_needs_the_loss_that_looks_at_it() {
        let refused = |text: &str| {
            let config: ObjectiveConfig = toml::from_str(text).unwrap();
            config.validate().unwrap_err()
        };
        assert_eq!(
            refused("kind = \"regression\"\ndelta = 1.0"),
            "objective.delta has no effect without objective.loss = \"huber\": remove it, or set that"
        );
        assert_eq!(
            refused("kind = \"regression\"\nloss = \"huber\"\ndelta = 0.0"),
            "objective.delta = 0 must be above 0 and at most 1000000"
        );
    }
}
