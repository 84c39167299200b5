//! Runs that learn from several modalities joined: what they measure, what is left of them, and what they refuse.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sensorium_recipe::{Finished, Options, Recipe, SavedModel, Silent, train};
use sensorium_train::in_threads;

const RECIPE: &str = r#"
name = "joint"
[batch]
size = 8
[encoders.text]
vocab_size = 60
max_tokens = 12
d_model = 8
n_layers = 1
n_heads = 2
[encoders.image]
image_size = 8
channels = 1
patch_size = 4
d_model = 8
n_layers = 1
n_heads = 2
[fusion]
kind = "concat"
d_model = 8
[train]
epochs = 2
lr = 1e-2
"#;

/// A bitmap of 8 x 8 pixels of about one light, with a dark stripe.
fn picture(dir: &Path, name: &str, light: u8) -> String {
    let mut bytes = b"BM".to_vec();
    for word in [246u32, 0, 54, 40, 8, 8, 24 << 16 | 1, 0, 192, 0, 0, 0, 0] {
        bytes.extend(word.to_le_bytes());
    }
    let grey = |i: u8| {
        [if i % 8 < 2 {
            i
        } else {
            light.saturating_add(i)
        }; 3]
    };
    bytes.extend((0..64).flat_map(grey));
    let name = format!("{name}.bmp");
    std::fs::write(dir.join(&name), bytes).expect("a picture");
    name
}

/// 24 rows of a picture and what it is, of which one has no picture and one no words.
fn manifest(dir: &Path) -> PathBuf {
    let mut rows = String::from("id,text,image,label,split\n");
    for i in 0..24usize {
        let (light, word) = [(20, "dark"), (180, "bright")][i % 2];
        let split = ["train", "train", "valid", "test"][i / 2 % 4];
        let image = match i {
            3 => String::new(),
            _ => picture(dir, &format!("p{i}"), light),
        };
        let text = match i {
            8 => String::new(),
            _ => format!("this is one. quite {word}"),
        };
        rows.push_str(&format!("r{i},{text},{image},{},{split}\n", i % 2));
    }
    let path = dir.join("m.csv");
    std::fs::write(&path, rows).expect("a manifest");
    path
}

fn parsed(sets: &[&str]) -> Result<Recipe, sensorium_recipe::Error> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Recipe::parse("joint.toml", RECIPE, &sets)
}

fn run(manifest: &Path, out: &Path, sets: &[&str]) -> Finished {
    let mut recipe = parsed(sets).expect("a recipe");
    recipe.data.path = Some(manifest.to_owned());
    let device = Device::flex();
    let options = Options::new(&device, "flex");
    train(recipe, Some(out), &options, &mut Silent).expect("a run")
}

fn steps(run: &Path) -> Vec<serde_json::Value> {
    let log = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &serde_json::Value| line["kind"] == "step")
        .collect()
}

#[test]
fn what_is_hidden_of_each_is_guessed_and_both_encoders_go_on_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path());
    let out = dir.path().join("before");
    let kind = "objective={ kind = \"masked-modalities\", d_decoder = 8, share = 0.5 }";
    let done = run(&manifest, &out, &[kind, "batch.modality_dropout=0.3"]);
    for name in ["loss", "image", "text"] {
        let score = done.metrics.scores[name];
        assert!(score > 0.0 && score.is_finite(), "{name}: {score}");
    }
    assert!((0.0..=1.0).contains(&done.metrics.scores["accuracy"]));
    for step in steps(&out) {
        let terms = step["terms"].as_object().unwrap();
        let sum: f64 = terms.values().filter_map(serde_json::Value::as_f64).sum();
        assert!(
            (sum - step["loss"].as_f64().unwrap()).abs() < 1e-4,
            "{step}"
        );
    }
    let resolved = std::fs::read_to_string(out.join("recipe.toml")).unwrap();
    assert!(resolved.contains("word_share = 0.15") && resolved.contains("decoder_layers = 2"));

    // One run is what both begin with.
    let out_text = format!("{:?}", out.display().to_string());
    let start = format!("start={{ image = {out_text}, text = {out_text} }}");
    let frozen = "frozen=[\"image\", \"text\"]";
    let after = dir.path().join("after");
    let done = run(&manifest, &after, &[&start, frozen]);
    assert!(done.metrics.accuracy().is_some());
    let model = |run: &Path| std::fs::read(run.join("model/model.safetensors")).unwrap();
    let (before, after) = (encoders(&model(&out)), encoders(&model(&after)));
    assert!(before.keys().any(|path| path.contains(".image.")));
    assert!(before.keys().any(|path| path.contains(".text.")));
    assert_eq!(before, after);
    let error = SavedModel::open(&out, &Device::flex()).unwrap_err();
    assert!(error.to_string().contains("learned without labels"));
}

