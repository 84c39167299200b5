//! A batch in parts: several batches a step, or several ranks that each have a share of it. Both come to the whole batch.

use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use sensorium_testkit::{floats, random};

use super::{Batch, Net, Notes, config, lines, rows};
use crate::*;

const BATCH: usize = 8;
const BATCHES: usize = 5;

/// Batches of eight rows, the last of an epoch of three, of which this is a rank's share.
fn shares(ranks: &Together, device: &Device) -> impl Feed<Batch = Batch> + use<> {
    let (ranks, device) = (ranks.clone(), device.clone());
    FnFeed::new(BATCHES, move |epoch, batch| {
        let count = if batch + 1 == BATCHES { 3 } else { BATCH };
        let share = ranks.share(count);
        let from = (batch * BATCH + epoch) % 50;
        if share.is_empty() {
            let mut fed = rows(from, 1, &device);
            fed.ids.clear();
            return Ok(fed);
        }
        Ok(rows(from + share.start, share.len(), &device))
    })
}

fn train(ranks: Together, folder: &Path, config: TrainConfig, watch: &mut Notes) -> Outcome<Net> {
    let device = Device::flex();
    let feed = shares(&ranks, &device);
    let mut judge = |net: &Net, _: usize| {
        let loss = net.numbers().iter().map(|x| f64::from(x.abs())).sum();
        Ok(Scores::default().lower("size", loss))
    };
    Trainer::new(config, folder)
        .resume(folder.join("metrics.jsonl").exists())
        .with_ranks(ranks)
        .run(Net::new(&device), &feed, &mut judge, watch, &device)
        .unwrap()
}

fn losses(run: &Path) -> Vec<f64> {
    let steps = lines(run, "step").into_iter();
    steps.map(|step| step["loss"].as_f64().unwrap()).collect()
}

