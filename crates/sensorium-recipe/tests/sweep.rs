//! Many runs of one recipe: each a run of its own, gone on with, told in a table; and a run that is only tried out.

mod toy;

use std::path::Path;

use burn::tensor::Device;
use sensorium_recipe::{
    Error, Observer, Options, Recipe, Silent, Space, Sweep, SweptRun, rehearse, sweep,
};
use sensorium_train::in_threads;
use toy::{Seen, manifest, recipe, run};

fn swept(
    recipe: Recipe,
    space: &Space,
    out: &Path,
    observer: &mut dyn Observer,
) -> Result<Sweep, Error> {
    let device = Device::flex();
    let options = Options::new(&device, "flex".to_owned());
    sweep(recipe, space, Some(out), &options, observer)
}

fn grid(texts: &[&str]) -> Space {
    Space {
        grid: texts.iter().map(|text| (*text).to_owned()).collect(),
        ..Space::default()
    }
}

#[test]
fn each_setting_is_a_run_and_what_was_stopped_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let out = dir.path().join("sweep");
    let space = grid(&["train.optimizer=adamw,lion", "train.lr=1e-2,1e-5"]);

    // Broken off in the second run.
    let mut steps = 0;
    let mut seen = Seen {
        at_step: Some(Box::new(|_| {
            steps += 1;
            assert!(steps < 6, "broken off");
        })),
        ..Seen::default()
    };
    let unwind = std::panic::AssertUnwindSafe(|| {
        swept(recipe(&manifest, &[]), &space, &out, &mut seen).map(drop)
    });
    assert!(std::panic::catch_unwind(unwind).is_err());
    drop(seen);
    assert!(out.join("001/metrics.json").is_file() && !out.join("002/metrics.json").exists());
    let first = std::fs::metadata(out.join("001/metrics.json")).unwrap();

    let done = swept(recipe(&manifest, &[]), &space, &out, &mut Silent).unwrap();
    let again = std::fs::metadata(out.join("001/metrics.json")).unwrap();
    assert_eq!(first.modified().unwrap(), again.modified().unwrap());
    assert_eq!(done.runs.len(), 4);
    for run in &done.runs {
        let own =
            std::fs::read_to_string(out.join(&run.setting.folder).join("recipe.toml")).unwrap();
        let optimizer = run.setting.sets[0].split_once('=').unwrap().1;
        assert!(own.contains(&format!("optimizer = {optimizer:?}")), "{own}");
        assert!(run.error.is_none() && run.test.is_some() && run.steps == 4);
    }
    let values = done
        .runs
        .iter()
        .map(|run| run.validation.as_ref().unwrap().value);
    assert!(values.collect::<Vec<f64>>().is_sorted_by(|a, b| a >= b));
    let table = std::fs::read_to_string(out.join("table.txt")).unwrap();
    assert!(
        table.contains("train.optimizer=lion  train.lr=1e-5"),
        "{table}"
    );

    // Each is what it would be by itself, however it was stopped.
    let alone = dir.path().join("alone");
    run(
        recipe(&manifest, &["train.optimizer=adamw", "train.lr=1e-5"]),
        &alone,
        &mut Silent,
    )
    .unwrap();
    let weights = |run: &Path| std::fs::read(run.join("model/model.safetensors")).unwrap();
    assert_eq!(weights(&alone), weights(&out.join("002")));

    // Another sweep does not get in, a longer one goes on.
    let other = swept(
        recipe(&manifest, &["train.seed=1"]),
        &space,
        &out,
        &mut Silent,
    );
    assert!(other.unwrap_err().to_string().contains("another recipe"));
    let other = swept(
        recipe(&manifest, &[]),
        &grid(&["train.lr=1.0"]),
        &out,
        &mut Silent,
    );
    assert!(other.unwrap_err().to_string().contains("other settings"));
    let longer = grid(&["train.optimizer=adamw,lion,muon", "train.lr=1e-2,1e-5"]);
    let done = swept(recipe(&manifest, &[]), &longer, &out, &mut Silent).unwrap();
    assert_eq!(done.runs.len(), 6);
}

#[test]
fn a_setting_that_breaks_down_is_told_and_a_mistake_is_told_first() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let out = dir.path().join("sweep");
    let wrong = grid(&["train.lr=1e-3,-1"]);
    let error = swept(recipe(&manifest, &[]), &wrong, &out, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("train.lr is -1"), "{error}");
    assert!(!out.exists());

    let space = grid(&["train.lr=1e38,1e-2"]);
    let stop = [
        "train.non_finite=stop",
        "train.warmup_share=0.0",
        "train.clip_norm=0",
    ];
    let done = swept(recipe(&manifest, &stop), &space, &out, &mut Silent).unwrap();
    assert!(done.runs[0].error.is_none());
    let error = done.runs[1].error.as_ref().unwrap();
    assert!(error.contains("lower train.lr"), "{error}");
}