/// The tensors of a safetensors file that are an encoder's, as bytes.
fn encoders(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let tensors = header.as_object().unwrap().iter();
    let own = tensors.filter(|(path, _)| path.starts_with("encoders."));
    own.map(|(path, tensor)| {
        let at = |i: usize| tensor["data_offsets"][i].as_u64().unwrap() as usize;
        (path.clone(), bytes[8 + length..][at(0)..at(1)].to_vec())
    })
    .collect()
}

#[test]
fn pairs_are_told_and_measured_on_wrong_ones_that_the_seed_draws() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path());
    let mut measured = Vec::new();
    for (name, negatives) in [("hard", "hard"), ("again", "hard"), ("uniform", "uniform")] {
        let out = dir.path().join(name);
        let kind =
            format!("objective={{ kind = \"matching\", d_embed = 4, negatives = {negatives:?} }}");
        let done = run(&manifest, &out, &[&kind, "train.metric=accuracy"]);
        let scores = done.metrics.scores.clone();
        for share in ["accuracy", "auroc"] {
            assert!((0.0..=1.0).contains(&scores[share]), "{scores:?}");
        }
        assert!(scores["matching"] > 0.0 && scores["image_text"] > 0.0);
        for step in steps(&out) {
            let terms = &step["terms"];
            let of = |name: &str| terms[name].as_f64().unwrap();
            let sum = of("matching") + of("image_text");
            assert!(
                (sum - step["loss"].as_f64().unwrap()).abs() < 1e-4,
                "{step}"
            );
        }
        let recipe = std::fs::read_to_string(out.join("recipe.toml")).unwrap();
        assert!(recipe.contains("[fusion]"), "what joins them counts");
        measured.push(scores);
    }
    assert_eq!(measured[0], measured[1]);
    assert_ne!(measured[0], measured[2]);
}

#[test]
fn what_cannot_be_joined_is_refused_before_any_data_is_read() {
    let masked = "objective.kind=masked-modalities";
    for (sets, expected) in [
        (
            &[masked, "encoders.image="][..],
            "guesses one modality from another, and the recipe has text alone: use \"masked-language\"",
        ),
        (
            &[masked, "encoders.text="],
            "and the recipe has image alone: use \"masked-autoencoder\"",
        ),
        (
            &[masked, "encoders.image={ from = \"tiny-clip\" }"],
            "needs encoders that are the recipe's own: take encoders.image.from away",
        ),
        (
            &[masked, "encoders.image.stem={ halvings = 1 }"],
            "what the convolutions of encoders.image.stem give has seen what is hidden: take encoders.image.stem away",
        ),
        (
            &["objective.kind=matching", "encoders.image="],
            "tells pairs of two modalities: it needs two encoders, and the recipe has text",
        ),
        (
            &[masked, "objective.word_share=0.0"],
            "objective.word_share = 0 hides nothing",
        ),
    ] {
        let error = parsed(sets).unwrap_err().to_string();
        assert!(error.contains(expected), "{sets:?}: {error}");
    }
}

/// So many processes train into one folder; what each of them comes to.
fn together(size: usize, manifest: &Path, out: &Path, sets: &[&str]) -> Vec<Finished> {
    in_threads(size, |ranks| {
        let mut recipe = parsed(sets).expect("a recipe");
        recipe.data.path = Some(manifest.to_owned());
        let device = Device::flex();
        let options = Options {
            ranks,
            ..Options::new(&device, "flex")
        };
        train(recipe, Some(out), &options, &mut Silent).expect("a run")
    })
}

