//! Training: a loop that can be killed at any moment and resumed to the same weights, bit for bit.
//!
//! A [`Learner`] turns a batch into a loss ([`Supervised`] makes one of a model and an [`Objective`]), a [`Feed`] gives
//! batches, a [`Validate`] measures between epochs, a [`Watch`] looks on, and [`Trainer`] runs them: AdamW, Lion,
//! Adafactor or Muon with decay only where it belongs, groups of parameters, warm-up and cosine, global-norm clipping, accumulation, averaged weights, early stopping,
//! a log line a step, crash-safe checkpoints.
//!
//! This crate must never know a concrete model, a modality, a file format of media, a command line or a terminal.
//!
//! Fitting y = 2x - 1:
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::{Device, Tensor};
//! use sensorium_train::*;
//!
//! #[derive(Module, Debug)]
//! struct Line {
//!     linear: Linear,
//! }
//!
//! impl Learner for Line {
//!     type Batch = (Tensor<2>, Tensor<2>); // x and y, [batch, 1]
//!
//!     fn learn(&self, (x, y): Self::Batch) -> Learned {
//!         Learned::new(Loss::new((self.linear.forward(x) - y).square().mean()))
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = Device::flex();
//! let training = device.clone().autodiff();
//! let feed = FnFeed::new(4, move |_epoch, batch| {
//!     let x = Tensor::<2>::from_data([[batch as f32 - 1.0], [batch as f32 / 2.0]], &training);
//!     let y = x.clone() * 2.0 - 1.0;
//!     Ok(Fed { ids: vec![format!("{batch}a"), format!("{batch}b")], batch: (x, y) })
//! });
//! let config = TrainConfig { epochs: 60, lr: 0.1, ..TrainConfig::default() };
//! let run = tempfile::tempdir()?; // a folder of its own for each run
//!
//! let line = Line { linear: LinearConfig::new(1, 1).init(&device) };
//! let outcome = Trainer::new(config, run.path()).run(line, &feed, &mut NoValidation, &mut NoWatch, &device)?;
//!
//! let slope = outcome.learner.linear.weight.val().into_scalar::<f32>();
//! assert!((slope - 2.0).abs() < 0.1, "{slope}");
//! assert_eq!(outcome.steps, 240);
//! assert!(run.path().join("metrics.jsonl").exists());
//! # Ok(()) }
//! ```

mod among;
mod checkpoint;
mod config;
mod ema;
mod error;
mod feed;
mod gradients;
mod groups;
mod learner;
mod lock;
mod log;
mod lora;
mod objective;
mod optimizer;
mod parameters;
mod precision;
mod ranks;
mod recompute;
mod rehearsal;
mod run;
mod schedule;
mod step;
mod sums;
mod tensorboard;
mod tensors;
#[cfg(test)]
mod tests;
mod trainer;
mod validate;
mod watch;
mod weights;

pub use among::{Compared, Others, Side};
pub use checkpoint::files::{move_folder, write_file};
pub use config::{
    EarlyStop, Group, Moment, NonFinite, OptimizerKind, Precision, ScheduleKind, TrainConfig,
    Weights,
};
pub use error::{BoxError, Error};
pub use feed::{Batches, Fed, Feed, FnFeed};
pub use learner::{Learned, Learner, Supervised, Tally};
pub use lock::RunLock;
pub use lora::{
    Adapter, Addition, Additions, LoraConfig, add_lora, import_with_adapter, with_adapter,
};
pub use objective::{
    BinaryCrossEntropy, BinaryFocal, Collapse, CollapseDetector, Consistency, Contrastive,
    CrossEntropy, Distillation, FixMatch, FlexMatch, FlexTarget, Focal, HardNegatives,
    ImageTextMatching, LearningStatus, Loss, MaskTokens, MaskedPatches, MaskedTokens, MeanTeacher,
    Noted, NtXent, Objective, Ordinal, Pairs, PatchMask, PatchTargets, PseudoLabels, Regression,
    SemiLogits, SemiParts, SigmoidContrastive, StopOnCollapse, Targets, Taught, TokenMask,
    class_balanced_weights, patches, ramp_up,
};
pub use parameters::{Parameter, ParameterCount, count_parameters, parameter_table};
pub use ranks::{Alone, Member, Ranks, Together, in_threads, share, threads};
pub use rehearsal::{ParameterPlan, Rehearsal, rehearse};
pub use schedule::Schedule;
pub use trainer::{Best, Ended, Outcome, Trainer};
pub use validate::{Better, NoValidation, Score, Scores, Validate};
pub use watch::{NoWatch, Plan, StepLog, ValidationLog, Warning, Watch};
pub use weights::{export_weights, import_part, import_weights, is_base_of};
