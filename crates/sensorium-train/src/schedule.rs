//! The learning rate at each step.

use crate::{ScheduleKind, TrainConfig};

/// The course of the learning rate: linear warm-up, then what [`ScheduleKind`] says.
///
/// ```
/// use sensorium_train::{Schedule, TrainConfig};
/// let config = TrainConfig { lr: 1.0, warmup_steps: Some(4), ..TrainConfig::default() };
/// let schedule = Schedule::new(&config, 100);
/// assert_eq!(schedule.lr(0), 0.25);
/// assert_eq!(schedule.lr(3), 1.0);
/// assert_eq!(schedule.lr(5_000), 0.01);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    kind: ScheduleKind,
    lr: f64,
    final_share: f64,
    warmup: usize,
    total: usize,
}

impl Schedule {
    /// The schedule of a run of `total_steps`.
    pub fn new(config: &TrainConfig, total_steps: usize) -> Self {
        let share = (config.warmup_share * total_steps as f64).round() as usize;
        Self {
            kind: config.schedule,
            lr: config.lr,
            final_share: config.final_lr_share,
            warmup: config.warmup_steps.unwrap_or(share),
            total: total_steps,
        }
    }

    /// The learning rate of a step, counted from 0. It stays where it is after the last step.
    pub fn lr(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.lr * (step + 1) as f64 / self.warmup as f64;
        }
        let share = match self.kind {
            ScheduleKind::Constant => 1.0,
            ScheduleKind::InverseSqrt => (self.warmup.max(1) as f64 / (step + 1) as f64).sqrt(),
            ScheduleKind::Cosine => {
                let past = (step - self.warmup) as f64;
                let whole = self.total.saturating_sub(self.warmup).max(1) as f64;
                let height = 0.5 * (1.0 + (std::f64::consts::PI * (past / whole).min(1.0)).cos());
                self.final_share + (1.0 - self.final_share) * height
            }
        };
        self.lr * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(kind: ScheduleKind) -> Schedule {
        let config = TrainConfig {
            lr: 2.0,
            schedule: kind,
            warmup_share: 0.1,
            final_lr_share: 0.1,
            ..TrainConfig::default()
        };
        Schedule::new(&config, 100)
    }

    #[test]
    fn it_warms_up_falls_and_stays_down() {
        let cosine = schedule(ScheduleKind::Cosine);
        assert!((cosine.lr(0) - 0.2).abs() < 1e-12);
        assert_eq!(cosine.lr(9), 2.0);
        assert_eq!(cosine.lr(10), 2.0);
        // Half way through the 90 steps of the cosine: between 2.0 and 0.2.
        assert!((cosine.lr(55) - 1.1).abs() < 1e-12);
        let courses: Vec<f64> = (10..200).map(|step| cosine.lr(step)).collect();
        assert!(courses.windows(2).all(|pair| pair[1] <= pair[0]));
        assert!((cosine.lr(100) - 0.2).abs() < 1e-12);
        assert_eq!(cosine.lr(100), cosine.lr(10_000));
    }

    #[test]
    fn constant_stays() {
        let constant = schedule(ScheduleKind::Constant);
        assert_eq!((constant.lr(10), constant.lr(500)), (2.0, 2.0));
    }

    #[test]
    fn the_inverse_root_is_the_papers() {
        let (d_model, warmup) = (512f64, 4000usize);
        let config = TrainConfig {
            // The paper's rate at the end of the warm-up.
            lr: (d_model * warmup as f64).powf(-0.5),
            schedule: ScheduleKind::InverseSqrt,
            warmup_steps: Some(warmup),
            ..TrainConfig::default()
        };
        let schedule = Schedule::new(&config, 100_000);
        for step in [1usize, 2, 1000, 3999, 4000, 4001, 16_000, 100_000, 200_000] {
            let n = step as f64;
            let paper = d_model.powf(-0.5) * n.powf(-0.5).min(n * (warmup as f64).powf(-1.5));
            // Theirs counts from 1.
            assert!((schedule.lr(step - 1) - paper).abs() < 1e-15, "{step}");
        }
        let config = TrainConfig {
            warmup_steps: Some(0),
            ..config
        };
        let schedule = Schedule::new(&config, 10);
        assert_eq!(schedule.lr(3), schedule.lr(0) / 2.0);
    }

    #[test]
    fn a_warm_up_longer_than_the_run_is_possible() {
        let config = TrainConfig {
            lr: 1.0,
            warmup_steps: Some(10),
            ..TrainConfig::default()
        };
        let schedule = Schedule::new(&config, 4);
        assert_eq!(schedule.lr(3), 0.4);
        assert!(schedule.lr(10).is_finite());
    }
}
