//! Runs with what semi-supervised learning remembers: resumed, in parts and by several, they end as if undisturbed; collapsed, they stop.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use sensorium_testkit::{devices, random};
use sensorium_train::*;

#[derive(Module, Debug)]
struct Layer {
    weight: Param<Tensor<2>>,
}

impl Layer {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.val())
    }
}

/// FlexMatch and a mean teacher at once.
#[derive(Module, Debug)]
struct Semi {
    models: MeanTeacher<Layer>,
    objective: FlexMatch,
    #[module(skip)]
    step: usize,
}

#[derive(Clone, Debug)]
struct Batch {
    labelled: Tensor<2>,
    classes: Tensor<1, Int>,
    unlabelled: Tensor<2>,
    samples: Tensor<1, Int>,
}

impl Semi {
    fn learn_part(&self, batch: Batch, parts: SemiParts) -> Learned {
        let student = &self.models.student;
        let weak = student.forward(batch.unlabelled.clone());
        let strong = student.forward(batch.unlabelled.clone().mul_scalar(0.5));
        let output = SemiLogits {
            labelled: student.forward(batch.labelled),
            weak,
            strong: strong.clone(),
        };
        let target = FlexTarget {
            classes: batch.classes,
            samples: batch.samples,
        };
        let teacher = self.models.teacher.forward(batch.unlabelled);
        let agreement = Consistency.loss(strong, teacher).total;
        let agreement = parts.unlabelled(agreement);
        let loss = self.objective.loss_of(output, target, parts);
        Learned::new(loss.plus("consistency", agreement, ramp_up(self.step, 8)))
    }
}

impl Learner for Semi {
    type Batch = Batch;

    fn learn(&self, batch: Batch) -> Learned {
        self.learn_part(batch, SemiParts::default())
    }

    fn compared(&self, batch: Batch) -> Option<Compared> {
        let [unlabelled] = batch.samples.dims();
        let supervised = &self.objective.supervised;
        Some(SemiParts::compared(supervised, &batch.classes, unlabelled))
    }

    fn learn_among(&self, batch: Batch, others: &Others) -> Learned {
        let [unlabelled] = batch.samples.dims();
        let supervised = &self.objective.supervised;
        let parts = SemiParts::among(others, supervised, &batch.classes, unlabelled);
        self.learn_part(batch, parts)
    }

    fn remember(&self, noted: &[Noted]) {
        self.objective.remember(noted);
    }

    fn before_step(self, step: usize) -> Self {
        Self {
            models: self.models.follow(0.8, step),
            step,
            ..self
        }
    }
}

fn learner(device: &Device, detector: Option<CollapseDetector>) -> Semi {
    let weight = random::<2>([4, 3], 1, device).mul_scalar(3.0);
    let student = Layer {
        weight: Param::from_tensor(weight),
    };
    let mut objective = FlexMatch::new(12, 3, device).with_threshold(0.8);
    if let Some(detector) = detector {
        objective = objective.with_detector(detector);
    }
    Semi {
        models: MeanTeacher::new(student),
        objective,
        step: 0,
    }
}

/// Twelve unlabelled samples, four a batch.
fn feed(device: &Device) -> impl Feed<Batch = Batch> + use<> {
    let on = device.clone().autodiff();
    FnFeed::new(3, move |epoch, batch| {
        let rows = |count, seed| random::<2>([count, 4], seed, &on).mul_scalar(2.0);
        let from = batch as i64 * 4;
        Ok(Fed {
            ids: vec![format!("{epoch}-{batch}")],
            batch: Batch {
                labelled: rows(2, 7),
                classes: Tensor::from_data([0, 2], &on),
                unlabelled: rows(12, 9).narrow(0, batch * 4, 4),
                samples: Tensor::arange(from..from + 4, &on),
            },
        })
    })
}

