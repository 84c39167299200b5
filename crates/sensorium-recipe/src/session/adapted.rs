//! What a run of `[lora]` adds to its model, and what it came to by itself.

use std::path::PathBuf;

use burn::module::Module;
use sensorium_core::seed;
use sensorium_train::{Adapter, add_lora, is_base_of};

use super::{Ready, Run};
use crate::Error;
use crate::folder::RunFolder;
use crate::labels::LabelSet;

/// What was learned beside the model that it was added to.
pub(super) struct Apart {
    adapter: Adapter,
    /// The model that it is added to, if that is a run's.
    base: Option<PathBuf>,
}

impl Ready {
    /// A model that learns as the recipe says: whole, or by additions.
    pub(super) fn lora<M: Module>(&self, model: M) -> Result<M, Error> {
        match &self.recipe.lora {
            None => Ok(model),
            Some(lora) => {
                let seed = seed::derive(self.recipe.train.seed, &[seed::of_name("additions")]);
                Ok(add_lora(model, lora, seed)?)
            }
        }
    }
}

impl Run {
    /// The additions of a trained model, before they are merged.
    pub(super) fn apart(&self, model: &impl Module) -> Result<Option<Apart>, Error> {
        let ready = &self.ready;
        let Some(lora) = ready.recipe.lora.as_ref().filter(|_| ready.ranks.writes()) else {
            return Ok(None);
        };
        let mut base = None;
        // The last stage first: it may hold more than encoders.
        let begun = ready
            .starts
            .last
            .iter()
            .chain(ready.starts.encoders.values());
        for run in begun {
            let folder = RunFolder::open(run)?.model_path();
            if is_base_of(&folder.join("model.safetensors"), model, lora)? {
                base = Some(folder);
                break;
            }
        }
        Ok(Some(Apart {
            adapter: Adapter::of(model, lora),
            base,
        }))
    }
}

impl Apart {
    /// Writes `adapter/` beside, and puts it into its place once all of it is on the disk. Says what PEFT would miss.
    pub(super) fn save(&self, folder: &RunFolder, labels: Option<&LabelSet>) -> Result<(), Error> {
        let path = folder.path().join("adapter");
        let aside = folder.path().join("adapter.part");
        let io = |error: std::io::Error| Error::folder(&path, error);
        if aside.exists() {
            std::fs::remove_dir_all(&aside).map_err(io)?;
        }
        std::fs::create_dir_all(&aside).map_err(io)?;
        let base = self.base.as_ref().map(|base| base.display().to_string());
        self.adapter.save(&aside, base.as_deref())?;
        // What it is put onto becomes this model, classes and all.
        let config = folder.model_path().join("config.json");
        std::fs::copy(config, aside.join("config.json")).map_err(io)?;
        labels.map_or(Ok(()), |labels| labels.save(&aside))?;
        Ok(sensorium_train::move_folder(&aside, &path)?)
    }

    /// What a person should know of it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.base.is_none() {
            notes.push(
                "adapter/ holds additions to a model that is saved nowhere: what stays as it was drawn is in model/ alone; begin with \
                 [[stages]] or after, or name what is new in lora.also"
                    .to_owned(),
            );
        }
        let loose = self.adapter.unknown_to_peft();
        if !loose.is_empty() {
            notes.push(format!(
                "adapter/ holds {}, which PEFT has no module for and would leave out; `sensorium merge` does not",
                loose.join(", ")
            ));
        }
        notes
    }
}
