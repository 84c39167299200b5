//! What must hold of causal language models: gradients, batches, names of parameters, and what they refuse.

mod config;

use burn::tensor::{Device, Tensor};
use sensorium_decode::Speaker;
use sensorium_testkit::{assert_close, check_gradients, devices, parameter_snapshot, random};
use sensorium_text::TextBatch;

use super::{CausalConfig, CausalLm, Gpt2Config, LlamaConfig, LlamaKind};

/// One of each family.
fn configs() -> [CausalConfig; 4] {
    let llama = LlamaConfig::debug();
    [
        llama.clone().into(),
        LlamaConfig {
            kind: LlamaKind::Qwen2,
            tied: true,
            ..llama.clone()
        }
        .into(),
        LlamaConfig {
            kind: LlamaKind::Qwen3,
            d_head: Some(6),
            n_kv_heads: Some(2),
            mlp_bias: true,
            ..llama
        }
        .into(),
        Gpt2Config::debug().into(),
    ]
}

fn texts(device: &Device) -> TextBatch {
    TextBatch::dense(Tensor::from_data([[1, 5, 9, 2], [3, 3, 0, 23]], device))
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for config in configs() {
            let model: CausalLm = config.init(&device);
            let weight = random([2, 4, 24], 2, &device);
            let texts = texts(&device);
            check_gradients(model, |model| (model.forward(texts) * weight).sum());
        }
    }
}

#[test]
fn padding_and_neighbours_change_nothing() {
    for device in devices() {
        for config in configs() {
            let model = config.init(&device);
            let whole = model.forward(texts(&device));
            let first = TextBatch::dense(texts(&device).ids.narrow(0, 0, 1));
            assert_close(&model.forward(first), &whole.clone().narrow(0, 0, 1), 1e-5);
            let longer = TextBatch {
                ids: Tensor::from_data([[1, 5, 9, 2, 7], [3, 3, 0, 23, 7]], &device),
                pad: Tensor::from_data([[false, false, false, false, true]; 2], &device),
            };
            let padded = model.forward(longer).narrow(1, 0, 4);
            assert_close(&padded, &whole, 1e-5);
        }
    }
}

#[test]
fn a_long_prompt_is_read_in_parts() {
    for device in devices() {
        let config = LlamaConfig {
            max_position_embeddings: Some(2048),
            ..LlamaConfig::debug()
        };
        let model = CausalConfig::from(config).init(&device);
        let ids: Vec<u32> = (0..1100).map(|i| i * 7 % 24).collect();
        let (mut speaking, scores) = model.read(&[&ids, &ids[..3]], 4).unwrap();
        let alone = |ids: &[u32]| {
            let ids: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
            let count = ids.len();
            let ids = Tensor::<1, burn::tensor::Int>::from_data(ids.as_slice(), &device);
            let logits = model.forward(TextBatch::dense(ids.reshape([1, count])));
            logits.narrow(1, count - 1, 1).reshape([1, 24])
        };
        let found = |scores: &[f32], row: usize| {
            Tensor::<1>::from_data(&scores[row * 24..(row + 1) * 24], &device).reshape([1, 24])
        };
        assert_close(&alone(&ids), &found(&scores, 0), 1e-4);
        assert_close(&alone(&ids[..3]), &found(&scores, 1), 1e-4);
        // The short one goes on alone.
        speaking.select(&[1], &[1]);
        let scores = speaking.step(&[9]).unwrap();
        let expected = alone(&[ids[0], ids[1], ids[2], 9]);
        assert_close(&expected, &found(&scores, 0), 1e-4);
    }
}

#[test]
fn prompts_that_cannot_be_read_are_named_with_counts() {
    let device = devices().remove(0);
    let model = CausalConfig::from(LlamaConfig::debug()).init(&device);
    let long: Vec<u32> = vec![1; 65];
    for (prompts, said) in [
        (vec![&[1, 2][..], &[]], "prompt 1 has no token"),
        (
            vec![&long[..]],
            "prompt 0 has 65 tokens, and the model reads 64 at the most",
        ),
        (
            vec![&[1, 24][..]],
            "prompt 0 has token 24, and the model knows 24",
        ),
    ] {
        let error = model.read(&prompts, 1).unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains('\n'), "{error}");
    }
    // As many as the model reads, or as there is room for, and none more.
    for (tokens, room, said) in [
        (64, 9, "has 64 tokens, and there is room for 64"),
        (2, 0, "has 2"),
    ] {
        let (mut speaking, _) = model.read(&[&long[..tokens]], room).unwrap();
        let error = speaking.step(&[1]).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn names_of_parameters_stay() {
    let device = devices().remove(0);
    let names = |config: CausalConfig| parameter_snapshot(&config.init(&device));
    let [llama, qwen2, qwen3, gpt2] = configs().map(names);
    let block = "model.transformer.blocks.0";
    for name in [
        "model.token.weight",
        "head.weight",
        "model.transformer.norm.rms.gamma",
    ] {
        assert!(llama.contains(name), "{name}: {llama}");
    }
    assert!(!qwen2.contains("head.weight"), "{qwen2}");
    assert!(qwen2.contains(&format!("{block}.attention.query.bias")));
    assert!(!qwen2.contains(&format!("{block}.attention.output.bias")));
    assert!(qwen3.contains(&format!("{block}.attention.norm_query.rms.gamma")));
    assert!(qwen3.contains(&format!("{block}.feed_forward.gate.bias")));
    assert!(gpt2.contains("model.position.weight"), "{gpt2}");
    assert!(gpt2.contains(&format!("{block}.attention.qkv.weight")));
}
