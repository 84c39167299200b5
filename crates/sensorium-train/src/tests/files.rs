//! What a run does about bad disks: whatever fails, and wherever, resuming ends where an undisturbed run ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::*;
use crate::checkpoint::files::faulty::{Fault, Faulty};
use sensorium_testkit::devices;

fn settings() -> TrainConfig {
    TrainConfig {
        epochs: 1,
        checkpoint_every: 2,
        keep_checkpoints: 1,
        ema_decay: Some(0.9),
        tensorboard: true,
        ..config()
    }
}

/// Trains on these files. The third of five steps validates best, so its checkpoint must outlive newer ones.
fn train(
    folder: &Path,
    resume: bool,
    files: Arc<dyn Files>,
    watch: &mut Notes,
    device: &Device,
) -> Result<Vec<f32>, Error> {
    let mut validations = |net: &Net, _: usize| -> Result<Scores, BoxError> {
        let bias = net.numbers()[6];
        Ok(Scores::default().lower("distance", f64::from(bias).abs()))
    };
    let config = TrainConfig {
        validate_every: 3,
        ..settings()
    };
    let outcome = Trainer::new(config, folder)
        .resume(resume)
        .with_files(files)
        .run(
            Net::new(device),
            &feed(5, device),
            &mut validations,
            watch,
            device,
        )?;
    Ok(outcome.learner.numbers())
}

/// The content of the last checkpoint, but for the clock.
fn last(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let newest = folder.join("checkpoints/step-00000005");
    [
        "learner.safetensors",
        "optimizer.safetensors",
        "ema.safetensors",
    ]
    .map(|name| (name.to_owned(), Disk.read(&newest.join(name)).unwrap()))
    .to_vec()
}

/// Trains with a fault at operation `at`; whether there were so many operations.
fn train_into(folder: &Path, resume: bool, at: usize, fault: Fault, device: &Device) -> bool {
    let files = Arc::new(Faulty::new(at, fault));
    let faulty = files.clone();
    let result = catch_unwind(AssertUnwindSafe(|| {
        train(folder, resume, faulty, &mut Notes::default(), device)
    }));
    let reached = files.calls.load(Ordering::SeqCst) > at;
    match result {
        Ok(Err(error)) => {
            assert!(
                matches!(error, Error::Io { .. }) && error.to_string().contains("injected"),
                "{error}"
            );
            assert!(
                error.to_string().contains(&*folder.to_string_lossy()),
                "{error}"
            );
        }
        Ok(Ok(_)) => assert!(!reached, "the fault at {at} was passed over"),
        Err(_) => assert_eq!(fault, Fault::Death),
    }
    reached
}

#[test]
fn any_file_operation_may_fail_or_be_the_last() {
    let device = &devices()[0];
    let never = || Arc::new(Faulty::never());
    let whole = tempfile::tempdir().unwrap();
    let expected = train(whole.path(), false, never(), &mut Notes::default(), device).unwrap();
    let expected_files = last(whole.path());
    for fault in [Fault::Once, Fault::ForGood, Fault::Death] {
        for at in 0.. {
            let folder = tempfile::tempdir().unwrap();
            if !train_into(folder.path(), false, at, fault, device) {
                assert!(at > 40, "only {at} operations were tried");
                break;
            }
            // A third of the time something goes wrong while resuming, too.
            if at % 3 == 0 {
                train_into(folder.path(), true, at / 3, fault, device);
            }
            let mut notes = Notes::default();
            let resumed = train(folder.path(), true, never(), &mut notes, device).unwrap();
            assert_eq!(resumed, expected, "{fault:?} at {at}");
            assert_eq!(last(folder.path()), expected_files, "{fault:?} at {at}");
            let broken = |warning: &Warning| matches!(warning, Warning::BrokenCheckpoint { .. });
            assert!(
                !notes.warnings.iter().any(broken),
                "a failed save must not look like a checkpoint"
            );
            let steps: Vec<_> = lines(folder.path(), "step")
                .iter()
                .map(|line| line["step"].as_u64())
                .collect();
            assert_eq!(
                steps,
                (1..=5).map(Some).collect::<Vec<_>>(),
                "{fault:?} at {at}"
            );
            let told = crate::tensorboard::steps_of(folder.path(), "train/loss");
            assert_eq!(told, [1, 2, 3, 4, 5], "{fault:?} at {at}");
        }
    }
}

#[test]
fn a_damaged_checkpoint_is_passed_over_loudly() {
    let device = &devices()[0];
    for name in [
        "learner.safetensors",
        "optimizer.safetensors",
        "ema.safetensors",
        "state.json",
        "manifest.json",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = TrainConfig {
            keep_checkpoints: 3,
            epochs: 2,
            ..settings()
        };
        let run = |config: &TrainConfig, notes: &mut Notes, resume| {
            Trainer::new(config.clone(), folder.path())
                .resume(resume)
                .run(
                    Net::new(device),
                    &feed(4, device),
                    &mut NoValidation,
                    notes,
                    device,
                )
                .unwrap()
        };
        let mut stopped = Notes {
            stop_after: Some(6),
            ..Notes::default()
        };
        run(&config, &mut stopped, false);
        let path = folder.path().join("checkpoints/step-00000006").join(name);
        let mut content = Disk.read(&path).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 4;
        Disk.write(&path, &content).unwrap();
        config.log_every = 1;
        let mut notes = Notes::default();
        let outcome = run(&config, &mut notes, true);
        assert!(
            matches!(&notes.warnings[0], Warning::BrokenCheckpoint { path, .. } if path.ends_with("step-00000006"))
        );
        assert!(outcome.resumed_from.unwrap().ends_with("step-00000004"));
        assert_eq!(notes.steps.first().unwrap().step, 5);

        let whole = tempfile::tempdir().unwrap();
        let expected = Trainer::new(config, whole.path())
            .run(
                Net::new(device),
                &feed(4, device),
                &mut NoValidation,
                &mut NoWatch,
                device,
            )
            .unwrap();
        assert_eq!(outcome.learner.numbers(), expected.learner.numbers());
    }
}

#[test]
fn losing_the_best_is_told_and_not_fatal() {
    let device = &devices()[0];
    let folder = tempfile::tempdir().unwrap();
    let run = |resume: bool, notes: &mut Notes| {
        let mut scores = |_: &Net, epoch: usize| -> Result<Scores, BoxError> {
            Ok(Scores::default().higher("accuracy", [0.9, 0.5, 0.6, 0.7][epoch - 1]))
        };
        let config = TrainConfig {
            epochs: 4,
            keep_checkpoints: 1,
            ..config()
        };
        Trainer::new(config, folder.path())
            .resume(resume)
            .run(
                Net::new(device),
                &feed(2, device),
                &mut scores,
                notes,
                device,
            )
            .unwrap()
    };
    run(
        false,
        &mut Notes {
            stop_after: Some(5),
            ..Notes::default()
        },
    );
    std::fs::remove_file(
        folder
            .path()
            .join("checkpoints/step-00000002/learner.safetensors"),
    )
    .unwrap();
    let mut notes = Notes::default();
    let outcome = run(true, &mut notes);
    assert!(notes.warnings.contains(&Warning::BestLost { step: 2 }));
    assert_eq!(outcome.best.unwrap().epoch, 4);
}
