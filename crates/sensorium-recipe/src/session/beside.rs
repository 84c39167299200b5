//! What else: the same recipe with something changed, trained beside, so that a number has one to be held against.

use std::path::{Path, PathBuf};

use sensorium_eval::Metric;
use serde::{Deserialize, Serialize};

use super::{Options, Ready, RunMetrics, run_within, stages};
use crate::folder::RunFolder;
use crate::{Error, Observer};

/// Where a run keeps its variations.
pub(crate) const FOLDER: &str = "beside";

/// What a variation came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// What the recipe calls it.
    pub name: String,
    /// Its folder, inside of the run's.
    pub run: PathBuf,
    /// Its share of right answers on the same rows, of a model that answers with one class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Its macro F1, of a model that answers with classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macro_f1: Option<f64>,
    /// Its mean average precision, of a model that answers with any number of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_average_precision: Option<f64>,
    /// The share of the variance that it explains, of a model that answers with numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// How far off its numbers are on average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
    /// Its share of texts that are what was wanted, of a model that writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_match: Option<f64>,
    /// Its BLEU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bleu: Option<f64>,
}

/// Trains each variation of a recipe, whose own run took so many steps.
pub(super) fn run(
    ready: &Ready,
    folder: &RunFolder,
    steps: usize,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<Beside>, Error> {
    let (recipe, mut done) = (&ready.recipe, Vec::new());
    // A variation is there to be held against, and needs nothing beside itself.
    if is_variation(folder.path()) {
        return Ok(done);
    }
    for (name, mut variation) in recipe.variations(steps)? {
        observer.note(&format!("beside: {name}"));
        let run = PathBuf::from(FOLDER).join(&name);
        // What was learned before is not learned twice.
        if recipe.shares_stages(&variation)? {
            variation.stages.clear();
            variation.pretrain.clear();
            variation.goes_on(&ready.starts);
        }
        let made = stages::made(recipe, folder);
        let shared: Vec<String> = variation
            .pretrain
            .iter()
            .filter(|(name, stage)| recipe.pretrain.get(*name) == Some(stage))
            .map(|(name, _)| name.clone())
            .collect();
        for name in shared {
            variation.pretrain.remove(&name);
            if let Some(path) = made.get(&name) {
                variation.start.insert(name, path.clone());
            }
        }
        let metrics = run_within(
            &folder.path().join(&run),
            || Ok(variation),
            options,
            observer,
        )?;
        done.push(Beside::of(name, run, &metrics));
    }
    Ok(done)
}

/// Whether a run's folder lies where another run keeps its variations.
fn is_variation(root: &Path) -> bool {
    let kept = root.parent().filter(|kept| kept.ends_with(FOLDER));
    kept.and_then(Path::parent)
        .is_some_and(|run| run.join("recipe.toml").is_file())
}

impl Beside {
    fn of(name: String, run: PathBuf, metrics: &RunMetrics) -> Self {
        let found = metrics.summary().unwrap_or_default();
        let of = |metric: Metric| found.value.filter(|_| found.metric == metric);
        Self {
            name,
            run,
            accuracy: of(Metric::Accuracy),
            macro_f1: found.macro_f1,
            mean_average_precision: of(Metric::MeanAveragePrecision),
            r2: of(Metric::R2),
            mae: found.mae,
            exact_match: of(Metric::ExactMatch),
            bleu: found.bleu,
        }
    }

    /// What it came to by the metric of the run that it is held against.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Accuracy => self.accuracy,
            Metric::MeanAveragePrecision => self.mean_average_precision,
            Metric::R2 => self.r2,
            Metric::ExactMatch => self.exact_match,
        }
    }
}
