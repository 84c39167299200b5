//! Loading, saving, and what is said when they do not fit.

use std::path::{Path, PathBuf};

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use half::{bf16, f16};
use safetensors::tensor::TensorView;
use sensorium_core::nn::{Norm, NormConfig, NormKind};
use sensorium_testkit::{check_gradients, devices, floats, parameter_snapshot};

use crate::{Allow, Constant, Dtype, Error, KeyMap, Mismatch, Weights, check, load, save};

#[derive(Module, Debug)]
struct Net {
    blocks: Vec<Block>,
    rms: Norm,
    scale: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Block {
    query: Linear,
    key: Linear,
    mixed: Linear,
    norm: Norm,
}

fn net(device: &Device) -> Net {
    let linear = |d_out| LinearConfig::new(3, d_out).init(device);
    let block = || Block {
        query: linear(2),
        key: linear(2),
        mixed: linear(4),
        norm: NormConfig::new(3).init(device),
    };
    Net {
        blocks: vec![block(), block()],
        rms: NormConfig::new(3).with_kind(NormKind::Rms).init(device),
        scale: Param::from_tensor(Tensor::ones([1], device)),
    }
}

/// The same under a name that no local hides.
fn fresh(device: &Device) -> Net {
    net(device)
}

fn map() -> KeyMap {
    KeyMap::new()
        .part(["blocks.{}.query", "blocks.{}.key"], "layer.{}.in_proj")
        .joined("blocks.{}.mixed", ["layer.{}.a", "layer.{}.b"])
        .rename("blocks.{}.norm", "layer.{}.LayerNorm")
        .rename("rms", "final_norm")
        .scalar("scale")
        .ignore("position_ids")
        .prefixes(["", "model."])
}

/// A tensor of a file: name, shape and numbers.
type Entry = (String, Vec<usize>, Vec<f32>);

/// What a checkpoint of [`net`] holds: each number says where it is.
fn entries(prefix: &str, norm: [&str; 2]) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut next = 0.0;
    let mut add = |name: String, shape: &[usize]| {
        let count = shape.iter().product::<usize>();
        let numbers = (0..count).map(|i| next + i as f32 * 0.25).collect();
        next += 100.0;
        all.push((format!("{prefix}{name}"), shape.to_vec(), numbers));
    };
    for i in 0..2 {
        add(format!("layer.{i}.in_proj.weight"), &[4, 3]);
        add(format!("layer.{i}.in_proj.bias"), &[4]);
        for half in ["a", "b"] {
            add(format!("layer.{i}.{half}.weight"), &[2, 3]);
            add(format!("layer.{i}.{half}.bias"), &[2]);
        }
        for name in norm {
            add(format!("layer.{i}.LayerNorm.{name}"), &[3]);
        }
    }
    add("final_norm.weight".to_owned(), &[3]);
    add("scale".to_owned(), &[]);
    add("position_ids".to_owned(), &[1, 5]);
    all
}

fn write(folder: &Path, entries: &[Entry], dtype: Dtype) -> PathBuf {
    let bytes: Vec<Vec<u8>> = entries
        .iter()
        .map(|(_, _, numbers)| match dtype {
            Dtype::F16 => numbers
                .iter()
                .flat_map(|x| f16::from_f32(*x).to_le_bytes())
                .collect(),
            Dtype::Bf16 => numbers
                .iter()
                .flat_map(|x| bf16::from_f32(*x).to_le_bytes())
                .collect(),
            Dtype::I32 => numbers
                .iter()
                .flat_map(|x| (*x as i32).to_le_bytes())
                .collect(),
            _ => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        })
        .collect();
    let stored = match dtype {
        Dtype::F16 => safetensors::Dtype::F16,
        Dtype::Bf16 => safetensors::Dtype::BF16,
        Dtype::I32 => safetensors::Dtype::I32,
        _ => safetensors::Dtype::F32,
    };
    let views = entries.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (name, TensorView::new(stored, shape.clone(), bytes).unwrap())
    });
    let path = folder.join("model.safetensors");
    safetensors::serialize_to_file(views, None, &path).unwrap();
    path
}

