//! Adapters that PEFT made, merged to what PEFT merges (`tools/parity/models/lora.py`), and those that no model should get.

use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView as View;
use serde_json::{Value, json};

use super::*;

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/lora")
        .join(name)
}

fn floats(weights: &Weights, name: &str) -> Vec<f32> {
    weights.get(name).expect(name).to_f32().unwrap()
}

#[test]
fn parity_of_merged_adapters() {
    let folder = tempfile::tempdir().unwrap();
    for (name, added_to, replaced) in [
        ("plain", 4, 2),
        ("rslora", 1, 2),
        ("patterns", 5, 0),
        ("table", 3, 0),
    ] {
        let case = case(name);
        let base = Weights::open(&case.join("base.safetensors")).unwrap();
        let expected = Weights::open(&case.join("merged.safetensors")).unwrap();
        let adapter = Adapter::open(&case).unwrap();
        let out = folder.path().join("model.safetensors");
        let merged = merge(&base, &adapter, &out).unwrap();
        let found = (merged.added_to, merged.replaced.len(), merged.new.len());
        assert_eq!(found, (added_to, replaced, 0), "{name}");
        let found = Weights::open(&out).unwrap();
        assert_eq!(found.metadata("format"), Some("pt"));
        assert!(found.names().eq(expected.names()));
        let mut changed = 0;
        for tensor in expected.iter() {
            let numbers = floats(&found, tensor.name);
            changed += usize::from(numbers != floats(&base, tensor.name));
            for (found, expected) in numbers.iter().zip(tensor.to_f32().unwrap()) {
                assert!((found - expected).abs() < 1e-5, "{name}: {}", tensor.name);
            }
        }
        assert_eq!(changed, added_to + replaced, "{name}");
    }
}

/// Writes tensors of ones, times something.
fn write(path: &Path, tensors: &[(&str, &[usize], f32)]) {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, shape, x)| x.to_le_bytes().repeat(shape.iter().product()))
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        let view = View::new(safetensors::Dtype::F32, shape.to_vec(), bytes);
        (*name, view.unwrap())
    });
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn adapter(
    folder: &Path,
    change: &Value,
    tensors: &[(&str, &[usize], f32)],
) -> Result<Adapter, Error> {
    let mut config = json!({ "peft_type": "LORA", "r": 1, "lora_alpha": 2 });
    for (key, value) in change.as_object().unwrap() {
        config[key] = value.clone();
    }
    std::fs::write(folder.join("adapter_config.json"), config.to_string()).unwrap();
    write(&folder.join(WEIGHTS), tensors);
    Adapter::open(folder)
}

const A: (&str, &[usize], f32) = ("base_model.model.x.q.lora_A.weight", &[1, 3], 1.0);
const B: (&str, &[usize], f32) = ("base_model.model.x.q.lora_B.weight", &[2, 1], 0.5);

#[test]
fn names_within_and_around_the_checkpoints_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = adapter(folder.path(), &json!({}), &[A, B]).unwrap();
    for name in ["x.q.weight", "bert.x.q.weight", "q.weight"] {
        let path = folder.path().join("base.safetensors");
        write(&path, &[(name, &[2, 3], 1.0), ("other.weight", &[1], 7.0)]);
        let out = folder.path().join("out.safetensors");
        let merged = merge(&Weights::open(&path).unwrap(), &adapter, &out).unwrap();
        assert_eq!(merged.added_to, 1);
        let out = Weights::open(&out).unwrap();
        assert_eq!(floats(&out, name), [2.0; 6]);
        assert_eq!(floats(&out, "other.weight"), [7.0]);
    }
}

#[test]
fn a_layer_that_keeps_its_matrix_the_other_way_round_is_added_to_so() {
    let folder = tempfile::tempdir().unwrap();
    let change = json!({ "fan_in_fan_out": true });
    let adapter = adapter(folder.path(), &change, &[A, B]).unwrap();
    let path = folder.path().join("base.safetensors");
    write(&path, &[("x.q.weight", &[3, 2], 1.0)]);
    let out = folder.path().join("out.safetensors");
    merge(&Weights::open(&path).unwrap(), &adapter, &out).unwrap();
    assert_eq!(
        floats(&Weights::open(&out).unwrap(), "x.q.weight"),
        [2.0; 6]
    );
}

#[test]
fn what_cannot_be_merged_is_told_in_one_line_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.safetensors");
    write(
        &path,
        &[("x.q.weight", &[2, 3], 1.0), ("head.weight", &[4, 2], 1.0)],
    );
    let base = Weights::open(&path).unwrap();
    let out = folder.path().join("out.safetensors");
    let refused = |change: Value, tensors: &[(&str, &[usize], f32)]| {
        let merged = adapter(folder.path(), &change, tensors)
            .and_then(|adapter| merge(&base, &adapter, &out));
        assert!(!out.exists());
        let told = merged.unwrap_err().to_string();
        assert!(!told.contains('\n'), "{told}");
        told.replace(&format!("{}/", folder.path().display()), "")
    };
    let named = |a: &'static str, b: &'static str| [(a, A.1, 1.0), (b, B.1, 1.0)];
    for (change, tensors, expected) in [
        (
            json!({ "peft_type": "IA3" }),
            vec![A, B],
            "peft_type is \"IA3\": only LORA is read",
        ),
        (json!({ "use_dora": true }), vec![A, B], "use_dora is set"),
        (
            json!({ "r": "many" }),
            vec![A, B],
            "is no configuration of PEFT's",
        ),
        (
            json!({ "rank_pattern": { ".*q": 1 } }),
            vec![A, B],
            "\".*q\" is a pattern",
        ),
        (
            json!({ "r": 4 }),
            vec![A, B],
            "x.q has factors of rank 1 and 1, and adapter_config.json says 4",
        ),
        (json!({}), vec![A], "x.q has one factor of two"),
        (json!({}), vec![], "holds no additions"),
        (
            json!({}),
            vec![("x.lora_A.weight", A.1, 1.0)],
            "is no name of PEFT's",
        ),
        (
            json!({}),
            vec![("base_model.model.x.lora_magnitude_vector", A.1, 1.0)],
            "is no factor of LoRA's",
        ),
        (
            json!({}),
            vec![(A.0, &[1, 3, 1, 1], 1.0), B],
            "only additions to matrices can be merged",
        ),
        (
            json!({}),
            vec![(A.0, &[1, 5], 1.0), B],
            "adds [2, 5] to x.q.weight, which has shape [2, 3] in base.safetensors",
        ),
        (
            json!({}),
            named(
                "base_model.model.x.k.lora_A.weight",
                "base_model.model.x.k.lora_B.weight",
            )
            .to_vec(),
            "adds to x.k.weight, which base.safetensors does not have; the nearest is x.q.weight",
        ),
        (
            json!({}),
            vec![A, B, ("base_model.model.head.weight", &[3, 2], 1.0)],
            "head.weight has shape [3, 2], and [4, 2] in base.safetensors",
        ),
    ] {
        let told = refused(change, &tensors);
        assert!(told.contains(expected), "{told}");
    }
    let told = Adapter::open(&folder.path().join("nowhere"))
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("adapter_config.json: cannot be read"),
        "{told}"
    );
}
