//! Distillation: a small model learns what a large one says, and how sure it is.

use burn::module::Module;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Int, Tensor};
use sensorium_core::{Logits, assert_shape};

use super::{CrossEntropy, Loss, Objective};

/// What a teacher says of a batch, and what is so.
#[derive(Clone, Debug)]
pub struct Taught {
    /// The teacher's logits, `[batch, classes]`. No gradient goes into them.
    pub logits: Tensor<2>,
    /// The samples' classes, `[batch]`, -1 without a label; none: no sample has one.
    pub classes: Option<Tensor<1, Int>>,
}

/// Distillation (arXiv 1503.02531): the student comes to give the teacher's probabilities.
///
/// T² · KL(softmax(teacher / T) ‖ softmax(student / T)), averaged over the batch. A temperature T above 1 shows how the
/// teacher rates the wrong classes; T² keeps the gradient's size whatever T is. With a share α of the truth the loss is
/// (1 - α) times this, the term `soft`, plus α times cross-entropy with the classes, the term `hard`.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{Distillation, Objective, Taught};
/// # let device = Device::flex();
/// let logits = Tensor::from_data([[1.0, 0.0, -2.0]], &device);
/// let taught = Taught { logits: logits.clone() + 5.0, classes: None };
/// let loss = Distillation::new(2.0).loss(logits, taught).total;
/// assert!(loss.into_scalar::<f32>().abs() < 1e-6); // the same probabilities
/// ```
#[derive(Module, Debug)]
pub struct Distillation {
    hard: CrossEntropy,
    #[module(skip)]
    temperature: f64,
    #[module(skip)]
    share: f64,
}

impl Distillation {
    /// With a temperature, and of the teacher's answers alone.
    ///
    /// # Panics
    /// If the temperature is not positive and finite.
    pub fn new(temperature: f64) -> Self {
        assert!(
            temperature > 0.0 && temperature.is_finite(),
            "the temperature must be positive, not {temperature}"
        );
        Self {
            hard: CrossEntropy::new(),
            temperature,
            share: 0.0,
        }
    }

    /// With a share α of the truth, 0 to 1, and how the truth is judged.
    ///
    /// # Panics
    /// If α is outside of that.
    #[must_use]
    pub fn with_truth(mut self, share: f64, hard: CrossEntropy) -> Self {
        assert!(
            (0.0..=1.0).contains(&share),
            "the share of the truth must lie between 0 and 1, not at {share}"
        );
        self.share = share;
        self.hard = hard;
        self
    }
}

impl Objective for Distillation {
    type Output = Logits;
    type Target = Taught;

    /// # Shapes
    /// The student's logits `[batch, classes]`, as the teacher's.
    ///
    /// # Panics
    /// If shapes do not fit, or there is a share of the truth and no classes.
    fn loss(&self, logits: Logits, taught: Taught) -> Loss {
        assert_shape!(taught.logits, logits.dims());
        let teacher = super::pairs::constant(taught.logits).div_scalar(self.temperature);
        let student = log_softmax(logits.clone().div_scalar(self.temperature), 1);
        let surprise = log_softmax(teacher.clone(), 1) - student;
        let soft = (softmax(teacher, 1) * surprise).sum_dim(1).mean();
        let soft = soft.mul_scalar(self.temperature * self.temperature);
        let mut loss = Loss::new(soft.clone().mul_scalar(1.0 - self.share));
        loss.terms.push(("soft".to_owned(), soft));
        if self.share > 0.0 {
            let classes = taught.classes.expect("a share of the truth needs classes");
            let hard = self.hard.loss(logits, classes).total;
            loss = loss.plus("hard", hard, self.share);
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use sensorium_testkit::{check_gradients, devices, floats, random};

    fn probabilities(logits: &[f32], temperature: f64) -> Vec<f64> {
        let exp: Vec<f64> = logits
            .iter()
            .map(|x| (f64::from(*x) / temperature).exp())
            .collect();
        let sum: f64 = exp.iter().sum();
        exp.iter().map(|x| x / sum).collect()
    }

    #[test]
    fn it_equals_the_definition() {
        for device in devices() {
            let student = random::<2>([3, 4], 1, &device).mul_scalar(4.0);
            let teacher = random::<2>([3, 4], 2, &device).mul_scalar(4.0);
            let classes = [2usize, 0, 3];
            let (mut soft, mut hard) = (0.0, 0.0);
            let rows = (floats(&student), floats(&teacher));
            for (at, class) in classes.into_iter().enumerate() {
                let (s, t) = (&rows.0[at * 4..at * 4 + 4], &rows.1[at * 4..at * 4 + 4]);
                let pairs = probabilities(s, 3.0).into_iter().zip(probabilities(t, 3.0));
                soft += pairs.map(|(s, t)| t * (t / s).ln()).sum::<f64>() * 9.0 / 3.0;
                hard -= probabilities(s, 1.0)[class].ln() / 3.0;
            }
            let taught = Taught {
                logits: teacher,
                classes: Some(Tensor::from_data(
                    classes.map(|class| class as i64),
                    &device,
                )),
            };
            let objective = Distillation::new(3.0).with_truth(0.3, CrossEntropy::new());
            let loss = objective.loss(student, taught);
            let names: Vec<&str> = loss.terms.iter().map(|(name, _)| &**name).collect();
            assert_eq!(names, ["soft", "hard"]);
            let found = [&loss.terms[0].1, &loss.terms[1].1, &loss.total];
            for (found, expected) in found.into_iter().zip([soft, hard, 0.7 * soft + 0.3 * hard]) {
                let found = f64::from(found.clone().into_scalar::<f32>());
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }

    #[test]
    fn the_student_learns_and_the_teacher_does_not() {
        for device in devices() {
            let on = device.clone().autodiff();
            let teacher = random::<2>([3, 4], 2, &on).require_grad();
            let student = Param::from_tensor(random([3, 4], 1, &device));
            check_gradients(student.clone(), |student| {
                let taught = Taught {
                    logits: teacher.clone(),
                    classes: None,
                };
                Distillation::new(2.0).loss(student.val(), taught).total
            });
            let student = random::<2>([3, 4], 1, &on).require_grad();
            let taught = Taught {
                logits: teacher.clone() * 1.0,
                classes: None,
            };
            let grads = Distillation::new(2.0)
                .loss(student, taught)
                .total
                .backward();
            assert!(teacher.grad(&grads).is_none());
        }
    }

    #[test]
    #[should_panic(expected = "needs classes")]
    fn a_share_of_the_truth_needs_it() {
        let device = devices().remove(0);
        let logits = Tensor::<2>::zeros([1, 2], &device);
        let taught = Taught {
            logits: logits.clone(),
            classes: None,
        };
        let objective = Distillation::new(1.0).with_truth(0.5, CrossEntropy::new());
        objective.loss(logits, taught);
    }
}