/// The same in so many parts a batch, each of which is shared by ranks: by what they have of the one labelled and the three unlabelled
/// samples of the first part, and of the others of the second.
fn in_parts(device: &Device, parts: usize, ranks: Together) -> impl Feed<Batch = Batch> + use<> {
    let whole = feed(device);
    FnFeed::new(3 * parts, move |epoch, batch| {
        let Batch {
            labelled,
            classes,
            unlabelled,
            samples,
        } = whole
            .batches(epoch, batch / parts)?
            .next()
            .expect("one")?
            .batch;
        let (of_labelled, of_unlabelled) = match (parts, batch % parts) {
            (1, _) => (0..2, 0..4),
            (_, 0) => (0..1, 0..3),
            _ => (1..2, 3..4),
        };
        let own = |of: std::ops::Range<usize>| {
            let share = ranks.share(of.len());
            of.start + share.start..of.start + share.end
        };
        let (some, more) = (own(of_labelled), own(of_unlabelled));
        // What stands in the place of a share has no label.
        let (row, class) = match some.is_empty() {
            true => (0..1, Tensor::from_data([-1], &labelled.device())),
            false => (some.clone(), classes.slice([some])),
        };
        // Nor does it say anything of a sample: `ids` tells how many there are.
        let there = more.len();
        let more = if there == 0 { 0..1 } else { more };
        Ok(Fed {
            ids: vec![format!("{epoch}-{batch}"); there],
            batch: Batch {
                labelled: labelled.slice([row]),
                classes: class,
                unlabelled: unlabelled.slice([more.clone()]),
                samples: samples.slice([more]),
            },
        })
    })
}

/// Ends the run after a step, and keeps what it sees.
#[derive(Default)]
struct Notes {
    stop_after: Option<usize>,
    steps: BTreeMap<usize, StepLog>,
    warnings: Vec<Warning>,
}

impl Watch for Notes {
    fn on_step(&mut self, step: &StepLog) -> ControlFlow<()> {
        self.steps.insert(step.step, step.clone());
        match self.stop_after == Some(step.step) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
    fn on_warning(&mut self, warning: &Warning) {
        self.warnings.push(warning.clone());
    }
}

fn run<W: Watch>(
    folder: &Path,
    resume: bool,
    learner: Semi,
    watch: &mut W,
    device: &Device,
) -> Outcome<Semi> {
    let config = TrainConfig {
        epochs: 4,
        lr: 0.1,
        ..TrainConfig::default()
    };
    Trainer::new(config, folder)
        .resume(resume)
        .run(learner, &feed(device), &mut NoValidation, watch, device)
        .unwrap()
}

fn saved(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("checkpoints/step-00000012/learner.safetensors")).unwrap()
}

#[test]
fn thresholds_and_teacher_are_part_of_the_checkpoint() {
    for device in devices() {
        let whole = tempfile::tempdir().unwrap();
        let mut notes = Notes::default();
        let outcome = run(
            whole.path(),
            false,
            learner(&device, None),
            &mut notes,
            &device,
        );
        let status = outcome.learner.objective.learning_status();
        assert!(
            status.samples().iter().any(|class| *class >= 0),
            "none was ever sure"
        );
        let terms: Vec<&str> = notes.steps[&1].terms.keys().map(|name| &**name).collect();
        assert_eq!(terms, ["consistency", "kept", "labelled", "unlabelled"]);
        // The teacher is not what it was, nor the student.
        let weights = |layer: &Layer| sensorium_testkit::floats(&layer.weight.val());
        let models = &outcome.learner.models;
        let first = learner(&device, None).models.teacher;
        assert_ne!(weights(&models.teacher), weights(&models.student));
        assert_ne!(weights(&models.teacher), weights(&first));
        let text = String::from_utf8_lossy(&saved(whole.path())).into_owned();
        for name in ["objective.status", "models.teacher.weight"] {
            assert!(text.contains(name), "{name} is not in the checkpoint");
        }

        for stop_after in [1, 5, 8] {
            let folder = tempfile::tempdir().unwrap();
            let mut stopped = Notes {
                stop_after: Some(stop_after),
                ..Notes::default()
            };
            run(
                folder.path(),
                false,
                learner(&device, None),
                &mut stopped,
                &device,
            );
            let mut rest = Notes::default();
            run(
                folder.path(),
                true,
                learner(&device, None),
                &mut rest,
                &device,
            );
            assert!(
                saved(folder.path()) == saved(whole.path()),
                "stopped after {stop_after}"
            );
            for (step, log) in stopped.steps.iter().chain(&rest.steps) {
                assert_eq!(log.terms, notes.steps[step].terms, "step {step}");
            }
        }
    }
}