fn assert_alike(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

#[test]
fn ranks_take_the_steps_of_one_process_alone() {
    let alone = tempfile::tempdir().unwrap();
    let expected = train(
        Together::default(),
        alone.path(),
        config(),
        &mut Notes::default(),
    );
    for size in [2, 3, 4] {
        let folder = tempfile::tempdir().unwrap();
        let ends = in_threads(size, |ranks| {
            let mut notes = Notes::default();
            let writes = ranks.writes();
            let outcome = train(ranks, folder.path(), config(), &mut notes);
            assert_eq!(notes.checkpoints.is_empty(), !writes);
            assert!(
                notes
                    .steps
                    .iter()
                    .all(|step| step.samples == 8 || step.samples == 3)
            );
            outcome.learner.numbers()
        });
        assert!(
            ends.iter().all(|end| *end == ends[0]),
            "all hold the same weights"
        );
        assert_alike(&losses(folder.path()), &losses(alone.path()));
        for (found, expected) in ends[0].iter().zip(expected.learner.numbers()) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}

#[test]
fn a_run_goes_on_with_another_number_of_ranks() {
    let whole = tempfile::tempdir().unwrap();
    train(
        Together::default(),
        whole.path(),
        config(),
        &mut Notes::default(),
    );
    let folder = tempfile::tempdir().unwrap();
    for (size, stop_after) in [(2, Some(3)), (1, Some(6)), (3, None)] {
        in_threads(size, |ranks| {
            // It is enough that one of them wishes it.
            let wishes = ranks.rank() + 1 == ranks.size();
            let mut notes = Notes {
                stop_after: stop_after.filter(|_| wishes),
                ..Notes::default()
            };
            let outcome = train(ranks, folder.path(), config(), &mut notes);
            assert_eq!(outcome.steps, stop_after.unwrap_or(10));
        });
    }
    assert_alike(&losses(folder.path()), &losses(whole.path()));
}

#[test]
fn a_fault_of_one_rank_is_a_fault_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let errors = in_threads(2, |ranks| {
        let device = Device::flex();
        let on = ranks.clone();
        let feed = FnFeed::new(4, move |_, batch| {
            let mut fed = rows(batch * 4 + on.rank(), 1, &Device::flex());
            if on.rank() == 1 && batch == 2 {
                fed.batch.1 = fed.batch.1.mul_scalar(f64::NAN);
            }
            Ok(fed)
        });
        let config = TrainConfig {
            non_finite: NonFinite::Stop,
            ..config()
        };
        let trainer = Trainer::new(config, folder.path()).with_ranks(ranks);
        let net = Net::new(&device);
        let ended = trainer.run(net, &feed, &mut NoValidation, &mut NoWatch, &device);
        ended.unwrap_err().to_string()
    });
    assert_eq!(errors[0], errors[1]);
    assert!(
        errors[0].contains("step 3: the loss is NaN, 1 in a row; samples row-9;"),
        "{}",
        errors[0]
    );
}

#[test]
fn a_lost_rank_ends_the_run_and_its_checkpoint_stays() {
    let folder = tempfile::tempdir().unwrap();
    let ends = in_threads(3, |ranks| {
        let device = Device::flex();
        let lost = ranks.rank() == 2;
        let feed = shares(&ranks, &device);
        let feed = FnFeed::new(BATCHES, move |epoch, batch| {
            if lost && (epoch, batch) == (1, 2) {
                return Err("the power is gone".into());
            }
            feed.batches(epoch, batch)?.next().unwrap()
        });
        let trainer = Trainer::new(config(), folder.path()).with_ranks(ranks);
        let net = Net::new(&device);
        let ended = trainer.run(net, &feed, &mut NoValidation, &mut NoWatch, &device);
        ended.unwrap_err().to_string()
    });
    assert!(ends[2].contains("the power is gone"), "{}", ends[2]);
    let expected = "a rank is lost; the run can be resumed from its last checkpoint";
    assert_eq!(ends[..2], [expected, expected]);
    // What it reached is gone on with, by one alone.
    let outcome = train(
        Together::default(),
        folder.path(),
        config(),
        &mut Notes::default(),
    );
    let from = outcome.resumed_from.unwrap();
    assert!(
        from.ends_with("checkpoints/step-00000005"),
        "{}",
        from.display()
    );
}

#[test]
fn ranks_that_would_train_something_else_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let errors = in_threads(2, |ranks| {
        let device = Device::flex();
        let config = TrainConfig {
            lr: 0.05 + ranks.rank() as f64,
            ..config()
        };
        let feed = shares(&ranks, &device);
        let trainer = Trainer::new(config, folder.path()).with_ranks(ranks);
        let net = Net::new(&device);
        let ended = trainer.run(net, &feed, &mut NoValidation, &mut NoWatch, &device);
        ended.unwrap_err().to_string()
    });
    let expected = "rank 1 has other settings than rank 0: all must have the same";
    assert_eq!(errors, [expected, expected]);
}

/// Brings two views of a sample together: the loss of a sample depends on all others of the batch.
#[derive(Module, Debug)]
struct Views {
    first: Param<Tensor<2>>,
    second: Param<Tensor<2>>,
    contrastive: Contrastive,
}

impl Views {
    fn new(device: &Device) -> Self {
        Self {
            first: Param::from_tensor(random([3, 4], 5, device)),
            second: Param::from_tensor(random([2, 4], 6, device)),
            contrastive: Contrastive::new(device),
        }
    }

    fn sides(&self, (x, y): Batch) -> Compared {
        let [count, _] = x.dims();
        let sides = [
            ("x", x.matmul(self.first.val())),
            ("y", y.matmul(self.second.val())),
        ];
        Compared::new(
            count,
            sides.map(|(name, side)| (name.to_owned(), Side::all(side))),
        )
    }

    fn loss(&self, mut sides: std::collections::BTreeMap<String, Side>) -> Loss {
        let [x, y] = ["x", "y"].map(|name| sides.remove(name).unwrap());
        let both = x.present.bool_and(y.present);
        self.contrastive
            .loss(Pairs::new(x.vectors, y.vectors), Some(both))
    }
}

