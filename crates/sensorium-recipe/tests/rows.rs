//! Rows that are not as they should be: without any content, or unreadable later on.

mod toy;

use burn::tensor::Device;
use sensorium_recipe::{Part, SavedModel, Silent};
use toy::{Seen, manifest, recipe, run};

#[test]
fn a_row_without_the_recipes_modalities_is_a_bad_row() {
    let dir = tempfile::tempdir().unwrap();
    // One has a picture alone, which this recipe has no use for; the other's picture is not there.
    std::fs::write(dir.path().join("a.png"), "x").unwrap();
    let more = "p0,,a.png,0,train\np1,it purrs,none.png,0,train\n";
    let manifest = manifest(dir.path(), more);
    let out = dir.path().join("run");

    let error = run(recipe(&manifest, &["batch.size=1"]), &out, &mut Silent).unwrap_err();
    let expected = "m.csv:18: the row has none of the columns text (use --on-error skip";
    assert!(error.to_string().contains(expected), "{error}");
    assert!(!out.exists(), "a start that failed leaves nothing");

    let mut seen = Seen::default();
    let sets = ["batch.size=1", "data.on_error=skip"];
    let done = run(recipe(&manifest, &sets), &out, &mut seen).unwrap();
    assert_eq!((done.metrics.skipped_rows, done.metrics.steps), (1, 18));
    assert!(seen.notes[0].contains("m.csv:18"), "{:?}", seen.notes);
    let listed = std::fs::read_to_string(out.join("skipped.jsonl")).unwrap();
    assert!(listed.contains("\"row\":18"), "{listed}");
}

#[test]
fn rows_that_break_while_training_are_named_or_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("long.txt");
    let rows: String = (0..16)
        .map(|i| {
            let text = if i == 0 { "long.txt" } else { "short.txt" };
            format!("{text},{},{}\n", i % 2, ["train", "test"][i / 12])
        })
        .collect();
    let manifest = dir.path().join("m.csv");
    std::fs::write(&manifest, format!("file,label,split\n{rows}")).unwrap();
    std::fs::write(dir.path().join("short.txt"), "it barks").unwrap();
    let column = r#"data.columns.inputs.text={ column = "file" }"#;
    for on_error in ["fail", "skip"] {
        std::fs::write(&file, "it purrs").unwrap();
        let on_error = format!("data.on_error={on_error}");
        let sets = [column, &on_error, "batch.cache_rows=0", "batch.threads=1"];
        let mut seen = Seen {
            at_step: Some(Box::new(|step| {
                if step == 3 {
                    std::fs::remove_file(&file).unwrap();
                }
            })),
            ..Seen::default()
        };
        let out = dir.path().join(&on_error);
        let done = run(recipe(&manifest, &sets), &out, &mut seen);
        assert!(seen.notes.iter().any(|note| note.contains("decoded anew")));
        match done {
            Err(error) => {
                assert!(on_error.ends_with("fail"), "{error}");
                let error = error.to_string();
                assert!(error.contains("m.csv:2, column text: "), "{error}");
            }
            Ok(done) => {
                assert!(on_error.ends_with("skip"));
                assert_eq!((done.metrics.steps, done.metrics.skipped_rows), (6, 1));
                let listed = std::fs::read_to_string(out.join("skipped.jsonl")).unwrap();
                assert!(listed.contains("\"row\":2") && listed.contains("long.txt"));
            }
        }
    }
}

#[test]
fn other_data_without_splits_is_measured_whole() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    run(recipe(&manifest(dir.path(), ""), &[]), &out, &mut Silent).unwrap();
    let model = SavedModel::open(&out, &Device::flex()).unwrap();
    let other = dir.path().join("other.csv");
    std::fs::write(&other, "text,label\nit purrs,0\nit barks,1\n,1\n").unwrap();
    let skip = Some(sensorium_data::OnError::Skip);
    let measured = model
        .measure(Some(&other), None, &[], skip, &mut Silent)
        .unwrap();
    assert_eq!(
        (measured.part, measured.test.as_ref().unwrap().n),
        (Part::All, 2)
    );
    assert_eq!((measured.skipped_rows, measured.skipped.len()), (1, 1));
    assert_eq!(measured.skipped[0].place.row, 4);
    let json = serde_json::to_value(&measured).unwrap();
    assert_eq!(json["part"], "all");
    assert_eq!(json["skipped"][0]["place"]["row"], 4);
    let own = model.measure(None, None, &[], None, &mut Silent).unwrap();
    assert_eq!((own.part, own.test.unwrap().n), (Part::Test, 4));
}

