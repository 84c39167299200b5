//! Mean Teacher: a model beside an average of itself.

use burn::module::{Module, ModuleDisplay};

use crate::ema::averaged;

/// A student that learns, and a teacher that is the moving average of its weights (arXiv 1703.01780, equation 1).
///
/// The teacher is frozen: it gets no gradient, and is saved in every checkpoint with the student. Call
/// [`follow`](Self::follow) in [`Learner::before_step`](crate::Learner::before_step), and judge both by
/// [`Consistency`](super::Consistency), each on a view of its own.
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use sensorium_train::*;
///
/// #[derive(Module, Debug)]
/// struct Student {
///     models: MeanTeacher<Linear>,
///     #[module(skip)]
///     step: usize,
/// }
///
/// impl Learner for Student {
///     type Batch = [Tensor<2>; 2]; // two views of samples without labels
///
///     fn learn(&self, [one, other]: Self::Batch) -> Learned {
///         let student = self.models.student.forward(one);
///         let loss = Consistency.loss(student, self.models.teacher.forward(other));
///         Learned::new(Loss::new(loss.total * ramp_up(self.step, 1000)))
///     }
///
///     fn before_step(self, step: usize) -> Self {
///         Self { models: self.models.follow(0.999, step), step }
///     }
/// }
/// # let linear: Linear = LinearConfig::new(2, 3).init(&Device::flex());
/// # Student { models: MeanTeacher::new(linear), step: 0 }.before_step(1);
/// ```
#[derive(Module, Debug)]
pub struct MeanTeacher<M: Module + ModuleDisplay> {
    /// What learns.
    pub student: M,
    /// Its average.
    pub teacher: M,
}

impl<M: Module + ModuleDisplay> MeanTeacher<M> {
    /// A teacher that begins as the student. Every parameter must have been drawn, or both draw their own.
    pub fn new(student: M) -> Self {
        let teacher = student.clone().no_grad();
        Self { student, teacher }
    }

    /// teacher ← α · teacher + (1 - α) · student, with α = min(1 - 1 / (step + 1), `decay`): the true average of the first
    /// steps. What does not train in the student (frozen parameters, running statistics) is copied.
    #[must_use]
    pub fn follow(self, decay: f64, step: usize) -> Self {
        let decay = decay.min(1.0 - 1.0 / (step as f64 + 1.0));
        Self {
            teacher: averaged(self.teacher, &self.student, decay),
            student: self.student,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use burn::tensor::Tensor;
    use sensorium_testkit::{devices, floats};

    #[test]
    fn the_teacher_is_the_average_and_gets_no_gradient() {
        for device in devices() {
            let at = |value: f32| {
                let value = Tensor::<1>::from_data([value], &device.clone().autodiff());
                Param::from_tensor(value.require_grad())
            };
            let mut models = MeanTeacher::new(at(5.0)).train();
            let mut expected = 5.0;
            for (step, value) in [1.0, 3.0, 5.0, 7.0].into_iter().enumerate() {
                models.student = at(value);
                models = models.follow(0.6, step);
                let decay = [0.0, 0.5, 0.6, 0.6][step];
                expected = decay * expected + (1.0 - decay) * value;
                let found = floats(&models.teacher.val())[0];
                assert!(
                    (found - expected).abs() < 1e-6,
                    "{step}: {found}, {expected}"
                );
            }
            assert!(!models.teacher.val().is_require_grad());
            assert!(models.teacher.val().is_autodiff());
            let loss = (models.student.val() - models.teacher.val()).square();
            let grads = loss.backward();
            assert!(models.student.val().grad(&grads).is_some());
            assert!(models.teacher.val().grad(&grads).is_none());
        }
    }
}