fn number(entries: &[Entry], name: &str) -> Vec<f32> {
    let found = entries.iter().find(|(n, _, _)| n == name);
    found.expect("an entry").2.clone()
}

/// `[rows, columns]` → its transpose.
fn transposed(numbers: &[f32], columns: usize) -> Vec<f32> {
    let rows = numbers.len() / columns;
    (0..columns)
        .flat_map(|c| (0..rows).map(move |r| numbers[r * columns + c]))
        .collect()
}

const NEW: [&str; 2] = ["weight", "bias"];

#[test]
fn every_parameter_comes_from_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for device in devices() {
        for (prefix, norm, dtype) in [
            ("", NEW, Dtype::F32),
            ("model.", NEW, Dtype::F16),
            ("", ["gamma", "beta"], Dtype::Bf16),
        ] {
            let entries = entries(prefix, norm);
            let weights = Weights::open(&write(folder.path(), &entries, dtype)).unwrap();
            let (net, report) = load(net(&device), &weights, &map(), &Allow::nothing()).unwrap();
            assert_eq!((report.loaded, report.prefix.as_str()), (18, prefix));
            assert!(report.unused.is_empty() && report.missing.is_empty());
            let stored = |name: &str| -> Vec<f32> {
                let round = |x: f32| match dtype {
                    Dtype::F16 => f16::from_f32(x).to_f32(),
                    Dtype::Bf16 => bf16::from_f32(x).to_f32(),
                    _ => x,
                };
                number(&entries, &format!("{prefix}{name}"))
                    .into_iter()
                    .map(round)
                    .collect()
            };
            let block = &net.blocks[1];
            let in_proj = stored("layer.1.in_proj.weight");
            assert_eq!(
                floats(&block.query.weight.val()),
                transposed(&in_proj[..6], 3)
            );
            assert_eq!(
                floats(&block.key.weight.val()),
                transposed(&in_proj[6..], 3)
            );
            let bias = stored("layer.1.in_proj.bias");
            assert_eq!(floats(&block.key.bias.as_ref().unwrap().val()), bias[2..]);
            let mixed = [stored("layer.1.a.weight"), stored("layer.1.b.weight")].concat();
            assert_eq!(floats(&block.mixed.weight.val()), transposed(&mixed, 3));
            let norm = block.norm.forward(Tensor::<2>::zeros([1, 3], &device));
            let shift = stored(&format!("layer.1.LayerNorm.{}", norm_name(&entries)));
            assert_eq!(
                floats(&norm),
                shift,
                "the shift is all that is left of zeros"
            );
            assert_eq!(floats(&net.scale.val()), stored("scale"));
        }
    }
}

fn norm_name(entries: &[Entry]) -> &'static str {
    match entries.iter().any(|(name, _, _)| name.ends_with(".beta")) {
        true => "beta",
        false => "bias",
    }
}

#[test]
fn what_is_saved_has_the_published_layout_and_loads_again() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.safetensors");
    for device in devices() {
        let entries = entries("", NEW);
        let weights = Weights::open(&write(folder.path(), &entries, Dtype::F32)).unwrap();
        let (net, _) = load(net(&device), &weights, &map(), &Allow::nothing()).unwrap();
        save(&net, &map(), &saved).unwrap();
        let again = Weights::open(&saved).unwrap();
        assert_eq!(again.metadata("format"), Some("pt"));
        let kept: Vec<&Entry> = entries
            .iter()
            .filter(|(n, _, _)| n != "position_ids")
            .collect();
        assert_eq!(again.len(), kept.len());
        for (name, shape, numbers) in kept {
            let view = again.get(name).unwrap();
            assert_eq!(
                (view.shape, &view.to_f32().unwrap()),
                (&shape[..], numbers),
                "{name}"
            );
        }
        let other = fresh(&device);
        let (other, _) = load(other, &again, &map(), &Allow::nothing()).unwrap();
        assert_eq!(parameter_snapshot(&other), parameter_snapshot(&net));
    }
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 2, "nothing is left over");
}

