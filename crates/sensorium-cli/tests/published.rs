//! `embed`, `classify` and `inspect` on a published checkpoint: the one of the recipe clip-digits.

#[path = "common/command.rs"]
mod command;

use std::path::{Path, PathBuf};

use command::sensorium;
use serde_json::Value;

fn here(path: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    path.display().to_string()
}

fn model() -> String {
    here("../../recipes/tiny-clip")
}

fn picture(name: &str) -> String {
    here(&format!("../sensorium-models/tests/fixtures/ready/{name}"))
}

/// Runs a command and returns its JSON.
fn json(dir: &Path, args: &[&str]) -> Value {
    let out = sensorium(dir).args(args).arg("--json").assert().success();
    serde_json::from_slice(&out.get_output().stdout).expect("one JSON document")
}

fn vectors(json: &Value) -> Vec<Vec<f64>> {
    let numbers = |e: &Value| {
        e["vector"]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| x.as_f64().unwrap())
            .collect()
    };
    json["embeddings"]
        .as_array()
        .unwrap()
        .iter()
        .map(numbers)
        .collect()
}

#[test]
fn texts_and_images_are_embedded_in_order_and_by_length_one() {
    let dir = tempfile::tempdir().unwrap();
    let (model, a, b) = (model(), picture("wide.png"), picture("tall.png"));
    let args = [
        "embed",
        "--model",
        &model,
        "--image",
        &a,
        &b,
        "--text",
        "it is odd",
        "it is even",
    ];
    let found = json(dir.path(), &args);
    let said: Vec<(&str, &str)> = found["embeddings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            (
                e["modality"].as_str().unwrap(),
                e["input"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("text", "it is odd"),
        ("text", "it is even"),
        ("image", &a),
        ("image", &b),
    ];
    assert_eq!(said, expected);
    for vector in vectors(&found) {
        assert_eq!(vector.len(), 24);
        let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
    // However they are batched, the vectors are the same; raw ones are longer or shorter.
    let singly = json(dir.path(), &[&args[..], &["--batch", "1"]].concat());
    for (a, b) in vectors(&found)
        .iter()
        .flatten()
        .zip(vectors(&singly).iter().flatten())
    {
        assert!((a - b).abs() < 1e-5);
    }
    let raw = json(dir.path(), &[&args[..], &["--raw"]].concat());
    assert!(
        vectors(&raw)
            .iter()
            .any(|v| (v.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() > 0.01)
    );

    // For a person: a line each, and how alike they are.
    let out = sensorium(dir.path()).args(args).assert().success();
    let text = String::from_utf8(out.get_output().stdout.clone()).unwrap();
    assert!(
        text.contains("24 numbers  it is odd") && text.contains("cosine"),
        "{text}"
    );
    assert!(text.contains(" 1.000 "), "{text}");
}

#[test]
fn images_are_classified_by_words() {
    let dir = tempfile::tempdir().unwrap();
    let (model, image) = (model(), picture("wide.png"));
    let args = [
        "classify",
        "--model",
        &model,
        "--image",
        &image,
        "--labels",
        "cat,dog,rocket",
    ];
    let found = json(dir.path(), &args);
    let scores = found["results"][0]["scores"].as_array().unwrap();
    assert_eq!(found["results"][0]["input"], Value::from(image.as_str()));
    assert_eq!(scores.len(), 3);
    let numbers: Vec<f64> = scores
        .iter()
        .map(|s| s["score"].as_f64().unwrap())
        .collect();
    assert!((numbers.iter().sum::<f64>() - 1.0).abs() < 1e-5);
    assert!(numbers.is_sorted_by(|a, b| a >= b));
    assert_eq!(found["skipped"], Value::Array(Vec::new()));
    let labels_of = |rest: &[&str]| {
        let args = [&args[..5], rest].concat();
        let found = json(dir.path(), &args);
        found["results"][0]["scores"].as_array().unwrap().len()
    };
    // All that were named, unless less is asked for.
    assert_eq!(labels_of(&["--labels", "a,b,c,d,e,f,g"]), 7);
    assert_eq!(labels_of(&["--labels", "a,b,c", "--top-k", "1"]), 1);

    let out = sensorium(dir.path()).args(args).assert().success();
    let text = String::from_utf8(out.get_output().stdout.clone()).unwrap();
    assert!(
        text.contains("rocket") && text.contains("wide.png"),
        "{text}"
    );
}

/// Copies some files of a checkpoint that the models are tested with.
fn copy(fixture: &str, names: &[&str], to: &Path) {
    let from = here(&format!("../sensorium-models/tests/fixtures/{fixture}"));
    for name in names {
        let target = to.join(name);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(Path::new(&from).join(name), target).unwrap();
    }
}

#[test]
fn a_tower_in_a_folder_of_its_own_is_inspected_there() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("sentence");
    let rest = [
        "modules.json",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "2_Dense/model.safetensors",
    ];
    copy("sentence", &rest, &model);
    let tower = [
        "config.json",
        "model.safetensors",
        "sentence_bert_config.json",
    ];
    copy("sentence", &tower, &model.join("0_Transformer"));
    let modules = std::fs::read_to_string(model.join("modules.json")).unwrap();
    let moved = modules.replacen("\"path\": \"\"", "\"path\": \"0_Transformer\"", 1);
    assert_ne!(moved, modules);
    std::fs::write(model.join("modules.json"), moved).unwrap();

    let found = json(dir.path(), &["inspect", "sentence"]);
    assert_eq!(found["loads"], true, "{found}");
    assert_eq!(found["problems"], serde_json::json!([]));
    assert!(found["tensors"].as_array().unwrap().len() > 30);
}

#[test]
fn a_regression_is_a_number_and_no_share() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("stars");
    copy(
        "bert-classification",
        &["config.json", "model.safetensors"],
        &model,
    );
    let config = std::fs::read(model.join("config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    config["problem_type"] = "regression".into();
    std::fs::write(model.join("config.json"), config.to_string()).unwrap();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "a": 1, "cat": 2}}
    });
    std::fs::write(model.join("tokenizer.json"), tokenizer.to_string()).unwrap();

    let args = ["classify", "--model", "stars", "--text", "a cat"];
    let scores = json(dir.path(), &args)["results"][0]["scores"].clone();
    let best = scores[0]["score"].as_f64().unwrap();
    let out = sensorium(dir.path()).args(args).assert().success();
    let text = String::from_utf8(out.get_output().stdout.clone()).unwrap();
    assert!(
        text.contains(&format!(" {best:.4}")) && !text.contains('%'),
        "{text}"
    );
}

