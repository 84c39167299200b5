//! Losses and their gradients beside the reference: PyTorch, Transformers, and the papers' formulas written out there.
//!
//! Made by `tools/parity/train/objectives.py`. Each input holds a zero, where slopes are easily wrong.

use std::collections::BTreeMap;

use burn::module::{Param, ParamId};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use sensorium_testkit::{bools, devices, floats, ints};
use sensorium_train::*;
use serde::Deserialize;

const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Case {
    learns: BTreeMap<String, Numbers>,
    settings: BTreeMap<String, Setting>,
    loss: f64,
    gradients: BTreeMap<String, Numbers>,
}

#[derive(Deserialize)]
struct Numbers {
    shape: Vec<usize>,
    values: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Setting {
    Tensor(Numbers),
    Number(f64),
}

impl Numbers {
    fn tensor<const D: usize>(&self, device: &Device) -> Tensor<D> {
        let values: Vec<f32> = self.values.iter().map(|value| *value as f32).collect();
        Tensor::from_data(TensorData::new(values, self.shape.clone()), device)
    }
}

/// One case on one device, whose inputs are leaves.
struct Asked<'a> {
    case: &'a Case,
    device: Device,
    rows: BTreeMap<&'a str, Tensor<2>>,
}

impl Asked<'_> {
    fn rows(&self, name: &str) -> Tensor<2> {
        self.rows[name].clone()
    }

    /// An input of another rank: its leaf is flat.
    fn shaped<const D: usize>(&self, name: &str) -> Tensor<D> {
        let shape: [usize; D] = self.case.learns[name].shape.clone().try_into().unwrap();
        self.rows(name).reshape(shape)
    }

    fn parameter(&self, name: &str) -> Param<Tensor<1>> {
        // Not `from_tensor`, which makes a leaf: what is computed from the flat leaf is to reach it.
        Param::initialized(ParamId::new(), self.shaped(name))
    }

    fn given<const D: usize>(&self, name: &str) -> Tensor<D> {
        self.numbers(name).tensor(&self.device)
    }

    fn classes<const D: usize>(&self, name: &str) -> Tensor<D, Int> {
        let numbers = self.numbers(name);
        let values: Vec<i64> = numbers.values.iter().map(|value| *value as i64).collect();
        let data = TensorData::new(values, numbers.shape.clone());
        Tensor::from_data(data, &self.device)
    }

    fn mask(&self, name: &str) -> Tensor<2, Bool> {
        self.given::<2>(name).greater_elem(0.5)
    }

    fn list(&self, name: &str) -> Vec<f32> {
        let values = &self.numbers(name).values;
        values.iter().map(|value| *value as f32).collect()
    }

    fn numbers(&self, name: &str) -> &Numbers {
        match &self.case.settings[name] {
            Setting::Tensor(numbers) => numbers,
            Setting::Number(_) => panic!("{name} is one number"),
        }
    }

    fn number(&self, name: &str) -> f64 {
        match &self.case.settings[name] {
            Setting::Number(number) => *number,
            Setting::Tensor(_) => panic!("{name} is a tensor"),
        }
    }
}

fn cases() -> BTreeMap<String, Case> {
    serde_json::from_str(include_str!("fixtures/objectives.json")).unwrap()
}

/// The loss and its gradient by every input are the reference's, on every device.
#[track_caller]
fn check(name: &str, loss: impl Fn(&Asked) -> Tensor<1>) {
    let all = cases();
    let case = &all[name];
    for device in devices().into_iter().map(|device| device.autodiff()) {
        let leaf = |(name, numbers): (&String, &Numbers)| {
            let flat: Tensor<2> = match numbers.shape.len() {
                2 => numbers.tensor(&device),
                _ => {
                    let shape = vec![1, numbers.values.len()];
                    let values = numbers.values.clone();
                    Numbers { shape, values }.tensor(&device)
                }
            };
            (name.clone(), flat.require_grad())
        };
        let leaves: BTreeMap<String, Tensor<2>> = case.learns.iter().map(leaf).collect();
        let asked = Asked {
            case,
            device: device.clone(),
            rows: leaves
                .iter()
                .map(|(name, leaf)| (&**name, leaf.clone()))
                .collect(),
        };
        let total = loss(&asked);
        close(name, "loss", &floats(&total), &[case.loss]);
        let grads = total.backward();
        for (input, expected) in &case.gradients {
            let grad = leaves[input].grad(&grads);
            let grad = grad.unwrap_or_else(|| panic!("{name}: {input} has no gradient"));
            close(name, input, &floats(&grad), &expected.values);
        }
    }
}

#[track_caller]
fn close(case: &str, what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{case}: {what}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(*found) - expected).abs();
        assert!(
            difference <= TOLERANCE,
            "{case}: {what} {place} is {found} instead of {expected}"
        );
    }
}