#[test]
fn several_processes_sweep_together() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    // The second setting breaks down, on all of them.
    let space = grid(&["train.lr=1e-2,1e38,1e-3"]);
    let sets = [
        "train.non_finite=stop",
        "train.warmup_share=0.0",
        "train.clip_norm=0",
    ];
    let alone = dir.path().join("alone");
    let alone = swept(recipe(&manifest, &sets), &space, &alone, &mut Silent).unwrap();
    let out = dir.path().join("together");
    let each = |sets: &[&str], out: &Path, stop_at: Option<usize>| {
        in_threads(2, |ranks| {
            let device = Device::flex();
            let options = Options {
                ranks,
                ..Options::new(&device, "flex")
            };
            let mut steps = 0;
            let mut seen = Seen {
                at_step: Some(Box::new(|_| {
                    steps += 1;
                    assert!(Some(steps) != stop_at, "broken off");
                })),
                ..Seen::default()
            };
            let recipe = recipe(&manifest, sets);
            let go = || sweep(recipe, &space, Some(out), &options, &mut seen);
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(go))
        })
    };
    // Broken off in the last run: four steps of the first, and those of the second that came to numbers.
    assert!(each(&sets, &out, Some(6)).iter().all(Result::is_err));
    assert!(out.join("001/metrics.json").exists() && !out.join("003/metrics.json").exists());
    for done in each(&sets, &out, None) {
        let done = done.unwrap().unwrap();
        let folders = |sweep: &Sweep| {
            let runs = sweep.runs.iter();
            runs.map(|run| (run.setting.folder.clone(), run.error.is_some()))
                .collect::<Vec<_>>()
        };
        assert_eq!(folders(&done), folders(&alone));
        for (found, expected) in done.runs.iter().zip(&alone.runs) {
            let test = |run: &SweptRun| run.test.as_ref().map(|score| score.value);
            assert_eq!(test(found), test(expected));
        }
    }
    assert!(out.join("table.txt").is_file());

    // What they cannot do together is told to all, and leaves nothing; neither does what another sweep holds.
    let small = dir.path().join("small");
    for done in each(&["batch.size=1"], &small, None) {
        let error = done.unwrap().unwrap_err().to_string();
        assert!(error.contains("is shared by 2 processes"), "{error}");
    }
    assert!(!small.exists());
    for done in each(&["train.seed=1"], &out, None) {
        let error = done.unwrap().unwrap_err().to_string();
        assert!(error.contains("another recipe"), "{error}");
    }
}

#[test]
fn trying_out_tells_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let device = Device::flex();
    let options = Options::new(&device, "flex".to_owned());
    let before = std::fs::read_dir(dir.path()).unwrap().count();
    let frozen = "train.groups=[{ parameters = \"encoders.text.*\", frozen = true }]";
    for kind in ["cross-entropy", "masked-language"] {
        let kind = format!("objective.kind={kind}");
        let recipe = recipe(&manifest, &[&kind, frozen]);
        let tried = rehearse(recipe, &options, &mut Silent);
        let tried = tried.unwrap();
        assert_eq!(tried.rows, [8, 4, 4]);
        assert_eq!((tried.training.total_steps, tried.training.samples), (4, 4));
        let encoder = |path: &str| path.starts_with("encoders.text.");
        for plan in &tried.training.parameters {
            assert_eq!(
                plan.trains_from.is_none(),
                encoder(&plan.path),
                "{}",
                plan.path
            );
        }
        assert!(tried.training.sum(|plan| plan.optimizer_bytes) > 0);
        assert!(tried.peak_bytes.is_none_or(|bytes| bytes > 1 << 20));
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), before);
}

#[test]
fn an_optimizers_keys_go_with_it_and_a_group_names_encoders_there_are() {
    let path = Path::new("m.csv");
    // A resolved recipe has AdamW's keys written out.
    let resolved = recipe(path, &[]).to_toml();
    assert!(resolved.contains("eps = "), "{resolved}");
    let parse = |text: &str, sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        Recipe::parse("toy.toml", text, &sets)
    };
    let lion = parse(&resolved, &["train.optimizer=lion"]).unwrap();
    assert_eq!((lion.train.betas, lion.train.eps), (None, None));
    let lion = parse(
        &resolved,
        &["train.betas=[0.8, 0.9]", "train.optimizer=lion"],
    )
    .unwrap();
    assert_eq!(lion.train.betas, Some([0.8, 0.9]));
    let same = parse(&resolved, &["train.optimizer=adamw"]).unwrap();
    assert_eq!(same.train.eps, Some(1e-8));
    let error = parse(&resolved, &["train.optimizer=lion", "train.eps=1e-6"]).unwrap_err();
    let expected = "--set train.eps=1e-6: train.eps has no effect with train.optimizer = \"lion\"";
    assert!(error.to_string().starts_with(expected), "{error}");

    let group = "train.groups=[{ parameters = \"encoders.txt.*\", lr_scale = 0.1 }]";
    let error = parse(toy::RECIPE, &[group]).unwrap_err().to_string();
    assert!(error.contains("did you mean \"text\"?"), "{error}");
}
