//! The run folder: all there is to know of a run, in files that outlive the program.
//!
//! `recipe.toml` (resolved), `data.json` (classes and where rows came from), `skipped.jsonl` (bad rows),
//! `metrics.jsonl` and `checkpoints/` (the trainer's), `metrics.json`, `report.html`, and `model/`, the
//! exported model: `config.json` and `model.safetensors` and what the processors learned.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Error, Recipe};

/// A run's folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
}

/// `model/config.json`: what a model's weights belong to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Says that Sensorium wrote the folder.
    pub model_type: String,
    /// The version that wrote it.
    pub sensorium_version: String,
    /// The classes, in the order of the logits.
    pub labels: Vec<String>,
    /// How many numbers the model has.
    pub parameters: usize,
    /// What the model is built from.
    pub recipe: Recipe,
}

/// What [`ModelConfig::model_type`] says.
pub const MODEL_TYPE: &str = "sensorium-composite";

impl RunFolder {
    /// Makes the folder of a new run: `out`, or `runs/NAME` with a number if that exists.
    ///
    /// # Errors
    /// If it exists and is not empty, or cannot be made or written.
    pub fn create(out: Option<&Path>, name: &str) -> Result<Self, Error> {
        let root = match out {
            Some(out) => {
                // A start that was killed leaves a file that was being written aside, and no run.
                let is_left_over =
                    |name: &std::ffi::OsStr| name.to_string_lossy().ends_with(".part");
                let taken = std::fs::read_dir(out).is_ok_and(|entries| {
                    entries
                        .flatten()
                        .any(|entry| !is_left_over(&entry.file_name()))
                });
                if taken {
                    return Err(Error::folder(
                        out,
                        "exists and is not empty: choose another --out, or go on with --resume",
                    ));
                }
                out.to_owned()
            }
            None => free_name(name),
        };
        std::fs::create_dir_all(&root).map_err(|error| Error::folder(&root, error))?;
        Ok(Self { root })
    }

    /// The folder of an earlier run.
    ///
    /// # Errors
    /// If it is not a run's folder.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let folder = Self {
            root: root.to_owned(),
        };
        if !root.is_dir() {
            return Err(Error::folder(
                root,
                "is not a folder; a run's folder is made by `sensorium train`",
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
        let path = self.recipe_path();
        let text = std::fs::read_to_string(&path).map_err(|error| Error::folder(&path, error))?;
        Recipe::parse(&path.display().to_string(), &text, &[])
    }

    /// Writes a file whole or not at all.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        write_whole(&self.root.join(name), content)
    }

    /// Writes a JSON file whole or not at all.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(|error| Error::folder(self.root.join(name), error))?;
        text.push(b'\n');
        self.write(name, &text)
    }
}

/// Reads a JSON file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = std::fs::read(path).map_err(|error| Error::folder(path, error))?;
    serde_json::from_slice(&text).map_err(|error| Error::folder(path, error))
}

/// Writes beside the file, syncs and renames.
fn write_whole(path: &Path, content: &[u8]) -> Result<(), Error> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".part");
    let aside = PathBuf::from(aside);
    let written = std::fs::File::create(&aside)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&aside, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&aside);
        Error::folder(path, error)
    })
}

/// `runs/NAME`, or the first of `runs/NAME-2`, `runs/NAME-3`, … that does not exist.
fn free_name(name: &str) -> PathBuf {
    let runs = Path::new("runs");
    let first = runs.join(name);
    if !first.exists() {
        return first;
    }
    (2..)
        .map(|n| runs.join(format!("{name}-{n}")))
        .find(|path| !path.exists())
        .expect("there are more numbers than folders")
}
