//! Runs asked for vectors: in the common space where there is one, and classes told by what they are called.

#[allow(dead_code, reason = "each test takes what it needs")]
mod toy;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use sensorium_core::{Modality, Source};
use sensorium_eval::Search;
use sensorium_recipe::{Part, RunEmbedder, RunMetrics, Samples, Silent};
use sensorium_testkit::{assert_close, devices};
use toy::{recipe, run};

const IMAGE: &str = "encoders.image={ image_size = 12, channels = 1, patch_size = 6, d_model = 8, n_layers = 1, n_heads = 2 }";

/// Pictures of noughts and ones, told in words: their files by class.
fn pictures(dir: &Path) -> (PathBuf, [Vec<PathBuf>; 2]) {
    let table = sensorium_data::av_digits::embedded().expect("the embedded data is whole");
    let (mut rows, mut files) = (
        String::from("id,text,image,label,split\n"),
        [vec![], vec![]],
    );
    for (class, name) in [(0, "0"), (1, "1")] {
        let own = table
            .rows
            .iter()
            .filter(|row| row.label.as_deref() == Some(name));
        for (i, row) in own
            .filter(|row| row.inputs.contains_key("image"))
            .take(16)
            .enumerate()
        {
            let file = format!("{class}-{i}.png");
            let bytes = row.inputs["image"].read(1 << 20).expect("it is in memory");
            std::fs::write(dir.join(&file), bytes).expect("a file");
            let (split, word) = (
                ["train", "train", "train", "test"][i % 4],
                ["nought", "one"][class],
            );
            writeln!(rows, "r{class}{i},a {word},{file},{class},{split}").expect("a line");
            files[class].push(dir.join(file));
        }
    }
    let path = dir.join("m.csv");
    std::fs::write(&path, rows).expect("a manifest");
    (path, files)
}

fn trained(dir: &Path, manifest: &Path, sets: &[&str]) -> PathBuf {
    let out = dir.join(format!("run-{}", sets.len() + sets[0].len()));
    run(recipe(manifest, sets), &out, &mut Silent).expect("a run");
    out
}

fn samples(embedder: &RunEmbedder, modality: Modality, files: &[PathBuf]) -> Vec<Samples> {
    let prepare = |file| embedder.prepare(modality, &Source::path(file));
    files
        .iter()
        .map(|file| prepare(file).expect("a picture"))
        .collect()
}

fn floats(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[test]
fn labels_in_words_are_told_in_the_common_space() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files) = pictures(dir.path());
    for kind in ["contrastive", "sigmoid-contrastive"] {
        let kind = format!("objective.kind={kind}");
        let sets = [
            &kind,
            IMAGE,
            "train.epochs=40",
            "zero_shot.templates=[\"a {}\"]",
        ];
        let out = trained(dir.path(), &manifest, &sets);
        let metrics = std::fs::read(out.join("metrics.json")).unwrap();
        let metrics: RunMetrics = serde_json::from_slice(&metrics).unwrap();
        for device in devices() {
            let embedder = RunEmbedder::open(&out, &device).unwrap();
            let measured = embedder.measure(None, None, None, &mut Silent).unwrap();
            let (found, expected) = (measured.scores["loss"], metrics.scores["loss"]);
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
            assert_eq!(measured.told, metrics.told);
            // All rows of a class are told in the same words, so that places among them hang on the last bit.
            let between = |found: &[Search]| -> Vec<(String, String, u64)> {
                let of = |one: &Search| (one.from.clone(), one.to.clone(), one.report.n);
                found.iter().map(of).collect()
            };
            assert_eq!(between(&measured.search), between(&metrics.search));
            let all = embedder.measure(Some(&manifest), Some(Part::All), None, &mut Silent);
            assert_eq!(all.unwrap().search[0].report.n, 32);
            let image = embedder.modality("image").unwrap();
            let labels = ["nought", "one"].map(str::to_owned);
            let described = embedder.describe(&labels, None).unwrap();
            for (class, files) in files.iter().enumerate() {
                let all = samples(&embedder, image, files);
                let vectors = embedder.embed(&all);
                let lengths = vectors.clone().square().sum_dim(1);
                assert_close(&lengths, &Tensor::ones_like(&lengths), 1e-5);
                let alone = all
                    .iter()
                    .map(|one| embedder.embed(std::slice::from_ref(one)));
                assert_close(&Tensor::cat(alone.collect(), 0), &vectors, 1e-5);

                let scores = floats(embedder.scores(&all, &described));
                let right = scores.chunks(2).filter(|s| s[class] > s[1 - class]).count();
                assert!(right >= 13, "{kind}: {right} of 16 of class {class}");
                let sums = scores.chunks(2).all(|s| (s[0] + s[1] - 1.0).abs() < 1e-5);
                assert_eq!(sums, !embedder.each_alone(), "{kind}");
            }
            // By another description it is another vector.
            let other = embedder.describe(&labels, Some("one {}")).unwrap();
            let all = samples(&embedder, image, &files[0]);
            assert_ne!(
                floats(embedder.scores(&all, &other)),
                floats(embedder.scores(&all, &described))
            );
        }
    }
}

#[test]
fn every_run_makes_vectors_and_says_what_it_does_not_take() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files) = pictures(dir.path());
    let device = Device::flex();
    for (sets, width) in [
        (vec![IMAGE], 8),
        (
            vec!["encoders.text=", IMAGE, "objective.kind=masked-autoencoder"],
            8,
        ),
    ] {
        let out = trained(dir.path(), &manifest, &sets);
        let embedder = RunEmbedder::open(&out, &device).unwrap();
        let image = embedder.modality("image").unwrap();
        let all = samples(&embedder, image, &files[0]);
        let vectors = embedder.embed(&all);
        assert_eq!(vectors.dims(), [16, width]);
        let alone = all
            .iter()
            .map(|one| embedder.embed(std::slice::from_ref(one)));
        assert_close(&Tensor::cat(alone.collect(), 0), &vectors, 1e-5);

        let measured = embedder.measure(None, None, None, &mut Silent);
        assert_eq!(
            measured.is_ok(),
            sets.len() == 3,
            "classes are measured by answers"
        );
        let error = embedder.modality("audio").unwrap_err().to_string();
        assert!(error.ends_with("it has no use for audio"), "{error}");
        let error = embedder.describe(&["one".to_owned()], None).unwrap_err();
        let expected = "labels: the run brought no words and others into one space";
        assert!(error.to_string().starts_with(expected), "{error}");
        let error = embedder
            .prepare(image, &Source::path(&manifest))
            .unwrap_err();
        assert!(error.to_string().contains("m.csv"), "{error}");
    }
}
