//! What must hold whatever the bytes are: asked by the fuzz targets in `fuzz/`, and by the test that replays their corpus.
//!
//! Each function answers as the library does, and panics where that answer breaks a promise.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{SafeTensorError, SafeTensors};
use sensorium_hub::{Error, TensorView, Weights};
use serde::Deserialize;

/// What stands for bytes in messages.
const PATH: &str = "m.safetensors";

/// The longest message besides the path in it, in characters: it must be read by a person.
const LONGEST_MESSAGE: usize = 600;

/// Opens the bytes as a safetensors file and looks at everything in it.
pub fn open_file(file: &[u8]) -> Result<Weights, Error> {
    let opened = Weights::from_bytes(PATH, file.to_vec());
    match &opened {
        Ok(weights) => {
            check_tensors(weights);
            check_against_reference(weights, file);
        }
        Err(error) => check_error(error, Path::new(PATH)),
    }
    opened
}

/// A model's folder with shards for an index to name, and a file outside it that no index may reach.
pub struct Shards {
    root: tempfile::TempDir,
}

impl Shards {
    /// Writes them.
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let shards = Self { root };
        let folder = shards.folder();
        fs::create_dir(&folder).expect("a folder");
        for (name, tensors) in [
            ("1.safetensors", &["a", "b"][..]),
            ("2.safetensors", &["c"]),
            ("again.safetensors", &["a"]),
            ("../outside.safetensors", &["outside"]),
        ] {
            fs::write(folder.join(name), ones(tensors)).expect("a file");
        }
        shards
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("model")
    }

    /// Opens the bytes as the index of these shards and looks at everything in it.
    pub fn open(&self, index: &[u8]) -> Result<Weights, Error> {
        let folder = self.folder();
        let path = folder.join("model.safetensors.index.json");
        // Some file systems wait for the disk where a file is written over.
        let _ = fs::remove_file(&path);
        fs::write(&path, index).expect("a file");
        let opened = Weights::open(&path);
        match &opened {
            Ok(weights) => {
                check_tensors(weights);
                check_index(weights, index, &folder);
            }
            Err(error) => check_error(error, &folder),
        }
        opened
    }
}

/// A file in which each tensor is the number one.
fn ones(tensors: &[&str]) -> Vec<u8> {
    let one = 1f32.to_le_bytes();
    let views = tensors.iter().map(|name| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![], &one);
        (*name, view.expect("four bytes are one number"))
    });
    safetensors::serialize(views, None).expect("a file")
}

/// Every tensor can be found, has the bytes that its shape takes, and becomes `f32` where it holds real numbers.
fn check_tensors(weights: &Weights) {
    assert_eq!(weights.iter().count(), weights.len());
    for tensor in weights.iter() {
        let found = weights.get(tensor.name).expect("a name of the list");
        assert_eq!(found.bytes.as_ptr_range(), tensor.bytes.as_ptr_range());
        check_tensor(&tensor);
    }
}

fn check_tensor(tensor: &TensorView<'_>) {
    let sizes = || tensor.shape.iter().copied();
    let count = sizes().try_fold(1, usize::checked_mul);
    assert_eq!(count, Some(tensor.count()), "{tensor:?}");
    let bytes = tensor.count().checked_mul(tensor.dtype.size());
    assert_eq!(bytes, Some(tensor.bytes.len()), "{tensor:?}");
    match tensor.to_f32() {
        Ok(numbers) => {
            assert!(tensor.dtype.is_real(), "{tensor:?}");
            assert_eq!(numbers.len(), tensor.count(), "{tensor:?}");
        }
        Err(error) => {
            assert!(!tensor.dtype.is_real(), "{tensor:?}");
            check_error(&error, tensor.file);
        }
    }
}

/// What opens here opens in the reference implementation too, and says the same.
fn check_against_reference(weights: &Weights, file: &[u8]) {
    let reference = match SafeTensors::deserialize(file) {
        Ok(reference) => reference,
        // Fields that neither knows are skipped here and parsed there: a number can be too large, a list too deep.
        Err(SafeTensorError::InvalidHeaderDeserialization(e)) if e.is_syntax() => return,
        Err(error) => panic!("the reference refuses what opens here: {error}"),
    };
    assert_eq!(weights.len(), reference.len());
    for tensor in weights.iter() {
        let same = reference.tensor(tensor.name).expect("the same names");
        assert_eq!(tensor.dtype.name(), same.dtype().to_string());
        assert_eq!(tensor.shape, same.shape());
        assert_eq!(tensor.bytes, same.data());
    }
}

/// All files are in the folder, and each tensor of the index is in the shard that it names.
fn check_index(weights: &Weights, index: &[u8], folder: &Path) {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    for file in weights.files() {
        let file = file.canonicalize().expect("an open file");
        let folder = folder.canonicalize().expect("the folder");
        assert_eq!(file.parent(), Some(&*folder), "a shard outside the folder");
    }
    let text = std::str::from_utf8(index).expect("an index is text");
    let index: Index = serde_json::from_str(text).expect("an index is a map");
    for (name, file) in &index.weight_map {
        let tensor = weights.get(name).expect("a tensor of the index");
        assert_eq!(tensor.file, folder.join(file));
    }
}

/// A refusal is of the file or of a tensor, and one short line that begins with the path.
fn check_error(error: &Error, path: &Path) {
    let named = match error {
        Error::Broken { path, .. } | Error::Tensor { path, .. } | Error::Io { path, .. } => path,
        other => panic!("an error of another kind: {other:?}"),
    };
    assert!(named.starts_with(path), "{error}");
    let message = error.to_string();
    let message = message.strip_prefix(&*path.to_string_lossy());
    let message = message.expect("a message begins with the path");
    assert!(!message.contains(char::is_control), "{message:?}");
    assert!(message.chars().count() <= LONGEST_MESSAGE, "{message:?}");
}
