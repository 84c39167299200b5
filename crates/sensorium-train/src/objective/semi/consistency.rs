//! Consistency: two views of a sample, or two models, should say the same of it.

use burn::module::Module;
use burn::tensor::activation::softmax;
use sensorium_core::{Logits, assert_shape};

use super::super::pairs::constant;
use crate::{Loss, Objective};

/// The consistency loss of Mean Teacher (arXiv 1703.01780, section 2): the squared difference of the student's and the
/// teacher's probabilities, averaged over classes and batch. No label is needed.
///
/// Student and teacher are given different views of a sample (other noise, other dropout); the teacher is an average of
/// the student's weights ([`MeanTeacher`](super::MeanTeacher)), and no gradient goes into it. Weigh it with [`ramp_up`]:
/// at the start there is nothing worth agreeing with.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{Consistency, Objective};
/// # let device = Device::flex();
/// let student = Tensor::from_data([[0.0, 0.0]], &device);
/// let teacher = Tensor::from_data([[90.0, 0.0]], &device);
/// let loss = Consistency.loss(student, teacher).total.into_scalar::<f32>();
/// assert!((loss - 0.25).abs() < 1e-6);
/// ```
#[derive(Module, Debug, Default)]
pub struct Consistency;

impl Objective for Consistency {
    type Output = Logits;
    type Target = Logits;

    /// # Shapes
    /// The student's logits and the teacher's, both `[batch, classes]`.
    fn loss(&self, student: Logits, teacher: Logits) -> Loss {
        assert_shape!(teacher, student.dims());
        let teacher = softmax(constant(teacher), 1);
        Loss::new((softmax(student, 1) - teacher).square().mean())
    }
}

/// How much of a weight counts at a step: exp(-5 (1 - t)²), where t goes from 0 to 1 over `length` steps (arXiv
/// 1610.02242, as used by 1703.01780).
///
/// ```
/// assert!((sensorium_train::ramp_up(0, 100) - 0.006738).abs() < 1e-6);
/// assert_eq!(sensorium_train::ramp_up(250, 100), 1.0);
/// ```
pub fn ramp_up(step: usize, length: usize) -> f64 {
    if step >= length {
        return 1.0;
    }
    let left = 1.0 - step as f64 / length as f64;
    (-5.0 * left * left).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use sensorium_testkit::{check_gradients, devices, random};

    #[test]
    fn the_student_learns_and_the_teacher_does_not() {
        for device in devices() {
            let on = device.clone().autodiff();
            let teacher = random::<2>([3, 4], 2, &on).require_grad();
            let student = Param::from_tensor(random([3, 4], 1, &device));
            check_gradients(student, |student| {
                Consistency.loss(student.val(), teacher.clone()).total
            });
            let student = random::<2>([3, 4], 1, &on).require_grad();
            let loss = Consistency.loss(student, teacher.clone() * 1.0);
            assert!(teacher.grad(&loss.total.backward()).is_none());
        }
    }

    #[test]
    fn the_weight_rises_without_a_break() {
        let weights: Vec<f64> = (0..=50).map(|step| ramp_up(step, 50)).collect();
        assert!(weights.windows(2).all(|pair| pair[0] < pair[1]));
        assert!((ramp_up(25, 50) - (-1.25f64).exp()).abs() < 1e-12);
        assert_eq!((weights[50], ramp_up(0, 0)), (1.0, 1.0));
    }
}
