//! An adapter merged into the model of a run: a run's folder that can be measured and asked as any.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, TensorData};
use sensorium_hub::{Adapter, TensorView};
use sensorium_train::{Addition, Additions, import_with_adapter};

use crate::export::export;
use crate::folder::{LARGEST, ModelConfig, RunFolder, read_json};
use crate::labels::LabelSet;
use crate::modalities::Processors;
use crate::model::build;
use crate::pretext::PretextModel;
use crate::saved::Exported;
use crate::writing::TextModel;
use crate::{Error, Recipe};

/// Merges an adapter in PEFT's layout into the model of a run, and writes the folder `out`, which must not be there yet. The model
/// becomes what the adapter's `config.json` says, if it has one, as those of runs do: it may have a head of other classes.
///
/// # Errors
/// If the run has no model, the adapter is broken or does not fit it, or the folder is there or cannot be written.
pub fn merge(run: &Path, adapter: &Path, out: &Path, device: &Device) -> Result<(), Error> {
    if out.exists() {
        let reason = "exists: name a folder that is not there yet";
        return Err(Error::folder(out, reason));
    }
    let read = Adapter::open(adapter).map_err(|error| refused(adapter, error))?;
    let base = Exported::open(run)?;
    let (config, labels) = described(&base, adapter)?;
    let becomes = Becomes {
        recipe: &config.recipe,
        labels: labels.as_ref(),
        base: &base,
    };
    let (additions, file) = (additions(&read, adapter)?, read.path());
    let (weights, processors) = (&base.weights, &base.processors);
    match &labels {
        Some(LabelSet::Texts(texts)) => {
            let model = TextModel::build(&config.recipe, processors, texts, device)?;
            becomes.save(import_with_adapter(&model, weights, additions, &file)?, out)
        }
        Some(labels) => {
            let model = build(&config.recipe, processors, labels.width(), device)?;
            becomes.save(import_with_adapter(&model, weights, additions, &file)?, out)
        }
        None => {
            let model = PretextModel::build(&config.recipe, processors, device)?;
            becomes.save(import_with_adapter(&model, weights, additions, &file)?, out)
        }
    }
}

/// What the merged model is: the adapter's word, or else the base's.
fn described(base: &Exported, adapter: &Path) -> Result<(ModelConfig, Option<LabelSet>), Error> {
    let path = adapter.join("config.json");
    if !path.is_file() {
        return Ok((base.config.clone(), base.labels.clone()));
    }
    let config: ModelConfig = read_json(&path, LARGEST)?;
    let labels = config.check(&path)?;
    Ok((config, labels))
}

fn refused(adapter: &Path, error: sensorium_hub::Error) -> Error {
    Error::Modality {
        what: format!("merging {}", adapter.display()),
        reason: error.into(),
    }
}

/// An adapter's tensors on the host.
fn additions(adapter: &Adapter, folder: &Path) -> Result<Additions, Error> {
    let data = |tensor: TensorView<'_>| {
        let numbers = tensor.to_f32().map_err(|error| refused(folder, error))?;
        Ok::<_, Error>(TensorData::new(numbers, tensor.shape.to_vec()))
    };
    let mut all = Additions::default();
    for factors in adapter.factors() {
        let addition = Addition {
            a: data(factors.a)?,
            b: data(factors.b)?,
            scale: factors.scale,
        };
        all.factors.insert(factors.module.to_owned(), addition);
    }
    for (name, tensor) in adapter.whole() {
        all.whole.insert(name.to_owned(), data(tensor)?);
    }
    Ok(all)
}

/// What a merged model is saved with.
struct Becomes<'a> {
    recipe: &'a Recipe,
    labels: Option<&'a LabelSet>,
    base: &'a Exported,
}

impl Becomes<'_> {
    /// Writes the folder beside, and puts it into its place once all of it is on the disk.
    fn save(&self, model: impl Module, out: &Path) -> Result<(), Error> {
        let mut aside = out.as_os_str().to_owned();
        aside.push(".part");
        let aside = Path::new(&aside);
        let io = |error: std::io::Error| Error::folder(out, error);
        if aside.exists() {
            std::fs::remove_dir_all(aside).map_err(io)?;
        }
        std::fs::create_dir_all(aside).map_err(io)?;
        let processors: &Processors = &self.base.processors;
        let written = RunFolder::begin(aside, &self.recipe.to_toml())
            .and_then(|folder| {
                export(
                    &folder,
                    self.recipe,
                    &model.materialize(),
                    processors,
                    self.labels,
                )
            })
            .and_then(|()| Ok(sensorium_train::move_folder(aside, out)?));
        if written.is_err() {
            // What was written so far is of no use; the first error is the one to tell.
            let _ = std::fs::remove_dir_all(aside);
        }
        written
    }
}
