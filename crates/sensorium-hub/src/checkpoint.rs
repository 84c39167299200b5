//! A model's folder: its configuration, its weights, and the files beside them, on disk, on a hub or in the program.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::remote::{Remote, RemoteOptions};
use crate::weights::{INDEX, PICKLED, SINGLE, shard_names};
use crate::{Error, Weights};

/// The largest JSON file that is read, in bytes: a tokenizer's have some tens of megabytes.
const LARGEST_JSON: u64 = 256 << 20;

/// A published model: a folder in the hub's layout, or one on a hub whose files are fetched when they are asked for.
#[derive(Debug)]
pub struct Checkpoint {
    name: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(PathBuf),
    /// One file of weights, and the folder it is in.
    File(PathBuf, PathBuf),
    /// It goes when the checkpoint goes; what was mapped into memory stays.
    Unpacked(TempDir),
    Hub(Box<Remote>),
}

impl Checkpoint {
    /// Opens a folder, or else the model of a hub with this id (`owner/name`, or `owner/name@revision`). Nothing is
    /// fetched yet.
    ///
    /// `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` are honoured.
    ///
    /// # Errors
    /// If it is neither a folder nor an id, or named like a file.
    pub fn open(model: &str) -> Result<Self, Error> {
        Self::open_with(model, &RemoteOptions::from_env())
    }

    /// The same with other settings for the hub.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(model: &str, options: &RemoteOptions) -> Result<Self, Error> {
        let path = Path::new(model);
        if path.is_dir() {
            return Ok(Self::folder(path));
        }
        if let Some(problem) = named_like_a_file(path) {
            return Err(Error::Model {
                model: model.to_owned(),
                problem: problem.to_owned(),
            });
        }
        Ok(Self {
            name: model.to_owned(),
            place: Place::Hub(Box::new(Remote::new(model, options)?)),
        })
    }

    /// A folder that is there.
    pub fn folder(path: &Path) -> Self {
        Self {
            name: path.display().to_string(),
            place: Place::Folder(path.to_owned()),
        }
    }

    /// One file of weights (or an index of them), with the files that lie beside it.
    pub fn file_of_weights(path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new(""));
        Self {
            name: path.display().to_string(),
            place: Place::File(path.to_owned(), folder.to_owned()),
        }
    }

    /// Files that are part of the program, by their names: they are put into a temporary folder that goes with the checkpoint.
    ///
    /// # Errors
    /// If they cannot be written there.
    pub fn embedded(name: &str, files: &[(&str, &[u8])]) -> Result<Self, Error> {
        let written = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Write { path, source }
        };
        let temporary = std::env::temp_dir();
        let folder = tempfile::tempdir().map_err(written(&temporary))?;
        for (file, bytes) in files {
            let path = folder.path().join(file);
            std::fs::write(&path, bytes).map_err(written(&path))?;
        }
        Ok(Self {
            name: name.to_owned(),
            place: Place::Unpacked(folder),
        })
    }

    /// The folder or id it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where a file is on this machine, fetched if need be; `None` if the model has none of this name.
    ///
    /// # Errors
    /// If the hub cannot be reached or refuses.
    pub fn optional(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        let there = |folder: &Path| {
            let path = folder.join(name);
            Ok(path.is_file().then_some(path))
        };
        match &self.place {
            Place::Folder(folder) | Place::File(_, folder) => there(folder),
            Place::Unpacked(folder) => there(folder.path()),
            Place::Hub(remote) => remote.get(name),
        }
    }

    /// The same for a file that must be there.
    ///
    /// # Errors
    /// If it is not, or the hub cannot be reached or refuses.
    pub fn file(&self, name: &str) -> Result<PathBuf, Error> {
        self.optional(name)?.ok_or_else(|| self.lacks(name))
    }

    /// What is wrong where a file that is needed is not there.
    pub fn lacks(&self, file: &str) -> Error {
        match &self.place {
            Place::Hub(remote) => remote.lacks(file),
            _ => Error::NoFile {
                model: self.name.clone(),
                file: file.to_owned(),
            },
        }
    }

    /// A file's text, or `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read, or is too large.
    pub fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let Some(path) = self.optional(name)? else {
            return Ok(None);
        };
        let io = |error| Error::io(&path, error);
        let size = std::fs::metadata(&path).map_err(io)?.len();
        if size > LARGEST_JSON {
            let problem = format!("has {size} bytes, more than {LARGEST_JSON}");
            return Err(Error::broken(&path, problem));
        }
        std::fs::read_to_string(&path).map(Some).map_err(io)
    }

    /// A JSON file, or `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read, or is no JSON.
    pub fn json(&self, name: &str) -> Result<Option<Value>, Error> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match serde_json::from_str(&text) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let path = self.file(name)?;
                Err(Error::broken(&path, format!("is no JSON: {error}")))
            }
        }
    }

    /// `config.json`, which says what the model is.
    ///
    /// # Errors
    /// If there is none, or it is no JSON.
    pub fn config(&self) -> Result<Value, Error> {
        let config = self.json("config.json")?;
        config.ok_or_else(|| self.lacks("config.json"))
    }

    /// The model's tensors.
    ///
    /// # Errors
    /// If there are none, they are a pickle, or their files break the format.
    pub fn weights(&self) -> Result<Weights, Error> {
        self.weights_of("")
    }

    /// The tensors of one of its folders, such as `2_Dense`.
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub fn weights_of(&self, folder: &str) -> Result<Weights, Error> {
        let root = match &self.place {
            Place::File(file, _) if folder.is_empty() => return Weights::open(file),
            Place::Folder(root) | Place::File(_, root) => root,
            Place::Unpacked(root) => root.path(),
            Place::Hub(remote) => return self.fetched(remote, folder),
        };
        match folder.is_empty() {
            true => Weights::open(root),
            false => Weights::open(&root.join(folder)),
        }
    }

    fn fetched(&self, remote: &Remote, folder: &str) -> Result<Weights, Error> {
        let below = |name: &str| match folder {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        if let Some(path) = self.optional(&below(SINGLE))? {
            return Weights::open(&path);
        }
        let Some(index) = self.optional(&below(INDEX))? else {
            // Gigabytes that would only be refused stay where they are.
            for pickled in ["pytorch_model.bin", "pytorch_model.bin.index.json"] {
                if remote.has(&below(pickled))? {
                    return Err(pickle_on_hub(&self.name, &below(pickled)));
                }
            }
            return Err(self.lacks(&below(SINGLE)));
        };
        for shard in shard_names(&index)? {
            self.file(&below(&shard))?;
        }
        Weights::open(&index)
    }
}

