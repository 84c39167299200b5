//! Runs at a glance: complete, stopped, running and broken ones.

#[allow(dead_code, reason = "each test takes what it needs")]
mod toy;

use std::panic::{AssertUnwindSafe, catch_unwind};

use sensorium_recipe::{RunState, Silent, runs_below};
use sensorium_train::RunLock;
use toy::{Seen, manifest, recipe, run};

#[test]
fn every_run_is_listed_with_how_far_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), "");
    let runs = dir.path().join("runs");
    let sets = ["beside={ narrow = [\"fusion.d_model=4\"] }"];
    let done = run(recipe(&manifest, &sets), &runs.join("done"), &mut Silent).unwrap();
    let masked = ["objective.kind=masked-language"];
    run(
        recipe(&manifest, &masked),
        &runs.join("deep/masked"),
        &mut Silent,
    )
    .unwrap();

    // One that ends in its third step.
    let mut seen = Seen {
        at_step: Some(Box::new(|step| assert!(step < 3, "stopped"))),
        ..Seen::default()
    };
    let stopped = runs.join("stopped");
    let ended = catch_unwind(AssertUnwindSafe(|| {
        run(recipe(&manifest, &[]), &stopped, &mut seen)
    }));
    assert!(ended.is_err());
    let broken = runs.join("broken");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("recipe.toml"), "name = 3").unwrap();
    std::fs::create_dir_all(runs.join("no run")).unwrap();

    // A model that was merged elsewhere.
    let merged = runs.join("merged");
    std::fs::create_dir_all(&merged).unwrap();
    std::fs::copy(
        done.folder.path().join("recipe.toml"),
        merged.join("recipe.toml"),
    )
    .unwrap();
    std::fs::create_dir_all(merged.join("model")).unwrap();

    let all = runs_below(&runs, false).unwrap();
    let named = |name: &str| {
        let found = all.iter().find(|run| run.path.ends_with(name));
        found.unwrap_or_else(|| panic!("{name} in {all:?}"))
    };
    assert_eq!(all.len(), 5);
    assert_eq!(named("merged").state, RunState::Merged);
    let complete = named("done");
    assert_eq!(complete.state, RunState::Complete);
    assert_eq!(complete.steps, done.metrics.steps as u64);
    assert_eq!(
        complete.score.as_ref().unwrap().value,
        done.metrics.accuracy().unwrap()
    );
    assert_eq!(complete.recipe.as_deref(), Some("toy"));
    let masked = named("masked");
    assert_eq!(masked.score.as_ref().unwrap().name, "loss");
    let half = named("stopped");
    assert_eq!((&half.state, half.steps), (&RunState::Stopped, 3));
    assert_eq!(half.score.as_ref().unwrap().name, "accuracy");
    match &named("broken").state {
        RunState::Broken(why) => assert!(why.contains("recipe.toml"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(
        all.windows(2)
            .all(|pair| pair[0].changed >= pair[1].changed)
    );

    let lock = RunLock::acquire(&stopped).unwrap();
    let itself = runs_below(&stopped, false).unwrap();
    assert_eq!(itself[0].state, RunState::Running);
    drop(lock);
    let inner = runs_below(&runs, true).unwrap();
    assert_eq!(inner.len(), 6);
    assert!(inner.iter().any(|run| run.path.ends_with("beside/narrow")));
    let error = runs_below(&dir.path().join("nowhere"), false).unwrap_err();
    assert!(error.to_string().contains("is not a folder"), "{error}");
}
