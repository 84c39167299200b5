//! The tensors of a checkpoint: one safetensors file or many, mapped into memory and never copied whole.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;

use crate::error::{shortened, shown};
use crate::header::{self, Header};
use crate::mapped::Mapped;
use crate::once::Once;
use crate::{Dtype, Error};

/// The names that published folders give their weights.
pub(crate) const SINGLE: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// Extensions of pickled weights.
pub(crate) const PICKLED: [&str; 5] = ["bin", "pt", "pth", "ckpt", "pkl"];

/// The largest index that is read, in bytes: those of the largest published models have some megabytes.
const LARGEST_INDEX: u64 = 64 << 20;

/// The longest name of a file that common systems take, in bytes.
const LONGEST_NAME: usize = 255;

/// All tensors of a checkpoint, by name.
///
/// Files are mapped into memory: opening costs their headers, and a tensor's bytes are read when they are looked at. They
/// must not change while this is alive, as with any memory-mapped file.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    shards: Vec<Shard>,
    /// Name → shard.
    places: BTreeMap<String, usize>,
}

struct Shard {
    path: PathBuf,
    map: Mapped,
    header: Header,
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the bytes, of which there are gigabytes.
        f.debug_tuple("Shard").field(&self.path).finish()
    }
}

/// One tensor, as the file has it.
#[derive(Clone, Copy)]
pub struct TensorView<'a> {
    /// Its name.
    pub name: &'a str,
    /// How its numbers are stored.
    pub dtype: Dtype,
    /// Its shape; empty for a single number.
    pub shape: &'a [usize],
    /// Its numbers, little-endian, the last dimension closest.
    pub bytes: &'a [u8],
    /// The file it is in.
    pub file: &'a Path,
    map: &'a Mapped,
}

impl fmt::Debug for TensorView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TensorView")
            .field("name", &self.name)
            .field("dtype", &self.dtype)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl TensorView<'_> {
    /// Its numbers as single precision.
    ///
    /// # Errors
    /// If they are whole numbers or truth values.
    pub fn to_f32(&self) -> Result<Vec<f32>, Error> {
        self.dtype.to_f32(self.bytes).ok_or_else(|| {
            let problem = format!("holds {}, not real numbers", self.dtype.name());
            Error::tensor(self.file, self.name, problem)
        })
    }

    /// A range of its bytes that lives on its own, without a copy.
    pub(crate) fn shared(&self, range: Range<usize>) -> Bytes {
        self.map.bytes().slice_ref(&self.bytes[range])
    }

    /// Its bytes have been copied: they need not stay in memory.
    pub(crate) fn release(&self) {
        self.map.release(self.bytes);
    }

    /// How many numbers it has.
    pub fn count(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }
}

/// `model.safetensors.index.json`
#[derive(Deserialize)]
#[serde(expecting = "a weight_map of tensors and their shards")]
struct Index {
    /// Tensor → the name of its shard.
    weight_map: Once<String>,
}

impl Index {
    /// The shards' names, each a plain file beside the index.
    fn files(&self, path: &Path) -> Result<Vec<&str>, Error> {
        let mut files: Vec<&str> = self.weight_map.0.values().map(String::as_str).collect();
        files.sort_unstable();
        files.dedup();
        files
            .iter()
            .try_for_each(|file| refuse_outside(path, file))?;
        Ok(files)
    }
}

/// Names of the shards that an index speaks of.
pub(crate) fn shard_names(path: &Path) -> Result<Vec<String>, Error> {
    let index = read_index(path)?;
    Ok(index.files(path)?.into_iter().map(str::to_owned).collect())
}

fn read_index(path: &Path) -> Result<Index, Error> {
    let size = std::fs::metadata(path)
        .map_err(|error| Error::io(path, error))?
        .len();
    if size > LARGEST_INDEX {
        let problem = format!("has {size} bytes, more than the {LARGEST_INDEX} an index may have");
        return Err(Error::broken(path, problem));
    }
    let no_index = |why: &str| Error::broken(path, format!("is no index of shards: {why}"));
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    // The whole of it: a reader of JSON does not look into what it skips.
    let text = str::from_utf8(&bytes).map_err(|error| no_index(&error.to_string()))?;
    serde_json::from_str(text).map_err(|error| no_index(&shortened(&error.to_string())))
}

