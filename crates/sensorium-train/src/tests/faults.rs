//! What a run does about bad numbers, bad data and wrong uses.

use super::*;
use sensorium_testkit::devices;

/// Batches of which those at `bad` (over all epochs) have a NaN target.
fn poisoned(batches: usize, bad: &[usize], device: &Device) -> impl Feed<Batch = Batch> + use<> {
    let (bad, device) = (bad.to_vec(), device.clone());
    FnFeed::new(batches, move |epoch, batch| {
        let mut fed = rows(batch * 4, 4, &device);
        if bad.contains(&(epoch * batches + batch)) {
            fed.batch.1 = fed.batch.1 * f32::NAN;
        }
        Ok(fed)
    })
}

#[test]
fn a_step_that_is_not_finite_is_not_applied_and_names_its_samples() {
    for device in devices() {
        let folder = tempfile::tempdir().unwrap();
        let mut notes = Notes::default();
        // Steps of two batches: the second and the third step have a bad one each, in second and in first place.
        let config = TrainConfig { accumulate: 2, epochs: 1, ema_decay: Some(0.9), ..config() };
        let feed = poisoned(8, &[3, 4], &device);
        let outcome = Trainer::new(config.clone(), folder.path())
            .run(Net::new(&device), &feed, &mut NoValidation, &mut notes, &device)
            .unwrap();
        assert!(outcome.learner.numbers().iter().all(|x| x.is_finite()));
        let skipped: Vec<_> = notes.steps.iter().map(|step| step.skipped.is_some()).collect();
        assert_eq!(skipped, [false, true, true, false]);
        let Warning::Skipped { step, reason, ids } = &notes.warnings[0] else {
            panic!("{:?}", notes.warnings);
        };
        assert_eq!((*step, reason.as_str()), (2, "the loss is NaN"));
        assert_eq!(ids[0], "row-8");
        assert_eq!(ids.len(), 8);
        assert_eq!(lines(folder.path(), "warning").len(), 2);
        assert!(lines(folder.path(), "step")[1]["loss"].is_null());

        // The same as if the steps had never been: the second of a run that sees only good batches differs in the
        // learning rate alone, so hold that still.
        let still = TrainConfig { schedule: ScheduleKind::Constant, warmup_steps: Some(0), ..config };
        let train = |feed: &dyn Fn(usize) -> Fed<Batch>, batches: usize| {
            let folder = tempfile::tempdir().unwrap();
            let feed = FnFeed::new(batches, |_, batch| Ok(feed(batch)));
            let trainer = Trainer::new(still.clone(), folder.path());
            trainer.run(Net::new(&device), &feed, &mut NoValidation, &mut NoWatch, &device).unwrap().learner.numbers()
        };
        let bad = |batch: usize| {
            let mut fed = rows(batch * 4, 4, &device);
            if batch == 3 || batch == 4 {
                fed.batch.1 = fed.batch.1 * f32::NAN;
            }
            fed
        };
        let good = |batch: usize| rows([0, 1, 6, 7][batch] * 4, 4, &device);
        assert_eq!(train(&bad, 8), train(&good, 4));
    }
}

#[test]
fn too_many_in_a_row_or_the_policy_to_stop_end_the_run() {
    for device in devices() {
        let train = |bad: &[usize], non_finite: NonFinite| {
            let folder = tempfile::tempdir().unwrap();
            let config = TrainConfig { non_finite, non_finite_limit: 3, ..config() };
            let feed = poisoned(6, bad, &device);
            Trainer::new(config, folder.path()).run(Net::new(&device), &feed, &mut NoValidation, &mut NoWatch, &device)
        };
        assert!(train(&[1, 2, 4, 5, 7, 8], NonFinite::Skip).is_ok());
        let message = train(&[1, 2, 4, 5, 6], NonFinite::Skip).unwrap_err().to_string();
        assert!(message.starts_with("step 7: the loss is NaN, 3 in a row; samples row-0, row-1"), "{message}");
        let stopped = train(&[4], NonFinite::Stop).unwrap_err();
        assert!(matches!(stopped, Error::NonFinite { step: 5, in_a_row: 1, .. }), "{stopped}");
    }
}

