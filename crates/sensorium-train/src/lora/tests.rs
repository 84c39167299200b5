//! Additions: which matrices get one, what learns, and that nothing else moves; saved, put on again and merged.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_testkit::{assert_close, devices, floats, random};

use super::*;
use crate::tensors::{Layout, Tensors, collect};
use crate::*;

#[derive(Module, Debug)]
struct Block {
    up: Linear,
    down: Linear,
    norm: LayerNorm,
}

#[derive(Module, Debug)]
struct Encoder {
    token: Param<Tensor<2>>,
    batch: BatchNorm,
    blocks: Vec<Block>,
}

#[derive(Module, Debug)]
struct Net {
    encoders: Encoder,
    head: Linear,
}

/// Drawn on the host: tests in one process share the device's generator.
fn linear(d_in: usize, d_out: usize, seed: u64, device: &Device) -> Linear {
    let mut linear = LinearConfig::new(d_in, d_out).init(device);
    linear.weight = Param::from_tensor(random([d_in, d_out], seed, device));
    linear.bias = Some(Param::from_tensor(random([d_out], seed + 1, device)));
    linear
}

impl Net {
    fn new(device: &Device) -> Self {
        let block = |seed| Block {
            up: linear(6, 10, seed, device),
            down: linear(10, 6, seed + 2, device),
            norm: LayerNormConfig::new(6).init(device),
        };
        Self {
            encoders: Encoder {
                token: Param::from_tensor(random([1, 6], 9, device)),
                batch: BatchNormConfig::new(6).init(device),
                blocks: vec![block(1), block(5)],
            },
            head: linear(6, 3, 11, device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut x = self.encoders.batch.forward(x) + self.encoders.token.val();
        for block in &self.encoders.blocks {
            let y = block.down.forward(block.up.forward(x.clone()).tanh());
            x = block.norm.forward(x + y);
        }
        self.head.forward(x)
    }
}

impl Learner for Net {
    type Batch = (Tensor<2>, Tensor<2>);

    fn learn(&self, (x, y): Self::Batch) -> Learned {
        Learned::new(Loss::new((self.forward(x) - y).square().mean()))
    }
}

fn lora() -> LoraConfig {
    LoraConfig {
        rank: 2,
        alpha: 4.0,
        ..LoraConfig::default()
    }
}

fn feed(ranks: &Together, device: &Device) -> impl Feed<Batch = (Tensor<2>, Tensor<2>)> + use<> {
    let (device, ranks) = (device.clone().autodiff(), ranks.clone());
    FnFeed::new(4, move |epoch, batch| {
        let seed = 100 + 10 * epoch as u64 + batch as u64;
        let share = ranks.share(8);
        let part = |x: Tensor<2>| x.slice([share.clone()]);
        Ok(Fed {
            ids: share.clone().map(|row| format!("{seed}-{row}")).collect(),
            batch: (
                part(random([8, 6], seed, &device)),
                part(random([8, 3], seed + 50, &device)),
            ),
        })
    })
}

/// Stops after a step.
struct Stop(usize);

impl Watch for Stop {
    fn on_step(&mut self, step: &StepLog) -> std::ops::ControlFlow<()> {
        match step.step == self.0 {
            true => std::ops::ControlFlow::Break(()),
            false => std::ops::ControlFlow::Continue(()),
        }
    }

    fn on_warning(&mut self, warning: &Warning) {
        panic!("{warning}");
    }
}

fn train(net: Net, folder: &std::path::Path, stop: usize, ranks: Together, device: &Device) -> Net {
    let config = TrainConfig {
        epochs: 2,
        lr: 0.05,
        ema_decay: Some(0.5),
        weight_decay: 0.1,
        ..TrainConfig::default()
    };
    let feed = feed(&ranks, device);
    Trainer::new(config, folder)
        .resume(folder.join("metrics.jsonl").exists())
        .with_ranks(ranks)
        .run(net, &feed, &mut NoValidation, &mut Stop(stop), device)
        .unwrap()
        .learner
}

fn trained(device: &Device) -> Net {
    let folder = tempfile::tempdir().unwrap();
    let net = add_lora(Net::new(device), &lora(), 7).unwrap();
    train(net, folder.path(), 99, Together::default(), device)
}

fn memory(net: &Net) -> Tensors {
    collect(&net.valid(), Layout::Memory)
}

#[test]
fn matrices_of_blocks_are_added_to_the_head_learns_and_all_else_is_frozen() {
    for device in devices() {
        let net = add_lora(Net::new(&device), &lora(), 7).unwrap();
        let table = parameter_table(&net);
        let learns: Vec<&str> = table
            .iter()
            .filter(|row| row.trainable)
            .map(|row| row.path.as_str())
            .collect();
        let expected = [0, 1].map(|block| {
            ["up", "down"].map(|name| {
                ["a", "b"].map(|f| format!("encoders.blocks.{block}.{name}.weight.lora.{f}"))
            })
        });
        let mut expected: Vec<&str> = expected
            .as_flattened()
            .as_flattened()
            .iter()
            .map(String::as_str)
            .collect();
        expected.extend(["head.weight", "head.bias"]);
        assert_eq!(learns, expected);
        assert_eq!(count_parameters(&net).trainable, 4 * 2 * 16 + 21);
        // They begin at nothing, and at the same numbers everywhere.
        let x = random([4, 6], 3, &device);
        assert_close(&net.forward(x.clone()), &Net::new(&device).forward(x), 1e-6);
        let again = add_lora(Net::new(&device), &lora(), 7).unwrap();
        assert_eq!(memory(&net), memory(&again));
        let other = add_lora(Net::new(&device), &lora(), 8).unwrap();
        assert_ne!(memory(&net), memory(&other));
    }
}

#[test]
fn every_factor_learns_and_nothing_frozen_moves() {
    for device in devices() {
        let start = memory(&add_lora(Net::new(&device), &lora(), 7).unwrap());
        let end = memory(&trained(&device));
        assert_eq!(start.len(), end.len());
        for (name, numbers) in &end {
            let learns = name.contains(".lora.") || name.starts_with("head.");
            assert_eq!(start[name] != *numbers, learns, "{name}");
        }
    }
}

#[test]
fn a_first_step_gives_every_factor_a_gradient() {
    for device in devices() {
        let net = add_lora(Net::new(&device), &lora(), 7).unwrap();
        // The first of two is asked by the second alone, which begins as zeros: a step further all are asked.
        let net = net.map(&mut Nudge);
        let x = random([4, 6], 3, &device.clone().autodiff());
        sensorium_testkit::check_gradients(net, |net| net.forward(x).square().sum());
    }
}

/// Takes second factors off zero.
struct Nudge;

impl burn::module::ModuleMapper for Nudge {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value + 0.1)
    }
}