impl Weights {
    /// Opens a safetensors file, an index of shards, or a folder that has one of them.
    ///
    /// # Errors
    /// If there is none, it is a pickle, a file breaks the format or is cut off, or the index and its shards do not agree.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            return Self::open_folder(path);
        }
        let extension = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        match extension {
            "json" => Self::open_index(path),
            _ if PICKLED.contains(&extension) => Err(pickle(path)),
            _ => Self::of_shards(path, vec![Shard::open(path)?]),
        }
    }

    /// Reads a safetensors file that is in memory: part of the program, or unpacked from an archive. `path` stands for it in
    /// messages and need not exist; `bytes` is a `Vec<u8>`, what `include_bytes!` gives, or another owner of bytes, and is not
    /// copied.
    ///
    /// ```
    /// use sensorium_hub::Weights;
    ///
    /// # const HEADER: &[u8; 62] = br#"{"scale":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}  "#;
    /// # let file = [&62u64.to_le_bytes()[..], HEADER, &[0, 0x3c, 0, 0xc0]].concat();
    /// # macro_rules! include_bytes { ($name:literal) => { file } }
    /// let weights = Weights::from_bytes("scale.safetensors", include_bytes!("scale.safetensors"))?;
    /// let scale = weights.get("scale").expect("it is in the file");
    /// assert_eq!(scale.to_f32()?, [1.0, -2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If they break the format or are cut off.
    pub fn from_bytes(
        path: impl Into<PathBuf>,
        bytes: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<Self, Error> {
        let path = path.into();
        let shard = Shard::read(&path, Bytes::from_owner(bytes).into())?;
        Self::of_shards(&path, vec![shard])
    }

    fn open_folder(folder: &Path) -> Result<Self, Error> {
        for name in [SINGLE, INDEX] {
            let path = folder.join(name);
            if path.is_file() {
                return Self::open(&path);
            }
        }
        let entries = std::fs::read_dir(folder).map_err(|error| Error::io(folder, error))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect();
        names.sort();
        let pickled = |name: &&String| {
            let extension = Path::new(name.as_str()).extension();
            extension.is_some_and(|e| PICKLED.iter().any(|p| e == *p))
        };
        // The weights' own names first: a folder may hold the state of an optimizer too.
        let is_model = |name: &&String| name.starts_with("pytorch_model");
        let mut found = names.iter().filter(pickled);
        if let Some(name) = found.clone().find(is_model).or_else(|| found.next()) {
            return Err(pickle(&folder.join(name)));
        }
        let found = match names.len() {
            0 => "nothing".to_owned(),
            _ => names
                .iter()
                .take(8)
                .map(|name| shown(name))
                .collect::<Vec<_>>()
                .join(", "),
        };
        Err(Error::NoWeights {
            path: folder.to_owned(),
            found,
        })
    }

    fn open_index(path: &Path) -> Result<Self, Error> {
        let index = read_index(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let files = index.files(path)?;
        let shards = files
            .into_iter()
            .map(|file| Shard::open(&folder.join(file)))
            .collect::<Result<Vec<_>, _>>()?;
        let weights = Self::of_shards(path, shards)?;
        for (tensor, file) in &index.weight_map.0 {
            let found = weights
                .places
                .get(tensor)
                .map(|shard| &weights.shards[*shard].path);
            if found != Some(&folder.join(file)) {
                let problem = format!("is not in {}, where the index says it is", shown(file));
                return Err(Error::tensor(path, tensor, problem));
            }
        }
        Ok(weights)
    }

    fn of_shards(path: &Path, shards: Vec<Shard>) -> Result<Self, Error> {
        let mut places = BTreeMap::new();
        for (i, shard) in shards.iter().enumerate() {
            for name in shard.header.tensors.keys() {
                if let Some(other) = places.insert(name.clone(), i) {
                    let other = shards[other].path.display();
                    return Err(Error::tensor(
                        &shard.path,
                        name,
                        format!("is in {other} too"),
                    ));
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            shards,
            places,
        })
    }

    /// What was opened: a file, or an index; for bytes, what stands for them.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that hold the tensors; for bytes, what stands for them.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.shards.iter().map(|shard| shard.path.as_path())
    }

    /// Names in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// A tensor, if there is one of this name.
    pub fn get(&self, name: &str) -> Option<TensorView<'_>> {
        let (name, shard) = self.places.get_key_value(name)?;
        let shard = &self.shards[*shard];
        let entry = &shard.header.tensors[name];
        Some(TensorView {
            name,
            dtype: entry.dtype,
            shape: &entry.shape,
            bytes: &shard.map.bytes()[entry.bytes.clone()],
            file: &shard.path,
            map: &shard.map,
        })
    }

    /// All tensors in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = TensorView<'_>> {
        self.names().filter_map(|name| self.get(name))
    }

    /// What the files' makers wrote beside the tensors, such as `format` = `pt`. The first file's word counts.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let mut found = self
            .shards
            .iter()
            .filter_map(|shard| shard.header.metadata.get(key));
        found.next().map(String::as_str)
    }
}

impl Shard {
    fn open(path: &Path) -> Result<Self, Error> {
        Self::read(path, Mapped::open(path)?)
    }

    fn read(path: &Path, map: Mapped) -> Result<Self, Error> {
        let header = header::parse(path, map.bytes())?;
        Ok(Self {
            path: path.to_owned(),
            map,
            header,
        })
    }
}

/// A shard must be a file beside its index: no folder, no way up, no other drive, and a name that can be shown.
fn refuse_outside(index: &Path, file: &str) -> Result<(), Error> {
    let mut parts = Path::new(file).components();
    let plain = matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    );
    // A separator of another system is no name either.
    let sayable = file.len() <= LONGEST_NAME && !file.contains(char::is_control);
    match plain && sayable && !file.contains(['/', '\\', ':']) {
        true => Ok(()),
        false => Err(Error::broken(
            index,
            format!(
                "names the shard \"{}\", which is not a file beside it",
                shown(file)
            ),
        )),
    }
}

/// Refuses a pickle with the line that converts it; of shards, all into one file.
fn pickle(path: &Path) -> Error {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let files = match name.starts_with("pytorch_model-") {
        true => format!(
            "glob.glob({})",
            quoted(&path.with_file_name("pytorch_model-*.bin"))
        ),
        false => format!("[{}]", quoted(path)),
    };
    let to = quoted(&path.with_file_name(SINGLE));
    let command = format!(
        "python -c \"import glob, torch; from safetensors.torch import save_file; \
         save_file({{k: v.contiguous().clone() for f in {files} for k, v in \
         torch.load(f, map_location='cpu', weights_only=True).items()}}, {to}, {{'format': 'pt'}})\""
    );
    Error::Pickle {
        path: path.to_owned(),
        command,
    }
}

/// A path as a string of Python within double quotes of the shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', '\\', c]),
            '"' | '$' | '`' => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
#[path = "weights_tests.rs"]
mod tests;