#[test]
fn other_data_is_learned_from_and_not_tested_on() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let whole = write(
        "whole.csv",
        "text,label\nit meows,0\nit howls,1\nit hisses,0\n",
    );
    let parted = "text,label,split\nit yaps,1,train\nit mews,0,test\n";
    let parted = write("parted.csv", parted);
    let wrong = write("wrong.csv", "text,label\nit meows,0\nit moos,2\n");
    let also = |names: &[&String]| format!("data.also={names:?}");

    let out = dir.path().join("run");
    let mut seen = Seen::default();
    let sets = ["batch.size=1", &also(&[&whole, &parted])];
    let done = run(recipe(&manifest, &sets), &out, &mut seen).unwrap();
    // Two epochs of eight rows of its own, three and one of others.
    assert_eq!(
        (done.metrics.steps, done.metrics.test.as_ref().unwrap().n),
        (24, 4)
    );
    let expected = [
        format!("3 rows of {whole} are learned from too"),
        format!("1 rows of {parted} are learned from too"),
    ];
    assert_eq!(seen.notes, expected);
    // Nothing of it is needed, or measured on, once the model is there.
    std::fs::remove_file(&whole).unwrap();
    let model = SavedModel::open(&out, &Device::flex()).unwrap();
    let rows_of = |part| {
        let measured = model.measure(None, Some(part), &[], None, &mut Silent);
        measured.unwrap().test.unwrap().n
    };
    assert_eq!((rows_of(Part::Train), rows_of(Part::Test)), (8, 4));

    for (set, expected) in [
        (
            also(&[&wrong]),
            "wrong.csv:3, column label: \"2\" is none of the 2 classes",
        ),
        (also(&[&"none.csv".to_owned()]), "none.csv"),
        (
            also(&[&parted, &parted]),
            "is learned from already: remove it",
        ),
        (
            also(&[&manifest.display().to_string()]),
            "is learned from already: remove it",
        ),
    ] {
        let out = dir.path().join("refused");
        let refused = run(recipe(&manifest, &[&set]), &out, &mut Silent);
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!out.exists());
    }
}

#[test]
fn rare_classes_can_weigh_more() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let rare = String::from("it barks,1,train\n") + &"it purrs,0,train\n".repeat(12);
    let path = dir.path().join("rare.csv");
    let rows = "it barks,1,test\nit purrs,0,test\n";
    std::fs::write(&path, format!("text,label,split\n{rare}{rows}")).unwrap();
    let weights = |manifest: &std::path::Path, sets: &[&str]| {
        let out = tempfile::tempdir().unwrap();
        let out = out.path().join("run");
        run(recipe(manifest, sets), &out, &mut Silent).unwrap();
        std::fs::read(out.join("model/model.safetensors")).unwrap()
    };
    let (plain, balanced) = ("batch.size=4", "objective.class_balance=0.99");
    assert!(weights(&path, &[plain]) != weights(&path, &[balanced]));
    // Where all are alike there is nothing to weigh; 0 weighs nothing.
    assert!(weights(&path, &[plain]) == weights(&path, &["objective.class_balance=0.0"]));
    assert!(weights(&manifest, &[plain]) != weights(&manifest, &["objective.kind=focal"]));
}

#[test]
fn rows_decoded_when_they_are_needed_teach_the_same() {
    let dir = tempfile::tempdir().unwrap();
    // One test row's text is no text: decoding finds out.
    let rows: String = (0..16)
        .map(|i| format!("{i}.txt,{},{}\n", i % 2, ["train", "test"][i / 12]))
        .collect();
    for i in 0..16 {
        let text = ["it purrs", "it barks"][i % 2];
        std::fs::write(dir.path().join(format!("{i}.txt")), text).unwrap();
    }
    std::fs::write(dir.path().join("13.txt"), b"caf\xe9").unwrap();
    let manifest = dir.path().join("m.csv");
    std::fs::write(&manifest, format!("file,label,split\n{rows}")).unwrap();
    let column = r#"data.columns.inputs.text={ column = "file" }"#;
    let run = |name: &str, on_error: &str, more: &str| {
        let on_error = format!("data.on_error={on_error}");
        let sets = [column, &on_error, more];
        let mut seen = Seen::default();
        let out = dir.path().join(name);
        (run(recipe(&manifest, &sets), &out, &mut seen), seen.notes)
    };
    let (first, _) = run("first", "skip", "data.prepare=first");
    let (lazily, notes) = run("lazily", "skip", "data.prepare=lazily");
    let first = first.unwrap().metrics;
    let lazily = lazily.unwrap().metrics;
    assert_eq!((lazily.steps, lazily.skipped_rows), (first.steps, 1));
    assert_eq!(format!("{:?}", lazily.test), format!("{:?}", first.test));
    assert!(
        notes[0].contains("decoded when they are needed"),
        "{notes:?}"
    );
    assert!(
        notes
            .iter()
            .any(|note| note.contains("m.csv:15, column text: ")),
        "{notes:?}"
    );
    let (refused, _) = run("fail", "fail", "data.prepare=lazily");
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("m.csv:15, column text: "), "{error}");
}
