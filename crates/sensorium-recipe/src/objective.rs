//! `[objective]`: what an answer is held against.

use burn::tensor::{Int, Tensor};
use sensorium_core::{Logits, one_of};
use sensorium_train::{CrossEntropy, Focal, Loss, Objective, class_balanced_weights};
use serde::{Deserialize, Serialize};

/// The focusing parameter the paper found best.
const GAMMA: f64 = 2.0;

/// `[objective]`: what the answer is held against.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveConfig {
    /// Which objective.
    pub kind: ObjectiveKind,
    /// The share of the target that is spread over all classes (arXiv 1512.00567); for cross-entropy.
    pub label_smoothing: f64,
    /// How much less a sample counts that is right already (arXiv 1708.02002), 2 by default; for the focal loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// Weighs classes of unlike size by their effective number of training rows (arXiv 1901.05555): β, 0 = all the same, the
    /// nearer to 1 the more rare classes weigh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_balance: Option<f64>,
}

/// Which objective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectiveKind {
    /// One class of many.
    #[default]
    CrossEntropy,
    /// The same, minding what is wrong still more than what is right.
    Focal,
}

impl ObjectiveConfig {
    pub(crate) fn validate(&self) -> Result<(), String> {
        if !(0.0..1.0).contains(&self.label_smoothing) {
            return Err(format!(
                "objective.label_smoothing = {} must be at least 0 and below 1",
                self.label_smoothing
            ));
        }
        if self.kind == ObjectiveKind::Focal && self.label_smoothing != 0.0 {
            return Err(
                "objective.label_smoothing has no effect on the focal loss: remove it, or use kind = \"cross-entropy\""
                    .to_owned(),
            );
        }
        if self.kind != ObjectiveKind::Focal && self.gamma.is_some() {
            return Err(
                "objective.gamma has no effect without kind = \"focal\": remove it, or set that"
                    .to_owned(),
            );
        }
        let within = |key: &str, value: Option<f64>, below: f64| match value {
            Some(value) if !(0.0..below).contains(&value) => Err(format!(
                "objective.{key} = {value} must be at least 0 and below {below}"
            )),
            _ => Ok(()),
        };
        within("gamma", self.gamma, 100.0)?;
        within("class_balance", self.class_balance, 1.0)
    }

    /// The objective for training rows of these classes: how many of each.
    pub(crate) fn build(&self, rows: &[usize]) -> ClassObjective {
        let weights = self
            .class_balance
            .map(|beta| class_balanced_weights(rows, beta));
        match self.kind {
            ObjectiveKind::CrossEntropy => {
                let plain = CrossEntropy::new().with_label_smoothing(self.label_smoothing);
                ClassObjective::CrossEntropy(match weights {
                    Some(weights) => plain.with_class_weights(weights),
                    None => plain,
                })
            }
            ObjectiveKind::Focal => {
                let plain = Focal::new(self.gamma.unwrap_or(GAMMA));
                ClassObjective::Focal(match weights {
                    Some(weights) => plain.with_class_weights(weights),
                    None => plain,
                })
            }
        }
    }
}

/// Whichever objective a recipe names.
#[derive(Clone, Debug)]
pub(crate) enum ClassObjective {
    CrossEntropy(CrossEntropy),
    Focal(Focal),
}

one_of!(ClassObjective {
    CrossEntropy,
    Focal
});

impl Objective for ClassObjective {
    type Output = Logits;
    type Target = Tensor<1, Int>;

    fn loss(&self, output: Logits, target: Tensor<1, Int>) -> Loss {
        match self {
            Self::CrossEntropy(objective) => objective.loss(output, target),
            Self::Focal(objective) => objective.loss(output, target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn config(kind: ObjectiveKind) -> ObjectiveConfig {
        ObjectiveConfig {
            kind,
            ..ObjectiveConfig::default()
        }
    }

    fn loss(config: &ObjectiveConfig, rows: &[usize]) -> f32 {
        let device = Device::flex();
        let logits = Tensor::from_data([[1.0, 0.0], [0.5, 0.0]], &device);
        let objective = config.build(rows);
        let loss = objective.loss(logits, Tensor::from_data([0, 1], &device));
        loss.total.into_scalar::<f32>()
    }

    #[test]
    fn a_recipes_keys_are_the_objectives() {
        let surprise = |x: f32| (1.0 + x.exp()).ln();
        let (first, second) = (surprise(-1.0), surprise(0.5));
        let near = |found: f32, expected: f32| {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}")
        };
        let plain = config(ObjectiveKind::CrossEntropy);
        near(loss(&plain, &[3, 1]), (first + second) / 2.0);

        // With β = 0.5 effective numbers are 1.75 and 1.
        let balanced = ObjectiveConfig {
            class_balance: Some(0.5),
            ..plain
        };
        near(
            loss(&balanced, &[3, 1]),
            (first * 4.0 + second * 7.0) / 11.0,
        );

        let focal = config(ObjectiveKind::Focal);
        let hard = |surprise: f32| (1.0 - (-surprise).exp()).powi(2) * surprise;
        near(loss(&focal, &[3, 1]), (hard(first) + hard(second)) / 2.0);
        let flat = ObjectiveConfig {
            gamma: Some(0.0),
            ..focal
        };
        near(loss(&flat, &[3, 1]), (first + second) / 2.0);
    }

    #[test]
    fn what_has_no_effect_or_cannot_work_is_refused() {
        let focal = config(ObjectiveKind::Focal);
        let plain = config(ObjectiveKind::CrossEntropy);
        for (config, expected) in [
            (
                ObjectiveConfig {
                    label_smoothing: 1.0,
                    ..plain.clone()
                },
                "objective.label_smoothing = 1 must be at least 0 and below 1",
            ),
            (
                ObjectiveConfig {
                    label_smoothing: 0.1,
                    ..focal.clone()
                },
                "objective.label_smoothing has no effect on the focal loss: remove it, or use kind = \"cross-entropy\"",
            ),
            (
                ObjectiveConfig {
                    gamma: Some(2.0),
                    ..plain.clone()
                },
                "objective.gamma has no effect without kind = \"focal\": remove it, or set that",
            ),
            (
                ObjectiveConfig {
                    gamma: Some(-1.0),
                    ..focal.clone()
                },
                "objective.gamma = -1 must be at least 0 and below 100",
            ),
            (
                ObjectiveConfig {
                    class_balance: Some(f64::NAN),
                    ..focal
                },
                "objective.class_balance = NaN must be at least 0 and below 1",
            ),
            (
                ObjectiveConfig {
                    class_balance: Some(1.0),
                    ..plain
                },
                "objective.class_balance = 1 must be at least 0 and below 1",
            ),
        ] {
            assert_eq!(config.validate().unwrap_err(), expected);
        }
    }
}
