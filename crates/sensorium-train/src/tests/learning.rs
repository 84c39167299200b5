//! What a run does when all goes well.

use super::*;
use sensorium_testkit::devices;

#[test]
fn a_run_learns_logs_and_reports_each_step_once() {
    for device in devices() {
        let run = tempfile::tempdir().unwrap();
        let mut notes = Notes::default();
        let config = TrainConfig {
            epochs: 3,
            ..config()
        };
        let schedule = Schedule::new(&config, 15);
        let outcome = Trainer::new(config, run.path())
            .run(
                Net::new(&device),
                &feed(5, &device),
                &mut NoValidation,
                &mut notes,
                &device,
            )
            .unwrap();
        assert_eq!(
            (outcome.ended, outcome.steps, outcome.epochs),
            (Ended::Finished, 15, 3)
        );
        assert_eq!(
            (notes.ended, notes.checkpoints),
            (Some(Ended::Finished), vec![5, 10, 15])
        );
        assert!(notes.warnings.is_empty(), "{:?}", notes.warnings);
        let plan = notes.plan.unwrap();
        assert_eq!(
            (plan.total_steps, plan.steps_per_epoch, plan.trainable),
            (15, 5, 8)
        );

        let logged: Vec<StepLog> = lines(run.path(), "step")
            .into_iter()
            .map(|line| serde_json::from_value(line).unwrap())
            .collect();
        assert_eq!(logged.len(), 15);
        for (n, (logged, seen)) in logged.iter().zip(&notes.steps).enumerate() {
            assert_eq!(
                (logged.step, logged.epoch, logged.samples),
                (n + 1, n / 5 + 1, 4)
            );
            assert_eq!(logged.terms.keys().collect::<Vec<_>>(), ["size"]);
            assert!((logged.lr - schedule.lr(n)).abs() < 1e-12);
            assert!((logged.loss - seen.loss).abs() < 1e-12 && logged.grad_norm > 0.0);
        }
        assert!(logged[14].loss < logged[0].loss);
        assert!(
            !outcome.learner.weight.val().is_autodiff(),
            "the outcome is in valid mode"
        );
    }
}

