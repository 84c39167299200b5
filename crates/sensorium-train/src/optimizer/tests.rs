//! Each rule against its definition in float64, what it remembers, and what decays.

mod reference;

use super::*;
use burn::module::ModuleVisitor;
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, TensorData};
use sensorium_core::nn::LearnedPositions;
use sensorium_testkit::{devices, floats};

#[derive(Module, Debug)]
struct Two {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

fn two(device: &Device) -> Two {
    Two {
        weight: Param::from_tensor(Tensor::from_data([[1.0, -2.0], [0.5, 3.0]], device)),
        bias: Param::from_tensor(Tensor::from_data([0.3, -0.7], device)),
    }
    .train()
}

fn config(kind: OptimizerKind) -> TrainConfig {
    TrainConfig {
        optimizer: kind,
        weight_decay: 0.1,
        ..TrainConfig::default()
    }
}

fn optimizer(config: &TrainConfig, module: &Two) -> Optimizer {
    Optimizer::new(config, Arc::new(Groups::new(config, module, 10).unwrap()))
}

/// A gradient that changes from step to step: (step + 1) times the weight's square, and twice the bias.
fn grads(module: &Two, step: usize) -> GradientSum {
    let loss = module
        .weight
        .val()
        .powi_scalar(3)
        .sum()
        .mul_scalar((step + 1) as f64 / 3.0)
        + module.bias.val().square().sum();
    let mut sum = GradientSum::default();
    sum.add(module, &loss.backward());
    sum
}

/// Weight and bias after seven steps of this optimizer, of learning rate 0.05.
fn moved(config: &TrainConfig, device: &Device) -> Vec<f32> {
    let mut module = two(device);
    let mut optimizer = optimizer(config, &module);
    for step in 0..7 {
        let grads = grads(&module, step);
        module = optimizer.step(0.05, module, grads, 1.0);
    }
    assert!(module.weight.is_require_grad());
    [floats(&module.weight.val()), floats(&module.bias.val())].concat()
}

fn assert_near(found: &[f32], expected: &[f64], why: &str) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let apart = (f64::from(*found) - expected).abs();
        assert!(apart < 2e-5, "{why}: {found} instead of {expected}");
    }
}

#[test]
fn each_rule_equals_its_definition_with_decay_on_the_matrix_alone() {
    use OptimizerKind::{Adafactor, Adamw, Lion, Muon};
    let cases = [
        (
            config(Adamw),
            reference::adamw as fn(&TrainConfig) -> Vec<f64>,
        ),
        (config(Lion), reference::lion),
        (config(Adafactor), reference::adafactor),
        (
            TrainConfig {
                momentum: Some(0.8),
                update_clip: Some(0.7),
                decay_rate: Some(0.6),
                ..config(Adafactor)
            },
            reference::adafactor,
        ),
        (
            TrainConfig {
                scale_parameter: Some(true),
                ..config(Adafactor)
            },
            reference::adafactor,
        ),
        (config(Muon), reference::muon),
        (
            TrainConfig {
                momentum: Some(0.5),
                ns_steps: Some(3),
                ..config(Muon)
            },
            reference::muon,
        ),
    ];
    for device in devices() {
        for (config, reference) in &cases {
            config.validate().unwrap();
            let why = format!("{config:?}");
            assert_near(&moved(config, &device), &reference(config), &why);
        }
    }
}

#[test]
fn what_is_remembered_goes_on_where_it_was_saved() {
    for device in devices() {
        for (kind, saved_tensors) in [
            (OptimizerKind::Adamw, 6),
            (OptimizerKind::Lion, 4),
            (OptimizerKind::Adafactor, 5),
            (OptimizerKind::Muon, 5),
        ] {
            let config = config(kind);
            let mut module = two(&device);
            let mut first = optimizer(&config, &module);
            for step in 0..3 {
                let grads = grads(&module, step);
                module = first.step(0.05, module, grads, 0.5);
            }
            let saved = first.save(&module);
            assert_eq!(saved.len(), saved_tensors, "{kind}: {:?}", saved.keys());
            let mut other = optimizer(&config, &module);
            other.load(&module, saved.clone()).unwrap();
            let a = first.step(0.05, module.clone(), grads(&module, 3), 1.0);
            let b = other.step(0.05, module.clone(), grads(&module, 3), 1.0);
            assert_eq!(floats(&a.weight.val()), floats(&b.weight.val()), "{kind}");
            assert_eq!(floats(&a.bias.val()), floats(&b.bias.val()), "{kind}");

            for gone in saved.keys().filter(|key| !key.starts_with("steps.")) {
                let mut lacking = saved.clone();
                lacking.remove(gone);
                let fault = other.load(&module, lacking).unwrap_err();
                assert_eq!(fault, format!("{gone} is missing"));
            }
            let mut foreign = saved;
            foreign.insert("steps.gone".to_owned(), TensorData::new(vec![1i64], [1]));
            let fault = other.load(&module, foreign).unwrap_err();
            assert!(fault.contains("steps.gone"), "{fault}");
        }
    }
}

