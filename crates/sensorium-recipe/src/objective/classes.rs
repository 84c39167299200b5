//! Objectives of labelled rows alone.

use super::{ObjectiveConfig, ObjectiveKind};
use burn::tensor::{Int, Tensor};
use sensorium_core::{Logits, one_of};
use sensorium_train::{
    CrossEntropy, Focal, Loss, Objective, Ordinal, Tally, class_balanced_weights,
};

/// The focusing parameter the paper found best.
pub(super) const GAMMA: f64 = 2.0;

impl ObjectiveConfig {
    /// The objective for training rows of these classes: how many of each.
    pub(crate) fn for_classes(&self, rows: &[usize]) -> ClassObjective {
        let weights = self
            .class_balance
            .map(|beta| class_balanced_weights(rows, beta));
        match self.kind {
            ObjectiveKind::Focal => {
                let plain = Focal::new(self.gamma.unwrap_or(GAMMA));
                ClassObjective::Focal(match weights {
                    Some(weights) => plain.with_class_weights(weights),
                    None => plain,
                })
            }
            ObjectiveKind::Ordinal => ClassObjective::Ordinal(Ordinal),
            _ => {
                let plain = self.cross_entropy();
                ClassObjective::CrossEntropy(match weights {
                    Some(weights) => plain.with_class_weights(weights),
                    None => plain,
                })
            }
        }
    }

    /// Of one class of many, with the table's smoothing.
    pub(super) fn cross_entropy(&self) -> CrossEntropy {
        CrossEntropy::new().with_label_smoothing(self.label_smoothing.unwrap_or(0.0))
    }
}

/// Whichever objective a recipe names.
#[derive(Clone, Debug)]
pub(crate) enum ClassObjective {
    CrossEntropy(CrossEntropy),
    Focal(Focal),
    Ordinal(Ordinal),
}

one_of!(ClassObjective {
    CrossEntropy,
    Focal,
    Ordinal
});

impl Objective for ClassObjective {
    type Output = Logits;
    type Target = Tensor<1, Int>;

    fn loss(&self, output: Logits, target: Tensor<1, Int>) -> Loss {
        match self {
            Self::CrossEntropy(objective) => objective.loss(output, target),
            Self::Focal(objective) => objective.loss(output, target),
            Self::Ordinal(objective) => objective.loss(output, target),
        }
    }

    fn tally(&self, output: &Logits, target: &Tensor<1, Int>) -> Option<Tally> {
        match self {
            Self::CrossEntropy(objective) => objective.tally(output, target),
            Self::Focal(objective) => objective.tally(output, target),
            Self::Ordinal(objective) => objective.tally(output, target),
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
        let objective = config.for_classes(rows);
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
}
