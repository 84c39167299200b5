//! Runs of one's own, asked for what published models are asked for.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use sensorium_core::{Modality, Source};
use sensorium_recipe::{Described, Error, RunEmbedder, Samples};

use crate::inputs::Inputs;
use crate::jobs::Answers;

/// The run whose folder is named in the place of a model, if it is one.
pub fn run(model: &str, device: &Device) -> Option<Result<Arc<RunEmbedder>, Error>> {
    let folder = Path::new(model);
    let is_run = folder.join("recipe.toml").is_file();
    is_run.then(|| RunEmbedder::open(folder, device).map(Arc::new))
}

/// Inputs of one modality through a run's encoders.
pub struct Trained {
    embedder: Arc<RunEmbedder>,
    modality: Modality,
    labels: Option<Arc<Described>>,
}

impl Trained {
    /// For inputs of one kind, if there are any: their vectors, or how well each of `labels` fits them.
    ///
    /// # Errors
    /// If the run does not take them.
    pub fn of(
        embedder: &Arc<RunEmbedder>,
        inputs: &Inputs,
        labels: Option<&Arc<Described>>,
    ) -> Result<Option<Self>, Error> {
        inputs.any(|| {
            Ok(Self {
                embedder: embedder.clone(),
                modality: embedder.modality(inputs.modality())?,
                labels: labels.cloned(),
            })
        })
    }
}

impl Answers for Trained {
    type Sample = Samples;
    type Error = Error;

    fn prepare(&self, input: &Source) -> Result<Samples, Error> {
        self.embedder.prepare(self.modality, input)
    }

    fn answer(&self, samples: &[Samples]) -> Tensor<2> {
        match &self.labels {
            Some(labels) => self.embedder.scores(samples, labels),
            None => self.embedder.embed(samples),
        }
    }
}
