//! AdamW against its definition, its state and what decays.

use super::*;
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::Device;
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

fn config() -> TrainConfig {
    TrainConfig {
        weight_decay: 0.1,
        betas: [0.9, 0.99],
        eps: 1e-8,
        ..TrainConfig::default()
    }
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

/// The same by the definition in PyTorch's documentation of `AdamW`, in float64.
fn expected(
    start: &[f64],
    decay: f64,
    steps: usize,
    gradient: impl Fn(f64, usize) -> f64,
) -> Vec<f64> {
    let (lr, beta_1, beta_2, eps) = (0.05, 0.9f64, 0.99f64, 1e-8);
    let one = |start: f64| {
        let (mut x, mut m, mut v) = (start, 0.0, 0.0);
        for step in 0..steps {
            let g = gradient(x, step);
            x -= lr * decay * x;
            m = beta_1 * m + (1.0 - beta_1) * g;
            v = beta_2 * v + (1.0 - beta_2) * g * g;
            let t = step as i32 + 1;
            let (m_hat, v_hat) = (m / (1.0 - beta_1.powi(t)), v / (1.0 - beta_2.powi(t)));
            x -= lr * m_hat / (v_hat.sqrt() + eps);
        }
        x
    };
    start.iter().map(|x| one(*x)).collect()
}

#[test]
fn it_equals_pytorchs_adamw_with_decay_on_the_matrix_alone() {
    for device in devices() {
        let mut module = two(&device);
        let mut optimizer = AdamW::new(&config());
        for step in 0..7 {
            let grads = grads(&module, step);
            module = optimizer.step(0.05, module, grads, 1.0);
        }
        let weight = expected(&[1.0, -2.0, 0.5, 3.0], 0.1, 7, |x, step| {
            (step + 1) as f64 * x * x
        });
        let bias = expected(&[0.3f32.into(), (-0.7f32).into()], 0.0, 7, |x, _| 2.0 * x);
        let found = [floats(&module.weight.val()), floats(&module.bias.val())].concat();
        for (found, expected) in found.iter().zip(weight.iter().chain(&bias)) {
            assert!(
                (f64::from(*found) - expected).abs() < 2e-5,
                "{found} instead of {expected}"
            );
        }
        assert!(module.weight.is_require_grad());
    }
}

#[test]
fn its_state_goes_on_where_it_was_saved() {
    for device in devices() {
        let mut module = two(&device);
        let mut optimizer = AdamW::new(&config());
        for step in 0..3 {
            let grads = grads(&module, step);
            module = optimizer.step(0.05, module, grads, 0.5);
        }
        let saved = optimizer.save(&module);
        assert_eq!(saved.len(), 6);
        let mut other = AdamW::new(&config());
        other.load(&module, saved.clone()).unwrap();
        let a = optimizer.step(0.05, module.clone(), grads(&module, 3), 1.0);
        let b = other.step(0.05, module.clone(), grads(&module, 3), 1.0);
        assert_eq!(floats(&a.weight.val()), floats(&b.weight.val()));
        assert_eq!(floats(&a.bias.val()), floats(&b.bias.val()));

        let mut lacking = saved.clone();
        lacking.remove("moment_2.bias");
        assert_eq!(
            other.load(&module, lacking).unwrap_err(),
            "moment_2.bias is missing"
        );
        let mut foreign = saved;
        foreign.insert("steps.gone".to_owned(), TensorData::new(vec![1i64], [1]));
        assert!(
            other
                .load(&module, foreign)
                .unwrap_err()
                .contains("steps.gone")
        );
    }
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