#[test]
fn several_processes_come_to_what_one_does() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path());
    const SKIP: &str = "data.on_error=\"skip\"";
    let dark = "encoders.image.dropout=0";
    let mute = "encoders.text.dropout=0";
    let of_each = [
        (
            "cross-entropy",
            vec![
                dark,
                mute,
                "beside.narrow=[\"fusion.d_model=4\"]",
                "batch.modality_dropout=0.2",
            ],
        ),
        ("contrastive", vec![dark, mute]),
        ("sigmoid-contrastive", vec![dark, mute]),
        ("masked-modalities", vec![dark, mute]),
        ("masked-language", vec![mute, "encoders.image=", SKIP]),
        (
            "masked-language",
            vec![
                mute,
                "encoders.image=",
                SKIP,
                "objective.next_sentence=true",
            ],
        ),
        ("sim-clr", vec![dark, "encoders.text=", SKIP]),
        ("fix-match", vec![dark, mute, "data.labels_per_class=4"]),
        ("mean-teacher", vec![dark, mute, "data.labels_per_class=4"]),
        (
            "flex-match",
            vec![
                dark,
                mute,
                "data.labels_per_class=4",
                // Reached, so that there is something to remember.
                "objective.threshold=0.51",
            ],
        ),
    ];
    for (at, (kind, sets)) in of_each.into_iter().enumerate() {
        let kind_is = format!("objective.kind=\"{kind}\"");
        let sets = [vec![kind_is.as_str()], sets].concat();
        let alone = run(&manifest, &dir.path().join(format!("{at}-alone")), &sets);
        for size in [2, 3] {
            let out = dir.path().join(format!("{at}-{size}"));
            let done = together(size, &manifest, &out, &sets);
            let (found, expected) = (steps(&out), steps(alone.folder.path()));
            assert_eq!(found.len(), expected.len(), "{kind}");
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found["samples"], expected["samples"], "{kind}");
                let [found, expected] =
                    [found, expected].map(|step| step["loss"].as_f64().expect("a loss"));
                let apart = (found - expected).abs();
                assert!(apart < 1e-5, "{kind} {size}: {found} {expected}");
            }
            for name in [
                "recipe.toml",
                "metrics.json",
                "report.html",
                "model/model.safetensors",
            ] {
                assert!(out.join(name).is_file(), "{kind}: {name}");
            }
            let own = |done: &Finished| {
                let mut metrics = serde_json::to_value(&done.metrics).unwrap();
                for key in ["train_seconds", "total_seconds"] {
                    metrics[key] = 0.into();
                }
                metrics
            };
            assert!(done.iter().all(|one| own(one) == own(&done[0])), "{kind}");
            assert_eq!(done[0].metrics.beside.len(), alone.metrics.beside.len());
        }
    }
}

#[test]
fn what_several_processes_cannot_do_is_refused_by_all() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path());
    for (set, said) in [("batch.size=1", "batch.size = 1 is shared by 2 processes")] {
        let refused = in_threads(2, |ranks| {
            let mut recipe = parsed(&[set]).expect("a recipe");
            recipe.data.path = Some(manifest.clone());
            let device = Device::flex();
            let options = Options {
                ranks,
                ..Options::new(&device, "flex")
            };
            let out = dir.path().join("refused");
            let refused = train(recipe, Some(&out), &options, &mut Silent);
            (refused.unwrap_err().to_string(), out.exists())
        });
        for (error, left) in refused {
            assert!(error.contains(said) && !left, "{error}");
        }
    }
}

#[test]
fn what_is_recomputed_comes_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path());
    const SKIP: &str = "data.on_error=\"skip\"";
    let wet = "encoders.image.dropout=0.2";
    for (kind, sets) in [
        (
            "cross-entropy",
            vec![wet, "train.accumulate=2", "train.ema_decay=0.9"],
        ),
        (
            "ordinal",
            vec![wet, "lora={ rank = 1, on = \"encoders.*\" }"],
        ),
        ("contrastive", vec![wet, "train.accumulate=2"]),
        ("sigmoid-contrastive", vec![]),
        ("matching", vec![wet]),
        ("masked-modalities", vec![wet, "encoders.text.dropout=0.1"]),
        ("masked-language", vec!["encoders.image=", SKIP]),
        ("sim-clr", vec!["encoders.text=", SKIP]),
        ("fix-match", vec![wet, "data.labels_per_class=4"]),
        ("mean-teacher", vec![wet, "data.labels_per_class=4"]),
    ] {
        println!("{kind}");
        let kind_is = format!("objective.kind=\"{kind}\"");
        let sets = [vec![kind_is.as_str(), "train.epochs=1"], sets].concat();
        let model = |name: &str, more: &[&str]| {
            let out = dir.path().join(format!("{kind}-{name}"));
            run(&manifest, &out, &[&sets, more].concat());
            std::fs::read(out.join("model/model.safetensors")).expect("a model")
        };
        let kept = model("kept", &[]);
        assert!(
            model("again", &["train.recompute=true"]) == kept,
            "{kind}: other weights"
        );
    }
}
