//! One optimizer step: batches in, gradients averaged, checked and clipped, weights moved.

use std::time::Instant;

use burn::tensor::Tensor;

use crate::checkpoint::{Snapshot, State};
use crate::gradients::{GradientSum, clip_scale};
use crate::run::Run;
use crate::sums::{At, Sums, gather, numbers, spelled};
use crate::{Batches, Error, Fed, Learner, NonFinite, StepLog, Warning, Watch};

/// A step about to be taken.
pub(crate) struct Step<'a> {
    pub(crate) run: &'a Run,
    pub(crate) state: &'a mut State,
    /// Which data set a sample is of.
    pub(crate) data_set: &'a dyn Fn(&str) -> Option<String>,
}

impl Step<'_> {
    /// Takes the step. Position and counters in the state are moved on.
    pub(crate) fn take<L: Learner, W: Watch + ?Sized>(
        self,
        snapshot: Snapshot<L>,
        batches: &mut Batches<'_, L::Batch>,
        watch: &mut W,
    ) -> Result<(Snapshot<L>, StepLog), Error> {
        let clock = Instant::now();
        let (run, state, data_set) = (self.run, self.state, self.data_set);
        let lr = run.schedule.lr(state.step);
        let learner = snapshot.learner.before_step(state.step);
        let snapshot = Snapshot {
            learner: snapshot.optimizer.before_step(learner, state.step),
            ..snapshot
        };
        let at = At {
            seed: run.config.seed,
            epoch: state.epoch,
            step: state.step,
            device: &run.device,
            precision: run.config.precision,
            data_set,
            ranks: &run.ranks,
        };
        let left = state.batches_per_epoch - state.batch;
        let count = run.config.accumulate.min(left);
        let copy = run.config.precision.copied(&snapshot.learner);
        let working = copy.as_deref().unwrap_or(&snapshot.learner);
        let mut sums = gather(&at, working, count, || next(state, batches))?;
        drop(copy);
        sums.join(&run.ranks, &snapshot.learner)?;
        state.step += 1;

        let mut norm = f64::NAN;
        if sums.fault.is_none() {
            norm = global_norm(&sums, &snapshot.learner, state.step)?;
            if !norm.is_finite() {
                sums.fault = Some(format!("the gradient norm is {}", spelled(norm)));
            }
        }
        let snapshot = match &sums.fault {
            Some(reason) => {
                refuse(run, state, reason, &sums.ids, watch)?;
                snapshot
            }
            None => {
                state.not_finite = 0;
                state.applied += 1;
                if state.applied == 1 {
                    name_untrained(run, state, &sums.grads, &snapshot, watch)?;
                }
                snapshot.learner.remember(&sums.noted());
                let scale = clip_scale(norm, run.config.clip_norm) / sums.over();
                let grads = std::mem::take(&mut sums.grads);
                let snapshot = apply(snapshot, lr, grads, scale);
                state.averaged = snapshot.ema.as_ref().map_or(0, |ema| ema.updates);
                snapshot
            }
        };
        let done = log(sums, state, lr, norm, clock, run.seconds());
        let last = state.step == run.total_steps;
        if state.step == 1 || last || state.step.is_multiple_of(run.config.log_every) {
            run.log.step(&done)?;
        }
        Ok((snapshot, done))
    }
}

/// The next batch of the feed. The position in the state is moved on.
fn next<B>(state: &mut State, batches: &mut Batches<'_, B>) -> Result<Fed<B>, Error> {
    let epoch = state.epoch + 1;
    match batches.next() {
        Some(Ok(fed)) => {
            state.batch += 1;
            Ok(fed)
        }
        Some(Err(source)) => Err(Error::Feed {
            epoch,
            batch: state.batch + 1,
            source,
        }),
        None => Err(Error::FeedEnded {
            epoch,
            found: state.batch,
            expected: state.batches_per_epoch,
        }),
    }
}

/// The global norm of the step's gradient, before clipping.
pub(crate) fn global_norm<L: Learner>(sums: &Sums, learner: &L, step: usize) -> Result<f64, Error> {
    let squared: Option<Tensor<1>> = sums.grads.squared_norm(learner);
    let squared = squared.ok_or(Error::Untracked { step })?;
    Ok(numbers(step, squared)?[0].sqrt() / sums.over())
}

fn apply<L: Learner>(
    snapshot: Snapshot<L>,
    lr: f64,
    grads: GradientSum,
    scale: f64,
) -> Snapshot<L> {
    let Snapshot {
        learner,
        mut optimizer,
        ema,
    } = snapshot;
    let learner = optimizer.step(lr, learner, grads, scale);
    let ema = ema.map(|ema| ema.update(&learner));
    Snapshot {
        learner,
        optimizer,
        ema,
    }
}

fn name_untrained<L: Learner, W: Watch + ?Sized>(
    run: &Run,
    state: &State,
    grads: &GradientSum,
    snapshot: &Snapshot<L>,
    watch: &mut W,
) -> Result<(), Error> {
    for (parameter, reason) in grads.untrained(&snapshot.learner) {
        let warning = Warning::Untrained { parameter, reason };
        watch.on_warning(&warning);
        run.log.warning(state.step, &warning)?;
    }
    Ok(())
}

/// Warns of a step that is not applied, or ends the run.
fn refuse<W: Watch + ?Sized>(
    run: &Run,
    state: &mut State,
    reason: &str,
    ids: &[String],
    watch: &mut W,
) -> Result<(), Error> {
    state.not_finite += 1;
    let warning = Warning::Skipped {
        step: state.step,
        reason: reason.to_owned(),
        ids: ids.to_vec(),
    };
    watch.on_warning(&warning);
    run.log.warning(state.step, &warning)?;
    let limit = match run.config.non_finite {
        NonFinite::Stop => 1,
        NonFinite::Skip => run.config.non_finite_limit,
    };
    if state.not_finite < limit {
        return Ok(());
    }
    Err(Error::NonFinite {
        step: state.step,
        reason: reason.to_owned(),
        in_a_row: state.not_finite,
        ids: ids.to_vec(),
    })
}

fn log(
    sums: Sums,
    state: &State,
    lr: f64,
    grad_norm: f64,
    clock: Instant,
    seconds: f64,
) -> StepLog {
    let took = clock.elapsed().as_secs_f64();
    StepLog {
        step: state.step,
        epoch: state.epoch + 1,
        loss: sums.loss(),
        terms: sums.terms(),
        lr,
        grad_norm,
        accuracy: sums.accuracy(),
        samples: sums.samples,
        drawn: sums.drawn(),
        samples_per_s: sums.samples as f64 / took.max(1e-9),
        step_s: took,
        data_s: sums.data_s,
        ranks_s: sums.ranks_s,
        ranks_bytes: sums.ranks_bytes,
        seconds,
        skipped: sums.fault,
    }
}
