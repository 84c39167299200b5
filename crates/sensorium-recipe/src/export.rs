//! The trained model as files: `model/`, whole or not at all.

use burn::module::Module;

use crate::folder::{MODEL_TYPE, ModelConfig, RunFolder};
use crate::labels::LabelSet;
use crate::modalities::Processors;
use crate::{Error, Recipe};

/// Writes `model/` beside, and puts it into its place once all of it is on the disk.
pub(crate) fn export(
    folder: &RunFolder,
    recipe: &Recipe,
    model: &impl Module,
    processors: &Processors,
    labels: Option<&LabelSet>,
) -> Result<(), Error> {
    let path = folder.model_path();
    let aside = folder.path().join("model.part");
    let io = |error: std::io::Error| Error::folder(&path, error);
    if aside.exists() {
        std::fs::remove_dir_all(&aside).map_err(io)?;
    }
    std::fs::create_dir_all(&aside).map_err(io)?;
    let mut processors = processors.clone();
    if recipe.decoder_reads() {
        // What splits the texts that it reads is saved with its vocabulary.
        processors.text = None;
    }
    processors.save(&aside).map_err(|reason| Error::Modality {
        what: format!("saving into {}", path.display()),
        reason,
    })?;
    labels.map_or(Ok(()), |labels| labels.save(&aside))?;
    sensorium_train::export_weights(model, &aside.join("model.safetensors"))?;
    let config = ModelConfig {
        model_type: MODEL_TYPE.to_owned(),
        sensorium_version: env!("CARGO_PKG_VERSION").to_owned(),
        labels: labels.map_or(&[][..], LabelSet::names).to_vec(),
        targets: labels.map_or(&[][..], LabelSet::scales).to_vec(),
        parameters: model.num_params(),
        recipe: recipe.resolved(),
    };
    let text = serde_json::to_vec_pretty(&config).map_err(|error| Error::folder(&path, error))?;
    sensorium_train::write_file(&aside.join("config.json"), &text)?;
    Ok(sensorium_train::move_folder(&aside, &path)?)
}
