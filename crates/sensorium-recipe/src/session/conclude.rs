//! The end of every run, whatever it was about.

use std::collections::BTreeMap;

use burn::module::Module;

use super::adapted::Apart;
use super::read::note_lost;
use super::{Finished, Options, Run, RunMetrics, beside};
use crate::export::export;
use crate::labels::Answer;
use crate::{Error, Observer, report};

impl Run {
    /// What is known of a trained model before anything is measured.
    pub(super) fn metrics(
        &self,
        model: &impl Module,
        steps: usize,
        train_seconds: f64,
        options: &Options<'_>,
    ) -> RunMetrics {
        RunMetrics {
            recipe: self.ready.recipe.name.clone(),
            backend: options.backend.clone(),
            parameters: model.num_params(),
            steps,
            train_seconds,
            total_seconds: 0.0,
            skipped_rows: 0,
            test: None,
            multi_label: None,
            regression: None,
            text: None,
            ablation: None,
            scores: BTreeMap::new(),
            search: Vec::new(),
            told: Vec::new(),
            beside: Vec::new(),
        }
    }

    /// Exports the model and what was learned apart from it, trains what stands beside, and writes the report and the numbers.
    pub(super) fn conclude(
        mut self,
        (model, apart): (&impl Module, Option<Apart>),
        answers: &[Answer],
        mut metrics: RunMetrics,
        options: &Options<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Finished, Error> {
        let (ready, folder) = (&mut self.ready, &self.folder);
        let labels = ready.data.labels.as_ref();
        ready.ranks.once(|| {
            export(folder, &ready.recipe, model, &ready.processors, labels)?;
            apart
                .as_ref()
                .map_or(Ok(()), |apart| apart.save(folder, labels))
        })?;
        let notes = apart.iter().flat_map(Apart::notes);
        notes.for_each(|line| observer.note(&line));
        note_lost(
            &ready.parts,
            &mut ready.data,
            folder,
            &ready.ranks,
            observer,
        )?;
        let (recipe, data) = (&ready.recipe, &ready.data);
        metrics.skipped_rows = data.bad.len();
        metrics.beside = beside::run(ready, folder, metrics.steps, options, observer)?;
        metrics.total_seconds = self.started.elapsed().as_secs_f64();
        let test = &ready.parts.test;
        ready.ranks.once(|| {
            let html = report::html(recipe, folder, data, test, answers, &metrics)?;
            folder.write("report.html", html.as_bytes())?;
            // Last, because its presence says that the run is complete.
            folder.write_json("metrics.json", &metrics)
        })?;
        Ok(Finished {
            folder: self.folder,
            metrics,
        })
    }
}