#[test]
fn a_run_that_is_stopped_anywhere_ends_in_the_same_bits() {
    let device = Device::flex();
    let whole = memory(&trained(&device));
    for stop in [1, 3, 4, 6] {
        let folder = tempfile::tempdir().unwrap();
        for until in [stop, 99] {
            // Whoever resumes begins with other additions: the checkpoint's count.
            let net = add_lora(Net::new(&device), &lora(), 7 + until as u64).unwrap();
            let net = match until {
                99 => net,
                _ => add_lora(Net::new(&device), &lora(), 7).unwrap(),
            };
            let net = train(net, folder.path(), until, Together::default(), &device);
            if until == 99 {
                assert_eq!(memory(&net), whole, "stopped after {stop}");
            }
        }
    }
}

#[test]
fn ranks_learn_the_same_additions_as_one_alone() {
    let device = Device::flex();
    let alone = trained(&device);
    let folder = tempfile::tempdir().unwrap();
    let ends = in_threads(3, |ranks| {
        // Only rank 0 need begin right.
        let seed = 7 + ranks.rank() as u64;
        let net = add_lora(Net::new(&device), &lora(), seed).unwrap();
        train(net, folder.path(), 99, ranks, &device)
    });
    let x = random([4, 6], 3, &device);
    for end in &ends {
        assert_eq!(memory(end), memory(&ends[0]));
        assert_close(&end.forward(x.clone()), &alone.forward(x.clone()), 1e-4);
    }
}

