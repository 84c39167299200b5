//! What a run does about losses and gradients that are NaN or infinite.

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
        let config = TrainConfig {
            accumulate: 2,
            epochs: 1,
            ema_decay: Some(0.9),
            ..config()
        };
        let feed = poisoned(8, &[3, 4], &device);
        let outcome = Trainer::new(config, folder.path())
            .run(
                Net::new(&device),
                &feed,
                &mut NoValidation,
                &mut notes,
                &device,
            )
            .unwrap();
        assert!(outcome.learner.numbers().iter().all(|x| x.is_finite()));
        let skipped: Vec<_> = notes
            .steps
            .iter()
            .map(|step| step.skipped.is_some())
            .collect();
        assert_eq!(skipped, [false, true, true, false]);
        let Warning::Skipped { step, reason, ids } = &notes.warnings[0] else {
            panic!("{:?}", notes.warnings);
        };
        assert_eq!((*step, reason.as_str()), (2, "the loss is NaN"));
        assert_eq!(ids[0], "row-8");
        assert_eq!(ids.len(), 8);
        assert_eq!(lines(folder.path(), "warning").len(), 2);
        assert!(lines(folder.path(), "step")[1]["loss"].is_null());
    }
}

#[test]
fn it_is_as_if_the_step_had_never_been() {
    for device in devices() {
        // The steps that remain have other numbers, so the learning rate must not depend on them.
        let still = TrainConfig {
            accumulate: 2,
            epochs: 1,
            ema_decay: Some(0.9),
            schedule: ScheduleKind::Constant,
            warmup_steps: Some(0),
            ..config()
        };
        let good = FnFeed::new(4, |_, batch| Ok(rows([0, 1, 6, 7][batch] * 4, 4, &device)));
        let expected = train(still.clone(), &good, &mut NoValidation, &device).unwrap();
        let found = train(
            still,
            &poisoned(8, &[3, 4], &device),
            &mut NoValidation,
            &device,
        )
        .unwrap();
        assert_eq!(found.learner.numbers(), expected.learner.numbers());
    }
}

#[test]
fn too_many_in_a_row_or_the_policy_to_stop_end_the_run() {
    for device in devices() {
        let train = |bad: &[usize], non_finite: NonFinite| {
            let config = TrainConfig {
                non_finite,
                non_finite_limit: 3,
                ..config()
            };
            train(
                config,
                &poisoned(6, bad, &device),
                &mut NoValidation,
                &device,
            )
        };
        assert!(train(&[1, 2, 4, 5, 7, 8], NonFinite::Skip).is_ok());
        let message = train(&[1, 2, 4, 5, 6], NonFinite::Skip)
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("step 7: the loss is NaN, 3 in a row; samples row-0, row-1"),
            "{message}"
        );
        let stopped = train(&[4], NonFinite::Stop).unwrap_err();
        assert!(
            matches!(
                stopped,
                Error::NonFinite {
                    step: 5,
                    in_a_row: 1,
                    ..
                }
            ),
            "{stopped}"
        );
    }
}

/// Its loss is finite, its gradient is not: 1e25 twice is more than a float holds, of a small weight it is not.
#[derive(Module, Debug)]
struct Steep {
    weight: Param<Tensor<1>>,
}

impl Learner for Steep {
    type Batch = ();

    fn learn(&self, (): ()) -> Learned {
        Learned::new(Loss::new(((self.weight.val() * 1e25) * 1e25).sum()))
    }
}

#[test]
fn a_gradient_that_is_not_finite_is_caught_too() {
    for device in devices() {
        let folder = tempfile::tempdir().unwrap();
        let steep = Steep {
            weight: Param::from_tensor(Tensor::from_data([1e-30, 2e-30], &device)),
        };
        let feed = FnFeed::new(1, |_, _| {
            Ok(Fed {
                ids: vec!["one".to_owned()],
                batch: (),
            })
        });
        let error = Trainer::new(TrainConfig::default(), folder.path())
            .run(steep, &feed, &mut NoValidation, &mut NoWatch, &device)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("the gradient norm is") && error.contains("samples one"),
            "{error}"
        );
    }
}