#[test]
fn an_older_name_is_read_and_the_newer_is_written() {
    let (folder, device) = (tempfile::tempdir().unwrap(), Device::flex());
    let map = map().formerly("layer.{}.a", "layer.{}.old_a");
    let older = |(name, shape, numbers): Entry| (name.replace(".a.", ".old_a."), shape, numbers);
    let entries: Vec<Entry> = entries("model.", NEW).into_iter().map(older).collect();
    let weights = Weights::open(&write(folder.path(), &entries, Dtype::F32)).unwrap();
    let (net, report) = load(fresh(&device), &weights, &map, &Allow::nothing()).unwrap();
    assert_eq!((report.unused.len(), report.prefix.as_str()), (0, "model."));
    let path = folder.path().join("saved.safetensors");
    save(&net, &map, &path).unwrap();
    let saved = Weights::open(&path).unwrap();
    let name = "layer.1.a.weight";
    let numbers = saved.get(name).unwrap().to_f32().unwrap();
    assert_eq!(numbers, number(&entries, "model.layer.1.old_a.weight"));
    assert!(saved.names().all(|name| !name.contains("old_a")));

    // Below another module's names it is found as well, and what is neither is missing by its newer name.
    let nested = KeyMap::new().formerly("a", "b").nested("ours", "theirs");
    assert_eq!(
        nested.older("theirs.a.bias").as_deref(),
        Some("theirs.b.bias")
    );
    let mut rest = entries;
    rest.retain(|(name, _, _)| !name.contains("1.old_a.weight"));
    let weights = Weights::open(&write(folder.path(), &rest, Dtype::F32)).unwrap();
    let error = load(fresh(&device), &weights, &map, &Allow::nothing()).unwrap_err();
    assert!(
        error.to_string().contains("model.layer.1.a.weight"),
        "{error}"
    );
}

#[test]
fn constants_are_written_and_passed_over_where_they_are_read() {
    #[derive(Module, Debug)]
    struct Holder {
        net: Net,
    }
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("model.safetensors");
    let places = Constant::new([2, 2], [0, 1, 7, -1_000_000_000_007]);
    let inner = map()
        .constant("places", places)
        .constant("norm.count", Constant::new([], [0]));
    let whole = KeyMap::new().and(inner.nested("net", "tower"));
    let whole = whole.prefixes(["model.", ""]);
    for device in devices() {
        let holder = Holder { net: net(&device) };
        save(&holder, &whole, &saved).unwrap();
        let weights = Weights::open(&saved).unwrap();
        let view = weights.get("model.tower.places").unwrap();
        assert_eq!((view.dtype, view.shape), (Dtype::I64, &[2, 2][..]));
        let expected = [0i64, 1, 7, -1_000_000_000_007].map(i64::to_le_bytes);
        assert_eq!(view.bytes, expected.concat());
        let view = weights.get("model.tower.norm.count").unwrap();
        assert_eq!((view.shape, view.bytes), (&[][..], &[0u8; 8][..]));
        let (_, report) = load(holder, &weights, &whole, &Allow::nothing()).unwrap();
        assert_eq!(report.unused, [""; 0]);
    }
}

#[test]
fn loaded_parameters_train_and_leave_the_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), &entries("", NEW), Dtype::F32);
    let before = std::fs::read(&path).unwrap();
    for device in devices().into_iter().map(Device::autodiff) {
        let weights = Weights::open(&path).unwrap();
        let (net, _) = load(net(&device), &weights, &map(), &Allow::nothing()).unwrap();
        drop(weights); // parameters hold what they need of it
        check_gradients(net, |net| {
            let x = Tensor::<2>::from_data([[1.0, -0.5, 2.0]], &device);
            let x = net.rms.forward(net.blocks[0].norm.forward(x));
            let sum = |block: &Block, x: Tensor<2>| {
                let pair = block.query.forward(x.clone()) * block.key.forward(x.clone());
                pair.sum() + block.mixed.forward(block.norm.forward(x)).sum()
            };
            (sum(&net.blocks[0], x.clone()) + sum(&net.blocks[1], x)) * net.scale.val()
        });
        let (mut net, _) = load(
            fresh(&device),
            &Weights::open(&path).unwrap(),
            &map(),
            &Allow::nothing(),
        )
        .unwrap();
        net.scale = net.scale.map(|s| s + 1.0);
        net.blocks[0].norm = net.blocks[0].norm.clone().map(&mut AddOne);
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

struct AddOne;

impl burn::module::ModuleMapper for AddOne {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|t| t.add_scalar(1.0).detach())
    }
}

