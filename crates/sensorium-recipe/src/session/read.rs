//! The data of a run: opened, checked, parted and prepared before anything is learned.

use std::sync::Arc;

use sensorium_core::Modality;
use sensorium_data::{BadRow, OnError, RowRef, Rows};
use sensorium_train::{Together, Weights};

use super::Run;
use super::stages::Starts;
use crate::content::file_content;
use crate::dataset::{Dataset, sources};
use crate::folder::RunFolder;
use crate::how::{How, Wanted, When};
use crate::labels::LabelSet;
use crate::modalities::Processors;
use crate::objective::Task;
use crate::prepare::{Prepared, prepare};
use crate::{Error, Observer, Recipe, report};

/// The parts of a data set, prepared.
pub(super) struct Parts {
    pub(super) train: Prepared,
    pub(super) valid: Prepared,
    pub(super) test: Prepared,
}

/// Opens, checks and prepares the data.
pub(super) fn read(
    recipe: &Recipe,
    starts: &Starts,
    observer: &mut dyn Observer,
) -> Result<(Dataset, Arc<Processors>, Parts), Error> {
    let mut data = Dataset::open(recipe, None, None)?;
    data.learn_also(recipe)?;
    data.notes.iter().for_each(|line| observer.note(line));
    data.split(recipe)?;
    data.keep_labels(recipe);
    let opened = |modality: Modality| Some(starts.encoders.get(modality.name())?.join("model"));
    let training = data.training();
    let labels = training.refs().filter_map(RowRef::label);
    let sources = |modality| sources(&training, modality);
    let published = recipe.published()?;
    let vocabulary = match &published {
        Some(published) => Some(published.tokenizer().clone()),
        None => starts.vocabulary(recipe)?,
    };
    let processors = Arc::new(recipe.fit(opened, sources, labels, vocabulary.as_ref())?);
    let mut how = How {
        on_error: recipe.data.on_error,
        when: recipe.data.prepare,
        threads: recipe.batch.n_threads(),
        room: recipe.batch.room(),
    };
    let without = matches!(recipe.objective.kind.task(), Task::Semi | Task::Taught)
        || recipe.data.labels_per_class.is_some();
    let known = data.labels.clone();
    let mut part = |name: &str, rows: Rows| {
        let wanted = match &known {
            None => Wanted::Nothing,
            Some(labels) if name == "training" && without => Wanted::MaybeLabel(labels),
            Some(labels) => Wanted::Label(labels),
        };
        let done = prepare(rows, &processors, wanted, how, observer)?;
        how.room = done.room;
        let needed = name == "training" || (name == "test" && known.is_some());
        if done.prepared.is_empty() && needed {
            return Err(Error::Empty {
                what: format!("the {name} part of {}", data.name),
                why: match recipe.data.on_error {
                    OnError::Skip => {
                        " that can be used: see the reasons above, or the split".to_owned()
                    }
                    OnError::Fail => {
                        ": see [data.split], or the manifest's split column".to_owned()
                    }
                },
            });
        }
        Ok((done.prepared, done.bad))
    };
    let (train, bad_train) = part("training", training.clone())?;
    if let Some(LabelSet::Numbers(numbers)) = &mut data.labels {
        let rows: Vec<&[f64]> = (0..train.len()).map(|row| train.numbers(row)).collect();
        numbers.fit(&rows);
    }
    if let Some(LabelSet::Texts(texts)) = &mut data.labels {
        texts.fit(recipe, &train, published, vocabulary)?;
    }
    if data.labels.is_some() && train.labelled().is_empty() {
        return Err(Error::Empty {
            what: format!("the training part of {}", data.name),
            why: " with a label: at least one of each class is needed".to_owned(),
        });
    }
    let (valid, bad_valid) = part("validation", data.part(&data.splits.valid))?;
    let (test, bad_test) = part("test", data.part(&data.splits.test))?;
    for bad in [bad_train, bad_valid, bad_test].into_iter().flatten() {
        data.bad.push(bad);
    }
    let parts = Parts { train, valid, test };
    tell(recipe, &data, &parts, observer);
    Ok((data, processors, parts))
}