impl Learner for Views {
    type Batch = Batch;

    fn learn(&self, batch: Batch) -> Learned {
        Learned::new(self.loss(self.sides(batch).sides))
    }

    fn compared(&self, batch: Batch) -> Option<Compared> {
        Some(self.sides(batch))
    }

    fn learn_among(&self, batch: Batch, others: &Others) -> Learned {
        Learned::new(self.loss(others.around(self.sides(batch))))
    }
}

/// What three steps of learning from pairs come to.
fn compare(ranks: Together, accumulate: usize, folder: &Path) -> Vec<f32> {
    let device = Device::flex();
    let batch = 12 / accumulate;
    let on = ranks.clone();
    let feed = FnFeed::new(3 * accumulate, move |_, n| {
        let share = on.share(batch);
        Ok(rows(n * batch + share.start, share.len(), &Device::flex()))
    });
    let config = TrainConfig {
        epochs: 1,
        accumulate,
        ..config()
    };
    let outcome = Trainer::new(config, folder)
        .with_ranks(ranks)
        .run(
            Views::new(&device),
            &feed,
            &mut NoValidation,
            &mut NoWatch,
            &device,
        )
        .unwrap();
    let views = outcome.learner;
    let scale = floats(&views.contrastive.logit_scale.val());
    [
        floats(&views.first.val()),
        floats(&views.second.val()),
        scale,
    ]
    .concat()
}

#[test]
fn what_is_compared_within_a_batch_is_compared_over_all_its_parts() {
    let alone = tempfile::tempdir().unwrap();
    let expected = compare(Together::default(), 1, alone.path());
    for (size, accumulate) in [(1, 3), (1, 12), (2, 1), (3, 2), (4, 3)] {
        let folder = tempfile::tempdir().unwrap();
        let found = in_threads(size, |ranks| compare(ranks, accumulate, folder.path()));
        assert_alike(&losses(folder.path()), &losses(alone.path()));
        for (found, expected) in found[0].iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 2e-5,
                "{size} {accumulate}: {found} {expected}"
            );
        }
    }
}

/// Learns classes from rows of which some have none.
#[derive(Module, Debug)]
struct Classes {
    net: Net,
}

impl Learner for Classes {
    type Batch = (Tensor<2>, Tensor<1, Int>);

    fn learn(&self, (x, classes): Self::Batch) -> Learned {
        let logits = x.matmul(self.net.weight.val()) + self.net.bias.val().unsqueeze();
        Learned::new(CrossEntropy::new().loss(logits, classes))
    }
}

#[test]
fn a_step_of_several_batches_is_one_of_all_their_labels() {
    let device = Device::flex();
    let classes: [i64; 12] = [0, -1, -1, 1, 1, 0, -1, 1, -1, -1, -1, -1];
    let weights = |accumulate: usize| {
        let batch = 12 / accumulate;
        let feed = FnFeed::new(accumulate, |_, n| {
            let fed = rows(n * batch, batch, &device);
            let on = device.clone().autodiff();
            let classes = Tensor::<1, Int>::from_data(&classes[n * batch..(n + 1) * batch], &on);
            Ok(Fed {
                ids: fed.ids,
                batch: (fed.batch.0, classes),
            })
        });
        let config = TrainConfig {
            epochs: 1,
            accumulate,
            ..config()
        };
        let folder = tempfile::tempdir().unwrap();
        let learner = Classes {
            net: Net::new(&device),
        };
        let outcome = Trainer::new(config, folder.path())
            .run(learner, &feed, &mut NoValidation, &mut NoWatch, &device)
            .unwrap();
        (outcome.learner.net.numbers(), losses(folder.path()))
    };
    let (expected, loss) = weights(1);
    for accumulate in [2, 3, 4, 6] {
        let (found, losses) = weights(accumulate);
        assert_alike(&losses, &loss);
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 1e-5,
                "{accumulate}: {found} {expected}"
            );
        }
    }
}