#[test]
fn a_batch_in_parts_and_on_several_ranks_is_remembered_as_one() {
    for device in devices() {
        let whole = tempfile::tempdir().unwrap();
        let mut notes = Notes::default();
        let start = learner(&device, None);
        let expected = run(whole.path(), false, start, &mut notes, &device).learner;
        let expected_loss: Vec<f64> = notes.steps.values().map(|step| step.loss).collect();
        let expected_status = expected.objective.learning_status();
        for (parts, size) in [(2, 1), (1, 2), (1, 3), (2, 2)] {
            let folder = tempfile::tempdir().unwrap();
            let ends = in_threads(size, |ranks| {
                let config = TrainConfig {
                    epochs: 4,
                    lr: 0.1,
                    accumulate: parts,
                    ..TrainConfig::default()
                };
                let feed = in_parts(&device, parts, ranks.clone());
                let mut notes = Notes::default();
                let outcome = Trainer::new(config, folder.path())
                    .with_ranks(ranks)
                    .run(
                        learner(&device, None),
                        &feed,
                        &mut NoValidation,
                        &mut notes,
                        &device,
                    )
                    .unwrap();
                let losses: Vec<f64> = notes.steps.values().map(|step| step.loss).collect();
                (outcome.learner, losses)
            });
            for (found, losses) in &ends {
                assert_eq!(losses.len(), expected_loss.len());
                for (found, expected) in losses.iter().zip(&expected_loss) {
                    assert!(
                        (found - expected).abs() < 1e-5,
                        "{parts} {size}: {found} {expected}"
                    );
                }
                assert_eq!(
                    found.objective.learning_status().samples(),
                    expected_status.samples()
                );
                let weights = |semi: &Semi| semi.models.student.weight.val();
                sensorium_testkit::assert_close(&weights(found), &weights(&expected), 1e-5);
            }
        }
    }
}

#[test]
fn a_collapsed_run_says_so_and_stops() {
    for device in devices() {
        let detector = CollapseDetector::new(4);
        let mut collapsed = learner(&device, Some(detector.clone()));
        // Knows one answer: the first class, by far, for all that is positive; samples are made so below.
        let weight = Tensor::from_data([[5.0, 0.0, 0.0]; 4], &device);
        collapsed.models.student.weight = Param::from_tensor(weight);
        let on = device.clone().autodiff();
        let positive = FnFeed::new(20, move |_, batch| {
            let rows = |count| random::<2>([count, 4], batch as u64, &on).abs() + 0.5;
            Ok(Fed {
                ids: vec![batch.to_string()],
                batch: Batch {
                    labelled: rows(1),
                    classes: Tensor::from_data([0], &on),
                    unlabelled: rows(4),
                    samples: Tensor::arange(0..4, &on),
                },
            })
        });
        let folder = tempfile::tempdir().unwrap();
        let mut notes = Notes::default();
        let mut watch = StopOnCollapse::new(&mut notes, detector);
        let outcome = Trainer::new(TrainConfig::default(), folder.path())
            .run(collapsed, &positive, &mut NoValidation, &mut watch, &device)
            .unwrap();
        assert_eq!((outcome.ended, outcome.steps), (Ended::Asked, 4));
        let Some(Warning::Collapsed { step, seen }) = notes.warnings.last() else {
            panic!("{:?}", notes.warnings);
        };
        assert_eq!(*step, 4);
        let begin = "the model has collapsed: 100.0 % of the last 16 samples without label (4 batches) were taken for class 0";
        assert!(seen.starts_with(begin), "{seen}");
        // Once, and where it can be read afterwards.
        let log = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let lines: Vec<serde_json::Value> = lines.collect();
        let told: Vec<_> = lines.iter().filter(|l| l["message"].is_string()).collect();
        let [line] = told[..] else { panic!("{told:?}") };
        assert_eq!(
            (&line["kind"], &line["step"]),
            (&"warning".into(), &4.into())
        );
        assert_eq!(line["message"], format!("step 4: {seen}"));
    }
}
