//! What comes before: encoders that go on from another run, and those that first learn without labels here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sensorium_text::{Pieces, Tokenizer};

use super::{Options, run_within};
use crate::folder::{LARGEST, ModelConfig, RunFolder, read_json};
use crate::labels::{LabelKind, LabelSet, Texts};
use crate::variations::NamedStage;
use crate::{Error, Observer, Recipe};

/// Where a run keeps the runs of its `[[stages]]`.
pub(crate) const STAGES: &str = "stages";

/// Where a run keeps the runs of its `[pretrain]`.
pub(crate) const FOLDER: &str = "pretrain";

/// Runs each stage of `[pretrain]`, or what is left of it; returns what each encoder goes on from.
fn run(
    recipe: &Recipe,
    folder: &RunFolder,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut starts = BTreeMap::new();
    for name in recipe.pretrain.keys() {
        let path = folder.path().join(FOLDER).join(name);
        observer.note(&format!("before: encoders.{name} learns without labels"));
        run_within(&path, || recipe.stage(name), options, observer)?;
        starts.insert(name.clone(), path);
    }
    Ok(starts)
}

/// What a run goes on from.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// The run that an encoder goes on from, by modality.
    pub(super) encoders: BTreeMap<String, PathBuf>,
    /// The last of `[[stages]]`, whose other parts are gone on with too, where they are the same.
    pub(super) last: Option<PathBuf>,
}

impl Starts {
    /// What a recipe itself names: encoders of the run that it comes after, but for those that begin elsewhere.
    pub(super) fn named(recipe: &Recipe) -> Result<Self, Error> {
        let mut encoders = recipe.start.clone();
        if let Some(path) = &recipe.after {
            let theirs = saved(path, "after")?.recipe.encoders_apart().modalities();
            let both = theirs
                .intersection(&recipe.encoders_apart().modalities())
                .copied()
                .collect::<Vec<_>>();
            for modality in both {
                let name = modality.name().to_owned();
                encoders.entry(name).or_insert_with(|| path.clone());
            }
        }
        Ok(Self {
            encoders,
            last: recipe.after.clone(),
        })
    }

    /// The vocabulary of the decoder that is gone on with, if it is one that was learned and can write any text: a decoder's table of
    /// tokens says nothing of another's.
    pub(super) fn vocabulary(&self, recipe: &Recipe) -> Result<Option<Tokenizer>, Error> {
        let Some(path) = &self.last else {
            return Ok(None);
        };
        let (ours, before) = (recipe.resolved(), saved(path, "after")?.recipe.resolved());
        let decoder = ours.decoder();
        let learned = decoder.from.is_none() && decoder.tokenizer.is_none();
        if !goes_on_writing(&ours, &before) || !learned || decoder.pieces != Pieces::Bytes {
            return Ok(None);
        }
        let texts = Texts::open(&before, &RunFolder::open(path)?.model_path())?;
        Ok(Some(texts.processor().tokenizer().clone()))
    }
}

/// Runs what comes before: `[pretrain]`, then each of `[[stages]]`, or what is left of them.
pub(super) fn all(
    recipe: &Recipe,
    folder: &RunFolder,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Starts, Error> {
    let mut starts = Starts::named(recipe)?;
    starts
        .encoders
        .extend(run(recipe, folder, options, observer)?);
    for NamedStage { name, set } in &recipe.stages {
        let path = folder.path().join(STAGES).join(name);
        observer.note(&format!("before: stage {name}"));
        let mut stage = recipe.before(name, set)?;
        stage.goes_on(&starts);
        let trains = stage.encoders_apart().modalities();
        run_within(&path, || Ok(stage), options, observer)?;
        let own = trains.iter().map(|m| (m.name().to_owned(), path.clone()));
        starts.encoders.extend(own);
        starts.last = Some(path);
    }
    let has = recipe.encoders_apart().modalities();
    starts
        .encoders
        .retain(|name, _| has.iter().any(|m| m.name() == name));
    Ok(starts)
}

impl Recipe {
    /// Whether all that comes before a variation is what came before the recipe itself.
    pub(super) fn shares_stages(&self, variation: &Self) -> Result<bool, Error> {
        if self.stages.is_empty() || self.stages.len() != variation.stages.len() {
            return Ok(false);
        }
        let before = |recipe: &Self, stage: &NamedStage| {
            let mut stage = recipe.before(&stage.name, &stage.set)?;
            stage.name.clear();
            Ok::<String, Error>(stage.to_toml())
        };
        for (ours, theirs) in self.stages.iter().zip(&variation.stages) {
            if ours.name != theirs.name || before(self, ours)? != before(variation, theirs)? {
                return Ok(false);
            }
        }
        let begin = |recipe: &Self| {
            (
                recipe.pretrain.clone(),
                recipe.start.clone(),
                recipe.after.clone(),
            )
        };
        Ok(begin(self) == begin(variation))
    }

    /// Makes a stage begin where what was before it has come to.
    pub(super) fn goes_on(&mut self, starts: &Starts) {
        let has = self.encoders_apart().modalities();
        let encoders = starts.encoders.clone().into_iter();
        self.start = encoders
            .filter(|(name, _)| has.iter().any(|m| m.name() == name))
            .collect();
        self.after.clone_from(&starts.last);
    }
}

/// The parts of a model besides its encoders that go on from a run's: those that are made alike, for the same classes.
pub(super) fn same_parts(
    recipe: &Recipe,
    labels: Option<&LabelSet>,
    path: &Path,
) -> Result<Vec<&'static str>, Error> {
    let theirs = saved(path, "after")?;
    let (ours, before) = (recipe.resolved(), theirs.recipe.resolved());
    let same = |key: &str| ours.table().get(key) == before.table().get(key);
    if let Some(LabelSet::Texts(texts)) = labels {
        return same_writing(texts, (&ours, &before), path);
    }
    let labels = labels.map_or(&[][..], LabelSet::names);
    let fuse = [&ours, &before].map(|recipe| recipe.objective.kind.fuses());
    let encoders = ours.encoders.modalities() == before.encoders.modalities();
    let mut parts = Vec::new();
    match fuse {
        [true, true] if same("fusion") && encoders => {
            parts.push("fusion.");
            if same("head") && theirs.labels == labels {
                parts.push("head.");
            }
        }
        [false, false] if same("objective") && encoders => parts.push("head."),
        _ => {}
    }
    Ok(parts)
}

