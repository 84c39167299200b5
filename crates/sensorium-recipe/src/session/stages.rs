//! What comes before: encoders that go on from another run, and those that first learn without labels here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Options, run_within};
use crate::folder::{LARGEST, ModelConfig, RunFolder, read_json};
use crate::{Error, Observer, Recipe};

/// Where a run keeps the runs of its `[pretrain]`.
pub(crate) const FOLDER: &str = "pretrain";

/// Runs each stage of `[pretrain]`, or what is left of it; returns what each encoder goes on from.
pub(super) fn run(
    recipe: &Recipe,
    folder: &RunFolder,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut starts = recipe.start.clone();
    for name in recipe.pretrain.keys() {
        let path = folder.path().join(FOLDER).join(name);
        observer.note(&format!("before: encoders.{name} learns without labels"));
        run_within(&path, || recipe.stage(name), options, observer)?;
        starts.insert(name.clone(), path);
    }
    Ok(starts)
}

/// The stages of a run that is complete, as what another run's encoders can go on from.
pub(super) fn made(recipe: &Recipe, folder: &RunFolder) -> BTreeMap<String, PathBuf> {
    let path = |name: &String| folder.path().join(FOLDER).join(name);
    recipe
        .pretrain
        .keys()
        .map(|name| (name.clone(), path(name)))
        .collect()
}

/// Refuses a start that is no run, or whose encoder is another.
pub(super) fn check_starts(recipe: &Recipe) -> Result<(), Error> {
    for (name, path) in &recipe.start {
        check(recipe, name, path)?;
    }
    Ok(())
}

fn check(recipe: &Recipe, name: &str, path: &Path) -> Result<(), Error> {
    let refuse = |message: String| Error::Recipe {
        place: format!("start.{name}"),
        message,
    };
    let config = saved(path, &format!("start.{name}"))?;
    let (theirs, ours) = (table(&config.recipe, name)?, table(recipe, name)?);
    let Some(theirs) = theirs.as_object() else {
        let message = format!("{} has no encoder of that name", path.display());
        return Err(refuse(message));
    };
    // How samples are changed in training is each run's own affair.
    let fixed = |key: &&String| !["augment", "strong"].contains(&key.as_str());
    let keys = theirs
        .keys()
        .chain(ours.as_object().into_iter().flatten().map(|(key, _)| key));
    let differs = keys
        .filter(fixed)
        .find(|key| theirs.get(key.as_str()) != ours.get(key.as_str()));
    match differs {
        None => Ok(()),
        Some(key) => Err(refuse(format!(
            "encoders.{name}.{key} is {} in {}, and {} here: make them the same",
            spelled(theirs.get(key.as_str())),
            path.display(),
            spelled(ours.get(key.as_str())),
        ))),
    }
}

/// What the model of a run was built from; `place` is the key that names the run.
pub(super) fn saved(path: &Path, place: &str) -> Result<ModelConfig, Error> {
    let model = RunFolder::open(path)?.model_path();
    if !model.is_dir() {
        return Err(Error::Recipe {
            place: place.to_owned(),
            message: format!("{} has no model yet", path.display()),
        });
    }
    let config: ModelConfig = read_json(&model.join("config.json"), LARGEST)?;
    config.check(&model.join("config.json"))?;
    Ok(config)
}

fn spelled(value: Option<&serde_json::Value>) -> String {
    value.map_or("not given".to_owned(), ToString::to_string)
}

/// A recipe's table of an encoder.
fn table(recipe: &Recipe, name: &str) -> Result<serde_json::Value, Error> {
    let encoders = serde_json::to_value(&recipe.encoders);
    let mut encoders = encoders.map_err(|error| Error::Recipe {
        place: format!("encoders.{name}"),
        message: error.to_string(),
    })?;
    Ok(encoders[name].take())
}
