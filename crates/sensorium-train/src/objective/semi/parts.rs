//! A batch of samples with and without a label that comes in parts: a sum of two means, over more than one part has.

use burn::tensor::{Int, Tensor};

use crate::among::times;
use crate::{Compared, CrossEntropy, Others};

const LABELLED: &str = "labelled";
const UNLABELLED: &str = "unlabelled";

/// How much the means over a part's labelled and unlabelled samples count in a step of several parts, such that the step's loss is that
/// of the whole batch, however many of either each part has. By default there are no other parts, and each counts once.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{CrossEntropy, Others, SemiParts};
/// let (supervised, classes) = (CrossEntropy::new(), Tensor::from_data([0, -1, 2], &Device::flex()));
/// // What a learner answers to `compared`, and what it learns by in `learn_among`.
/// let compared = SemiParts::compared(&supervised, &classes, 7);
/// assert_eq!((compared.counts["labelled"], compared.counts["unlabelled"]), (2.0, 7.0));
/// let parts = SemiParts::among(&Others::default(), &supervised, &classes, 7);
/// assert_eq!((parts.labelled, parts.unlabelled), (1.0, 1.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SemiParts {
    /// What the mean over labelled samples is multiplied by.
    pub labelled: f64,
    /// What means over the others are multiplied by.
    pub unlabelled: f64,
}

impl Default for SemiParts {
    fn default() -> Self {
        Self {
            labelled: 1.0,
            unlabelled: 1.0,
        }
    }
}

impl SemiParts {
    /// What other parts have to know of one with these classes `[labelled]`, -1 without a label, and so many unlabelled samples.
    pub fn compared(
        supervised: &CrossEntropy,
        classes: &Tensor<1, Int>,
        unlabelled: usize,
    ) -> Compared {
        let [labelled] = classes.dims();
        Compared::new(labelled + unlabelled, [])
            .counting(LABELLED, supervised.over(classes))
            .counting(UNLABELLED, unlabelled as f64)
    }

    /// How much such a part counts among others.
    pub fn among(
        others: &Others,
        supervised: &CrossEntropy,
        classes: &Tensor<1, Int>,
        unlabelled: usize,
    ) -> Self {
        Self {
            labelled: others.part(LABELLED, || supervised.over(classes)),
            unlabelled: others.part(UNLABELLED, || unlabelled as f64),
        }
    }

    /// A mean over the labelled samples, or what else came of them, as it counts.
    pub fn labelled(self, mean: Tensor<1>) -> Tensor<1> {
        times(mean, self.labelled)
    }

    /// A mean over the unlabelled samples, as it counts.
    pub fn unlabelled(self, mean: Tensor<1>) -> Tensor<1> {
        times(mean, self.unlabelled)
    }
}
