//! The same recipe on every backend: the first steps' losses agree, through pictures, sounds, texts and their fusion.

use std::io::Write;
use std::path::{Path, PathBuf};

use sensorium_core::Source;
use sensorium_recipe::{Options, Recipe, Silent, train};
use sensorium_testkit::devices;

/// A few rows of the embedded data as a manifest: to train on them all would take a software GPU minutes.
fn few_rows(dir: &Path) -> PathBuf {
    let table = sensorium_data::av_digits::embedded().expect("the embedded data is whole");
    let path = dir.join("manifest.jsonl");
    let mut manifest = std::fs::File::create(&path).expect("a manifest");
    for (split, count) in [("train", 18), ("valid", 4), ("test", 4)] {
        let of = |row: &sensorium_data::Row| row.split == sensorium_data::Split::named(split);
        for row in table.rows.iter().filter(of).take(count) {
            let mut line = serde_json::json!({"id": row.id, "label": row.label, "split": split});
            for (modality, source) in &row.inputs {
                line[&**modality] = match source {
                    Source::Text(text) => (**text).into(),
                    file => {
                        let bytes = file.read(1 << 20).expect("it is in memory");
                        std::fs::write(dir.join(file.describe()), bytes).expect("a file");
                        file.describe().into()
                    }
                };
            }
            writeln!(manifest, "{line}").expect("a line");
        }
    }
    path
}

/// Trains av-digits with this changed on each device, and holds the losses of its steps against those on the first.
fn losses_agree(manifest: &Path, dir: &Path, steps: usize, sets: &[&str]) {
    let all = [format!("train.steps={steps}"), "batch.size=6".to_owned()];
    let all: Vec<String> = all
        .into_iter()
        .chain(sets.iter().map(|set| (*set).to_owned()))
        .collect();
    let mut first: Option<Vec<f64>> = None;
    for (n, device) in devices().iter().enumerate() {
        let mut recipe = Recipe::open("av-digits", &all).unwrap();
        (recipe.data.set, recipe.data.path) = (None, Some(manifest.to_owned()));
        let out = dir.join(format!(
            "run-{n}-{}",
            sets.join("-").replace(['/', '"', ' '], "")
        ));
        let options = Options::new(device, format!("{device:?}"));
        let done = train(recipe, Some(&out), &options, &mut Silent).unwrap();
        let measured = done.metrics.summary().is_some();
        assert!(
            measured || done.metrics.scores["loss"].is_finite(),
            "{sets:?}"
        );
        let log = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        let losses: Vec<f64> = log
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|line| line["kind"] == "step")
            .map(|line| line["loss"].as_f64().unwrap())
            .collect();
        assert_eq!(losses.len(), steps);
        let expected: &Vec<f64> = first.get_or_insert_with(|| losses.clone());
        for (found, expected) in losses.iter().zip(expected.iter()) {
            assert!(
                (found - expected).abs() < 1e-3,
                "{sets:?} {device:?}: {losses:?} {expected:?}"
            );
        }
    }
}

#[test]
fn first_losses_agree() {
    let dir = tempfile::tempdir().unwrap();
    losses_agree(&few_rows(dir.path()), dir.path(), 3, &[]);
}

#[test]
fn first_losses_of_every_objective_agree() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = few_rows(dir.path());
    let [image, audio, text] = ["encoders.image=", "encoders.audio=", "encoders.text="];
    let whole = "batch.modality_dropout=0";
    let few = "data.labels_per_class=1";
    for sets in [
        vec!["objective={ kind = \"ordinal\" }", text],
        vec![
            "objective={ kind = \"multi-label\", positive_weights = true }",
            text,
        ],
        vec!["objective={ kind = \"multi-label-focal\" }", text],
        // The digits are numbers too.
        vec![
            "objective={ kind = \"regression\", loss = \"huber\" }",
            text,
        ],
        vec!["objective={ kind = \"contrastive\" }"],
        vec!["objective={ kind = \"sigmoid-contrastive\", anchor = \"text\" }"],
        vec![
            "objective={ kind = \"masked-autoencoder\", d_decoder = 16 }",
            audio,
            text,
        ],
        vec![
            "objective={ kind = \"masked-autoencoder\", d_decoder = 16 }",
            image,
            text,
        ],
        vec![
            "objective={ kind = \"masked-language\", whole_words = true }",
            image,
            audio,
        ],
        vec!["objective={ kind = \"masked-modalities\", d_decoder = 16 }"],
        vec!["objective={ kind = \"matching\" }", audio],
        vec!["objective={ kind = \"sim-clr\" }", audio, text],
        vec![
            "objective={ kind = \"fix-match\", unlabelled = 1, threshold = 0.1 }",
            few,
            text,
            whole,
        ],
        vec![
            "objective={ kind = \"mean-teacher\", unlabelled = 1 }",
            few,
            text,
            whole,
        ],
        vec![
            "objective={ kind = \"flex-match\", unlabelled = 1 }",
            few,
            text,
            whole,
        ],
    ] {
        losses_agree(&manifest, dir.path(), 2, &sets);
    }
}

#[test]
fn what_shares_a_space_is_searched_and_told_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = few_rows(dir.path());
    let sets = [
        "train.steps=2",
        "batch.size=6",
        "objective={ kind = \"contrastive\" }",
        "zero_shot.templates=[\"it is {}\", \"{}\"]",
    ];
    let mut recipe = Recipe::open("av-digits", &sets.map(str::to_owned)).unwrap();
    (recipe.data.set, recipe.data.path) = (None, Some(manifest));
    let device = burn::tensor::Device::flex();
    let options = Options::new(&device, "flex");
    let done = train(recipe, Some(&dir.path().join("run")), &options, &mut Silent).unwrap();
    let metrics = done.metrics;
    assert!(metrics.test.is_none() && metrics.ablation.is_none());
    for (from, to) in [("image", "text"), ("text", "audio"), ("audio", "image")] {
        let found = metrics
            .search
            .iter()
            .find(|s| s.from == from && s.to == to)
            .unwrap();
        assert_eq!((found.report.n, found.report.recall[1].recall), (4, 1.0));
        assert!((1.0..=4.0).contains(&found.report.median_rank.unwrap()));
    }
    let told: Vec<(&str, u64)> = metrics.told.iter().map(|t| (t.by.as_str(), t.n)).collect();
    assert_eq!(told, [("audio", 4), ("image", 4), ("audio+image", 4)]);
}
