//! Measuring a model: class probabilities of every row, with any modalities left out.

use std::collections::BTreeSet;

use burn::tensor::Device;
use burn::tensor::activation::softmax;
use sensorium_core::{Modality, Model};
use sensorium_eval::{Ablation, Classification, ClassificationReport, subsets};

use crate::feed::batches_of;
use crate::model::RecipeModel;
use crate::prepare::Prepared;
use crate::{Error, Observer};

/// How a model is measured.
#[derive(Clone, Debug)]
pub struct Measure<'a> {
    /// The classes in their order.
    pub classes: &'a [String],
    /// Where the model lives; without autodiff.
    pub device: &'a Device,
    /// Samples at once.
    pub batch_size: usize,
    /// Threads that prepare.
    pub threads: usize,
}

/// What the model answers for one row.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The row's place among the prepared rows.
    pub row: usize,
    /// One probability per class.
    pub probabilities: Vec<f32>,
}

impl Answer {
    /// Classes by their probability, the most likely first.
    pub fn ranked(&self) -> Vec<(usize, f32)> {
        let mut ranked: Vec<(usize, f32)> =
            self.probabilities.iter().copied().enumerate().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }
}

impl Measure<'_> {
    /// The model's answers for every row that has one of the modalities in `keep`, in order.
    ///
    /// # Errors
    /// If a row can no longer be decoded.
    pub fn answers(
        &self,
        model: &RecipeModel,
        rows: &Prepared,
        keep: &BTreeSet<Modality>,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Answer>, Error> {
        let mut answers = Vec::with_capacity(rows.len());
        let batches = batches_of(
            rows,
            (0..rows.len()).collect(),
            self.batch_size,
            self.threads,
            keep.clone(),
        );
        for batch in batches {
            let batch = batch?;
            if batch.rows.is_empty() {
                continue;
            }
            let logits = model.run(rows.processors.collate(&batch.samples, self.device));
            let values: Vec<f32> = softmax(logits, 1).into_data().iter::<f32>().collect();
            let width = self.classes.len();
            for (row, probabilities) in batch.rows.iter().zip(values.chunks(width)) {
                answers.push(Answer {
                    row: *row,
                    probabilities: probabilities.to_vec(),
                });
            }
            observer.advance(answers.len());
        }
        Ok(answers)
    }

    /// All metrics over answers.
    ///
    /// # Errors
    /// If the model answers something that is not a number.
    pub fn score(
        &self,
        rows: &Prepared,
        answers: &[Answer],
    ) -> Result<ClassificationReport, Error> {
        let probabilities: Vec<(usize, &[f32])> = answers
            .iter()
            .map(|answer| (rows.class(answer.row), &*answer.probabilities))
            .collect();
        Ok(self
            .count(rows, answers)?
            .with_probabilities(&probabilities)?)
    }

    /// The metrics that only count who is taken for whom, for what is measured again and again.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn count(
        &self,
        rows: &Prepared,
        answers: &[Answer],
    ) -> Result<ClassificationReport, Error> {
        let mut counts = Classification::new(self.classes.iter().cloned())?;
        for answer in answers {
            counts.add_sample(
                rows.id(answer.row),
                rows.class(answer.row),
                &answer.probabilities,
            )?;
        }
        Ok(counts.finish())
    }

    /// The model's score on each non-empty set of the modalities in `of`; `whole` is that on all of them.
    ///
    /// # Errors
    /// As [`answers`](Self::answers) and [`score`](Self::score).
    pub fn ablation(
        &self,
        model: &RecipeModel,
        rows: &Prepared,
        of: &BTreeSet<Modality>,
        whole: &ClassificationReport,
        observer: &mut dyn Observer,
    ) -> Result<Ablation, Error> {
        let names: Vec<&str> = of.iter().map(|m| m.name()).collect();
        let mut ablation = Ablation::new(names.iter().copied());
        let all: Vec<Modality> = of.iter().copied().collect();
        for subset in subsets(&all)? {
            let keep: BTreeSet<Modality> = subset.iter().copied().collect();
            let label: Vec<&str> = subset.iter().map(|m| m.name()).collect();
            if keep == *of {
                ablation.push(&label, whole)?;
                continue;
            }
            observer.phase(&format!("testing with {}", label.join(" + ")), rows.len());
            let answers = self.answers(model, rows, &keep, observer)?;
            observer.phase_end();
            ablation.push(&label, &self.count(rows, &answers)?)?;
        }
        Ok(ablation)
    }
}