/// Its loss is finite, its gradient is not: the root has an infinite slope at 0.
#[derive(Module, Debug)]
struct Steep {
    weight: Param<Tensor<1>>,
}

impl Learner for Steep {
    type Batch = ();

    fn learn(&self, (): ()) -> Learned {
        Learned::new(Loss::new((self.weight.val() * 0.0).sqrt().sum()))
    }
}

#[test]
fn a_gradient_that_is_not_finite_is_caught_too() {
    for device in devices() {
        let folder = tempfile::tempdir().unwrap();
        let steep = Steep { weight: Param::from_tensor(Tensor::from_data([1.0, 2.0], &device)) };
        let feed = FnFeed::new(1, |_, _| Ok(Fed { ids: vec!["one".to_owned()], batch: () }));
        let error = Trainer::new(TrainConfig::default(), folder.path())
            .run(steep, &feed, &mut NoValidation, &mut NoWatch, &device)
            .unwrap_err()
            .to_string();
        assert!(error.contains("the gradient norm is") && error.contains("samples one"), "{error}");
    }
}

#[derive(Module, Debug)]
struct Partly {
    used: Param<Tensor<1>>,
    forgotten: Param<Tensor<1>>,
    multiplied_by_zero: Param<Tensor<1>>,
}

impl Learner for Partly {
    type Batch = f32;

    fn learn(&self, scale: f32) -> Learned {
        let zero = self.multiplied_by_zero.val() * 0.0;
        Learned::new(Loss::new((self.used.val() * scale + zero).square().sum()))
    }
}

