//! What a rehearsal says is what the run then does.

use super::*;
use sensorium_testkit::devices;

#[test]
fn it_tells_what_the_run_then_does() {
    for device in devices() {
        for kind in OptimizerKind::ALL {
            let config = TrainConfig {
                optimizer: kind,
                accumulate: 2,
                groups: vec![Group {
                    parameters: vec!["bias".to_owned()],
                    unfreeze_at: Some(Moment::Step(1)),
                    lr_scale: Some(0.5),
                    ..Group::default()
                }],
                ..config()
            };
            let net = Net::new(&device);
            let told = rehearse(&config, net.clone(), &feed(5, &device), &device).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let mut notes = Notes::default();
            Trainer::new(config, folder.path())
                .run(
                    net,
                    &feed(5, &device),
                    &mut NoValidation,
                    &mut notes,
                    &device,
                )
                .unwrap();
            let plan = notes.plan.unwrap();
            assert_eq!((told.total_steps, told.samples), (plan.total_steps, 8));
            assert!(
                (told.loss - notes.steps[0].loss).abs() < 1e-6,
                "{}",
                told.loss
            );
            let at_start = told.parameters.iter().filter(|p| p.trains_from == Some(0));
            assert_eq!(
                at_start.map(ParameterPlan::numbers).sum::<usize>(),
                plan.trainable
            );
            let last = folder
                .path()
                .join("checkpoints/step-00000006/optimizer.safetensors");
            let saved = crate::tensors::decode(&Disk.read(&last).unwrap()).unwrap();
            let tensors = saved.iter().filter(|(name, _)| !name.starts_with("steps."));
            let bytes: usize = tensors.map(|(_, data)| data.as_bytes().len()).sum();
            assert_eq!(told.sum(|plan| plan.optimizer_bytes), bytes, "{kind}");
            assert_eq!(told.sum(|plan| plan.bytes), 8 * 4);
            let [weight, bias] = &told.parameters[..] else {
                panic!("two parameters")
            };
            assert_eq!(
                (weight.lr_scale, weight.weight_decay, weight.group),
                (1.0, 0.01, None)
            );
            assert_eq!(
                (bias.lr_scale, bias.weight_decay, bias.group),
                (0.5, 0.0, Some(0))
            );
            assert_eq!(bias.trains_from, Some(1));
        }
    }
}
