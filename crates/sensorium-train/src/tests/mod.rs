//! The trainer as a whole: what it does about bad numbers, bad disks and wrong uses.
//!
//! Nothing here draws random numbers on the device, which tests in one process would share; runs that do are in
//! `tests/resume.rs`.

mod files;
mod groups;
mod learning;
mod misuse;
mod non_finite;
mod optimizers;
mod precision;
mod rehearsal;
mod together;

use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use sensorium_testkit::{floats, random};

use crate::checkpoint::files::{Disk, Files};
use crate::*;

/// Learns `y = x · weight + bias`. The loss is NaN where y is.
#[derive(Module, Debug)]
pub(super) struct Net {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

/// Samples of a regression: x `[batch, 3]` and y `[batch, 2]`.
pub(super) type Batch = (Tensor<2>, Tensor<2>);

impl Net {
    fn new(device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(random([3, 2], 1, device)),
            bias: Param::from_tensor(random([2], 2, device)),
        }
    }

    fn numbers(&self) -> Vec<f32> {
        [floats(&self.weight.val()), floats(&self.bias.val())].concat()
    }
}

impl Learner for Net {
    type Batch = Batch;

    fn learn(&self, (x, y): Batch) -> Learned {
        let out = x.matmul(self.weight.val()) + self.bias.val().unsqueeze();
        let error = (out - y).square().mean();
        Learned::new(Loss::new(error.clone()).plus("size", self.weight.val().square().mean(), 0.01))
    }
}

/// Rows `from..from + count` of a fixed regression of 64 samples.
pub(super) fn rows(from: usize, count: usize, device: &Device) -> Fed<Batch> {
    let device = device.clone().autodiff();
    let x = random::<2>([64, 3], 3, &device).slice([from..from + count, 0..3]);
    let y = random::<2>([64, 2], 4, &device).slice([from..from + count, 0..2]);
    Fed {
        ids: (from..from + count)
            .map(|row| format!("row-{row}"))
            .collect(),
        batch: (x, y),
    }
}

/// So many batches of four rows.
pub(super) fn feed(batches: usize, device: &Device) -> impl Feed<Batch = Batch> + use<> {
    let device = device.clone();
    FnFeed::new(batches, move |epoch, batch| {
        Ok(rows((batch * 4 + epoch) % 60, 4, &device))
    })
}

/// A watch that writes down what it sees.
#[derive(Default)]
pub(super) struct Notes {
    steps: Vec<StepLog>,
    warnings: Vec<Warning>,
    validations: Vec<ValidationLog>,
    checkpoints: Vec<usize>,
    plan: Option<Plan>,
    ended: Option<Ended>,
    /// Wish to stop after this step.
    stop_after: Option<usize>,
}

impl Watch for Notes {
    fn on_start(&mut self, plan: &Plan) {
        self.plan = Some(plan.clone());
    }
    fn on_step(&mut self, step: &StepLog) -> std::ops::ControlFlow<()> {
        self.steps.push(step.clone());
        match self.stop_after == Some(step.step) {
            true => std::ops::ControlFlow::Break(()),
            false => std::ops::ControlFlow::Continue(()),
        }
    }
    fn on_validation(&mut self, validation: &ValidationLog) {
        self.validations.push(validation.clone());
    }
    fn on_checkpoint(&mut self, step: usize, folder: &Path) {
        assert!(folder.is_dir());
        self.checkpoints.push(step);
    }
    fn on_warning(&mut self, warning: &Warning) {
        self.warnings.push(warning.clone());
    }
    fn on_end(&mut self, ended: Ended) {
        self.ended = Some(ended);
    }
}

pub(super) fn config() -> TrainConfig {
    TrainConfig {
        epochs: 2,
        lr: 0.05,
        warmup_steps: Some(2),
        ..TrainConfig::default()
    }
}

/// The lines of a run's log of one kind.
pub(super) fn lines(run: &Path, kind: &str) -> Vec<serde_json::Value> {
    let text = Disk.read(&run.join("metrics.jsonl")).unwrap();
    String::from_utf8(text)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["kind"] == kind)
        .collect()
}

/// Trains a new net in a new folder without anyone looking.
pub(super) fn train(
    config: TrainConfig,
    feed: &impl Feed<Batch = Batch>,
    validator: &mut impl Validate<Net>,
    device: &Device,
) -> Result<Outcome<Net>, Error> {
    let folder = tempfile::tempdir().unwrap();
    Trainer::new(config, folder.path()).run(Net::new(device), feed, validator, &mut NoWatch, device)
}