/// Says what a person should know of the data before anything is learned.
fn tell(recipe: &Recipe, data: &Dataset, parts: &Parts, observer: &mut dyn Observer) {
    for bad in &data.bad {
        observer.note(&format!("left out: {bad}"));
    }
    let Parts { train, valid, test } = parts;
    if recipe.data.prepare == When::Lazily {
        observer.note(
            "rows are decoded when they are needed, and a bad one shows only then (data.prepare = \"lazily\"): `sensorium data check` \
             finds them before",
        );
    }
    let anew = train.uncached() + valid.uncached() + test.uncached();
    if anew > 0 {
        observer.note(&format!(
            "{anew} prepared rows have no room in memory and are decoded anew each time: see batch.cache_mib and batch.cache_rows"
        ));
    }
    if valid.is_empty()
        && let Some(line) = nothing_to_validate(recipe, &data.name)
    {
        observer.note(&line);
    }
}

/// What a recipe asks of a validation that has no rows, in one line.
fn nothing_to_validate(recipe: &Recipe, data: &str) -> Option<String> {
    let train = &recipe.train;
    let keys = [
        ("train.early_stop", train.early_stop.is_some()),
        ("train.metric", train.metric.is_some()),
        ("train.weights = \"best\"", train.weights == Weights::Best),
    ];
    let asked: Vec<&str> = keys
        .iter()
        .filter(|(_, set)| *set)
        .map(|(key, _)| *key)
        .collect();
    (!asked.is_empty()).then(|| {
        format!(
            "the validation part of {data} has no rows, so that {} {} no effect: the run goes to its end, and its last weights are kept",
            asked.join(" and "),
            if asked.len() == 1 { "has" } else { "have" }
        )
    })
}

/// Lists rows that could be decoded at first and no longer could later on.
pub(super) fn note_lost(
    parts: &Parts,
    data: &mut Dataset,
    folder: &RunFolder,
    ranks: &Together,
    observer: &mut dyn Observer,
) -> Result<(), Error> {
    let parts = [&parts.train, &parts.valid, &parts.test];
    let lost: Vec<BadRow> = parts.into_iter().flat_map(Prepared::lost_rows).collect();
    let mut lost = ranks.gather(lost)?.concat();
    lost.sort_by(|a, b| (&a.place.file, a.place.row).cmp(&(&b.place.file, b.place.row)));
    lost.dedup();
    if lost.is_empty() {
        return Ok(());
    }
    for bad in &lost {
        observer.note(&format!("left out: {bad}"));
    }
    data.bad.extend(lost);
    report::write_skipped(folder, data)
}

/// What a run depends on besides its table `[train]` and its training rows: what must be the same to go on with it.
pub(super) fn settings(run: &Run, classes: &[String]) -> Result<serde_json::Value, Error> {
    let ready = &run.ready;
    let recipe = serde_json::to_value(ready.recipe.resolved());
    let mut settings = recipe.map_err(|error| Error::folder(run.folder.recipe_path(), error))?;
    // What has no say is not written into a run's recipe, and so is not there when it is gone on with.
    if let Some(table) = settings.as_object_mut() {
        table.retain(|key, _| !ready.recipe.without_say().contains(&key.as_str()));
    }
    // Names, where the same rows lie, and what is done how fast, change no number.
    for (table, keys) in [
        (
            "",
            &[
                "name", "about", "train", "beside", "pretrain", "start", "stages", "after",
            ][..],
        ),
        ("/data", &["path", "also"]),
        ("/objective", &["teacher"]),
        ("/batch", &["threads", "cache_rows", "cache_mib"]),
    ] {
        if let Some(table) = settings.pointer_mut(table).and_then(|t| t.as_object_mut()) {
            table.retain(|key, _| !keys.contains(&key.as_str()));
        }
    }
    if let Some(teacher) = &ready.recipe.objective.teacher {
        let file = teacher.join("model").join("model.safetensors");
        let content = file_content(&file).map_err(|error| Error::folder(&file, error))?;
        settings["teacher"] = serde_json::json!(content);
    }
    settings["rows"] = serde_json::json!({
        "validation": ready.parts.valid.identity(),
        "test": ready.parts.test.identity(),
        "classes": classes,
    });
    Ok(settings)
}