#[test]
fn parameters_that_do_not_train_are_named_once() {
    for device in devices() {
        let folder = tempfile::tempdir().unwrap();
        let param = || Param::from_tensor(Tensor::from_data([1.0], &device));
        let partly = Partly { used: param(), forgotten: param(), multiplied_by_zero: param() };
        // The first step is not applied and says nothing about gradients.
        let feed = FnFeed::new(3, |_, batch| {
            Ok(Fed { ids: vec!["x".to_owned()], batch: if batch == 0 { f32::NAN } else { 1.0 } })
        });
        let mut notes = Notes::default();
        let config = TrainConfig { epochs: 1, ..TrainConfig::default() };
        Trainer::new(config, folder.path()).run(partly, &feed, &mut NoValidation, &mut notes, &device).unwrap();
        let named: Vec<&str> = notes
            .warnings
            .iter()
            .filter_map(|warning| match warning {
                Warning::Untrained { parameter, .. } => Some(parameter.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(named, ["forgotten", "multiplied_by_zero"]);
        let logged = lines(folder.path(), "warning");
        assert!(logged.iter().any(|line| line["message"].as_str().unwrap().contains("parameter forgotten does not train")));
    }
}

#[test]
fn wrong_uses_are_told_in_a_line() {
    for device in devices() {
        let folder = tempfile::tempdir().unwrap();
        let run = |config: TrainConfig, net: Net, batches: usize| {
            Trainer::new(config, folder.path())
                .run(net, &feed(batches, &device), &mut NoValidation, &mut NoWatch, &device)
                .map(|outcome| outcome.steps)
        };
        let wrong = TrainConfig { lr: f64::NAN, ..config() };
        assert!(matches!(run(wrong, Net::new(&device), 2), Err(Error::Config { key: "train.lr", .. })));
        assert!(matches!(run(config(), Net::new(&device), 0), Err(Error::NoData)));
        let frozen = Net::new(&device).freeze();
        assert!(matches!(run(config(), frozen, 2), Err(Error::NothingToTrain)));
        assert_eq!(run(config(), Net::new(&device), 2).unwrap(), 4);
        assert!(matches!(run(config(), Net::new(&device), 2), Err(Error::RunExists { .. })));

        let resume = |config: TrainConfig, batches: usize| {
            Trainer::new(config, folder.path())
                .resume(true)
                .run(Net::new(&device), &feed(batches, &device), &mut NoValidation, &mut NoWatch, &device)
                .map(|outcome| outcome.steps)
        };
        assert!(matches!(resume(TrainConfig { lr: 0.5, ..config() }, 2), Err(Error::ConfigChanged { .. })));
        assert!(matches!(resume(config(), 3), Err(Error::DataChanged { .. })));
        let lock = RunLock::acquire(folder.path()).unwrap();
        assert!(matches!(resume(config(), 2), Err(Error::Locked { .. })));
        let outcome = Trainer::new(config(), folder.path()).resume(true).with_lock(lock).run(
            Net::new(&device),
            &feed(2, &device),
            &mut NoValidation,
            &mut NoWatch,
            &device,
        );
        assert_eq!(outcome.unwrap().steps, 4);
    }
}

/// Depends on nothing it could train.
#[derive(Module, Debug)]
struct Detached {
    weight: Param<Tensor<1>>,
}

impl Learner for Detached {
    type Batch = ();

    fn learn(&self, (): ()) -> Learned {
        Learned::new(Loss::new(self.weight.val().detach().sum()))
    }
}

#[test]
fn feeds_validators_and_learners_that_fail_are_told_apart() {
    for device in devices() {
        let fresh = || tempfile::tempdir().unwrap();
        let short = {
            struct Short<F>(F);
            impl<F: Feed> Feed for Short<F> {
                type Batch = F::Batch;
                fn batches_per_epoch(&self) -> usize {
                    self.0.batches_per_epoch() + 1
                }
                fn batches(&self, epoch: usize, from: usize) -> Result<Batches<'_, F::Batch>, BoxError> {
                    self.0.batches(epoch, from)
                }
            }
            Short(feed(2, &device))
        };
        let error = Trainer::new(config(), fresh().path())
            .run(Net::new(&device), &short, &mut NoValidation, &mut NoWatch, &device)
            .unwrap_err();
        assert!(matches!(error, Error::FeedEnded { epoch: 1, found: 2, expected: 3 }), "{error}");

        let failing = FnFeed::new(2, |_, batch| match batch {
            0 => Ok(rows(0, 4, &device)),
            _ => Err("cat.png: is truncated".into()),
        });
        let error = Trainer::new(config(), fresh().path())
            .run(Net::new(&device), &failing, &mut NoValidation, &mut NoWatch, &device)
            .unwrap_err();
        assert_eq!(error.to_string(), "epoch 1, batch 2: cat.png: is truncated");

        let mut broken = |_: &Net, _: usize| -> Result<Scores, BoxError> { Err("no samples".into()) };
        let error = Trainer::new(config(), fresh().path())
            .run(Net::new(&device), &feed(2, &device), &mut broken, &mut NoWatch, &device)
            .unwrap_err();
        assert_eq!(error.to_string(), "validation after step 2: no samples");

        let mut other = |_: &Net, _: usize| -> Result<Scores, BoxError> { Ok(Scores::default().lower("loss", 1.0)) };
        let named = TrainConfig { metric: Some("f1".to_owned()), ..config() };
        let error = Trainer::new(named, fresh().path())
            .run(Net::new(&device), &feed(2, &device), &mut other, &mut NoWatch, &device)
            .unwrap_err();
        assert!(error.to_string().contains("\"f1\"") && error.to_string().contains("loss"), "{error}");

        let detached = Detached { weight: Param::from_tensor(Tensor::from_data([1.0], &device)) };
        let nothing = FnFeed::new(1, |_, _| Ok(Fed { ids: Vec::new(), batch: () }));
        let error = Trainer::new(config(), fresh().path())
            .run(detached, &nothing, &mut NoValidation, &mut NoWatch, &device)
            .unwrap_err();
        assert!(matches!(error, Error::Untracked { step: 1 }), "{error}");
    }
}
