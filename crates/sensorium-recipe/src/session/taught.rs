//! What a teacher says: another run's model, asked once about each training row before anything is learned.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use sensorium_core::Model;
use sensorium_data::{OnError, Rows};

use super::{Ready, stages};
use crate::dataset::Dataset;
use crate::feed::{Lessons, batches_of};
use crate::folder::ModelConfig;
use crate::how::{How, Room, Wanted, When};
use crate::labels::LabelKind;
use crate::prepare::prepare;
use crate::writing::Answering;
use crate::{Error, Observer, Recipe, SavedModel};

/// Refuses a teacher that is no run, or answers with no class.
pub(super) fn check(recipe: &Recipe) -> Result<(), Error> {
    let Some(path) = &recipe.objective.teacher else {
        return Ok(());
    };
    let config = stages::saved(path, "objective.teacher")?;
    match config.recipe.objective.kind.labels() {
        Some(LabelKind::Class) => Ok(()),
        _ => Err(refuse(format!(
            "{} does not answer with one class of many (its objective.kind = {:?})",
            path.display(),
            config.recipe.objective.kind.name()
        ))),
    }
}

/// The teacher's logits for each training row. It prepares a row by itself, from the modalities that it takes, as they are:
/// nothing is changed, and it may take others than who is taught.
pub(super) fn lessons(
    run: &Ready,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Lessons, Error> {
    let recipe = &run.recipe;
    let path = recipe.objective.teacher.as_deref();
    let path = path.expect("a recipe is checked for a teacher");
    let teacher = SavedModel::open(path, device)?;
    let labels = run.data.labels.as_ref();
    let classes = labels.expect("a run of classes has labels").names();
    let order = same_classes(path, &teacher.config, classes)?;
    let rows = rows_for(run, &teacher)?;
    let how = How {
        on_error: recipe.data.on_error,
        when: recipe.data.prepare,
        threads: recipe.batch.n_threads(),
        // Each row is asked about once: a large set is not kept.
        room: match recipe.data.prepare {
            When::First => Room::ENDLESS,
            When::Lazily => Room { rows: 0, bytes: 0 },
        },
    };
    let processors = &teacher.processors;
    let asked = prepare(rows, processors, Wanted::Nothing, how, observer)?.prepared;
    let mut said = BTreeMap::new();
    observer.phase("asking the teacher", asked.len());
    let (all, size) = ((0..asked.len()).collect(), recipe.batch.eval_size);
    for batch in batches_of(&asked, all, size, how.threads, processors.modalities()) {
        let batch = batch?;
        if batch.rows.is_empty() {
            continue;
        }
        let samples = processors.collate(&batch.samples, device);
        let Answering::Head(model) = &teacher.model else {
            unreachable!("a teacher is checked to answer with a class");
        };
        let logits = model.run(samples);
        let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
        for (row, logits) in batch.rows.iter().zip(logits.chunks(classes.len())) {
            let ours = order.iter().map(|theirs| logits[*theirs]).collect();
            said.insert(asked.id(*row).to_owned(), ours);
        }
        observer.advance(said.len());
    }
    observer.phase_end();
    let train = &run.parts.train;
    let logits: Vec<_> = (0..train.len())
        .map(|row| said.remove(train.id(row)))
        .collect();
    tell_unanswered(&logits, path, how.on_error, observer)?;
    Ok(Lessons {
        logits,
        n_classes: classes.len(),
    })
}

/// Of each of our classes, which of the teacher's it is.
fn same_classes(
    path: &Path,
    teacher: &ModelConfig,
    classes: &[String],
) -> Result<Vec<usize>, Error> {
    let theirs = &teacher.labels;
    let place = |class: &String| theirs.iter().position(|label| label == class);
    let order: Option<Vec<usize>> = classes.iter().map(place).collect();
    order
        .filter(|order| order.len() == theirs.len())
        .ok_or_else(|| {
            refuse(format!(
                "{} answers with the classes {}, and the data has {}: they must be the same",
                path.display(),
                theirs.join(", "),
                classes.join(", ")
            ))
        })
}

/// The training rows as the teacher looks at them: with the columns that it takes.
fn rows_for(run: &Ready, teacher: &SavedModel) -> Result<Rows, Error> {
    let mut recipe = run.recipe.clone();
    recipe.encoders = teacher.config.recipe.encoders.clone();
    for (name, column) in &teacher.config.recipe.data.columns.inputs {
        let inputs = &mut recipe.data.columns.inputs;
        inputs.entry(name.clone()).or_insert_with(|| column.clone());
    }
    let mut data = Dataset::open(&recipe, None, Some(teacher.labels.clone()))?;
    data.learn_also(&recipe)?;
    let train = &run.parts.train;
    let wanted: std::collections::BTreeSet<&str> =
        (0..train.len()).map(|row| train.id(row)).collect();
    let all = Rows::joined([data.table.rows, data.also]);
    Ok(all.filter(|row| wanted.contains(row.id())))
}

/// Says which rows are not learned from, if any can be.
fn tell_unanswered(
    logits: &[Option<Vec<f32>>],
    teacher: &Path,
    on_error: OnError,
    observer: &mut dyn Observer,
) -> Result<(), Error> {
    let missing = logits.iter().filter(|logits| logits.is_none()).count();
    if missing == 0 {
        return Ok(());
    }
    if missing == logits.len() || on_error == OnError::Fail {
        return Err(refuse(format!(
            "{} has no answer to {missing} of the {} training rows",
            teacher.display(),
            logits.len()
        )));
    }
    observer.note(&format!(
        "{missing} training rows are not learned from: the teacher has no answer to them"
    ));
    Ok(())
}

fn refuse(message: String) -> Error {
    Error::Recipe {
        place: "objective.teacher".to_owned(),
        message,
    }
}
