//! What a run does about parameters that do not train, bad data and wrong uses.

use super::*;
use sensorium_testkit::devices;

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
        let partly = Partly {
            used: param(),
            forgotten: param(),
            multiplied_by_zero: param(),
        };
        // The first step is not applied and says nothing about gradients.
        let feed = FnFeed::new(3, |_, batch| {
            Ok(Fed {
                ids: vec!["x".to_owned()],
                batch: if batch == 0 { f32::NAN } else { 1.0 },
            })
        });
        let mut notes = Notes::default();
        let config = TrainConfig {
            epochs: 1,
            ..TrainConfig::default()
        };
        Trainer::new(config, folder.path())
            .run(partly, &feed, &mut NoValidation, &mut notes, &device)
            .unwrap();
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
        assert!(logged.iter().any(|line| {
            line["message"]
                .as_str()
                .unwrap()
                .contains("parameter forgotten does not train")
        }));
    }
}

#[test]
fn what_cannot_be_trained_is_refused() {
    for device in devices() {
        let wrong = TrainConfig {
            lr: f64::NAN,
            ..config()
        };
        let error = train(wrong, &feed(2, &device), &mut NoValidation, &device).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Config {
                    key: "train.lr",
                    ..
                }
            ),
            "{error}"
        );
        let error = train(config(), &feed(0, &device), &mut NoValidation, &device).unwrap_err();
        assert!(matches!(error, Error::NoData), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let frozen = Net::new(&device).freeze();
        let error = Trainer::new(config(), folder.path())
            .run(
                frozen,
                &feed(2, &device),
                &mut NoValidation,
                &mut NoWatch,
                &device,
            )
            .unwrap_err();
        assert!(matches!(error, Error::NothingToTrain), "{error}");
    }
}

#[test]
fn an_earlier_run_is_neither_overwritten_nor_bent() {
    for device in devices() {
        let folder = tempfile::tempdir().unwrap();
        let run = |resume: bool, config: TrainConfig, batches: usize| {
            Trainer::new(config, folder.path())
                .resume(resume)
                .run(
                    Net::new(&device),
                    &feed(batches, &device),
                    &mut NoValidation,
                    &mut NoWatch,
                    &device,
                )
                .map(|outcome| outcome.steps)
        };
        assert_eq!(run(false, config(), 2).unwrap(), 4);
        assert!(matches!(
            run(false, config(), 2),
            Err(Error::RunExists { .. })
        ));
        let faster = TrainConfig {
            lr: 0.5,
            ..config()
        };
        assert!(matches!(
            run(true, faster, 2),
            Err(Error::ConfigChanged { .. })
        ));
        assert!(matches!(
            run(true, config(), 3),
            Err(Error::DataChanged { .. })
        ));

        let lock = RunLock::acquire(folder.path()).unwrap();
        assert!(matches!(run(true, config(), 2), Err(Error::Locked { .. })));
        let outcome = Trainer::new(config(), folder.path())
            .resume(true)
            .with_lock(lock)
            .run(
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

/// Says that it has one batch more than it has.
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

#[test]
fn a_feed_that_fails_or_ends_early_is_told() {
    for device in devices() {
        let short = Short(feed(2, &device));
        let error = train(config(), &short, &mut NoValidation, &device).unwrap_err();
        assert_eq!(
            error.to_string(),
            "epoch 1: the data ended after 2 batches of 3"
        );

        let failing = FnFeed::new(2, |_, batch| match batch {
            0 => Ok(rows(0, 4, &device)),
            _ => Err("cat.png: is truncated".into()),
        });
        let error = train(config(), &failing, &mut NoValidation, &device).unwrap_err();
        assert_eq!(error.to_string(), "epoch 1, batch 2: cat.png: is truncated");
    }
}

#[test]
fn a_validator_that_fails_or_lacks_the_metric_is_told() {
    for device in devices() {
        let mut broken =
            |_: &Net, _: usize| -> Result<Scores, BoxError> { Err("no samples".into()) };
        let error = train(config(), &feed(2, &device), &mut broken, &device).unwrap_err();
        assert_eq!(error.to_string(), "validation after step 2: no samples");

        let mut other = |_: &Net, _: usize| -> Result<Scores, BoxError> {
            Ok(Scores::default().lower("loss", 1.0))
        };
        let named = TrainConfig {
            metric: Some("f1".to_owned()),
            ..config()
        };
        let message = train(named, &feed(2, &device), &mut other, &device)
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "train.metric is \"f1\", but validation measures only loss"
        );
    }
}

#[test]
fn a_loss_that_depends_on_nothing_is_told() {
    for device in devices() {
        let folder = tempfile::tempdir().unwrap();
        let detached = Detached {
            weight: Param::from_tensor(Tensor::from_data([1.0], &device)),
        };
        let nothing = FnFeed::new(1, |_, _| {
            Ok(Fed {
                ids: Vec::new(),
                batch: (),
            })
        });
        let error = Trainer::new(config(), folder.path())
            .run(detached, &nothing, &mut NoValidation, &mut NoWatch, &device)
            .unwrap_err();
        assert!(matches!(error, Error::Untracked { step: 1 }), "{error}");
    }
}