fn pickle_on_hub(model: &str, file: &str) -> Error {
    let (id, _) = model.split_once('@').unwrap_or((model, ""));
    let folder = id.rsplit('/').next().unwrap_or(id);
    Error::Pickle {
        path: Path::new(model).join(file),
        command: format!(
            "python -c \"from transformers import AutoModel as M, AutoTokenizer as T; \
             M.from_pretrained('{id}').save_pretrained('{folder}'); T.from_pretrained('{id}').save_pretrained('{folder}')\""
        ),
    }
}

/// What is wrong with a name that is no folder's and has a file's extension: a hub is not asked for it, for a slip of the
/// finger is likelier than a model of that name.
fn named_like_a_file(path: &Path) -> Option<&'static str> {
    let extension = path.extension().and_then(|e| e.to_str())?;
    if extension != "safetensors" && extension != "json" && !PICKLED.contains(&extension) {
        return None;
    }
    Some(match path.exists() {
        true => "is a file; a model is the folder that it is in",
        false => "no such file",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_name_is_no_id() {
        let refused = |name: &str| Checkpoint::open(name).unwrap_err().to_string();
        for name in ["none.safetensors", "owner/config.json", "owner/model.bin"] {
            assert_eq!(refused(name), format!("{name}: no such file"));
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        std::fs::write(&file, b"x").unwrap();
        let told = refused(&file.display().to_string());
        assert!(told.ends_with("is a file; a model is the folder that it is in"));

        // As weights it brings along what lies beside it.
        std::fs::write(folder.path().join("config.json"), b"{\"a\": 1}").unwrap();
        let checkpoint = Checkpoint::file_of_weights(&file);
        assert_eq!(checkpoint.config().unwrap()["a"], 1);
        let told = checkpoint.weights().unwrap_err().to_string();
        assert!(told.starts_with(&file.display().to_string()), "{told}");
    }

    #[test]
    fn embedded_files_are_there_as_long_as_their_checkpoint() {
        let files: [(&str, &[u8]); 2] = [("config.json", b"{\"a\": 1}"), ("notes.txt", b"x")];
        let checkpoint = Checkpoint::embedded("mine", &files).unwrap();
        assert_eq!(checkpoint.name(), "mine");
        assert_eq!(checkpoint.config().unwrap()["a"], 1);
        assert!(checkpoint.optional("vocab.txt").unwrap().is_none());
        let path = checkpoint.file("notes.txt").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
        assert!(checkpoint.weights().is_err());
        drop(checkpoint);
        assert!(!path.exists());
    }
}
