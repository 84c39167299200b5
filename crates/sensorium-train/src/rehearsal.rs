//! A run tried out: two steps of it in memory, to know what all of it would take.

use std::time::Instant;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, Device, Int, Tensor};
use serde::Serialize;

use crate::gradients::clip_scale;
use crate::groups::{Groups, shown};
use crate::optimizer::Optimizer;
use crate::parameters::Path;
use crate::recompute::recomputing;
use crate::step::global_norm;
use crate::sums::{At, gather};
use crate::trainer::{place, start_of};
use crate::{Error, Fed, Feed, Learner, Precision, Schedule, Together, TrainConfig};

/// What a run would do and take, found out without it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rehearsal {
    /// Every parameter, in the order of the learner's fields.
    pub parameters: Vec<ParameterPlan>,
    /// Optimizer steps of the whole run.
    pub total_steps: usize,
    /// Optimizer steps of an epoch.
    pub steps_per_epoch: usize,
    /// Samples of the step that was tried.
    pub samples: usize,
    /// Its loss.
    pub loss: f64,
    /// Seconds of a step, once all is warm: neither waiting for data nor validating is in it.
    pub step_seconds: f64,
    /// How wide the numbers are that its steps compute with.
    pub precision: Precision,
    /// What copies of the parameters take that are as wide, in bytes.
    pub copies_bytes: usize,
    /// What an average of the weights takes, if there is one, in bytes.
    pub average_bytes: usize,
}

/// How a parameter would be trained, and what for memory it takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParameterPlan {
    /// Its path, as patterns of groups know it.
    pub path: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The group that it belongs to, by its place in `train.groups`.
    pub group: Option<usize>,
    /// How many steps come before it trains; nothing, if it never does.
    pub trains_from: Option<usize>,
    /// What the run's learning rate is multiplied with.
    pub lr_scale: f64,
    /// Its weight decay.
    pub weight_decay: f64,
    /// Its own bytes.
    pub bytes: usize,
    /// Bytes of its gradient.
    pub gradient_bytes: usize,
    /// Bytes that the optimizer remembers of it.
    pub optimizer_bytes: usize,
}

