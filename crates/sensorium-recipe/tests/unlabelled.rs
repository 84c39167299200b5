//! Runs that learn from rows without labels: few labels and many rows, encoders that learn before, and what is trained beside.

mod toy;

use std::path::Path;

use sensorium_recipe::{Beside, Recipe, RunFolder, RunMetrics, SavedModel, Silent, resume};
use toy::{Seen, manifest, recipe, run};

const STAGE: &str =
    "pretrain.text={ objective = { kind = \"masked-language\" }, train = { epochs = 3 } }";

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("model/model.safetensors")).unwrap()
}

/// A tensor of a saved model, as bytes.
fn tensor(run: &Path, name: &str) -> Vec<u8> {
    let bytes = weights(run);
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let at = |i: usize| header[name]["data_offsets"][i].as_u64().unwrap() as usize;
    bytes[8 + length..][at(0)..at(1)].to_vec()
}

fn named<'a>(metrics: &'a RunMetrics, name: &str) -> &'a Beside {
    metrics.beside.iter().find(|b| b.name == name).unwrap()
}

#[test]
fn every_way_to_learn_without_labels_trains_and_says_what_the_labels_alone_give() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "u1,it purrs,,,train\nu2,it barks,,,train\n");
    for kind in ["pseudo-labels", "mean-teacher", "fix-match", "flex-match"] {
        let out = dir.path().join(kind);
        let kind = format!("objective.kind={kind}");
        let sets = [
            kind.as_str(),
            "batch.size=2",
            "data.labels_per_class=2",
            "objective.unlabelled=2",
        ];
        let done = run(recipe(&manifest, &sets), &out, &mut Silent).unwrap();
        // Ten rows, four of them at once, twice.
        assert_eq!(done.metrics.steps, 6, "{kind}");
        assert!(named(&done.metrics, "labels-alone").accuracy.is_some());
        let log = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        assert!(log.contains("\"unlabelled\":") && log.contains("\"labelled\":"));
        let alone = RunFolder::open(&out.join("beside/labels-alone")).unwrap();
        assert_eq!(alone.recipe().unwrap().train.steps, Some(6));
        assert!(!out.join("beside/labels-alone/beside").exists());
        SavedModel::open(&out, &burn::tensor::Device::flex()).unwrap();
    }
}

#[test]
fn a_row_without_a_label_is_bad_where_labels_alone_are_learned_from() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "u1,it purrs,,,train\n");
    let out = dir.path().join("run");
    let error = run(recipe(&manifest, &[]), &out, &mut Silent).unwrap_err();
    assert!(
        error.to_string().contains("the row has no label"),
        "{error}"
    );
    let sets = ["data.labels_per_class=1", "batch.size=2"];
    let done = run(recipe(&manifest, &sets), &out, &mut Silent).unwrap();
    // An epoch is as long as with all labels.
    assert_eq!(done.metrics.steps, 10);
}

#[test]
fn an_encoder_goes_on_from_what_it_learned_before() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let out = dir.path().join("run");
    let sets = [
        STAGE,
        "frozen=[\"text\"]",
        "beside={ scratch = [\"pretrain=\"], thawed = [\"frozen=\"] }",
    ];
    let done = run(recipe(&manifest, &sets), &out, &mut Silent).unwrap();
    let path = "encoders.text.embedding.weight";
    let stage = out.join("pretrain/text");
    let learned = tensor(&stage, path);
    assert_eq!(tensor(&out, path), learned, "what is frozen stays");
    assert_ne!(tensor(&out.join("beside/scratch"), path), learned);
    assert_ne!(tensor(&out.join("beside/thawed"), path), learned);
    assert!(
        !out.join("beside/thawed/pretrain").exists(),
        "nothing is learned twice"
    );
    assert!(named(&done.metrics, "scratch").accuracy.is_some());
    assert!(!out.join("beside/scratch/pretrain").exists());

    let metrics = std::fs::read(stage.join("metrics.json")).unwrap();
    let metrics: RunMetrics = serde_json::from_slice(&metrics).unwrap();
    assert!(metrics.test.is_none() && metrics.scores["loss"] > 0.0);
    assert!((0.0..=1.0).contains(&metrics.scores["accuracy"]));
    let error = SavedModel::open(&stage, &burn::tensor::Device::flex()).unwrap_err();
    assert!(
        error.to_string().contains("learned without labels"),
        "{error}"
    );

    // The same from another run's folder, by hand.
    let again = dir.path().join("again");
    let start = format!("start.text={:?}", stage.display().to_string());
    run(
        recipe(&manifest, &[&start, "frozen=[\"text\"]"]),
        &again,
        &mut Silent,
    )
    .unwrap();
    assert_eq!(weights(&again), weights(&out));
    let other = ["encoders.text.d_model=16", &start];
    let error = run(
        recipe(&manifest, &other),
        &dir.path().join("other"),
        &mut Silent,
    )
    .unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("start.text: encoders.text.d_model is 8 in "),
        "{error}"
    );
}

