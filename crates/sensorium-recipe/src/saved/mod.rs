//! A model that a run left behind: opened again to be measured or asked.

mod embedder;
mod part;
mod unlabelled;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use sensorium_core::{Model, Source};
use sensorium_data::{BadRow, OnError};
use sensorium_eval::{
    Ablation, ClassificationReport, MultiLabelReport, NumbersReport, Outcome, WrittenReport,
};
use serde::Serialize;

use crate::evaluate::Measure;
use crate::folder::ModelConfig;
use crate::how::Wanted;
use crate::labels::{Answer, GIVEN, LabelSet};
use crate::modalities::Processors;
use crate::model::build;
use crate::prepare::{NOTHING, Prepared};
use crate::writing::{Answering, TextModel};
use crate::{Error, Observer};

pub use embedder::{Described, RunEmbedder};
pub(crate) use part::Exported;
pub use part::Part;
use part::{Opened, prepared};
pub use unlabelled::MeasuredUnlabelled;

/// A trained model with all it needs to answer.
#[derive(Debug)]
pub struct SavedModel {
    /// What it was built from, and its classes.
    pub config: ModelConfig,
    /// What it answers with.
    pub labels: LabelSet,
    /// The model itself, on its device.
    pub model: Answering,
    /// Prepares its inputs.
    pub processors: Arc<Processors>,
    device: Device,
}

/// What measuring gives.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Which data.
    pub data: String,
    /// Which rows of it.
    pub part: Part,
    /// The modalities that were left out everywhere.
    pub dropped: Vec<String>,
    /// Rows left out because they are bad, or have none of the modalities.
    pub skipped_rows: usize,
    /// Which rows these are, and why each was left out.
    pub skipped: Vec<BadRow>,
    /// The score with the modalities that stay, of a model that answers with one class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<ClassificationReport>,
    /// The same of a model that answers with any number of classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_label: Option<MultiLabelReport>,
    /// The same of a model that answers with numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regression: Option<NumbersReport>,
    /// The same of a model that writes texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<WrittenReport>,
    /// The score on each set of them.
    pub ablation: Ablation,
}

impl Measured {
    fn of(mut self, outcome: Outcome) -> Self {
        match outcome {
            Outcome::Classes(report) => self.test = Some(report),
            Outcome::Labels(report) => self.multi_label = Some(report),
            Outcome::Numbers(report) => self.regression = Some(report),
            Outcome::Written(report) => self.text = Some(report),
        }
        self
    }
}

/// One class and its probability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scored {
    /// The class.
    pub label: String,
    /// Between 0 and 1.
    pub score: f32,
}

