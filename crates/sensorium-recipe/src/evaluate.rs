//! Measuring a model: its answers for every row, with any modalities left out.

use std::collections::BTreeSet;

use burn::tensor::Device;
use sensorium_core::Modality;
use sensorium_eval::{Ablation, Outcome, subsets};
use sensorium_train::Together;

use crate::feed::batches_of;
use crate::labels::{Answer, LabelSet};
use crate::prepare::Prepared;
use crate::writing::Ask;
use crate::{Error, Observer};

/// How a model is measured.
#[derive(Clone, Debug)]
pub struct Measure<'a> {
    /// What the model answers with.
    pub labels: &'a LabelSet,
    /// Where the model lives; without autodiff.
    pub device: &'a Device,
    /// Samples at once.
    pub batch_size: usize,
    /// Threads that prepare.
    pub threads: usize,
    /// Who shares the rows.
    pub ranks: &'a Together,
}

impl Measure<'_> {
    /// The model's answers for every row that has one of the modalities in `keep`, in order.
    ///
    /// # Errors
    /// If a row can no longer be decoded.
    pub fn answers(
        &self,
        model: &impl Ask,
        rows: &Prepared,
        keep: &BTreeSet<Modality>,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Answer>, Error> {
        let mut answers = Vec::with_capacity(rows.len());
        let batches = batches_of(
            rows,
            self.ranks.share(rows.len()).collect(),
            self.batch_size,
            self.threads,
            keep.clone(),
        );
        for batch in batches {
            let batch = batch?;
            if batch.rows.is_empty() {
                continue;
            }
            answers.extend(model.ask(self.labels, rows, &batch, self.device)?);
            observer.advance(answers.len() * self.ranks.size());
        }
        Ok(self.ranks.gather(answers)?.concat())
    }

    /// All metrics over answers.
    ///
    /// # Errors
    /// If the model answers something that is not a number.
    pub fn score(&self, rows: &Prepared, answers: &[Answer]) -> Result<Outcome, Error> {
        self.labels.score(rows, answers)
    }

    /// The model's score on each non-empty set of the modalities in `of`; `whole` is that on all of them.
    ///
    /// # Errors
    /// As [`answers`](Self::answers) and [`score`](Self::score).
    pub fn ablation(
        &self,
        model: &impl Ask,
        rows: &Prepared,
        of: &BTreeSet<Modality>,
        whole: &Outcome,
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
            ablation.push(&label, &self.labels.count(rows, &answers)?)?;
        }
        Ok(ablation)
    }
}
