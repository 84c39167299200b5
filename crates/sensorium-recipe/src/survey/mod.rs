//! A whole data set looked at before anything is learned of it: is every input whole, how are classes spread, and does what
//! is tested on stand among what is learned from?

mod alike;
mod look;
mod mixed;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use sensorium_core::Modality;
use sensorium_data::{BadRow, Columns, Row, RowRef, Rows, Split, in_order};
use serde::Serialize;

use crate::content::inputs_of;
use crate::dataset::{columns_of, sources};
use crate::modalities::{KNOWN, Processors};
use crate::{Error, Observer, Recipe};

use alike::{near_pictures, near_texts};
use look::{Looked, Measure, look};
pub use mixed::Mixed;

/// How many pairs and rows are named.
const NAMED: usize = 5;

/// What a data set holds, and what is wrong with it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Survey {
    /// Which data.
    pub data: String,
    /// Its good rows, those of others that are learned from with it included.
    pub rows: usize,
    /// The data sets that the rows are of, where a recipe mixes several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_sets: Vec<Mixed>,
    /// Rows and labels by part; one part `all` where rows name none.
    pub parts: Vec<PartSummary>,
    /// What is known of each modality.
    pub inputs: BTreeMap<String, InputSummary>,
    /// Rows whose inputs are all the same as those of an earlier one.
    pub duplicates: Alike,
    /// Of these, pairs with different labels.
    pub differently_labelled: usize,
    /// Inputs that are nearly, and not quite, the same as an earlier one's, by modality: pictures and texts.
    pub near: BTreeMap<String, Alike>,
    /// What stands in training and in another part as well.
    pub leaks: Vec<Leak>,
    /// What cannot be read or decoded.
    pub broken: Vec<BadRow>,
    /// What a person should know besides.
    pub notes: Vec<String>,
}

/// A part and its labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PartSummary {
    /// `train`, `valid`, `test`, or `all`.
    pub name: String,
    /// How many rows.
    pub rows: usize,
    /// Rows by label.
    pub labels: BTreeMap<String, usize>,
    /// Rows without one.
    pub unlabelled: usize,
}

/// What is known of the inputs of a modality.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InputSummary {
    /// How many there are.
    pub count: usize,
    /// Numbers by what they measure: `width`, `height`, `seconds`, `rate_hz`, `characters`.
    pub sizes: BTreeMap<String, Spread>,
}

/// The least, the middle and the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The one in the middle.
    pub median: f64,
    /// The most.
    pub max: f64,
}

/// Rows that are like an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Alike {
    /// How many.
    pub rows: usize,
    /// The first pairs, by id.
    pub first: Vec<[String; 2]>,
}

impl Alike {
    fn add(&mut self, one: RowRef<'_>, other: RowRef<'_>) {
        self.rows += 1;
        if self.first.len() < NAMED {
            self.first.push([one, other].map(|row| row.id().to_owned()));
        }
    }
}

/// Rows of a part that have something in common with training rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leak {
    /// What: `same image`, `nearly the same text`, `same group`.
    pub what: String,
    /// The part beside training: `valid` or `test`.
    pub part: String,
    /// The rows there, with training rows that are like them.
    #[serde(flatten)]
    pub alike: Alike,
}

/// Looks at every row of a manifest, folder or shards, with the columns, split and processors of a recipe if one is given.
/// What is kept of a row is its place and a few numbers for each input.
///
/// # Errors
/// If nothing of it can be opened.
pub fn survey(
    path: &Path,
    columns: &Columns,
    recipe: Option<&Recipe>,
    threads: usize,
    observer: &mut dyn Observer,
) -> Result<Survey, Error> {
    let columns = match recipe {
        Some(recipe) => columns_of(recipe),
        None => columns.for_modalities(KNOWN.iter().map(|m| m.name())),
    };
    let opened = sensorium_data::survey(path, &columns)?;
    let mut rows = opened.table.rows;
    let mut survey = Survey {
        data: opened.table.name,
        broken: opened.bad,
        notes: opened.notes,
        ..Survey::default()
    };
    let processors = match recipe {
        Some(recipe) => {
            rows = part_rows(recipe, &rows)?;
            mixed::mix(recipe, &columns, &mut rows, &mut survey)?;
            Some(fit(recipe, &rows)?)
        }
        None => None,
    };
    let looked = look_at(&rows, processors, threads, &mut survey, observer);
    count(&rows, &looked, &mut survey);
    exact(&rows, &looked, &mut survey);
    near(&rows, &looked, &mut survey);
    Ok(survey)
}

