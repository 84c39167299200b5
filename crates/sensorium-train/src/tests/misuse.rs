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
fn wrong_uses_are_told_in_a_line() {
    for device in devices() {
        let folder = tempfile::tempdir().unwrap();
        let run = |config: TrainConfig, net: Net, batches: usize| {
            Trainer::new(config, folder.path())
                .run(
                    net,
                    &feed(batches, &device),
                    &mut NoValidation,
                    &mut NoWatch,
                    &device,
                )
                .map(|outcome| outcome.steps)
        };
        let wrong = TrainConfig {
            lr: f64::NAN,
            ..config()
        };
        assert!(matches!(
            run(wrong, Net::new(&device), 2),
            Err(Error::Config {
                key: "train.lr",
                ..
            })
        ));
        assert!(matches!(
            run(config(), Net::new(&device), 0),
            Err(Error::NoData)
        ));
        let frozen = Net::new(&device).freeze();
        assert!(matches!(
            run(config(), frozen, 2),
            Err(Error::NothingToTrain)
        ));
        assert_eq!(run(config(), Net::new(&device), 2).unwrap(), 4);
        assert!(matches!(
            run(config(), Net::new(&device), 2),
            Err(Error::RunExists { .. })
        ));

        let resume = |config: TrainConfig, batches: usize| {
            Trainer::new(config, folder.path())
                .resume(true)
                .run(
                    Net::new(&device),
                    &feed(batches, &device),
                    &mut NoValidation,
                    &mut NoWatch,
                    &device,
                )
                .map(|outcome| outcome.steps)
        };
        assert!(matches!(
            resume(
                TrainConfig {
                    lr: 0.5,
                    ..config()
                },
                2
            ),
            Err(Error::ConfigChanged { .. })
        ));
        assert!(matches!(
            resume(config(), 3),
            Err(Error::DataChanged { .. })
        ));
        let lock = RunLock::acquire(folder.path()).unwrap();
        assert!(matches!(resume(config(), 2), Err(Error::Locked { .. })));
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
                fn batches(
                    &self,
                    epoch: usize,
                    from: usize,
                ) -> Result<Batches<'_, F::Batch>, BoxError> {
                    self.0.batches(epoch, from)
                }
            }
            Short(feed(2, &device))
        };
        let error = Trainer::new(config(), fresh().path())
            .run(
                Net::new(&device),
                &short,
                &mut NoValidation,
                &mut NoWatch,
                &device,
            )
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::FeedEnded {
                    epoch: 1,
                    found: 2,
                    expected: 3
                }
            ),
            "{error}"
        );

        let failing = FnFeed::new(2, |_, batch| match batch {
            0 => Ok(rows(0, 4, &device)),
            _ => Err("cat.png: is truncated".into()),
        });
        let error = Trainer::new(config(), fresh().path())
            .run(
                Net::new(&device),
                &failing,
                &mut NoValidation,
                &mut NoWatch,
                &device,
            )
            .unwrap_err();
        assert_eq!(error.to_string(), "epoch 1, batch 2: cat.png: is truncated");

        let mut broken =
            |_: &Net, _: usize| -> Result<Scores, BoxError> { Err("no samples".into()) };
        let error = Trainer::new(config(), fresh().path())
            .run(
                Net::new(&device),
                &feed(2, &device),
                &mut broken,
                &mut NoWatch,
                &device,
            )
            .unwrap_err();
        assert_eq!(error.to_string(), "validation after step 2: no samples");

        let mut other = |_: &Net, _: usize| -> Result<Scores, BoxError> {
            Ok(Scores::default().lower("loss", 1.0))
        };
        let named = TrainConfig {
            metric: Some("f1".to_owned()),
            ..config()
        };
        let error = Trainer::new(named, fresh().path())
            .run(
                Net::new(&device),
                &feed(2, &device),
                &mut other,
                &mut NoWatch,
                &device,
            )
            .unwrap_err();
        assert!(
            error.to_string().contains("\"f1\"") && error.to_string().contains("loss"),
            "{error}"
        );

        let detached = Detached {
            weight: Param::from_tensor(Tensor::from_data([1.0], &device)),
        };
        let nothing = FnFeed::new(1, |_, _| {
            Ok(Fed {
                ids: Vec::new(),
                batch: (),
            })
        });
        let error = Trainer::new(config(), fresh().path())
            .run(detached, &nothing, &mut NoValidation, &mut NoWatch, &device)
            .unwrap_err();
        assert!(matches!(error, Error::Untracked { step: 1 }), "{error}");
    }
}
