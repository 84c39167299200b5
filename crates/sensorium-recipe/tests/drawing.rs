//! Draws by weight, in batches of alike lengths, within a window: the same with any number of workers, and gone on with in the
//! middle of an epoch.

mod toy;

use std::path::Path;

use burn::tensor::Device;
use sensorium_recipe::{Options, Silent, rehearse, resume, train};
use toy::{Seen, manifest, recipe, run};

/// More rows to learn from, of one to nine words.
fn more(dir: &Path) -> String {
    let row = |i: usize| format!("it howls{},{}\n", " again".repeat(i % 9), i % 2);
    let rows: String = (0..30).map(row).collect();
    let path = dir.join("more.csv");
    std::fs::write(&path, format!("text,label\n{rows}")).unwrap();
    path.display().to_string()
}

#[test]
fn a_run_that_draws_in_any_way_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let also = format!("data.also={:?}", [more(dir.path())]);
    let sets = [
        also.as_str(),
        "data.weights=[1, 3]",
        "data.epoch_rows=24",
        "data.shuffle={ buffer = 5 }",
        "batch.bucket_by=text",
        "encoders.text.max_tokens=64",
    ];
    let with = |more: &'static str| recipe(&manifest, &[&sets[..], &[more]].concat());
    let weights = |out: &Path| std::fs::read(out.join("model/model.safetensors")).unwrap();

    let whole = dir.path().join("whole");
    let mut seen = Seen::default();
    let done = run(with("batch.threads=1"), &whole, &mut seen).unwrap();
    // Two epochs of 24 rows, four a step.
    assert_eq!(done.metrics.steps, 12);
    let told = format!(
        "an epoch draws 24 rows: 6 from the 8 of {}, 18 from the 30 of ",
        manifest.display()
    );
    assert!(
        seen.notes.iter().any(|note| note.starts_with(&told)),
        "{:?}",
        seen.notes
    );
    let padding = |note: &String| note.contains(" % of text is padding, of batches whose rows");
    assert!(seen.notes.iter().any(padding), "{:?}", seen.notes);

    let workers = dir.path().join("workers");
    run(with("batch.threads=3"), &workers, &mut Silent).unwrap();
    assert!(weights(&whole) == weights(&workers));

    // Broken off in the middle of the first epoch, and of the second.
    for at in [3, 9] {
        let out = dir.path().join(format!("broken-off-{at}"));
        let mut seen = Seen {
            at_step: Some(Box::new(move |step| assert!(step < at, "broken off"))),
            ..Seen::default()
        };
        let recipe = with("batch.threads=2");
        let unwind = std::panic::AssertUnwindSafe(|| run(recipe, &out, &mut seen));
        assert!(std::panic::catch_unwind(unwind).is_err());
        let device = Device::flex();
        resume(&out, &Options::new(&device, "flex"), &mut Silent).unwrap();
        assert!(weights(&whole) == weights(&out), "broken off at {at}");
    }

    let device = Device::flex();
    let tried = rehearse(
        with("batch.threads=2"),
        &Options::new(&device, "flex"),
        &mut Silent,
    );
    let tried = serde_json::to_value(tried.unwrap()).unwrap();
    let drawn: Vec<_> = [0, 1]
        .map(|i| tried["drawn_from"][i]["drawn"].as_u64())
        .into();
    assert_eq!(drawn, [Some(6), Some(18)]);
    let share = |key: &str| tried["padding"][key].as_f64().unwrap();
    assert!(share("share") < share("shuffled"), "{tried}");
}