fn mismatch(entries: &[Entry], dtype: Dtype, allow: &Allow) -> (Box<Mismatch>, String) {
    let folder = tempfile::tempdir().unwrap();
    let weights = Weights::open(&write(folder.path(), entries, dtype)).unwrap();
    let net = net(&devices()[0]);
    let before = parameter_snapshot(&net);
    let error = load(net.clone(), &weights, &map(), allow).unwrap_err();
    assert_eq!(parameter_snapshot(&net), before);
    assert_eq!(
        check(&net, &weights, &map(), allow)
            .unwrap_err()
            .to_string(),
        error.to_string()
    );
    let text = error.to_string();
    match error {
        Error::Mismatch { mismatch, .. } => (mismatch, text),
        other => panic!("{other}"),
    }
}

#[test]
fn all_that_does_not_fit_is_named_at_once() {
    let mut wrong = entries("", NEW);
    wrong[0].1 = vec![3, 4];
    wrong[4].0 = "layer.0.c.weight".to_owned();
    wrong.retain(|(name, _, _)| name != "final_norm.weight");
    let (found, text) = mismatch(&wrong, Dtype::F32, &Allow::nothing());
    let missing: Vec<_> = found.missing.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(missing, ["layer.0.b.weight", "final_norm.weight"]);
    assert_eq!(
        found.missing[0].nearest.as_deref(),
        Some("layer.0.c.weight")
    );
    assert_eq!(found.missing[1].nearest, None);
    assert_eq!(found.unused, ["layer.0.c.weight"]);
    let unfit: Vec<_> = found.unfit.iter().map(|u| u.name.as_str()).collect();
    assert_eq!(unfit, ["layer.0.in_proj.weight"]);
    for piece in [
        "2 missing, 1 of another shape, 1 left over",
        "missing: layer.0.b.weight (there is layer.0.c.weight, which nothing asks for)",
        "unfit: layer.0.in_proj.weight has shape [3, 4], not [4, 3]",
        "left over: layer.0.c.weight",
    ] {
        assert!(text.contains(piece), "{piece:?} is not in {text}");
    }
}

#[test]
fn whole_numbers_are_no_parameters() {
    let (found, text) = mismatch(&entries("", NEW), Dtype::I32, &Allow::nothing());
    assert_eq!(found.unfit.len(), 14, "two are parts of one, twice");
    assert!(text.contains("holds I32"), "{text}");
}

#[test]
fn what_is_allowed_to_miss_keeps_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut entries = entries("", NEW);
    entries.retain(|(name, _, _)| !name.starts_with("layer.1.") && name != "scale");
    entries.push(("head.weight".to_owned(), vec![1], vec![1.0]));
    let weights = Weights::open(&write(folder.path(), &entries, Dtype::F32)).unwrap();
    let allow = Allow::nothing()
        .unused()
        .missing("blocks.1")
        .missing("scale");
    for device in devices() {
        let start = net(&device);
        let (net, report) = load(start.clone(), &weights, &map(), &allow).unwrap();
        assert_eq!((report.loaded, report.missing.len()), (9, 9));
        assert_eq!(report.unused, ["head.weight"]);
        let query = |net: &Net| floats(&net.blocks[1].query.weight.val());
        assert_eq!(query(&net), query(&start));
    }
    let (found, _) = mismatch(
        &entries,
        Dtype::F32,
        &Allow::nothing().unused().missing("block"),
    );
    assert_eq!(
        found.missing.len(),
        9,
        "a path is allowed by whole segments"
    );
    assert!(found.unused.is_empty());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let path = Path::new("/nowhere/model.safetensors");
    let error = save(&net(&devices()[0]), &map(), path).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/model.safetensors: cannot be written")
    );
}