/// Whether what writes is made alike in two recipes with all written out, and looks at the same: what it reads itself may differ.
fn goes_on_writing(ours: &Recipe, before: &Recipe) -> bool {
    let writes = |recipe: &Recipe| recipe.objective.kind.labels() == Some(LabelKind::Text);
    writes(ours) && writes(before) && looks_alike(ours, before) && {
        let decoder = |recipe: &Recipe| recipe.table().get("decoder").cloned();
        decoder(ours) == decoder(before)
    }
}

/// Whether two recipes join what the same encoders give in the same way.
fn looks_alike(ours: &Recipe, before: &Recipe) -> bool {
    let [own, theirs] = [ours, before].map(|recipe| recipe.encoders_apart().modalities());
    let fusion = |recipe: &Recipe| recipe.table().get("fusion").cloned();
    own == theirs && (own.len() < 2 || fusion(ours) == fusion(before))
}

/// The same of a model that writes: the decoder goes on where its vocabulary is the same too.
fn same_writing(
    texts: &Texts,
    (ours, before): (&Recipe, &Recipe),
    path: &Path,
) -> Result<Vec<&'static str>, Error> {
    let mut parts = Vec::new();
    let several = ours.encoders_apart().modalities().len() > 1;
    if several && before.objective.kind.fuses() && looks_alike(ours, before) {
        parts.push("fusion.");
    }
    if goes_on_writing(ours, before)
        && Texts::open(before, &RunFolder::open(path)?.model_path())? == *texts
    {
        parts.push("decoder.");
    }
    Ok(parts)
}

/// Whether what writes begins anew, though the run that is gone on from could write.
pub(super) fn writes_anew(
    recipe: &Recipe,
    labels: Option<&LabelSet>,
    path: &Path,
) -> Result<bool, Error> {
    let before = saved(path, "after")?.recipe.objective.kind.labels();
    let parts = same_parts(recipe, labels, path)?;
    Ok(before == Some(LabelKind::Text) && !parts.contains(&"decoder."))
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
    let starts = Starts::named(recipe)?;
    for (name, path) in &starts.encoders {
        // What has its own word is told by it.
        let place = match recipe.start.contains_key(name) {
            true => format!("start.{name}"),
            false => "after".to_owned(),
        };
        check(recipe, name, path, &place)?;
    }
    Ok(())
}

fn check(recipe: &Recipe, name: &str, path: &Path, place: &str) -> Result<(), Error> {
    let refuse = |message: String| Error::Recipe {
        place: place.to_owned(),
        message,
    };
    let config = saved(path, place)?;
    let (theirs, ours) = (table(&config.recipe, name)?, table(recipe, name)?);
    if !theirs.is_object() {
        let message = format!("{} has no encoder of that name", path.display());
        return Err(refuse(message));
    }
    match differs(&theirs, &ours) {
        None => Ok(()),
        Some((key, theirs, ours)) => Err(refuse(format!(
            "encoders.{name}.{key} is {theirs} in {}, and {ours} here: make them the same",
            path.display(),
        ))),
    }
}

/// Refuses a stage that would hand on an encoder that the recipe makes otherwise.
pub(crate) fn check_stage(stage: &Recipe, recipe: &Recipe) -> Result<(), String> {
    let has = recipe.encoders_apart().modalities();
    for modality in stage.encoders_apart().modalities().intersection(&has) {
        let name = modality.name();
        let [theirs, ours] = [stage, recipe].map(|recipe| table(recipe, name));
        let [theirs, ours] = [theirs, ours].map(|table| table.map_err(|error| error.to_string()));
        if let Some((key, theirs, ours)) = differs(&theirs?, &ours?) {
            return Err(format!(
                "encoders.{name}.{key} = {theirs}, and {ours} in the recipe, which goes on from it: make them the same"
            ));
        }
    }
    Ok(())
}

/// The first key by which two tables make other encoders, with what stands in each.
fn differs(
    theirs: &serde_json::Value,
    ours: &serde_json::Value,
) -> Option<(String, String, String)> {
    // How samples are changed in training is each run's own affair.
    let fixed = |key: &&String| !["augment", "strong"].contains(&key.as_str());
    let both = [theirs, ours].map(|table| table.as_object().into_iter().flatten());
    let keys = both.into_iter().flatten().map(|(key, _)| key);
    let mut apart = keys
        .filter(fixed)
        .filter(|key| theirs.get(key.as_str()) != ours.get(key.as_str()));
    let key = apart.next()?.clone();
    let [theirs, ours] = [theirs, ours].map(|table| spelled(table.get(&key)));
    Some((key, theirs, ours))
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