/// What a model answers for one sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Prediction {
    /// Every class with its probability, the most likely first; of a model that answers with numbers or a text none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<Scored>,
    /// The classes that are likelier than not, in the same order, of a model that answers with any number of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<Vec<String>>,
    /// The numbers, of a model that answers with some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<f64>,
    /// The text, of a model that writes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl SavedModel {
    /// Opens the model of a run's folder.
    ///
    /// # Errors
    /// If the run is not complete, or its model is broken.
    pub fn open(run: &Path, device: &Device) -> Result<Self, Error> {
        let Exported {
            config,
            labels,
            processors,
            weights,
        } = Exported::open(run)?;
        let Some(labels) = labels else {
            return Err(Error::folder(
                run,
                format!(
                    "learned without labels ({}), and answers with no class: ask it for vectors with `sensorium embed --model {}`, or go \
                     on from its encoders with [start]",
                    config.recipe.objective.kind.name(),
                    run.display()
                ),
            ));
        };
        let recipe = &config.recipe;
        let model = match &labels {
            LabelSet::Texts(texts) => {
                let model = TextModel::build(recipe, &processors, texts, device)?;
                Answering::Text(sensorium_train::import_weights(&model, &weights)?)
            }
            _ => {
                let model = build(recipe, &processors, labels.width(), device)?;
                Answering::Head(sensorium_train::import_weights(&model, &weights)?)
            }
        };
        Ok(Self {
            config,
            labels,
            model,
            processors: Arc::new(processors),
            device: device.clone(),
        })
    }

    /// Measures on a part of the run's data, or of `data`, with some modalities left out everywhere. Without a part it is
    /// the test part, or every row of a `data` that names no split.
    ///
    /// # Errors
    /// If a modality is not the model's, or the data is bad or empty.
    pub fn measure(
        &self,
        data: Option<&Path>,
        part: Option<Part>,
        drop: &[String],
        on_error: Option<OnError>,
        observer: &mut dyn Observer,
    ) -> Result<Measured, Error> {
        let mut recipe = self.config.recipe.clone();
        recipe.data.on_error = on_error.unwrap_or(recipe.data.on_error);
        let mut keep = recipe.encoders.modalities();
        for name in drop {
            let modality = self.config.takes(name)?;
            keep.remove(&modality);
        }
        if keep.is_empty() {
            return Err(self.config.not_taken("nothing at all"));
        }
        let labels = Some(self.labels.clone());
        let Opened {
            data,
            part,
            rows,
            bad,
        } = Opened::of(&recipe, data, part, labels, observer)?;
        let wanted = Wanted::Label(&self.labels);
        let (rows, mut skipped) = prepared(rows, bad, &self.processors, wanted, &recipe, observer)?;
        let measure = Measure {
            labels: &self.labels,
            device: &self.device,
            batch_size: recipe.batch.eval_size,
            threads: recipe.batch.n_threads(),
            ranks: &sensorium_train::Together::default(),
        };
        observer.phase("testing", rows.len());
        let answers = measure.answers(&self.model, &rows, &keep, observer)?;
        observer.phase_end();
        if answers.is_empty() {
            return Err(part.empty(
                &data,
                " with these modalities; see --split, --drop and --data",
            ));
        }
        let test = measure.score(&rows, &answers)?;
        let unanswered = unanswered(&rows, &answers);
        if let Some(first) = unanswered.first() {
            observer.note(&format!(
                "left out: {} without an answer, the first {first}",
                unanswered.len()
            ));
        }
        skipped.extend(unanswered);
        let measured = Measured {
            data,
            part,
            dropped: drop.to_vec(),
            skipped_rows: skipped.len(),
            skipped,
            ablation: measure.ablation(&self.model, &rows, &keep, &test, observer)?,
            test: None,
            multi_label: None,
            regression: None,
            text: None,
        };
        Ok(measured.of(test))
    }

    /// Answers for one sample: every class with its probability, numbers, or a text.
    ///
    /// # Errors
    /// If an input is not the model's, cannot be prepared, or there is none.
    pub fn predict(&self, inputs: &[(String, Source)]) -> Result<Prediction, Error> {
        let mut by_modality = BTreeMap::new();
        for (name, source) in inputs {
            by_modality.insert(self.config.takes(name)?, source.clone());
        }
        if by_modality.is_empty() {
            return Err(self.config.not_taken("nothing at all"));
        }
        let samples = self
            .processors
            .process(&by_modality)
            .map_err(|(modality, reason)| Error::Modality {
                what: modality.to_string(),
                reason,
            })?;
        let batch = self.processors.collate(&[samples], &self.device);
        let outputs = match (&self.model, &self.labels) {
            (Answering::Text(model), LabelSet::Texts(texts)) => {
                return Ok(Prediction {
                    text: model.write(batch, texts)?.pop(),
                    ..Prediction::default()
                });
            }
            (Answering::Head(model), _) => model.run(batch),
            (Answering::Text(_), _) => unreachable!("a model that writes has texts for labels"),
        };
        let mut answers = self.labels.answers(outputs, &[0]);
        let answer = answers.pop().expect("a sample was asked about");
        let scored = |(class, score): (usize, f32)| Scored {
            label: self.labels.names()[class].clone(),
            score,
        };
        let scores: Vec<Scored> = answer.ranked().into_iter().map(scored).collect();
        let several = matches!(self.labels, LabelSet::Several { .. });
        let given = scores.iter().filter(|one| one.score > GIVEN);
        Ok(Prediction {
            given: several.then(|| given.map(|one| one.label.clone()).collect()),
            scores,
            numbers: answer.numbers,
            text: None,
        })
    }
}

/// The rows that were prepared and got no answer: those that lack what was asked about, and those that could no longer be
/// read.
fn unanswered(rows: &Prepared, answers: &[Answer]) -> Vec<BadRow> {
    let mut skipped = rows.lost_rows();
    let lost: BTreeSet<_> = skipped.iter().map(|bad| bad.place.clone()).collect();
    let answered: BTreeSet<usize> = answers.iter().map(|answer| answer.row).collect();
    let without = (0..rows.len())
        .filter(|row| !answered.contains(row) && !lost.contains(&rows.place(*row)))
        .map(|row| BadRow::new(rows.place(row), "", NOTHING));
    skipped.extend(without);
    skipped
}