/// Gives rows the parts that a recipe parts them into.
fn part_rows(recipe: &Recipe, rows: &Rows) -> Result<Rows, Error> {
    let seed = recipe.train.seed;
    let split = recipe.data.split();
    let splits = match recipe.objective.kind.labels() {
        Some(labels) if !labels.is_class() => split.split_alike(rows, seed)?,
        _ => split.split(rows, seed)?,
    };
    let parts = [
        (splits.train, Split::Train),
        (splits.valid, Split::Valid),
        (splits.test, Split::Test),
    ];
    let mut told = vec![None; rows.len()];
    for (part, split) in parts {
        part.into_iter().for_each(|row| told[row] = Some(split));
    }
    let parted = rows.iter().zip(told).map(|(row, told)| Row {
        split: told.or(row.split),
        ..row
    });
    Ok(parted.collect())
}

/// The processors that a recipe would learn with.
fn fit(recipe: &Recipe, rows: &Rows) -> Result<Arc<Processors>, Error> {
    let training = rows.filter(|row| row.split() == Some(Split::Train));
    let sources = |modality| sources(&training, modality);
    let labels = training.refs().filter_map(RowRef::label);
    let published = recipe.published()?;
    let vocabulary = published.as_ref().map(|model| model.tokenizer());
    Ok(Arc::new(recipe.fit(
        |_| None,
        sources,
        labels,
        vocabulary,
    )?))
}

/// What is seen of each row; nothing of one that is broken.
fn look_at(
    rows: &Rows,
    processors: Option<Arc<Processors>>,
    threads: usize,
    survey: &mut Survey,
    observer: &mut dyn Observer,
) -> Vec<Option<Vec<Looked>>> {
    observer.phase("checking", rows.len());
    let shared = rows.clone();
    let jobs = in_order(
        (0..rows.len()).collect(),
        threads,
        4 * threads,
        move |row: usize| {
            let inputs = inputs_of(&shared.get(row));
            let looked: Result<Vec<Looked>, (Modality, String)> = inputs
                .iter()
                .map(|(modality, source)| look(*modality, source))
                .collect();
            let looked = looked?;
            if let Some(processors) = &processors {
                processors
                    .process(&inputs)
                    .map_err(|(modality, reason)| (modality, reason.to_string()))?;
            }
            Ok(looked)
        },
    );
    let mut all = Vec::with_capacity(rows.len());
    for (row, job) in rows.refs().zip(jobs) {
        let looked = match job {
            Ok(looked) => looked.map_err(|(modality, reason)| (modality.name(), reason)),
            Err(reason) => Err(("", reason.to_string())),
        };
        all.push(match looked {
            Ok(looked) => Some(looked),
            Err((column, reason)) => {
                survey.broken.push(BadRow::new(row.place(), column, reason));
                None
            }
        });
        observer.advance(all.len());
    }
    observer.phase_end();
    all
}

/// Good rows by part and label, and how large their inputs are.
fn count(rows: &Rows, looked: &[Option<Vec<Looked>>], survey: &mut Survey) {
    let mut parts = BTreeMap::<u8, PartSummary>::new();
    let mut sizes = BTreeMap::<(&str, &str), Vec<f64>>::new();
    for (row, looked) in rows.refs().zip(looked) {
        let Some(looked) = looked else { continue };
        survey.rows += 1;
        let order = row.split().map_or(3, |split| split as u8);
        let part = parts.entry(order).or_default();
        part.name = name_of(row.split()).to_owned();
        part.rows += 1;
        match row.label() {
            Some(label) => *part.labels.entry(label.to_owned()).or_default() += 1,
            None => part.unlabelled += 1,
        }
        for one in looked {
            survey
                .inputs
                .entry(one.modality.to_string())
                .or_default()
                .count += 1;
            for (what, size) in one.measure.sizes() {
                sizes
                    .entry((one.modality.name(), what))
                    .or_default()
                    .push(size);
            }
        }
    }
    survey.parts = parts.into_values().collect();
    for ((modality, what), mut sizes) in sizes {
        let middle = sizes.len() / 2;
        let (_, median, _) = sizes.select_nth_unstable_by(middle, f64::total_cmp);
        let median = *median;
        let spread = Spread {
            min: sizes.iter().copied().fold(f64::INFINITY, f64::min),
            median,
            max: sizes.iter().copied().fold(0.0, f64::max),
        };
        let input = survey.inputs.entry(modality.to_owned()).or_default();
        input.sizes.insert(what.to_owned(), spread);
    }
}

