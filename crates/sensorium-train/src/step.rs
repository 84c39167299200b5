//! One optimizer step: batches in, gradients averaged, checked and clipped, weights moved.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::{FloatDType, Tensor};
use sensorium_core::seed;

use crate::checkpoint::{Snapshot, State};
use crate::gradients::{GradientSum, clip_scale};
use crate::run::Run;
use crate::{Batches, Error, Fed, Learned, Learner, NonFinite, StepLog, Warning, Watch};

/// A step about to be taken.
pub(crate) struct Step<'a> {
    pub(crate) run: &'a Run,
    pub(crate) state: &'a mut State,
}

/// What the batches of a step came to.
#[derive(Default)]
struct Sums {
    ids: Vec<String>,
    grads: GradientSum,
    loss: f64,
    terms: BTreeMap<String, f64>,
    correct: f64,
    counted: f64,
    /// Why the step must not be applied.
    fault: Option<String>,
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
        let (run, state) = (self.run, self.state);
        let lr = run.schedule.lr(state.step);
        let learner = snapshot.learner.before_step(state.step);
        let snapshot = Snapshot {
            learner: snapshot.optimizer.before_step(learner, state.step),
            ..snapshot
        };
        let mut sums = gather(run, state, &snapshot.learner, batches)?;
        state.step += 1;

        let mut norm = f64::NAN;
        if sums.fault.is_none() {
            let squared = sums.grads.squared_norm(&snapshot.learner);
            norm = match squared {
                Some(squared) => numbers(state.step, squared)?[0].sqrt(),
                None => return Err(Error::Untracked { step: state.step }),
            };
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
                let scale = clip_scale(norm, run.config.clip_norm);
                let grads = std::mem::take(&mut sums.grads);
                let snapshot = apply(snapshot, lr, grads, scale);
                state.averaged = snapshot.ema.as_ref().map_or(0, |ema| ema.updates);
                snapshot
            }
        };
        let done = sums.log(state, lr, norm, clock, run.seconds());
        let last = state.step == run.total_steps;
        if state.step == 1 || last || state.step.is_multiple_of(run.config.log_every) {
            run.log.step(&done)?;
        }
        Ok((snapshot, done))
    }
}

/// Runs forward and backward over the batches of the step. After a loss that is not finite the rest of them is only
/// taken off the feed.
fn gather<L: Learner>(
    run: &Run,
    state: &mut State,
    learner: &L,
    batches: &mut Batches<'_, L::Batch>,
) -> Result<Sums, Error> {
    let left = state.batches_per_epoch - state.batch;
    let count = run.config.accumulate.min(left);
    let mut sums = Sums::default();
    for micro in 0..count {
        let Fed { ids, batch } = next(state, batches)?;
        state.batch += 1;
        sums.ids.extend(ids);
        if sums.fault.is_some() {
            continue;
        }
        let place = [state.epoch as u64, state.step as u64, micro as u64];
        let seed = seed::derive(run.config.seed, &place);
        let learned = seed::drawn(&run.device, seed, || learner.learn(batch));
        sums.add(learned, count, state.step + 1, learner)?;
    }
    Ok(sums)
}

fn next<B>(state: &State, batches: &mut Batches<'_, B>) -> Result<Fed<B>, Error> {
    let epoch = state.epoch + 1;
    match batches.next() {
        Some(Ok(fed)) => Ok(fed),
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

impl Sums {
    /// Adds a batch: its share of the average loss and gradient.
    fn add<L: Learner>(
        &mut self,
        learned: Learned,
        count: usize,
        step: usize,
        learner: &L,
    ) -> Result<(), Error> {
        let Learned { loss, tally } = learned;
        let read = loss.terms.iter().map(|(_, term)| term.clone());
        let mut read: Vec<Tensor<1>> = std::iter::once(loss.total.clone()).chain(read).collect();
        let has_tally = tally.is_some();
        read.extend(
            tally
                .into_iter()
                .flat_map(|tally| [tally.correct, tally.counted]),
        );
        let read = read
            .into_iter()
            .map(|x| x.inner().cast(FloatDType::F32))
            .collect();
        let read = numbers(step, Tensor::cat(read, 0))?;

        let share = 1.0 / count as f64;
        self.loss += read[0] * share;
        for ((name, _), value) in loss.terms.iter().zip(&read[1..]) {
            *self.terms.entry(name.clone()).or_default() += value * share;
        }
        if has_tally {
            self.correct += read[read.len() - 2];
            self.counted += read[read.len() - 1];
        }
        if !read[0].is_finite() {
            self.fault = Some(format!("the loss is {}", spelled(read[0])));
            return Ok(());
        }
        if !loss.total.is_tracked() {
            return Err(Error::Untracked { step });
        }
        let total = match count {
            1 => loss.total,
            count => loss.total.div_scalar(count as f64),
        };
        self.grads.add(learner, &total.backward());
        Ok(())
    }

    fn log(self, state: &State, lr: f64, grad_norm: f64, clock: Instant, seconds: f64) -> StepLog {
        let samples = self.ids.len();
        StepLog {
            step: state.step,
            epoch: state.epoch + 1,
            loss: self.loss,
            terms: self.terms,
            lr,
            grad_norm,
            accuracy: (self.counted > 0.0).then(|| self.correct / self.counted),
            samples,
            samples_per_s: samples as f64 / clock.elapsed().as_secs_f64().max(1e-9),
            seconds,
            skipped: self.fault,
        }
    }
}

/// Reads numbers back from the device.
fn numbers(step: usize, tensor: Tensor<1>) -> Result<Vec<f64>, Error> {
    let read = tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| Error::Device {
            step,
            reason: error.to_string(),
        })?;
    Ok(read.into_iter().map(f64::from).collect())
}

/// A number that is not finite, as people write it.
fn spelled(number: f64) -> &'static str {
    match number.is_nan() {
        true => "NaN",
        false => "infinite",
    }
}
