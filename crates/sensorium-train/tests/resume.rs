//! A run killed anywhere and resumed ends bit for bit where an undisturbed run ends: with dropout, a shuffling feed,
//! accumulation, averaged weights, batch statistics and early best weights.
//!
//! Dropout draws from a generator that the whole process shares, so these tests have a process of their own and one
//! test at a time.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Int, Tensor};
use sensorium_core::{Logits, Model, Tap, seed};
use sensorium_testkit::{devices, random};
use sensorium_train::*;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[derive(Module, Debug)]
struct Net {
    first: Linear,
    norm: BatchNorm,
    dropout: Dropout,
    last: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        // Drawn when first looked at, which is the trainer's to make repeatable; the bias is set.
        let mut last = LinearConfig::new(6, 3).init(device);
        last.bias = Some(Param::from_tensor(random([3], 1, device)));
        Self {
            first: LinearConfig::new(4, 6).init(device),
            norm: BatchNormConfig::new(6).init(device),
            dropout: DropoutConfig::new(0.4).init(),
            last,
        }
    }
}

impl Model for Net {
    type Batch = Tensor<2>;
    type Output = Logits;

    fn run_with<T: Tap>(&self, batch: Tensor<2>, _tap: &mut T) -> Logits {
        let hidden = self.norm.forward(self.first.forward(batch));
        self.last.forward(self.dropout.forward(gelu(hidden)))
    }
}

/// Counts what happens and dies at one of the events.
#[derive(Clone)]
struct Fate {
    events: Rc<Cell<usize>>,
    death: usize,
}

impl Fate {
    fn at(death: usize) -> Self {
        Self {
            events: Rc::new(Cell::new(0)),
            death,
        }
    }

    fn event(&self) {
        let event = self.events.replace(self.events.get() + 1);
        assert!(event != self.death, "killed at event {event}");
    }
}

impl Watch for Fate {
    fn on_start(&mut self, _: &Plan) {
        self.event();
    }
    fn on_step(&mut self, _: &StepLog) -> ControlFlow<()> {
        self.event();
        ControlFlow::Continue(())
    }
    fn on_validation(&mut self, _: &ValidationLog) {
        self.event();
    }
    fn on_checkpoint(&mut self, _: usize, _: &Path) {
        self.event();
    }
    fn on_end(&mut self, _: Ended) {
        self.event();
    }
}

/// 14 samples in batches of two, in another order each epoch.
struct Shuffled {
    device: Device,
    fate: Fate,
}

impl Feed for Shuffled {
    type Batch = (Tensor<2>, Tensor<1, Int>);

    fn batches_per_epoch(&self) -> usize {
        7
    }

    fn batches(
        &self,
        epoch: usize,
        from_batch: usize,
    ) -> Result<Batches<'_, Self::Batch>, BoxError> {
        let mut order: Vec<u64> = (0..14).collect();
        order.sort_by_key(|sample| seed::derive(5, &[epoch as u64, *sample]));
        Ok(Box::new((from_batch..7).map(move |batch| {
            self.fate.event();
            let samples = &order[batch * 2..batch * 2 + 2];
            let rows = samples
                .iter()
                .map(|sample| random::<2>([1, 4], *sample, &self.device))
                .collect();
            let classes: Vec<i64> = samples.iter().map(|sample| (*sample % 3) as i64).collect();
            Ok(Fed {
                ids: samples.iter().map(u64::to_string).collect(),
                batch: (
                    Tensor::cat(rows, 0),
                    Tensor::from_data(&classes[..], &self.device),
                ),
            })
        })))
    }

    fn identity(&self) -> String {
        "14 samples".to_owned()
    }
}

type Trained = Supervised<Net, CrossEntropy>;

