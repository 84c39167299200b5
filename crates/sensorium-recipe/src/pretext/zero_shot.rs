//! Classes nobody has shown a picture of: told by what they are called.

use std::collections::BTreeMap;
use std::sync::Arc;

use sensorium_core::Source;
use sensorium_data::{Labels, OnError, Row, Rows, Split};
use sensorium_eval::Told;
use serde::{Deserialize, Serialize};

use super::PretextModel;
use super::search::{OfRows, Pace, Vectors, dot, vectors};
use crate::dataset::maker;
use crate::how::{How, Room, Wanted, When};
use crate::labels::LabelSet;
use crate::modalities::Processors;
use crate::prepare::prepare;
use crate::{Error, Observer, Recipe};

/// The modality that classes are described in.
pub(crate) const WORDS: &str = "text";

/// `[zero_shot]`: tells classes by their descriptions alone, once the towers are in one space.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZeroShotConfig {
    /// A labelled data set that comes with the program, whose test rows are to be told; by default the recipe's own data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// What a class may be described as; `{}` stands for its name. A class is the mean of all.
    pub templates: Vec<String>,
}

impl ZeroShotConfig {
    /// What a class may be described as, by this table if there is one; else by its name alone.
    pub(crate) fn templates_of(table: Option<&Self>) -> Vec<String> {
        table.map_or_else(|| vec!["{}".to_owned()], |table| table.templates.clone())
    }

    pub(crate) fn validate(&self, recipe: &Recipe) -> Result<(), String> {
        let modalities = recipe.encoders.modalities();
        if !modalities.iter().any(|m| m.name() == WORDS) {
            return Err(
                "zero_shot describes classes in words: it needs [encoders.text]".to_owned(),
            );
        }
        if self.templates.is_empty() {
            return Err(
                "zero_shot.templates is empty: give at least one, such as \"a {}\"".to_owned(),
            );
        }
        match self.templates.iter().find(|text| !text.contains("{}")) {
            Some(text) => Err(format!(
                "zero_shot.templates: {text:?} has no {{}} for the class's name"
            )),
            None => match &self.set {
                Some(set) => maker(set)
                    .map(|_| ())
                    .map_err(|message| message.replace("data.set", "zero_shot.set")),
                None => Ok(()),
            },
        }
    }
}

/// How many of the test rows each other modality tells right, by modality.
pub(crate) fn zero_shot(
    model: &PretextModel,
    config: &ZeroShotConfig,
    own_test: Rows,
    processors: &Arc<Processors>,
    pace: Pace<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<Told>, Error> {
    let rows = match &config.set {
        Some(name) => {
            let make = maker(name).map_err(|message| Error::Recipe {
                place: "zero_shot.set".to_owned(),
                message,
            })?;
            let rows = make()?.rows;
            rows.filter(|row| row.split().is_none_or(|split| split == Split::Test))
        }
        None => own_test,
    };
    let labels = LabelSet::Classes(Labels::from_rows(&rows)?);
    let how = How {
        on_error: OnError::Fail,
        when: When::First,
        threads: pace.threads,
        room: Room::ENDLESS,
    };
    let rows = rows.filter(|row| row.label().is_some());
    let told = prepare(rows, processors, Wanted::Label(&labels), how, observer)?.prepared;
    let described = describe(config, labels.names());
    let described = prepare(described, processors, Wanted::Label(&labels), how, observer)?.prepared;
    let words = vectors(model, &described, pace, observer)?;
    let classes = class_vectors(&words, &described, labels.names().len());
    let found = vectors(model, &told, pace, observer)?;
    let mut asked: Vec<(String, OfRows)> = found
        .into_iter()
        .filter(|(modality, _)| modality.name() != WORDS)
        .map(|(modality, own)| (modality.to_string(), own))
        .collect();
    if asked.len() > 1 {
        asked.push(together(&asked));
    }
    let right =
        |(row, vector): &&(usize, Vec<f32>)| likeliest(vector, &classes) == told.class(*row);
    Ok(asked
        .iter()
        .map(|(name, own)| {
            Told::new(
                name,
                own.iter().filter(right).count() as u64,
                own.len() as u64,
            )
        })
        .collect())
}

/// What a row's modalities say together: the sum of their vectors.
fn together(asked: &[(String, OfRows)]) -> (String, OfRows) {
    let mut sums = BTreeMap::<usize, Vec<f32>>::new();
    for (row, vector) in asked.iter().flat_map(|(_, own)| own) {
        let sum = sums.entry(*row).or_insert_with(|| vec![0.0; vector.len()]);
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }
    let names: Vec<&str> = asked.iter().map(|(name, _)| name.as_str()).collect();
    (names.join("+"), sums.into_iter().collect())
}

/// The class whose description a vector is most like.
fn likeliest(vector: &[f32], classes: &[Vec<f32>]) -> usize {
    let mut best = (f32::NEG_INFINITY, 0);
    for (class, words) in classes.iter().enumerate() {
        let likeness = dot(vector, words);
        if likeness > best.0 {
            best = (likeness, class);
        }
    }
    best.1
}

/// Every description of every class, as rows of text.
fn describe(config: &ZeroShotConfig, names: &[String]) -> Rows {
    let texts = names.iter().flat_map(|name| {
        let told = config.templates.iter();
        told.map(move |template| (name, template.replace("{}", name)))
    });
    texts
        .map(|(name, text)| Row {
            id: text.clone(),
            label: Some(name.clone()),
            split: None,
            group: None,
            inputs: [(WORDS, Source::text(text))].into(),
            meta: Default::default(),
            place: Default::default(),
        })
        .collect()
}

/// Each class's mean description, of length 1.
fn class_vectors(words: &Vectors, rows: &crate::Prepared, classes: usize) -> Vec<Vec<f32>> {
    let own = words.iter().find(|(modality, _)| modality.name() == WORDS);
    let mut sums = vec![Vec::new(); classes];
    for (row, vector) in own.into_iter().flat_map(|(_, own)| own) {
        let sum: &mut Vec<f32> = &mut sums[rows.class(*row)];
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }
    for sum in &mut sums {
        let norm = dot(sum, sum).sqrt().max(1e-12);
        sum.iter_mut().for_each(|x| *x /= norm);
    }
    sums
}
