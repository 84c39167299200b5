//! Every optimizer trains, and goes on where it was stopped.

use super::*;
use sensorium_testkit::devices;

#[test]
fn every_optimizer_learns_and_is_gone_on_with_bit_for_bit() {
    for device in devices() {
        for kind in OptimizerKind::ALL {
            let config = TrainConfig {
                optimizer: kind,
                epochs: 4,
                lr: if kind == OptimizerKind::Lion {
                    0.01
                } else {
                    0.05
                },
                ema_decay: Some(0.9),
                ..config()
            };
            let run = |folder: &Path, resume: bool, stop_after: Option<usize>| {
                let mut notes = Notes {
                    stop_after,
                    ..Notes::default()
                };
                let outcome = Trainer::new(config.clone(), folder).resume(resume).run(
                    Net::new(&device),
                    &feed(5, &device),
                    &mut NoValidation,
                    &mut notes,
                    &device,
                );
                (outcome.unwrap().learner.numbers(), notes.steps)
            };
            let whole = tempfile::tempdir().unwrap();
            let (expected, steps) = run(whole.path(), false, None);
            let mean = |steps: &[StepLog]| {
                steps.iter().map(|step| step.loss).sum::<f64>() / steps.len() as f64
            };
            let (first, last) = (mean(&steps[..5]), mean(&steps[15..]));
            assert!(last < 0.9 * first, "{kind}: from {first} to {last}");
            for stop in [1, 7] {
                let folder = tempfile::tempdir().unwrap();
                run(folder.path(), false, Some(stop));
                let (found, _) = run(folder.path(), true, None);
                assert_eq!(found, expected, "{kind}, stopped after {stop}");
                for name in ["learner", "optimizer", "ema"] {
                    let file = format!("checkpoints/step-00000020/{name}.safetensors");
                    let read = |run: &Path| Disk.read(&run.join(&file)).unwrap();
                    assert_eq!(read(folder.path()), read(whole.path()), "{kind} {name}");
                }
            }
        }
    }
}