/// Trains, dying at an event if `fate` has it so. The second of three epochs validates best.
fn train(folder: &Path, resume: bool, fate: &Fate, device: &Device) -> Outcome<Trained> {
    let config = TrainConfig {
        epochs: 3,
        seed: 11,
        lr: 0.02,
        accumulate: 2,
        ema_decay: Some(0.8),
        checkpoint_every: 3,
        keep_checkpoints: 1,
        ..TrainConfig::default()
    };
    let in_validation = fate.clone();
    let mut validate = move |_: &Trained, epoch: usize| -> Result<Scores, BoxError> {
        in_validation.event();
        Ok(Scores::default().higher("accuracy", [0.1, 0.3, 0.2][epoch - 1]))
    };
    let feed = Shuffled {
        device: device.clone().autodiff(),
        fate: fate.clone(),
    };
    let objective = CrossEntropy::new().with_label_smoothing(0.1);
    Trainer::new(config, folder)
        .resume(resume)
        .run(
            Supervised::new(Net::new(device), objective),
            &feed,
            &mut validate,
            &mut fate.clone(),
            device,
        )
        .unwrap()
}

/// All that must be the same, bit for bit: what was returned, the last checkpoint, the losses.
fn facts(folder: &Path, outcome: &Outcome<Trained>) -> BTreeMap<String, Vec<u8>> {
    let export = folder.join("export.safetensors");
    export_weights(&outcome.learner, &export).unwrap();
    let last = folder.join("checkpoints/step-00000012");
    let mut facts: BTreeMap<String, Vec<u8>> = ["learner", "optimizer", "ema"]
        .map(|name| last.join(format!("{name}.safetensors")))
        .into_iter()
        .chain([export])
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read(path).unwrap(),
            )
        })
        .collect();
    let log = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let lines: Vec<String> = log
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            [
                "kind",
                "step",
                "loss",
                "lr",
                "grad_norm",
                "accuracy",
                "is_best",
            ]
            .map(|key| line[key].to_string())
            .join(" ")
        })
        .filter(|line| !line.starts_with("\"warning\""))
        .collect();
    facts.insert("log".to_owned(), lines.join("\n").into_bytes());
    facts
}

fn dies(run: impl FnOnce() -> Outcome<Trained>) -> bool {
    catch_unwind(AssertUnwindSafe(run)).is_err()
}

#[test]
fn killed_anywhere_it_ends_the_same() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let device = &devices()[0];
    let whole = tempfile::tempdir().unwrap();
    let fate = Fate::at(usize::MAX);
    let outcome = train(whole.path(), false, &fate, device);
    assert_eq!(
        (outcome.steps, outcome.best.as_ref().unwrap().epoch),
        (12, 2)
    );
    let expected = facts(whole.path(), &outcome);
    assert_ne!(expected["learner.safetensors"], expected["ema.safetensors"]);
    let events = fate.events.get();
    // 21 batches, 12 steps, 3 validations seen from both sides, 6 checkpoints, start and end.
    assert!(events >= 45, "{events}");
    for death in 0..events {
        let folder = tempfile::tempdir().unwrap();
        assert!(dies(|| train(
            folder.path(),
            false,
            &Fate::at(death),
            device
        )));
        // Every other time it is killed once more on the way.
        if death % 2 == 1 {
            dies(|| train(folder.path(), true, &Fate::at(death / 2), device));
        }
        let outcome = train(folder.path(), true, &Fate::at(usize::MAX), device);
        let found = facts(folder.path(), &outcome);
        for (name, expected) in &expected {
            assert!(
                found[name] == *expected,
                "killed at event {death}: {name} differs"
            );
        }
    }
}

#[test]
fn the_seed_decides_dropout_and_drawn_parameters() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for device in devices() {
        let run = |seed: u64| {
            let folder = tempfile::tempdir().unwrap();
            let config = TrainConfig {
                steps: Some(3),
                seed,
                ..TrainConfig::default()
            };
            let feed = Shuffled {
                device: device.clone().autodiff(),
                fate: Fate::at(usize::MAX),
            };
            let learner = Supervised::new(Net::new(&device), CrossEntropy::new());
            Trainer::new(config, folder.path())
                .run(learner, &feed, &mut NoValidation, &mut NoWatch, &device)
                .unwrap();
            let log = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
            log.lines()
                .map(|line| {
                    serde_json::from_str::<serde_json::Value>(line).unwrap()["loss"].as_f64()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