impl ParameterPlan {
    /// How many numbers it holds.
    pub fn numbers(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Rehearsal {
    /// Seconds of all steps.
    pub fn seconds(&self) -> f64 {
        self.step_seconds * self.total_steps as f64
    }

    /// Sums something over the parameters.
    pub fn sum(&self, of: impl Fn(&ParameterPlan) -> usize) -> usize {
        self.parameters.iter().map(of).sum()
    }
}

/// Tries a run out: its first step, twice, of which the second tells how long one takes. Nothing is written.
///
/// # Errors
/// As a run that could not begin.
pub fn rehearse<L: Learner, F: Feed<Batch = L::Batch>>(
    config: &TrainConfig,
    learner: L,
    feed: &F,
    device: &Device,
) -> Result<Rehearsal, Error> {
    config.validate()?;
    let batches_per_epoch = feed.batches_per_epoch();
    if batches_per_epoch == 0 {
        return Err(Error::NoData);
    }
    let learner = place(config, learner, device);
    let (mut snapshot, groups) = start_of(config, learner, batches_per_epoch)?;
    snapshot.learner = recomputing(snapshot.learner, config.recompute);
    config.precision.check_module(&snapshot.learner, device)?;
    let count = config.accumulate.min(batches_per_epoch);
    let batches = read(feed, count)?;
    let total_steps = config.total_steps(batches_per_epoch);
    let lr = Schedule::new(config, total_steps).lr(0);
    let (mut loss, mut step_seconds) = (None, 0.0);
    let parameters = plans(&snapshot.optimizer, &snapshot.learner, &groups);
    let at = At {
        seed: config.seed,
        epoch: 0,
        step: 0,
        device,
        precision: config.precision,
        data_set: &|_| None,
        ranks: &Together::default(),
    };
    for _ in 0..2 {
        let clock = Instant::now();
        let learner = snapshot.learner.before_step(0);
        let mut next = batches.iter().cloned();
        let copy = config.precision.copied(&learner);
        let working = copy.as_deref().unwrap_or(&learner);
        let mut sums = gather(&at, working, count, || {
            Ok(next.next().expect("as many batches were read"))
        })?;
        drop(copy);
        loss.get_or_insert(sums.loss());
        learner.remember(&sums.noted());
        let norm = global_norm(&sums, &learner, 1)?;
        let scale = clip_scale(norm, config.clip_norm) / sums.over();
        let grads = std::mem::take(&mut sums.grads);
        snapshot.learner = snapshot.optimizer.step(lr, learner, grads, scale);
        snapshot.ema = snapshot.ema.map(|ema| ema.update(&snapshot.learner));
        step_seconds = clock.elapsed().as_secs_f64();
    }
    let average_bytes = match snapshot.ema {
        Some(_) => parameters.iter().map(|plan| plan.bytes).sum(),
        None => 0,
    };
    let numbers = parameters.iter().map(ParameterPlan::numbers).sum();
    Ok(Rehearsal {
        parameters,
        precision: config.precision,
        copies_bytes: config.precision.copied_bytes(numbers),
        total_steps,
        steps_per_epoch: config.steps_per_epoch(batches_per_epoch),
        samples: batches.iter().map(|fed| fed.ids.len()).sum(),
        loss: loss.unwrap_or(f64::NAN),
        step_seconds,
        average_bytes,
    })
}

/// The batches of the first step.
fn read<F: Feed>(feed: &F, count: usize) -> Result<Vec<Fed<F::Batch>>, Error> {
    let failed = |batch: usize| {
        move |source| Error::Feed {
            epoch: 1,
            batch: batch + 1,
            source,
        }
    };
    let batches = feed.batches(0, 0).map_err(failed(0))?;
    let read: Result<Vec<Fed<F::Batch>>, Error> = batches
        .take(count)
        .enumerate()
        .map(|(at, fed)| fed.map_err(failed(at)))
        .collect();
    match read? {
        read if read.len() < count => Err(Error::FeedEnded {
            epoch: 1,
            found: read.len(),
            expected: feed.batches_per_epoch(),
        }),
        read => Ok(read),
    }
}

fn plans<M: Module>(optimizer: &Optimizer, module: &M, groups: &Groups) -> Vec<ParameterPlan> {
    let mut plans = Plans {
        path: Path::default(),
        place: 0,
        optimizer,
        groups,
        plans: Vec::new(),
    };
    module.visit(&mut plans);
    plans.plans
}

struct Plans<'a> {
    path: Path,
    place: usize,
    optimizer: &'a Optimizer,
    groups: &'a Groups,
    plans: Vec<ParameterPlan>,
}

impl Plans<'_> {
    /// What holds no floating numbers trains never.
    fn still(&self, shape: &[usize], width: usize) -> ParameterPlan {
        ParameterPlan {
            path: shown(&self.path.dotted()).to_owned(),
            shape: shape.to_vec(),
            group: None,
            trains_from: None,
            lr_scale: 1.0,
            weight_decay: 0.0,
            bytes: shape.iter().product::<usize>() * width,
            gradient_bytes: 0,
            optimizer_bytes: 0,
        }
    }
}

impl ModuleVisitor for Plans<'_> {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.path.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.base();
        let (shape, width) = (value.dims(), value.dtype().size());
        let setting = self.groups.of(self.place);
        // At a learning rate of 1.
        let pace = self.optimizer.pace_of(self.place, &self.path, &shape, 1.0);
        self.place += 1;
        let still = self.still(&shape, width);
        let plan = match setting.trains_from() {
            None => ParameterPlan {
                group: setting.group,
                ..still
            },
            Some(from) => ParameterPlan {
                group: setting.group,
                trains_from: Some(from),
                lr_scale: pace.lr,
                weight_decay: pace.weight_decay,
                gradient_bytes: still.bytes,
                optimizer_bytes: self.optimizer.remembered(&self.path, &shape) * width,
                ..still
            },
        };
        self.plans.push(plan);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        let value = param.base();
        let plan = self.still(&value.dims(), value.dtype().size());
        self.plans.push(plan);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        let value = param.base();
        let plan = self.still(&value.dims(), value.dtype().size());
        self.plans.push(plan);
    }
}
