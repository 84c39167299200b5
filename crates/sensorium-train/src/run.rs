//! The loop: epochs of steps, with validations and checkpoints between them.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::Device;

use crate::checkpoint::{Snapshot, State, Store};
use crate::log::Log;
use crate::parameters::trained_hash;
use crate::step::Step;
use crate::{
    Batches, Best, Ended, Error, Feed, Learner, Outcome, Schedule, Score, Scores, Together,
    TrainConfig, Validate, ValidationLog, Warning, Watch, Weights,
};

/// Where a run starts in this process.
pub(crate) struct Start<L> {
    pub(crate) snapshot: Snapshot<L>,
    pub(crate) state: State,
    /// The best weights so far.
    pub(crate) best: Option<L>,
    pub(crate) resumed_from: Option<PathBuf>,
    /// What came up on the way here.
    pub(crate) warnings: Vec<Warning>,
}

/// What stays the same during a run.
pub(crate) struct Run {
    pub(crate) config: TrainConfig,
    pub(crate) schedule: Schedule,
    pub(crate) device: Device,
    pub(crate) total_steps: usize,
    pub(crate) store: Store,
    pub(crate) log: Log,
    /// Who else learns from the same batches.
    pub(crate) ranks: Together,
    pub(crate) clock: Instant,
    pub(crate) seconds_before: f64,
}

impl Run {
    /// Trains until the run ends or `watch` wants to stop.
    pub(crate) fn finish<L, F, V, W>(
        self,
        mut start: Start<L>,
        feed: &F,
        validator: &mut V,
        watch: &mut W,
    ) -> Result<Outcome<L>, Error>
    where
        L: Learner,
        F: Feed<Batch = L::Batch>,
        V: Validate<L>,
        W: Watch + ?Sized,
    {
        let mut asked = false;
        while start.state.ended.is_none() && !asked {
            let (epoch, batch) = (start.state.epoch, start.state.batch);
            let mut batches = feed.batches(epoch, batch).map_err(|source| Error::Feed {
                epoch: epoch + 1,
                batch: batch + 1,
                source,
            })?;
            while start.state.ended.is_none() && start.state.epoch == epoch && !asked {
                let wish;
                (start, wish) = self.advance(start, feed, &mut batches, validator, watch)?;
                asked = wish.is_break();
            }
        }
        let ended = start.state.ended.unwrap_or(Ended::Asked);
        watch.on_end(ended);
        let best = start.best.filter(|_| self.config.weights == Weights::Best);
        Ok(Outcome {
            learner: best.unwrap_or_else(|| start.snapshot.view()),
            ended,
            steps: start.state.step,
            epochs: epochs_begun(&start.state),
            seconds: start.state.seconds,
            best: start.state.best,
            scores: start.state.scores,
            resumed_from: start.resumed_from,
        })
    }

    /// One step, and the validation and checkpoint that are due after it.
    fn advance<L, F, V, W>(
        &self,
        mut start: Start<L>,
        feed: &F,
        batches: &mut Batches<'_, L::Batch>,
        validator: &mut V,
        watch: &mut W,
    ) -> Result<(Start<L>, ControlFlow<()>), Error>
    where
        L: Learner,
        F: Feed<Batch = L::Batch>,
        V: Validate<L>,
        W: Watch + ?Sized,
    {
        let step = Step {
            run: self,
            state: &mut start.state,
            data_set: &|id| feed.data_set(id).map(str::to_owned),
        };
        let (snapshot, done) = step.take(start.snapshot, batches, watch)?;
        start.snapshot = snapshot;
        let state = &mut start.state;
        let epoch_ends = state.batch == state.batches_per_epoch;
        if epoch_ends {
            (state.epoch, state.batch) = (state.epoch + 1, 0);
        }
        if state.step == self.total_steps {
            state.ended = Some(Ended::Finished);
        }
        let mut wish = watch.on_step(&done);
        if self.ranks.any(wish.is_break())? {
            wish = ControlFlow::Break(());
        }
        if let Some(warning) = watch.found() {
            watch.on_warning(&warning);
            self.log.warning(done.step, &warning)?;
        }

        let due = |every: usize, step: usize| every > 0 && step.is_multiple_of(every);
        let boundary = epoch_ends || start.state.ended.is_some();
        let mut improved = false;
        if boundary || due(self.config.validate_every, start.state.step) {
            improved = self.validate(&mut start, validator, watch)?;
        }
        let save = boundary || improved || start.state.ended.is_some() || wish.is_break();
        if save || due(self.config.checkpoint_every, start.state.step) {
            self.checkpoint(&mut start, watch)?;
        }
        Ok((start, wish))
    }