fn name_of(split: Option<Split>) -> &'static str {
    match split {
        None => "all",
        Some(Split::Train) => "train",
        Some(Split::Valid) => "valid",
        Some(Split::Test) => "test",
    }
}

/// Rows with the same content, and what of it stands on both sides.
fn exact(rows: &Rows, looked: &[Option<Vec<Looked>>], survey: &mut Survey) {
    let mut whole = HashMap::<Vec<(Modality, u128)>, usize>::new();
    let mut trained = HashMap::<(&str, u128), usize>::new();
    let mut groups = HashMap::<&str, usize>::new();
    for (i, (row, looked)) in rows.refs().zip(looked).enumerate() {
        let Some(looked) = looked else { continue };
        let content = looked
            .iter()
            .map(|one| (one.modality, one.content))
            .collect();
        match whole.entry(content) {
            std::collections::hash_map::Entry::Occupied(first) => {
                let first = rows.at(*first.get());
                survey.duplicates.add(first, row);
                survey.differently_labelled += usize::from(first.label() != row.label());
            }
            std::collections::hash_map::Entry::Vacant(place) => drop(place.insert(i)),
        }
        if row.split() == Some(Split::Train) {
            for one in looked {
                trained
                    .entry((one.modality.name(), one.content))
                    .or_insert(i);
            }
            if let Some(group) = row.group() {
                groups.entry(group).or_insert(i);
            }
        }
    }
    for (row, looked) in rows.refs().zip(looked) {
        let (Some(looked), Some(Split::Valid | Split::Test)) = (looked, row.split()) else {
            continue;
        };
        for one in looked {
            if let Some(first) = trained.get(&(one.modality.name(), one.content)) {
                survey.leak(format!("same {}", one.modality), rows.at(*first), row);
            }
        }
        if let Some(first) = row.group().and_then(|group| groups.get(group)) {
            survey.leak("same group".to_owned(), rows.at(*first), row);
        }
    }
}

/// Inputs that are nearly the same. Those that are quite the same were told before.
fn near(rows: &Rows, looked: &[Option<Vec<Looked>>], survey: &mut Survey) {
    let (mut pictures, mut texts) = (Vec::new(), Vec::new());
    let mut known = std::collections::HashSet::new();
    let each = looked.iter().enumerate();
    for (i, one) in each.flat_map(|(i, looked)| looked.iter().flatten().map(move |one| (i, one))) {
        // Of what is the same in many rows of one part, the first stands for all.
        if !known.insert((rows.at(i).split(), one.modality, one.content)) {
            continue;
        }
        match &one.measure {
            Measure::Picture {
                bits: Some(bits), ..
            } => pictures.push((i, *bits)),
            Measure::Text {
                numbers: Some(numbers),
                ..
            } => texts.push((i, numbers.clone())),
            _ => {}
        }
    }
    let content = |row: usize, name: &str| {
        let looked = looked[row].iter().flatten();
        looked
            .filter(|one| one.modality.name() == name)
            .map(|one| one.content)
            .next()
    };
    for (name, pairs) in [
        ("image", near_pictures(&pictures)),
        ("text", near_texts(&texts)),
    ] {
        for (first, row) in pairs {
            if content(first, name) == content(row, name) {
                continue;
            }
            let (first, row) = (rows.at(first), rows.at(row));
            survey
                .near
                .entry(name.to_owned())
                .or_default()
                .add(first, row);
            let what = format!("nearly the same {name}");
            match (first.split(), row.split()) {
                (Some(Split::Train), Some(Split::Valid | Split::Test)) => {
                    survey.leak(what, first, row)
                }
                (Some(Split::Valid | Split::Test), Some(Split::Train)) => {
                    survey.leak(what, row, first)
                }
                _ => {}
            }
        }
    }
}

impl Survey {
    fn leak(&mut self, what: String, trained: RowRef<'_>, row: RowRef<'_>) {
        let part = name_of(row.split());
        let known = self
            .leaks
            .iter_mut()
            .find(|leak| leak.what == what && leak.part == part);
        match known {
            Some(leak) => leak.alike.add(trained, row),
            None => {
                let mut alike = Alike::default();
                alike.add(trained, row);
                let part = part.to_owned();
                self.leaks.push(Leak { what, part, alike });
            }
        }
    }
}