#[test]
fn a_matrix_costs_each_rule_what_it_promises() {
    let device = &devices()[0];
    let module = two(device);
    let mut path = Path::default();
    path.enter("weight", "Struct:Linear");
    let of = |config: TrainConfig| optimizer(&config, &module).remembered(&path, &[30, 20]);
    assert_eq!(of(config(OptimizerKind::Adamw)), 1200);
    assert_eq!(of(config(OptimizerKind::Lion)), 600);
    assert_eq!(of(config(OptimizerKind::Adafactor)), 50);
    assert_eq!(of(config(OptimizerKind::Muon)), 600);
    let with_momentum = TrainConfig {
        momentum: Some(0.9),
        ..config(OptimizerKind::Adafactor)
    };
    assert_eq!(of(with_momentum), 650);
}

#[test]
fn muon_makes_singular_values_about_one_whichever_way_a_matrix_lies() {
    for device in devices() {
        for shape in [[6, 4], [4, 6], [5, 5]] {
            let matrix: Tensor<2> = sensorium_testkit::random(shape, 3, &device);
            let made = muon::orthogonal(matrix.clone(), 5);
            let turned = muon::orthogonal(matrix.transpose(), 5).transpose();
            let both = floats(&made).into_iter().zip(floats(&turned));
            assert!(both.into_iter().all(|(a, b)| (a - b).abs() < 1e-5));
            let square = match shape[0] > shape[1] {
                true => made.clone().transpose().matmul(made),
                false => made.clone().matmul(made.transpose()),
            };
            // The trace is the sum of the squares of the singular values.
            let least = shape[0].min(shape[1]);
            let numbers = floats(&square);
            let trace: f32 = (0..least).map(|at| numbers[at * least + at]).sum();
            let mean = trace / least as f32;
            assert!((0.5..1.4).contains(&mean), "{mean}");
        }
    }
}

#[test]
fn muon_leaves_ends_vectors_and_convolutions_to_adamw() {
    let no_decay: Vec<String> = TrainConfig::default().no_decay;
    let is = |names: &[&str], holder: &str, shape: &[usize]| {
        let mut path = Path::default();
        let (last, before) = names.split_last().unwrap();
        before
            .iter()
            .for_each(|name| path.enter(name, "Struct:Any"));
        path.enter(last, holder);
        is_hidden_matrix(&path, shape, &no_decay)
    };
    let linear = "Struct:Linear";
    assert!(is(
        &["model", "blocks", "0", "query", "weight"],
        linear,
        &[4, 4]
    ));
    assert!(!is(
        &["model", "blocks", "0", "query", "bias"],
        linear,
        &[4]
    ));
    assert!(!is(&["model", "head", "hidden", "weight"], linear, &[4, 4]));
    assert!(!is(
        &["encoder", "patch_embedding", "weight"],
        linear,
        &[4, 4]
    ));
    assert!(!is(
        &["encoder", "words", "weight"],
        "Struct:Embedding",
        &[9, 4]
    ));
    assert!(!is(
        &["encoder", "first", "weight"],
        "Struct:Conv2d",
        &[4, 4, 3, 3]
    ));
    assert!(!is(&["encoder", "one", "weight"], linear, &[1, 4]));
}

#[derive(Module, Debug)]
struct Kinds {
    patch_embedding: Linear,
    words: Embedding,
    norm: LayerNorm,
    positions: LearnedPositions,
    class_token: Param<Tensor<3>>,
    query: Param<Tensor<2>>,
    modality_embeddings: Param<Tensor<2>>,
}

#[test]
fn vectors_norms_embeddings_positions_and_tokens_do_not_decay() {
    struct Decaying(Path, Vec<String>, Vec<String>);
    impl ModuleVisitor for Decaying {
        fn enter_module(&mut self, name: &str, holder: &str) {
            self.0.enter(name, holder);
        }
        fn exit_module(&mut self, _name: &str, _holder: &str) {
            self.0.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if decays(&self.0, &param.base().dims(), &self.1) {
                self.2.push(self.0.dotted());
            }
        }
    }
    for device in devices() {
        let kinds = Kinds {
            patch_embedding: LinearConfig::new(4, 4).init(&device),
            words: EmbeddingConfig::new(5, 4).init(&device),
            norm: LayerNormConfig::new(4).init(&device),
            positions: LearnedPositions::new(3, 4, &device),
            class_token: Param::from_tensor(Tensor::zeros([1, 1, 4], &device)),
            query: Param::from_tensor(Tensor::zeros([1, 4], &device)),
            modality_embeddings: Param::from_tensor(Tensor::zeros([3, 4], &device)),
        };
        let mut found = Decaying(Path::default(), TrainConfig::default().no_decay, Vec::new());
        kinds.visit(&mut found);
        assert_eq!(found.2, ["patch_embedding.weight"]);
    }
}