#[test]
fn a_run_that_is_stopped_anywhere_ends_in_the_same_weights() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let sets = [
        STAGE,
        "objective.kind=flex-match",
        "batch.size=2",
        "objective.unlabelled=1",
    ];
    let whole = dir.path().join("whole");
    run(recipe(&manifest, &sets), &whole, &mut Silent).unwrap();
    let mut steps = 0;
    let mut count = Seen {
        at_step: Some(Box::new(|_| steps += 1)),
        ..Seen::default()
    };
    run(
        recipe(&manifest, &sets),
        &dir.path().join("count"),
        &mut count,
    )
    .unwrap();
    drop(count);
    assert!(steps > 12, "{steps}");
    for stop in (1..steps).step_by(3) {
        let out = dir.path().join(format!("stopped-{stop}"));
        let mut n = 0;
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut seen = Seen {
                at_step: Some(Box::new(|_| {
                    n += 1;
                    assert!(n != stop, "stopped");
                })),
                ..Seen::default()
            };
            drop(run(recipe(&manifest, &sets), &out, &mut seen));
        }));
        assert!(stopped.is_err());
        let device = burn::tensor::Device::flex();
        let options = sensorium_recipe::Options::new(&device, "flex");
        resume(&out, &options, &mut Silent).unwrap();
        for part in ["", "pretrain/text", "beside/labels-alone"] {
            assert_eq!(
                weights(&out.join(part)),
                weights(&whole.join(part)),
                "{stop} {part}"
            );
        }
    }
}

#[test]
fn rows_that_nobody_labelled_need_no_key_and_are_left_aside_by_the_labels_alone() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "u1,it purrs,,,train\nu2,it barks,,,train\n");
    let out = dir.path().join("run");
    let sets = ["objective.kind=fix-match", "batch.size=2"];
    let done = run(recipe(&manifest, &sets), &out, &mut Silent).unwrap();
    assert!(named(&done.metrics, "labels-alone").accuracy.is_some());
}

#[test]
fn a_text_is_cut_in_two_and_told_whether_its_parts_belong_together() {
    let dir = tempfile::tempdir().unwrap();
    let mut rows = String::from("id,text,label,split\n");
    for i in 0..24 {
        let split = ["train", "train", "valid", "test"][i / 2 % 4];
        let text = match i {
            0 => "but one sentence".to_owned(),
            _ => format!("it is {i}. it {}!", ["purrs", "barks"][i % 2]),
        };
        rows.push_str(&format!("r{i},{text},{},{split}\n", i % 2));
    }
    let manifest = dir.path().join("two.csv");
    std::fs::write(&manifest, rows).unwrap();
    let kind = "objective={ kind = \"masked-language\", next_sentence = true }";
    let out = dir.path().join("run");
    let sets = [kind, "encoders.text.max_tokens=12"];
    let done = run(recipe(&manifest, &sets), &out, &mut Silent).unwrap();
    let scores = &done.metrics.scores;
    for share in ["accuracy", "next_sentence_accuracy"] {
        assert!((0.0..=1.0).contains(&scores[share]), "{scores:?}");
    }
    assert!(scores["next_sentence"] > 0.0 && scores["words"] > 0.0);
    let log = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    assert!(log.contains("\"next_sentence\":"));

    let plain = toy::manifest(dir.path(), "");
    let refused = run(recipe(&plain, &[kind]), &dir.path().join("no"), &mut Silent);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "objective.next_sentence: asks whether a sentence follows another, and 0 of 8 training texts have two: remove it"
    );
}

