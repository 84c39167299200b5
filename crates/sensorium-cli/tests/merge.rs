//! `sensorium merge`: an adapter that PEFT made into a checkpoint, and what is told of one that does not fit.

#[path = "common/command.rs"]
mod command;

use std::path::{Path, PathBuf};

use command::sensorium;

/// A case of `tools/parity/models/lora.py`.
fn case(name: &str) -> PathBuf {
    let fixtures = "../sensorium-hub/tests/fixtures/lora";
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(fixtures)
        .join(name)
}

#[test]
fn a_published_model_gets_an_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    std::fs::create_dir(&model).unwrap();
    std::fs::copy(
        case("plain").join("base.safetensors"),
        model.join("model.safetensors"),
    )
    .unwrap();
    std::fs::write(model.join("config.json"), "{\"torch_dtype\": \"float16\"}").unwrap();
    let out = folder.path().join("out");
    let merge = |adapter: &Path, out: &Path| {
        let mut command = sensorium(folder.path());
        command.args(["merge", "--json", "--model"]).arg(&model);
        command.arg("--adapter").arg(adapter).arg("--out").arg(out);
        command.output().unwrap()
    };
    let done = merge(&case("plain"), &out);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let told: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(told["added_to"], 4);
    assert_eq!(
        told["whole"],
        serde_json::json!(["head.bias", "head.weight"])
    );
    assert!(out.join("model.safetensors").is_file());
    let config = std::fs::read_to_string(out.join("config.json")).unwrap();
    assert!(config.contains("float32"), "{config}");

    let refused = |adapter: &Path, out: &Path| {
        let failed = merge(adapter, out);
        assert_eq!(failed.status.code(), Some(1));
        let told = String::from_utf8(failed.stderr).unwrap();
        assert_eq!(told.lines().count(), 1, "{told}");
        told
    };
    assert!(
        refused(&case("plain"), &out).contains("it exists: name a folder that is not there yet")
    );
    let other = folder.path().join("other");
    assert!(refused(&model, &other).contains("adapter_config.json: cannot be read"));
    std::fs::copy(
        case("table").join("merged.safetensors"),
        model.join("model.safetensors"),
    )
    .unwrap();
    let bare = folder.path().join("bare");
    std::fs::create_dir(&bare).unwrap();
    let config = std::fs::read_to_string(case("plain").join("adapter_config.json")).unwrap();
    std::fs::write(
        bare.join("adapter_config.json"),
        config.replace("\"r\": 2", "\"r\": 5"),
    )
    .unwrap();
    let tensors = "adapter_model.safetensors";
    std::fs::copy(case("plain").join(tensors), bare.join(tensors)).unwrap();
    assert!(
        refused(&bare, &other)
            .contains("has factors of rank 2 and 2, and adapter_config.json says 5")
    );
    assert!(!other.exists() && !folder.path().join("other.part").exists());
}
