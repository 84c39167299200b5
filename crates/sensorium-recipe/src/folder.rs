//! The run folder: all there is to know of a run, in files that outlive the program.
//!
//! `recipe.toml` (resolved), `data.json` (classes and where rows came from), `skipped.jsonl` (bad rows),
//! `metrics.jsonl` and `checkpoints/` (the trainer's), `metrics.json`, `report.html`, and `model/`, the
//! exported model: `config.json` and `model.safetensors` and what the processors learned.

use std::path::{Path, PathBuf};

use sensorium_core::{Modality, Source, SourceError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::labels::{LabelSet, Scale};
use crate::{Error, Recipe};

/// A run's folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
    /// Whether this process writes into it, and not another that trains the same model.
    writes: bool,
}

/// `model/config.json`: what a model's weights belong to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Says that Sensorium wrote the folder.
    pub model_type: String,
    /// The version that wrote it.
    pub sensorium_version: String,
    /// The classes, in the order of the logits; of numbers none.
    pub labels: Vec<String>,
    /// What each number that the head gives is multiplied by and added to, to be one of the data's; of classes nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Scale>,
    /// How many numbers the model has.
    pub parameters: usize,
    /// What the model is built from.
    pub recipe: Recipe,
}

/// What [`ModelConfig::model_type`] says.
pub const MODEL_TYPE: &str = "sensorium-composite";

impl ModelConfig {
    /// Refuses what no model can be built of: the file may have been written by anyone.
    /// Returns what the model answers with; nothing, if it learned without labels.
    pub(crate) fn check(&self, path: &Path) -> Result<Option<LabelSet>, Error> {
        if self.model_type != MODEL_TYPE {
            let reason = format!("model_type is {:?}, not {MODEL_TYPE:?}", self.model_type);
            return Err(Error::folder(path, reason));
        }
        let recipe = self.recipe.validate();
        recipe.map_err(|message| Error::folder(path, format!("recipe: {message}")))?;
        let dir = path.parent().unwrap_or(path);
        let labels = LabelSet::saved(&self.recipe, dir, &self.labels, &self.targets);
        labels.map_err(|error| Error::folder(path, format!("labels: {error}")))
    }

    /// The modality of this name, if the model takes it.
    pub(crate) fn takes(&self, name: &str) -> Result<Modality, Error> {
        let mut taken = self.recipe.encoders.modalities().into_iter();
        taken
            .find(|modality| modality.name() == name)
            .ok_or_else(|| self.not_taken(name))
    }

    /// That the model has no use for this.
    pub(crate) fn not_taken(&self, what: &str) -> Error {
        let taken = self.recipe.encoders.modalities();
        let names: Vec<&str> = taken.iter().map(|modality| modality.name()).collect();
        Error::NotTaken {
            modality: what.to_owned(),
            takes: names.join(", "),
        }
    }
}

impl RunFolder {
    /// A new run's folder: its recipe is the first that is written.
    pub(crate) fn begin(root: &Path, recipe_toml: &str) -> Result<Self, Error> {
        let folder = Self {
            root: root.to_owned(),
            writes: true,
        };
        folder.write("recipe.toml", recipe_toml.as_bytes())?;
        Ok(folder)
    }

    /// A folder that another process writes into, which trains the same model: what this one writes goes nowhere.
    pub(crate) fn followed(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            writes: false,
        }
    }

    /// The folder of an earlier run.
    ///
    /// # Errors
    /// If it is not a run's folder.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let folder = Self {
            root: root.to_owned(),
            writes: true,
        };
        if !root.is_dir() {
            return Err(Error::folder(
                root,
                "is not a folder; a run's folder is made by `sensorium train`",
            ));
        }
        if crate::folds::holds_left_out(root) && !folder.recipe_path().is_file() {
            return Err(Error::folder(
                root,
                "holds a run for each group that was left out: name one of the folders in it",
            ));
        }
        if !folder.recipe_path().is_file() {
            return Err(Error::folder(
                root,
                "is not a run's folder: it has no recipe.toml",
            ));
        }
        Ok(folder)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// `recipe.toml`
    pub fn recipe_path(&self) -> PathBuf {
        self.root.join("recipe.toml")
    }

    /// Whether a folder holds a model that was merged, and nothing of a run: a run has written its log before its model.
    pub(crate) fn is_merged(path: &Path) -> bool {
        path.join("model").is_dir()
            && !path.join("metrics.jsonl").exists()
            && !path.join("checkpoints").exists()
    }

    /// `metrics.json`: there once the run is complete.
    pub fn metrics_path(&self) -> PathBuf {
        self.root.join("metrics.json")
    }

    /// `report.html`
    pub fn report_path(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// `model/`
    pub fn model_path(&self) -> PathBuf {
        self.root.join("model")
    }

    /// The recipe the run was started with.
    ///
    /// # Errors
    /// If it is not understood.
    pub fn recipe(&self) -> Result<Recipe, Error> {
        let origin = self.recipe_path().display().to_string();
        Recipe::parse(&origin, &self.recipe_text()?, &[])
    }

    /// The same as it stands there.
    pub(crate) fn recipe_text(&self) -> Result<String, Error> {
        read_text(&self.recipe_path())
    }

    /// Writes a file whole or not at all.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        if !self.writes {
            return Ok(());
        }
        Ok(sensorium_train::write_file(&self.root.join(name), content)?)
    }

    /// Writes a JSON file whole or not at all.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        self.write(name, &json_text(self.root.join(name), value)?)
    }
}

/// What stands in a JSON file, with a line's end behind it.
pub(crate) fn json_text(
    path: impl Into<PathBuf>,
    value: &impl Serialize,
) -> Result<Vec<u8>, Error> {
    let text = serde_json::to_vec_pretty(value);
    let mut text = text.map_err(|error| Error::folder(path, error))?;
    text.push(b'\n');
    Ok(text)
}

/// The largest recipe or configuration that is read, in bytes. Real ones have a few thousand.
pub(crate) const LARGEST: u64 = 1 << 20;

/// The largest `metrics.json` of a run that is read: its tables grow with the square of the classes.
pub(crate) const LARGEST_METRICS: u64 = 256 * LARGEST;

/// Reads a text that a person may have written, of bounded size.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    String::from_utf8(read(path, LARGEST)?)
        .map_err(|_| Error::folder(path, "is not UTF-8 text; save it as UTF-8"))
}

/// Reads a JSON file of at most so many bytes.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, largest: u64) -> Result<T, Error> {
    serde_json::from_slice(&read(path, largest)?).map_err(|error| Error::folder(path, error))
}

fn read(path: &Path, largest: u64) -> Result<Vec<u8>, Error> {
    match Source::path(path).read(largest) {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(SourceError::Read { error, .. }) => Err(Error::folder(path, error)),
        Err(SourceError::TooLarge { size, .. }) => Err(Error::folder(
            path,
            format!("{size} bytes are more than the {largest} it may have"),
        )),
        Err(other) => Err(Error::folder(path, other)),
    }
}