#[test]
fn an_adapter_has_the_names_and_shapes_of_peft() {
    let device = Device::flex();
    let lora = LoraConfig {
        also: ["head.*", "*.norm.*", "encoders.token"]
            .map(str::to_owned)
            .to_vec(),
        on: vec!["*.1.up.*".to_owned()],
        rslora: true,
        ..lora()
    };
    let net = add_lora(Net::new(&device), &lora, 7).unwrap();
    let adapter = Adapter::of(&net, &lora);
    let tensors = adapter.tensors();
    let found: Vec<(&str, &[usize])> = tensors.iter().map(|(name, t)| (*name, t.0)).collect();
    let expected: [(&str, &[usize]); 9] = [
        ("base_model.model.encoders.blocks.0.norm.bias", &[6]),
        ("base_model.model.encoders.blocks.0.norm.weight", &[6]),
        ("base_model.model.encoders.blocks.1.norm.bias", &[6]),
        ("base_model.model.encoders.blocks.1.norm.weight", &[6]),
        (
            "base_model.model.encoders.blocks.1.up.lora_A.weight",
            &[2, 6],
        ),
        (
            "base_model.model.encoders.blocks.1.up.lora_B.weight",
            &[10, 2],
        ),
        ("base_model.model.encoders.token", &[1, 6]),
        ("base_model.model.head.bias", &[3]),
        ("base_model.model.head.weight", &[3, 6]),
    ];
    assert_eq!(found, expected);
    assert_eq!(adapter.unknown_to_peft(), ["encoders.token"]);
    let turned = floats(&net.head.weight.val().transpose());
    assert_eq!(tensors["base_model.model.head.weight"].1, turned);

    let folder = tempfile::tempdir().unwrap();
    adapter
        .save(folder.path(), Some("runs/base/model"))
        .unwrap();
    let config = std::fs::read(folder.path().join("adapter_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(
        config["target_modules"],
        serde_json::json!(["encoders.blocks.1.up"])
    );
    assert_eq!(
        config["modules_to_save"],
        serde_json::json!(["encoders.blocks.0.norm", "encoders.blocks.1.norm", "head"])
    );
    assert_eq!(
        (&config["r"], &config["lora_alpha"]),
        (&2.into(), &4.into())
    );
    assert_eq!(config["use_rslora"], true);
    assert_eq!(config["base_model_name_or_path"], "runs/base/model");
}

/// What a saved adapter holds, as one is put on.
fn additions(adapter: &Adapter, scale: f64) -> Additions {
    use burn::tensor::TensorData;
    let mut all = Additions::default();
    let data =
        |(shape, numbers): &(&[usize], Vec<f32>)| TensorData::new(numbers.clone(), shape.to_vec());
    let tensors = adapter.tensors();
    for (name, tensor) in &tensors {
        let name = name.strip_prefix("base_model.model.").unwrap();
        if let Some(module) = name.strip_suffix(".lora_A.weight") {
            let b = &tensors[format!("base_model.model.{module}.lora_B.weight").as_str()];
            let added = Addition {
                a: data(tensor),
                b: data(b),
                scale,
            };
            all.factors.insert(module.to_owned(), added);
        } else if !name.ends_with(".lora_B.weight") {
            all.whole.insert(name.to_owned(), data(tensor));
        }
    }
    all
}

#[test]
fn what_was_saved_is_put_onto_the_base_and_merged_to_the_same_answers() {
    for device in devices() {
        let net = trained(&device);
        let x = random([4, 6], 3, &device);
        let expected = net.forward(x.clone());
        assert_close(
            &net.clone().materialize().forward(x.clone()),
            &expected,
            1e-5,
        );

        let additions = additions(&Adapter::of(&net, &lora()), lora().scale());
        let file = std::path::Path::new("adapter_model.safetensors");
        let again = with_adapter(Net::new(&device), additions.clone(), file).unwrap();
        assert_close(&again.forward(x.clone()), &expected, 1e-5);
        let merged = again.clone().materialize();
        assert!(merged.encoders.blocks[0].up.weight.adapter().is_none());
        assert_close(&merged.forward(x), &expected, 1e-5);
        let twice = with_adapter(again, additions, file)
            .unwrap_err()
            .to_string();
        assert!(
            twice.contains("an addition that is there already"),
            "{twice}"
        );
    }
}

#[test]
fn an_adapter_of_another_model_is_refused_in_one_line() {
    let device = Device::flex();
    let net = trained(&device);
    let adapter = Adapter::of(&net, &lora());
    let file = std::path::Path::new("a.safetensors");
    let check = |change: &dyn Fn(&mut Additions), expected: &str| {
        let mut additions = additions(&adapter, 2.0);
        change(&mut additions);
        let found = with_adapter(Net::new(&device), additions, file);
        assert_eq!(found.unwrap_err().to_string(), expected);
    };
    let up = "encoders.blocks.0.up";
    check(
        &|all| {
            let added = all.factors.remove(up).unwrap();
            all.factors.insert("encoders.blocks.7.up".to_owned(), added);
        },
        "a.safetensors: does not fit the model: not in the model: encoders.blocks.7.up",
    );
    check(
        &|all| {
            let a = all.factors["encoders.blocks.0.down"].a.clone();
            all.factors.get_mut(up).unwrap().a = a;
        },
        "a.safetensors: does not fit the model: unfit: encoders.blocks.0.up.lora_A has shape [2, 10] instead of [2, 6]",
    );
    check(
        &|all| {
            let bias = all.whole["head.bias"].clone();
            all.whole.insert("head.weight".to_owned(), bias);
        },
        "a.safetensors: does not fit the model: unfit: head.weight has shape [3] instead of [3, 6]",
    );
}

#[test]
fn a_pattern_that_names_nothing_is_told_the_nearest() {
    let device = Device::flex();
    let refused = |on: &[&str], also: &[&str], rank: usize| {
        let list = |patterns: &[&str]| patterns.iter().map(|p| (*p).to_owned()).collect();
        let lora = LoraConfig {
            rank,
            on: list(on),
            also: list(also),
            ..lora()
        };
        add_lora(Net::new(&device), &lora, 7)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(&["encoders.block.*"], &[], 2),
        "lora.on is \"encoders.block.*\", which no matrix of a linear layer matches; the nearest is \"encoders.blocks.*\", and --dry-run lists all"
    );
    // A table is no matrix of a linear layer.
    assert!(
        refused(&["encoders.token"], &[], 2).contains("which no matrix of a linear layer matches")
    );
    assert!(refused(&["*.up.*"], &["haed.*"], 2).contains(
        "lora.also is \"haed.*\", which no parameter matches; the nearest is \"head.*\""
    ));
    assert!(refused(&["head.*"], &["head.*"], 1).contains("which lora.also names too"));
    assert!(refused(&["*.up.*"], &[], 4).contains("no larger than additions of this rank"));
    assert!(refused(&["*.up.*"], &[], 0).contains("lora.rank is 0: it must be 1 to 1024"));
    let frozen = Net {
        encoders: Net::new(&device).encoders.freeze(),
        head: Net::new(&device).head,
    };
    let told = add_lora(
        frozen,
        &LoraConfig {
            on: vec!["*.up.*".to_owned()],
            ..lora()
        },
        7,
    );
    assert!(
        told.unwrap_err()
            .to_string()
            .contains("all of which is frozen")
    );
    let again = add_lora(Net::new(&device), &lora(), 7).and_then(|net| add_lora(net, &lora(), 7));
    assert!(matches!(again, Err(Error::AddedTo { .. })));
}