#[test]
fn a_checkpoint_is_inspected_as_folder_and_as_file() {
    let dir = tempfile::tempdir().unwrap();
    let found = json(dir.path(), &["inspect", &model()]);
    assert_eq!(found["family"], "CLIP");
    assert_eq!(found["loads"], true);
    assert_eq!(found["tensors"].as_array().unwrap().len(), 78);
    let out = sensorium(dir.path())
        .args(["inspect", &model()])
        .assert()
        .success();
    let text = String::from_utf8(out.get_output().stdout.clone()).unwrap();
    for expected in [
        "family      CLIP",
        "loads       yes",
        "vision_model",
        "F16",
        "self_attn",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    // A file alone is read with the config.json beside it.
    let file = format!("{}/model.safetensors", model());
    let found = json(dir.path(), &["inspect", &file]);
    assert_eq!(
        (&found["family"], &found["loads"]),
        (&"CLIP".into(), &true.into())
    );

    // What would not load is listed, and that is what was asked for: no error.
    let broken = dir.path().join("broken");
    std::fs::create_dir(&broken).unwrap();
    for name in ["config.json", "model.safetensors"] {
        let bytes = std::fs::read(format!("{}/{name}", model())).unwrap();
        std::fs::write(broken.join(name), bytes).unwrap();
    }
    let config = std::fs::read_to_string(broken.join("config.json")).unwrap();
    std::fs::write(
        broken.join("config.json"),
        config.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"),
    )
    .unwrap();
    let found = json(dir.path(), &["inspect", "broken"]);
    assert_eq!(found["loads"], false);
    let problems: Vec<&str> = found["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p.as_str().unwrap())
        .collect();
    assert!(
        problems
            .iter()
            .any(|p| p.contains("missing: text_model.encoder.layers.2.")),
        "{problems:?}"
    );
    let found = json(dir.path(), &["inspect", "broken/model.safetensors"]);
    assert_eq!(found["problems"].as_array().unwrap().len(), problems.len());

    // Without one the family is a guess, and says so; the tensors are listed all the same.
    std::fs::remove_file(broken.join("config.json")).unwrap();
    for model in ["broken", "broken/model.safetensors"] {
        let found = json(dir.path(), &["inspect", model]);
        let family = (&found["family"], &found["family_is_a_guess"]);
        assert_eq!(family, (&"CLIP".into(), &true.into()));
        assert_eq!(found["loads"], Value::Null);
        assert_eq!(found["tensors"].as_array().unwrap().len(), 78);
        let out = sensorium(dir.path()).args(["inspect", model]).assert();
        let text = String::from_utf8(out.success().get_output().stdout.clone()).unwrap();
        for expected in [
            "family      CLIP (a guess by the names of its tensors)",
            "loads       not known",
            "there is no config.json",
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }
}

#[test]
fn wrong_use_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let model = model();
    let image = picture("wide.png");
    let check = |args: &[&str], code: i32, expected: &str| {
        let out = sensorium(dir.path()).args(args).assert().code(code);
        let said = String::from_utf8(out.get_output().stderr.clone()).unwrap();
        assert!(
            said.starts_with("error: ") && said.contains(expected),
            "{args:?}: {said}"
        );
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    };
    check(
        &["embed", "--model", &model],
        2,
        "give --text, --image or --audio",
    );
    check(
        &["embed", "--model", &model, "--text", "a", "--out", "x.csv"],
        2,
        "use .parquet, .jsonl or .npy",
    );
    check(
        &[
            "embed",
            "--model",
            &model,
            "--text",
            "a",
            "--out",
            "no/such/x.npy",
        ],
        1,
        "cannot be written",
    );
    check(
        &["embed", "--model", &model, "--image", "none.png"],
        1,
        "none.png",
    );
    check(
        &["embed", "--model", "no-such-folder", "--text", "a"],
        1,
        "no-such-folder: config.json is not cached, and HF_HUB_OFFLINE forbids to fetch it",
    );
    for file in ["none.safetensors", "owner/none.json", "none.bin"] {
        let expected = format!("{file}: no such file");
        check(&["embed", "--model", file, "--text", "a"], 1, &expected);
        check(&["inspect", file], 1, &expected);
    }
    check(
        &["embed", "--model", &model, "--text", "-", "--image", "-"],
        2,
        "standard input can be read once",
    );
    check(
        &["classify", "--model", &model, "--image", &image],
        2,
        "give it labels",
    );
}