#[test]
fn parity_of_labels_and_numbers() {
    check("binary", |asked| {
        let targets = Targets::partly(asked.given("targets"), asked.mask("unknown"));
        BinaryCrossEntropy::new()
            .with_positive_weights(asked.list("weights"))
            .loss(asked.rows("logits"), targets)
            .total
    });
    check("binary_focal", |asked| {
        let targets = asked.given::<2>("targets").into();
        let focal = BinaryFocal::new(2.0).with_alpha(0.25);
        focal.loss(asked.rows("logits"), targets).total
    });
    check("focal", |asked| {
        let counts: Vec<usize> = asked.list("counts").iter().map(|n| *n as usize).collect();
        let weights = class_balanced_weights(&counts, asked.number("beta"));
        let expected = &asked.numbers("weights").values;
        close("focal", "weights", &weights, expected);
        let focal = Focal::new(1.5).with_class_weights(weights);
        let classes = asked.classes("classes");
        focal.loss(asked.rows("logits"), classes).total
    });
    for (name, objective) in [
        ("squared", Regression::squared()),
        ("absolute", Regression::absolute()),
        ("huber", Regression::huber(0.7)),
    ] {
        check(name, |asked| {
            let targets = asked.given::<2>("targets").into();
            objective.loss(asked.rows("output"), targets).total
        });
    }
    check("ordinal", |asked| {
        let logits = asked.rows("logits");
        let above = floats(&Ordinal.above(logits.clone()));
        close("ordinal", "above", &above, &asked.numbers("above").values);
        let predicted = ints(&asked.classes::<1>("predicted"));
        assert_eq!(ints(&Ordinal.classes(logits.clone())), predicted);
        Ordinal.loss(logits, asked.classes("classes")).total
    });
}

#[test]
fn parity_of_contrastive_losses() {
    let pairs = |asked: &Asked| Pairs::new(asked.rows("first"), asked.rows("second"));
    let contrastive = |asked: &Asked, block| {
        let mut objective = Contrastive::new(&asked.device).with_block(block);
        objective.logit_scale = asked.parameter("scale");
        objective
    };
    check("nt_xent", |asked| {
        NtXent::new(0.2).loss(pairs(asked), None).total
    });
    for block in [1, 4, 6, 512] {
        check("contrastive", |asked| {
            let objective = contrastive(asked, block);
            objective.loss(pairs(asked), None).total
        });
        check("contrastive_groups", |asked| {
            let present = asked.given::<1>("present").greater_elem(0.5);
            let groups = Some(asked.classes("groups"));
            let objective = contrastive(asked, block);
            let loss = objective.loss_of_groups(pairs(asked), Some(present), groups);
            loss.total
        });
        check("sigmoid", |asked| {
            let mut objective = SigmoidContrastive::new(&asked.device).with_block(block);
            objective.logit_scale = asked.parameter("scale");
            objective.logit_bias = asked.parameter("bias");
            objective.loss(pairs(asked), None).total
        });
    }
}

#[test]
fn parity_of_teachers() {
    check("distillation", |asked| {
        let taught = Taught {
            logits: asked.given("teacher"),
            classes: Some(asked.classes("classes")),
        };
        let objective = Distillation::new(3.0).with_truth(0.25, CrossEntropy::new());
        objective.loss(asked.rows("student"), taught).total
    });
    check("consistency", |asked| {
        let teacher = asked.given("teacher");
        Consistency.loss(asked.rows("student"), teacher).total
    });
}

#[test]
fn parity_of_pseudo_labels() {
    let output = |asked: &Asked| SemiLogits {
        labelled: asked.rows("labelled"),
        weak: asked.given("weak"),
        strong: asked.rows("strong"),
    };
    check("fix_match", |asked| {
        let objective = FixMatch::new().with_weight(0.5);
        objective
            .loss(output(asked), asked.classes("classes"))
            .total
    });
    check("flex_match", |asked| {
        let status = asked.given::<1>("status");
        let [samples] = status.dims();
        let objective = FlexMatch::new(samples, 4, &asked.device).with_threshold(0.8);
        objective.status.update(status);
        let thresholds = objective.learning_status().thresholds(0.8, true);
        let thresholds: Vec<f32> = thresholds
            .iter()
            .map(|threshold| *threshold as f32)
            .collect();
        close(
            "flex_match",
            "thresholds",
            &thresholds,
            &asked.numbers("thresholds").values,
        );
        let target = FlexTarget {
            classes: asked.classes("classes"),
            samples: Tensor::arange(0..8, &asked.device),
        };
        objective.loss(output(asked), target).total
    });
}

#[test]
fn parity_of_what_was_hidden() {
    check("masked_tokens", |asked| {
        let ids = asked.classes("ids");
        MaskedTokens::new().loss(asked.shaped("logits"), ids).total
    });
    for (name, objective) in [
        ("masked_patches", MaskedPatches::normalised()),
        ("masked_pixels", MaskedPatches::plain()),
    ] {
        check(name, |asked| {
            let cut = patches(asked.given::<4>("pixels"), 2);
            close(
                name,
                "patches",
                &floats(&cut),
                &asked.numbers("patches").values,
            );
            let masked = asked.mask("mask");
            assert_eq!(bools(&masked).iter().filter(|masked| **masked).count(), 8);
            let targets = PatchTargets {
                patches: cut,
                masked,
            };
            objective.loss(asked.shaped("predicted"), targets).total
        });
    }
}

#[test]
fn every_case_of_the_fixture_is_asked() {
    let source = include_str!("objectives_parity.rs");
    for name in cases().keys() {
        assert!(source.contains(&format!("\"{name}\"")), "{name}");
    }
}