#[test]
fn what_cannot_be_drawn_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let also = format!("data.also={:?}", [more(dir.path())]);
    let refused = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let parsed = sensorium_recipe::Recipe::parse("toy.toml", toy::RECIPE, &sets);
        parsed.unwrap_err().to_string()
    };
    for (sets, expected) in [
        (
            &["data.weights=[1]"][..],
            "data.weights has 1 for 1 data set: one for the data set itself",
        ),
        (
            &[also.as_str(), "data.weights=[1, 2, 3]"],
            "data.weights has 3 for 2 data sets",
        ),
        (
            &[also.as_str(), "data.weights=[1, 0]"],
            "data.weights = [1.0, 0.0]: 0 must be above 0 and finite",
        ),
        (
            &[also.as_str(), "data.weights=[-2, 1]"],
            "-2 must be above 0",
        ),
        (
            &[also.as_str(), "data.weights=[nan, 1]"],
            "NaN must be above 0",
        ),
        (&["data.epoch_rows=0"], "data.epoch_rows = 0 is no epoch"),
        (
            &["data.shuffle={ buffer = 0 }"],
            "data.shuffle.buffer = 0 holds nothing",
        ),
        (&["data.shuffle={ bufer = 9 }"], "bufer"),
        (
            &["batch.bucket_by=txt"],
            "batch.bucket_by = \"txt\" is no modality of the recipe: it has text; did you mean \"text\"?",
        ),
    ] {
        let error = refused(sets);
        assert!(
            error.contains(expected) && error.lines().count() == 1,
            "{error}"
        );
    }
    // A mixture of data sets that do not have the same columns would not be what its weights say.
    let two = "[encoders.image]\nimage_size = 16\npatch_size = 8\nd_model = 8\nn_layers = 1\nn_heads = 2\n";
    let sets = [also, "data.weights=[1, 1]".to_owned()];
    let text = toy::RECIPE.replace("[fusion]", &format!("{two}[fusion]"));
    let mut recipe = sensorium_recipe::Recipe::parse("toy.toml", &text, &sets).unwrap();
    // It is never looked at.
    std::fs::write(dir.path().join("a.png"), "no picture").unwrap();
    let rows = "text,image,label,split\nit purrs,a.png,0,train\nit barks,a.png,1,test\n";
    std::fs::write(&manifest, rows).unwrap();
    recipe.data.path = Some(manifest.clone());
    let out = dir.path().join("run");
    let error = run(recipe, &out, &mut Silent).unwrap_err().to_string();
    let expected = format!("{} has a column image and ", manifest.display());
    assert!(error.contains(&expected), "{error}");
    assert!(!out.exists());
    // A column that the recipe does not look at is nobody's.
    let mut recipe = sensorium_recipe::Recipe::parse("toy.toml", toy::RECIPE, &sets).unwrap();
    recipe.data.path = Some(manifest);
    run(recipe, &out, &mut Silent).unwrap();
}

/// The steps of a run's log.
fn steps(run: &Path) -> Vec<serde_json::Value> {
    let log = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &serde_json::Value| line["kind"] == "step")
        .collect()
}

#[test]
fn several_processes_draw_what_one_draws_and_the_log_says_from_where() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let others = more(dir.path());
    let also = format!("data.also={:?}", [others.as_str()]);
    let weighed = [also.as_str(), "data.weights=[1, 3]", "data.epoch_rows=22"];
    let buffer = "data.shuffle={ buffer = 5 }";
    let bucket = "batch.bucket_by=text";
    // What is drawn of a sample is drawn by its share, so that no share may draw.
    let always = ["encoders.text.dropout=0", "encoders.text.max_tokens=64"];
    for (name, sets) in [
        ("weighed", weighed.to_vec()),
        ("alike", vec![also.as_str(), bucket]),
        ("both", [&weighed[..], &[bucket, buffer]].concat()),
    ] {
        let with = || recipe(&manifest, &[&sets[..], &always].concat());
        let alone = dir.path().join(name);
        run(with(), &alone, &mut Silent).unwrap();
        let alone = steps(&alone);
        for size in [2, 3] {
            let out = dir.path().join(format!("{name}-{size}"));
            sensorium_train::in_threads(size, |ranks| {
                let device = Device::flex();
                let options = Options {
                    ranks,
                    ..Options::new(&device, "flex")
                };
                train(with(), Some(&out), &options, &mut Silent).unwrap();
            });
            let found = steps(&out);
            assert_eq!(found.len(), alone.len(), "{name} {size}");
            for (found, alone) in found.iter().zip(&alone) {
                for key in ["samples", "drawn"] {
                    assert_eq!(found[key], alone[key], "{name} {size} {key}");
                }
                let [found, alone] = [found, alone].map(|step| step["loss"].as_f64().unwrap());
                assert!(
                    (found - alone).abs() < 1e-5,
                    "{name} {size}: {found} {alone}"
                );
            }
        }
        let drawn = |set: &str| -> u64 {
            let of = alone.iter().filter_map(|step| step["drawn"][set].as_u64());
            of.sum()
        };
        let own = manifest.display().to_string();
        // Two epochs of 22, a quarter of which are the run's own; unweighed, nothing is told.
        let expected = if name == "alike" { [0, 0] } else { [11, 33] };
        let found = [drawn(&own), drawn(&others)];
        assert_eq!(found.iter().sum::<u64>(), expected.iter().sum::<u64>());
        assert!(found[0].abs_diff(expected[0]) <= 1, "{name}: {found:?}");
    }
}
