//! Steps computed in half the width: what is added up over them is not.

use super::*;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{DType, FloatDType};
use sensorium_testkit::devices;

/// [`Net`], which takes numbers as wide as it is, and says so.
#[derive(Module, Debug)]
struct Narrow {
    net: Net,
    #[module(skip)]
    computes_in: DType,
}

impl Narrow {
    fn new(device: &Device, computes_in: DType) -> Self {
        Self {
            net: Net::new(device),
            computes_in,
        }
    }
}

impl Learner for Narrow {
    type Batch = Batch;

    fn learn(&self, (x, y): Batch) -> Learned {
        let dtype = self.net.weight.val().dtype();
        assert_eq!(dtype, self.computes_in);
        let out = x.cast(dtype).matmul(self.net.weight.val());
        let out = out + self.net.bias.val().unsqueeze();
        Learned::new(Loss::new((out.cast(FloatDType::F32) - y).square().mean()))
    }
}

fn half() -> TrainConfig {
    TrainConfig {
        precision: Precision::Bf16,
        accumulate: 2,
        // So small that it would be nothing in eight bits.
        lr: 1e-4,
        ema_decay: Some(0.9),
        checkpoint_every: 1,
        ..config()
    }
}

#[test]
fn small_steps_add_up_and_a_run_goes_on_to_the_bit() {
    for device in devices() {
        let folder = tempfile::tempdir().unwrap();
        let run = |name: &str, config: TrainConfig, notes: &mut Notes| {
            let computes_in = match config.precision {
                Precision::F32 => DType::F32,
                Precision::Bf16 => DType::BF16,
            };
            Trainer::new(config, folder.path().join(name))
                .resume(true)
                .run(
                    Narrow::new(&device, computes_in),
                    &feed(5, &device),
                    &mut NoValidation,
                    notes,
                    &device,
                )
        };
        if !device.supports_dtype(FloatDType::BF16) {
            let error = run("refused", half(), &mut Notes::default()).unwrap_err();
            let error = error.to_string();
            assert!(
                error.starts_with("train.precision is bf16, in which "),
                "{error}"
            );
            assert!(!error.contains('\n'), "{error}");
            continue;
        }
        let mut notes = Notes::default();
        let whole = run("whole", half(), &mut notes).unwrap();
        let before = Net::new(&device).numbers();
        for (after, before) in whole.learner.net.numbers().iter().zip(before) {
            let moved = (after - before).abs();
            assert!(0.0 < moved && moved < 2e-3, "{before} {after}");
        }
        let mut wide = Notes::default();
        let full = TrainConfig {
            precision: Precision::F32,
            ..half()
        };
        run("full", full, &mut wide).unwrap();
        for (half, full) in notes.steps.iter().zip(&wide.steps) {
            assert!((half.loss - full.loss).abs() < 0.02 * full.loss);
            assert!((half.grad_norm - full.grad_norm).abs() < 0.05 * full.grad_norm);
        }
        for step in [1, 4] {
            let mut notes = Notes {
                stop_after: Some(step),
                ..Notes::default()
            };
            let name = format!("broken-off-{step}");
            run(&name, half(), &mut notes).unwrap();
            let resumed = run(&name, half(), &mut Notes::default()).unwrap();
            assert_eq!(resumed.learner.net.numbers(), whole.learner.net.numbers());
        }
        let last = folder.path().join("whole/checkpoints/step-00000006");
        for file in [
            "learner.safetensors",
            "optimizer.safetensors",
            "ema.safetensors",
        ] {
            let Ok(bytes) = Disk.read(&last.join(file)) else {
                panic!(
                    "{:?}",
                    std::fs::read_dir(&last).unwrap().collect::<Vec<_>>()
                )
            };
            for (name, data) in crate::tensors::decode(&bytes).unwrap() {
                assert_ne!(data.dtype(), DType::BF16, "{file}: {name}");
            }
        }
    }
}

#[test]
fn a_rehearsal_tells_of_the_copies() {
    for device in devices() {
        if !device.supports_dtype(FloatDType::BF16) {
            continue;
        }
        let net = Narrow::new(&device, DType::BF16);
        let told = rehearse(&half(), net, &feed(5, &device), &device).unwrap();
        assert_eq!(
            (told.precision, told.copies_bytes),
            (Precision::Bf16, 8 * 2)
        );
        assert_eq!(told.sum(|plan| plan.bytes), 8 * 4);
        let net = Net::new(&device);
        let told = rehearse(&config(), net, &feed(5, &device), &device).unwrap();
        assert_eq!((told.precision, told.copies_bytes), (Precision::F32, 0));
    }
}

#[test]
fn statistics_of_batches_are_refused_by_name() {
    #[derive(Module, Debug)]
    struct Normed {
        norm: BatchNorm,
    }
    let device = Device::flex();
    let module = Normed {
        norm: BatchNormConfig::new(3).init(&device),
    };
    let error = Precision::Bf16.check_module(&module, &device).unwrap_err();
    assert_eq!(
        error.to_string(),
        "train.precision is bf16, but norm keeps statistics of batches, which would lose what they have added up: leave it out"
    );
    Precision::F32.check_module(&module, &device).unwrap();
    Precision::Bf16
        .check_module(&Net::new(&device), &device)
        .unwrap();
}

#[test]
fn what_is_remembered_of_samples_keeps_its_width() {
    for device in devices() {
        if !device.supports_dtype(FloatDType::BF16) {
            continue;
        }
        let flex = FlexMatch::new(3, 1000, &device);
        flex.remember(&[(0, 257.0), (2, 999.0)].map(|(sample, value)| Noted { sample, value }));
        // A copy shares it.
        let copied = Precision::Bf16.copied(&flex).unwrap();
        for flex in [&flex, &*copied] {
            assert_eq!(flex.learning_status().samples(), [257, -1, 999]);
            assert_eq!(flex.status.value().dtype(), DType::F32);
        }
    }
}
