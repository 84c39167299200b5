//! What a run does with parameters that are trained in another way than the rest.

use super::*;
use sensorium_testkit::devices;

fn group(parameters: &str) -> Group {
    Group {
        parameters: vec![parameters.to_owned()],
        ..Group::default()
    }
}

fn with(groups: Vec<Group>) -> TrainConfig {
    TrainConfig {
        groups,
        weight_decay: 0.5,
        ema_decay: Some(0.9),
        ..config()
    }
}

fn run(
    config: TrainConfig,
    folder: &Path,
    resume: bool,
    notes: &mut Notes,
    device: &Device,
) -> Net {
    let outcome = Trainer::new(config, folder).resume(resume).run(
        Net::new(device),
        &feed(5, device),
        &mut NoValidation,
        notes,
        device,
    );
    outcome.unwrap().learner
}

fn trained(config: TrainConfig, device: &Device) -> (Net, Notes) {
    let (folder, mut notes) = (tempfile::tempdir().unwrap(), Notes::default());
    let net = run(config, folder.path(), false, &mut notes, device);
    (net, notes)
}

#[test]
fn frozen_ones_stay_have_no_memory_and_do_not_count() {
    for device in devices() {
        let frozen = Group {
            frozen: true,
            ..group("wei*")
        };
        let folder = tempfile::tempdir().unwrap();
        let mut notes = Notes::default();
        let net = run(
            with(vec![frozen]),
            folder.path(),
            false,
            &mut notes,
            &device,
        );
        let start = Net::new(&device);
        assert_eq!(floats(&net.weight.val()), floats(&start.weight.val()));
        assert_ne!(floats(&net.bias.val()), floats(&start.bias.val()));
        let plan = notes.plan.unwrap();
        assert_eq!((plan.trainable, plan.parameters), (2, 8));
        assert!(notes.warnings.is_empty(), "{:?}", notes.warnings);
        let last = folder
            .path()
            .join("checkpoints/step-00000010/optimizer.safetensors");
        let saved = crate::tensors::decode(&Disk.read(&last).unwrap()).unwrap();
        let names: Vec<&String> = saved.keys().collect();
        assert_eq!(names, ["moment_1.bias", "moment_2.bias", "steps.bias"]);
    }
}

#[test]
fn the_last_group_that_names_a_parameter_counts() {
    for device in devices() {
        let slow = |scale: f64| Group {
            lr_scale: Some(scale),
            weight_decay: Some(0.0),
            ..group("*")
        };
        let alike = |config: TrainConfig, other: TrainConfig| {
            let same = trained(config, &device).0.numbers() == trained(other, &device).0.numbers();
            assert!(same);
        };
        let tenth = TrainConfig {
            lr: 0.005,
            weight_decay: 0.0,
            ..with(Vec::new())
        };
        alike(with(vec![slow(3.0), slow(0.1)]), tenth);
        // A group that only sets the decay leaves the rate alone, whatever an earlier one said.
        let decay = Group {
            weight_decay: Some(0.5),
            ..group("*")
        };
        alike(with(vec![slow(3.0), decay]), with(Vec::new()));
    }
}

#[test]
fn what_thaws_learns_from_then_on_and_a_resumed_run_knows() {
    for device in devices() {
        for unfreeze_at in [Moment::Step(4), Moment::Share(0.4)] {
            let late = Group {
                unfreeze_at: Some(unfreeze_at),
                lr_scale: Some(0.5),
                ..group("bias")
            };
            let config = with(vec![late]);
            let start = floats(&Net::new(&device).bias.val());
            let (whole, _) = trained(config.clone(), &device);
            assert_ne!(floats(&whole.bias.val()), start);
            // Stopped before, at and after the moment.
            for stop in [2, 4, 5, 7] {
                let folder = tempfile::tempdir().unwrap();
                let mut notes = Notes {
                    stop_after: Some(stop),
                    ..Notes::default()
                };
                let stopped = run(config.clone(), folder.path(), false, &mut notes, &device);
                let moved = floats(&stopped.bias.val()) != start;
                assert_eq!(moved, stop > 4, "stopped after {stop}");
                let mut notes = Notes::default();
                let done = run(config.clone(), folder.path(), true, &mut notes, &device);
                assert_eq!(done.numbers(), whole.numbers(), "stopped after {stop}");
                let trainable = notes.plan.unwrap().trainable;
                assert_eq!(
                    trainable,
                    if stop < 4 { 6 } else { 8 },
                    "stopped after {stop}"
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for device in devices() {
        let refused = |groups: Vec<Group>| {
            let folder = tempfile::tempdir().unwrap();
            let result = Trainer::new(with(groups), folder.path()).run(
                Net::new(&device),
                &feed(5, &device),
                &mut NoValidation,
                &mut NoWatch,
                &device,
            );
            assert!(!folder.path().join("checkpoints").exists());
            result.unwrap_err().to_string()
        };
        let frozen = |parameters: &str| Group {
            frozen: true,
            ..group(parameters)
        };
        let message = refused(vec![frozen("wieght")]);
        assert!(message.contains("the nearest is \"weight\""), "{message}");
        let message = refused(vec![frozen("*")]);
        assert!(message.contains("no parameter is trainable"), "{message}");
        let late = |at: Moment| Group {
            unfreeze_at: Some(at),
            ..group("bias")
        };
        let message = refused(vec![late(Moment::Step(10))]);
        assert!(
            message.contains("unfreeze_at is 10 of 10 steps"),
            "{message}"
        );
        let message = refused(vec![frozen("weight"), late(Moment::Share(0.5))]);
        assert!(message.contains("no parameter is trainable"), "{message}");
    }
}
