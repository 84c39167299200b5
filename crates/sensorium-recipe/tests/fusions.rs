//! Every fusion that a recipe can name: trained from its name to a saved model; refused, where it cannot join what there is, before
//! any data is read.

use std::path::{Path, PathBuf};

use sensorium_core::Source;
use sensorium_fusion::FusionKind;
use sensorium_recipe::{Options, Recipe, Silent, train};
use sensorium_testkit::devices;

const RECIPE: &str = r#"
name = "join"
[data]
path = "nowhere"
[batch]
size = 6
modality_dropout = 0.3
[encoders.text]
vocab_size = 100
max_tokens = 8
d_model = 8
n_layers = 1
n_heads = 2
[encoders.image]
image_size = 12
channels = 1
patch_size = 6
d_model = 8
n_layers = 1
n_heads = 2
[train]
steps = 2
"#;

fn recipe(sets: &[&str]) -> Result<Recipe, String> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Recipe::parse("join.toml", RECIPE, &sets).map_err(|error| error.to_string())
}

/// A few rows of the embedded data, without their sounds.
fn few_rows(dir: &Path) -> PathBuf {
    let table = sensorium_data::av_digits::embedded().expect("the embedded data is whole");
    let mut manifest = String::new();
    for (split, count) in [("train", 12), ("valid", 4), ("test", 4)] {
        let of = |row: &sensorium_data::Row| row.split == sensorium_data::Split::named(split);
        for row in table.rows.iter().filter(of).take(count) {
            let mut line = serde_json::json!({"id": row.id, "label": row.label, "split": split});
            for modality in ["text", "image"] {
                line[modality] = match &row.inputs[modality] {
                    Source::Text(text) => (**text).into(),
                    file => {
                        let bytes = file.read(1 << 20).expect("it is in memory");
                        std::fs::write(dir.join(file.describe()), bytes).expect("a file");
                        file.describe().into()
                    }
                };
            }
            manifest += &format!("{line}\n");
        }
    }
    let path = dir.join("manifest.jsonl");
    std::fs::write(&path, manifest).expect("a manifest");
    path
}

#[test]
fn every_kind_trains_from_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = few_rows(dir.path());
    for kind in FusionKind::ALL {
        let name = kind.name();
        let kind_set = format!("fusion.kind={name}");
        let mut sets = vec!["fusion.d_model=8", kind_set.as_str()];
        if kind.looks_at("main") {
            sets.push("fusion.main=text");
        }
        let mut recipe = recipe(&sets).unwrap();
        recipe.data.path = Some(manifest.clone());
        let out = dir.path().join(name);
        let device = devices()[0].clone();
        let options = Options::new(&device, "test");
        train(recipe, Some(&out), &options, &mut Silent)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let log = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        let balance = log.contains("fusion.blocks.1.experts.balance");
        assert_eq!(balance, *kind == FusionKind::ModalityExperts, "{name}");
    }
}

#[test]
fn every_kind_learns_in_half_the_width_what_it_learns_in_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = few_rows(dir.path());
    for device in devices() {
        let options = Options::new(&device, "here");
        let has_bf16 = device.supports_dtype(burn::tensor::FloatDType::BF16);
        for kind in FusionKind::ALL {
            let name = kind.name();
            let first_loss = |precision: &str| {
                let kind_set = format!("fusion.kind={name}");
                let precision_set = format!("train.precision={precision}");
                let mut sets = vec!["fusion.d_model=8", &kind_set, &precision_set];
                if kind.looks_at("main") {
                    sets.push("fusion.main=text");
                }
                let mut recipe = recipe(&sets).unwrap();
                recipe.data.path = Some(manifest.clone());
                let out = dir.path().join(format!("{name}-{precision}-{device:?}"));
                train(recipe, Some(&out), &options, &mut Silent)?;
                let log = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
                let mut lines = log.lines().map(|line| {
                    serde_json::from_str::<serde_json::Value>(line).expect("a line of the log")
                });
                let first = lines.find(|line| line["kind"] == "step").expect("a step");
                Ok::<f64, sensorium_recipe::Error>(first["loss"].as_f64().unwrap())
            };
            if !has_bf16 {
                assert_eq!(
                    first_loss("bf16").unwrap_err().to_string(),
                    "train.precision: \"bf16\" is nothing that here computes in on this device: leave it out, or choose another --backend"
                );
                continue;
            }
            let [whole, half] = ["f32", "bf16"].map(|precision| {
                first_loss(precision).unwrap_or_else(|error| panic!("{name}: {error}"))
            });
            assert_ne!(whole, half, "{name}");
            assert!(
                (whole - half).abs() < 0.03 * whole,
                "{name}: {whole} {half}"
            );
        }
    }
}

#[test]
fn half_the_width_is_refused_where_it_is_not_made_for() {
    for (sets, expected) in [
        (
            &["train.precision=bf16", "objective.kind=contrastive"][..],
            "is for what learns from labels alone, and objective.kind = \"contrastive\" is not",
        ),
        (
            &["train.precision=bf16", "encoders.audio={ from = \"tiny\" }"],
            "is not for published towers of sound (encoders.audio.from)",
        ),
        (&["train.precision=bf6"], "did you mean `bf16`?"),
    ] {
        let error = recipe(sets).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_cannot_be_joined_is_refused_before_data_is_read() {
    for (sets, expected) in [
        (
            &["fusion.kind=film"][..],
            "fusion: main: \"film\" must be told which modality the others inform: set it to one of image, text",
        ),
        (
            &["fusion.kind=cross-attention", "fusion.main=audio"],
            "fusion: main: \"audio\" is none of the modalities: set it to one of image, text",
        ),
        (
            &["fusion.kind=mutan", "encoders.audio={}"],
            "fusion: kind: \"mutan\" joins two modalities, and there are 3 (audio, image, text): leave out an encoder",
        ),
        (
            &["fusion.kind=concat", "fusion.rank=4"],
            "fusion.rank has no effect with fusion.kind = \"concat\": remove it; concat looks at d_model, pool",
        ),
        (
            &["fusion.kind=tensor", "fusion.d_factor=4000"],
            "fusion: d_factor: (4000 + 1)^2 features times d_model = 64 are too many: lower d_factor",
        ),
        (
            &["fusion.kind=bottelneck"],
            "unknown value `bottelneck`; did you mean `bottleneck`?",
        ),
    ] {
        let error = recipe(sets).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let one = RECIPE.split("[encoders.image]").next().unwrap();
    let error = Recipe::parse("one.toml", one, &["fusion.kind=co-attention".to_owned()]);
    let error = error.unwrap_err().to_string();
    let expected = "\"co-attention\" joins 2 modalities or more, and there is text alone: add an encoder, or choose one of concat";
    assert!(error.contains(expected), "{error}");
}
