//! Who is told what a run is doing. The command draws bars from it; a library may listen or not.

use std::ops::ControlFlow;
use std::path::Path;

use sensorium_train::{Ended, Plan, StepLog, ValidationLog, Warning, Watch};

/// Sees a run's phases besides the training steps themselves.
pub trait Observer: Watch {
    /// A phase begins, such as "preparing", over `total` rows or batches.
    fn phase(&mut self, _what: &str, _total: usize) {}

    /// So many of the phase's items are done.
    fn advance(&mut self, _done: usize) {}

    /// The phase is over.
    fn phase_end(&mut self) {}

    /// Something a person should know, in one line.
    fn note(&mut self, _line: &str) {}
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Watch for Silent {}
impl Observer for Silent {}

/// Hands on what the trainer says; it takes a watcher by its type.
pub(crate) struct Watching<'a>(pub &'a mut dyn Observer);

impl Watch for Watching<'_> {
    fn on_start(&mut self, plan: &Plan) {
        self.0.on_start(plan);
    }

    fn on_step(&mut self, step: &StepLog) -> ControlFlow<()> {
        self.0.on_step(step)
    }

    fn found(&mut self) -> Option<Warning> {
        self.0.found()
    }

    fn on_validation(&mut self, validation: &ValidationLog) {
        self.0.on_validation(validation);
    }

    fn on_checkpoint(&mut self, step: usize, folder: &Path) {
        self.0.on_checkpoint(step, folder);
    }

    fn on_warning(&mut self, warning: &Warning) {
        self.0.on_warning(warning);
    }

    fn on_end(&mut self, ended: Ended) {
        self.0.on_end(ended);
    }
}
