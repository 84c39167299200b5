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
        let of = |row: &&sensorium_data::Row| row.split == sensorium_data::Split::named(split);
        for row in table.rows.iter().filter(of).take(count) {
            let mut line = serde_json::json!({"id": row.id, "label": row.label, "split": split});
            for (modality, source) in &row.inputs {
                line[modality] = match source {
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

#[test]
fn first_losses_agree() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = few_rows(dir.path());
    let sets = ["train.steps=3", "batch.size=6"].map(str::to_owned);
    let mut first: Option<Vec<f64>> = None;
    for (n, device) in devices().iter().enumerate() {
        let mut recipe = Recipe::open("av-digits", &sets).unwrap();
        (recipe.data.set, recipe.data.path) = (None, Some(manifest.clone()));
        let out = dir.path().join(format!("run-{n}"));
        let options = Options {
            device,
            backend: format!("{device:?}"),
        };
        train(recipe, Some(&out), &options, &mut Silent).unwrap();
        let log = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        let losses: Vec<f64> = log
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|line| line["kind"] == "step")
            .map(|line| line["loss"].as_f64().unwrap())
            .collect();
        assert_eq!(losses.len(), 3);
        let expected: &Vec<f64> = first.get_or_insert_with(|| losses.clone());
        for (found, expected) in losses.iter().zip(expected.iter()) {
            assert!((found - expected).abs() < 1e-3, "{device:?}: {losses:?}");
        }
    }
}