#[test]
fn the_labels_that_are_kept_are_drawn_by_the_seed() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let kept = |seed: u64| {
        let mut recipe = recipe(&manifest, &["data.labels_per_class=1"]);
        recipe.train.seed = seed;
        let out = dir.path().join(format!("{seed}"));
        if !out.exists() {
            run(recipe, &out, &mut Silent).unwrap();
        }
        weights(&out)
    };
    assert_eq!(kept(1), kept(1));
    assert!((2..6).any(|seed| kept(seed) != kept(1)));
}

#[test]
fn what_cannot_be_is_refused_before_any_data_is_read() {
    let refused = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        Recipe::parse("toy.toml", toy::RECIPE, &sets)
            .unwrap_err()
            .to_string()
    };
    for (set, expected) in [
        (
            "frozen=[\"image\"]",
            "frozen = \"image\" names no encoder of the recipe: it has text",
        ),
        (
            "start.txt=\"a\"",
            "start.txt names no encoder of the recipe: it has text; did you mean \"text\"?",
        ),
        (
            "beside.x=[\"train.epoch=3\"]",
            "beside.x: --set train.epoch=3: unknown key `epoch`; did you mean `epochs`?",
        ),
        (
            "beside.\"a/b\"=[]",
            "becomes a folder's name: use letters, digits, - and _",
        ),
        (
            "pretrain.text={}",
            "pretrain.text: objective.kind = \"cross-entropy\" does not make one encoder without labels: use masked-language",
        ),
        (
            "pretrain.text={ objective = { kind = \"masked-autoencoder\" } }",
            "pretrain.text: objective.kind = \"masked-autoencoder\" needs one encoder, of image or audio, not text",
        ),
        (
            "objective.kind=contrastive",
            "objective.kind = \"contrastive\" compares modalities: it needs two encoders at least, and the recipe has text",
        ),
        (
            "zero_shot.templates=[\"{}\"]",
            "zero_shot has no effect with objective.kind = \"cross-entropy\"",
        ),
        (
            "data.labels_per_class=0",
            "data.labels_per_class = 0 leaves nothing to learn from",
        ),
        (
            "train.metric=loss_",
            "train.metric = \"loss_\": validation measures accuracy, macro_f1, loss; did you mean \"loss\"?",
        ),
    ] {
        let told = refused(&[set]);
        assert!(told.contains(expected), "{set}: {told}");
    }
    let both = refused(&[STAGE, "start.text=\"a\""]);
    assert!(
        both.contains("start.text and pretrain.text exclude each other"),
        "{both}"
    );
}

#[test]
fn a_rehearsal_tells_what_would_be_learned_before() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let sets = [
        STAGE,
        "stages=[{ name = \"base\", set = [\"train.epochs=1\", \"objective.kind=focal\"] }]",
    ];
    let device = burn::tensor::Device::flex();
    let options = sensorium_recipe::Options::new(&device, "flex");
    let tried = sensorium_recipe::rehearse(recipe(&manifest, &sets), &options, &mut Silent);
    let tried = tried.unwrap();
    let told = |run: &sensorium_recipe::Rehearsed| {
        let steps = run.training.total_steps;
        (run.objective.clone(), run.rows[0], steps)
    };
    let before = tried
        .before
        .iter()
        .map(|before| (before.name.as_str(), told(&before.run)));
    let of = |kind: &str, steps| (kind.to_owned(), 8, steps);
    assert_eq!(
        before.collect::<Vec<_>>(),
        [
            ("pretrain.text", of("masked-language", 6)),
            ("stages.base", of("focal", 2))
        ]
    );
    assert_eq!(told(&tried), of("cross-entropy", 4));
    let out = dir.path().join("run");
    let done = run(recipe(&manifest, &sets), &out, &mut Silent).unwrap();
    assert_eq!(done.metrics.steps, 4);
    for (before, folder) in tried.before.iter().zip(["pretrain/text", "stages/base"]) {
        let log = std::fs::read_to_string(out.join(folder).join("metrics.jsonl")).unwrap();
        let last = log
            .lines()
            .filter(|line| line.contains("\"kind\":\"step\""))
            .count();
        assert_eq!(last, before.run.training.total_steps, "{folder}");
    }
}