    /// Measures the weights; whether they are the best so far. Decides on stopping early.
    fn validate<L, V, W>(
        &self,
        start: &mut Start<L>,
        validator: &mut V,
        watch: &mut W,
    ) -> Result<bool, Error>
    where
        L: Learner,
        V: Validate<L>,
        W: Watch + ?Sized,
    {
        let clock = Instant::now();
        let view = start.snapshot.view();
        let (step, epoch) = (start.state.step, epochs_begun(&start.state));
        let scores = validator
            .validate(&view, epoch)
            .map_err(|source| Error::Validate { step, source })?;
        // What is decided by them must be decided alike.
        let scores = self.ranks.spread(scores)?;
        if scores.0.is_empty() {
            return Ok(false);
        }
        let is_best = self.judge(&mut start.state, epoch, &scores)?;
        if is_best {
            start.best = Some(view);
        }
        let state = &mut start.state;
        state.scores = Some(scores.clone());
        let validation = ValidationLog {
            step,
            epoch,
            scores,
            is_best,
            best: state.best.clone(),
            seconds: clock.elapsed().as_secs_f64(),
        };
        self.log.validation(&validation)?;
        watch.on_validation(&validation);
        Ok(is_best)
    }

    /// Whether these scores are the best so far; if they have not been for long enough, the run ends.
    fn judge(&self, state: &mut State, epoch: usize, scores: &Scores) -> Result<bool, Error> {
        let judged = self.judged(scores)?;
        let stop = self.config.early_stop.as_ref();
        let min_delta = stop.map_or(0.0, |stop| stop.min_delta);
        let is_best = match &state.best {
            None => !judged.value.is_nan(),
            Some(best) => judged.better.improves(judged.value, best.value, min_delta),
        };
        if is_best {
            state.stale = 0;
            state.best = Some(Best {
                step: state.step,
                epoch,
                metric: judged.name.clone(),
                value: judged.value,
                better: judged.better,
            });
        } else {
            state.stale += 1;
            if stop.is_some_and(|stop| state.stale >= stop.patience) {
                state.ended.get_or_insert(Ended::EarlyStop);
            }
        }
        Ok(is_best)
    }

    /// The score that says which weights are best.
    fn judged<'a>(&self, scores: &'a Scores) -> Result<&'a Score, Error> {
        let Some(metric) = &self.config.metric else {
            return Ok(&scores.0[0]);
        };
        scores.get(metric).ok_or_else(|| Error::UnknownMetric {
            metric: metric.clone(),
            measured: scores.0.iter().map(|score| score.name.clone()).collect(),
        })
    }

    fn checkpoint<L: Learner, W: Watch + ?Sized>(
        &self,
        start: &mut Start<L>,
        watch: &mut W,
    ) -> Result<(), Error> {
        start.state.seconds = self.seconds();
        if !self.ranks.is_alone() {
            self.ranks
                .agree("weights", &trained_hash(&start.snapshot.learner))?;
        }
        if !self.ranks.writes() {
            return Ok(());
        }
        let parts = start.snapshot.save(&start.state)?;
        self.log.sync()?;
        let best = start.state.best.as_ref().map(|best| best.step);
        let path = self.store.save(start.state.step, &parts, best)?;
        watch.on_checkpoint(start.state.step, &path);
        Ok(())
    }

    /// Seconds of training so far, over all processes.
    pub(crate) fn seconds(&self) -> f64 {
        self.seconds_before + self.clock.elapsed().as_secs_f64()
    }
}

/// Epochs done, an unfinished one counted.
fn epochs_begun(state: &State) -> usize {
    state.epoch + usize::from(state.batch > 0)
}