#[test]
fn accumulating_equals_the_big_batch() {
    for device in devices() {
        let train = |accumulate: usize, rows_each: usize| {
            let run = tempfile::tempdir().unwrap();
            let config = TrainConfig {
                accumulate,
                ema_decay: Some(0.9),
                ..config()
            };
            let small = device.clone();
            let feed = FnFeed::new(4 * accumulate, move |_, batch| {
                Ok(rows(batch * rows_each, rows_each, &small))
            });
            let mut notes = Notes::default();
            let outcome = Trainer::new(config, run.path())
                .run(
                    Net::new(&device),
                    &feed,
                    &mut NoValidation,
                    &mut notes,
                    &device,
                )
                .unwrap();
            let losses: Vec<f64> = notes.steps.iter().map(|step| step.loss).collect();
            (outcome.learner.numbers(), losses)
        };
        let (whole, whole_losses) = train(1, 12);
        let (parts, part_losses) = train(3, 4);
        assert_eq!(whole_losses.len(), part_losses.len());
        for (a, b) in whole.iter().zip(&parts) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        for (a, b) in whole_losses.iter().zip(&part_losses) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}

#[test]
fn a_short_last_step_averages_what_there_is() {
    for device in devices() {
        let run = tempfile::tempdir().unwrap();
        let mut notes = Notes::default();
        let config = TrainConfig {
            accumulate: 2,
            epochs: 2,
            ..config()
        };
        Trainer::new(config, run.path())
            .run(
                Net::new(&device),
                &feed(3, &device),
                &mut NoValidation,
                &mut notes,
                &device,
            )
            .unwrap();
        let samples: Vec<usize> = notes.steps.iter().map(|step| step.samples).collect();
        assert_eq!(samples, [8, 4, 8, 4]);
    }
}

/// Gives these scores, one an epoch, and keeps the weights it was shown.
fn validator(scores: Vec<f64>, seen: &mut Vec<Vec<f32>>) -> impl Validate<Net> {
    move |net: &Net, epoch: usize| -> Result<Scores, BoxError> {
        seen.push(net.numbers());
        Ok(Scores::default()
            .lower("loss", scores[epoch - 1])
            .higher("accuracy", -scores[epoch - 1]))
    }
}

#[test]
fn the_best_weights_are_returned_and_training_stops_early() {
    for device in devices() {
        for (weights, metric) in [
            (Weights::Best, None),
            (Weights::Last, Some("accuracy".to_owned())),
        ] {
            let run = tempfile::tempdir().unwrap();
            let config = TrainConfig {
                epochs: 9,
                weights,
                metric,
                ema_decay: Some(0.5),
                early_stop: Some(EarlyStop {
                    patience: 2,
                    min_delta: 0.1,
                }),
                ..config()
            };
            let (mut seen, mut notes) = (Vec::new(), Notes::default());
            let scores = vec![3.0, 1.0, 0.95, 2.0, 0.0];
            let mut validate = validator(scores, &mut seen);
            let outcome = Trainer::new(config.clone(), run.path())
                .run(
                    Net::new(&device),
                    &feed(2, &device),
                    &mut validate,
                    &mut notes,
                    &device,
                )
                .unwrap();
            drop(validate);
            assert_eq!((outcome.ended, outcome.epochs), (Ended::EarlyStop, 4));
            let best = outcome.best.unwrap();
            assert_eq!((best.step, best.epoch), (4, 2));
            let shown = if weights == Weights::Best { 1 } else { 3 };
            assert_eq!(outcome.learner.numbers(), seen[shown]);
            let is_best: Vec<bool> = notes.validations.iter().map(|log| log.is_best).collect();
            assert_eq!(is_best, [true, true, false, false]);
            assert_eq!(lines(run.path(), "validation").len(), 4);
            // The best checkpoint outlives newer ones.
            let store = run.path().join("checkpoints");
            assert!(store.join("step-00000004").is_dir() && !store.join("step-00000002").exists());

            // An ended run, resumed, has nothing left to do and gives the same.
            let again = Trainer::new(config, run.path())
                .resume(true)
                .run(
                    Net::new(&device),
                    &feed(2, &device),
                    &mut NoValidation,
                    &mut NoWatch,
                    &device,
                )
                .unwrap();
            assert_eq!(again.ended, Ended::EarlyStop);
            assert_eq!(again.learner.numbers(), seen[shown]);
        }
    }
}

#[test]
fn a_watch_can_stop_the_run_which_then_goes_on() {
    for device in devices() {
        let whole = tempfile::tempdir().unwrap();
        let run = |folder: &Path, resume: bool, stop_after: Option<usize>| {
            let mut notes = Notes {
                stop_after,
                ..Notes::default()
            };
            Trainer::new(config(), folder)
                .resume(resume)
                .run(
                    Net::new(&device),
                    &feed(5, &device),
                    &mut NoValidation,
                    &mut notes,
                    &device,
                )
                .unwrap()
        };
        let expected = run(whole.path(), false, None);
        let folder = tempfile::tempdir().unwrap();
        let stopped = run(folder.path(), false, Some(3));
        assert_eq!((stopped.ended, stopped.steps), (Ended::Asked, 3));
        let done = run(folder.path(), true, None);
        assert_eq!((done.ended, done.steps), (Ended::Finished, 10));
        assert!(done.resumed_from.is_some());
        assert_eq!(done.learner.numbers(), expected.learner.numbers());
        let steps: Vec<_> = lines(folder.path(), "step")
            .iter()
            .map(|line| line["step"].as_u64())
            .collect();
        assert_eq!(steps, (1..=10).map(Some).collect::<Vec<_>>());
    }
}

#[test]
fn frozen_parameters_stay_and_averages_lag() {
    for device in devices() {
        let folder = tempfile::tempdir().unwrap();
        let net = Net::new(&device);
        let net = Net {
            bias: net.bias.set_require_grad(false),
            ..net
        };
        let config = TrainConfig {
            ema_decay: Some(0.99),
            weight_decay: 0.5,
            ..config()
        };
        let outcome = Trainer::new(config, folder.path())
            .run(
                net.clone(),
                &feed(5, &device),
                &mut NoValidation,
                &mut NoWatch,
                &device,
            )
            .unwrap();
        assert_eq!(floats(&net.bias.val()), floats(&outcome.learner.bias.val()));
        assert_ne!(
            floats(&net.weight.val()),
            floats(&outcome.learner.weight.val())
        );
    }
}
