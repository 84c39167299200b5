//! From a checkpoint to a model of its family, and back.

use std::io;
use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use sensorium_hub::{Adapter, Allow, Checkpoint, KeyMap, LoadReport, Merged, Weights};
use serde_json::Value;

use crate::Error;
use crate::bert::{MODULES, SentenceConfig, join, tower_folder};
use crate::config::ModelConfig;

/// A module that the hub's checkpoints are loaded into.
///
/// ```no_run
/// # use burn::tensor::Device;
/// use sensorium_hub::Checkpoint;
/// use sensorium_models::Published;
/// use sensorium_models::clip::ClipModel;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let device = Device::flex();
/// let checkpoint = Checkpoint::open("openai/clip-vit-base-patch32")?; // or a folder
/// let clip = ClipModel::load(&checkpoint, &device)?;
/// println!("{} numbers wide", clip.config.d_embed);
/// clip.save(&checkpoint, "my-clip".as_ref())?; // as Python reads it
/// # Ok(()) }
/// ```
pub trait Published: Module + Sized {
    /// What `config.json` says.
    type Config: ModelConfig;

    /// Whether a checkpoint may hold more than the module: a tower of a larger model.
    const PART: bool = false;

    /// Reads `config.json`; `file` stands for it in messages. A head may refuse what its tower takes.
    ///
    /// # Errors
    /// If a key is missing, has the wrong type, or a value that cannot work.
    fn parse(file: &str, json: &Value) -> Result<Self::Config, Error> {
        Self::Config::parse(file, json)
    }

    /// A model to be loaded; what checkpoints of the family may lack is left out where `weights` lack it.
    fn prepare(config: &Self::Config, weights: &Weights, device: &Device) -> Self;

    /// What checkpoints call its parameters.
    fn key_map(config: &Self::Config) -> KeyMap;

    /// The model of a checkpoint.
    ///
    /// # Errors
    /// If a file is missing or broken, and [`sensorium_hub::Error::Mismatch`] with every tensor that does not fit.
    fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Loaded<Self>, Error> {
        let config = Self::parse("config.json", &checkpoint.config()?)?;
        Self::load_as(config, &checkpoint.weights()?, device)
    }

    /// The same with another configuration, such as one whose `config.json` is elsewhere.
    ///
    /// # Errors
    /// [`sensorium_hub::Error::Mismatch`] with every tensor that does not fit.
    fn load_as(
        config: Self::Config,
        weights: &Weights,
        device: &Device,
    ) -> Result<Loaded<Self>, Error> {
        let allow = match Self::PART {
            true => Allow::nothing().unused(),
            false => Allow::nothing(),
        };
        let model = Self::prepare(&config, weights, device);
        let (model, report) = sensorium_hub::load(model, weights, &Self::key_map(&config), &allow)?;
        Ok(Loaded {
            model,
            config,
            report,
        })
    }
}

/// A model with what it was loaded from.
#[derive(Clone, Debug)]
pub struct Loaded<M: Published> {
    /// The model.
    pub model: M,
    /// Its configuration.
    pub config: M::Config,
    /// What loading found.
    pub report: LoadReport,
}

const CONFIG: &str = "config.json";

/// Files of a checkpoint that say what the model is and how inputs are prepared, which saving takes along.
const BESIDE: [&str; 16] = [
    CONFIG,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "preprocessor_config.json",
    "processor_config.json",
    "generation_config.json",
    "chat_template.jinja",
    "config_sentence_transformers.json",
];

impl<M: Published> Loaded<M> {
    /// Writes the model into a folder in the hub's layout, with the files beside it that the checkpoint has. Names stand
    /// under what they stood under there; the folder may be the checkpoint's own.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn save(&self, checkpoint: &Checkpoint, folder: &Path) -> Result<(), Error> {
        copy_files(checkpoint, folder)?;
        self.write(&folder.join("model.safetensors"))
    }

    /// Writes its weights alone.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let map = M::key_map(&self.config).prefixes([self.report.prefix.as_str()]);
        Ok(sensorium_hub::save(&self.model, &map, path)?)
    }
}

/// Writes a checkpoint with an adapter of PEFT's merged into it, as a folder in the hub's layout, which must not be there yet, with the files
/// beside it that the checkpoint has. Weights are in single precision.
///
/// # Errors
/// If the adapter does not fit the checkpoint, or a file cannot be read or written.
pub fn merge_adapter(
    checkpoint: &Checkpoint,
    adapter: &Adapter,
    folder: &Path,
) -> Result<Merged, Error> {
    let written = |source| {
        let path = folder.to_owned();
        sensorium_hub::Error::Write { path, source }
    };
    if folder.exists() {
        let there = io::Error::other("it exists: name a folder that is not there yet");
        return Err(written(there).into());
    }
    let weights = checkpoint.weights()?;
    let mut aside = folder.as_os_str().to_owned();
    aside.push(".part");
    let aside = Path::new(&aside);
    std::fs::create_dir_all(aside).map_err(written)?;
    let path = aside.join("model.safetensors");
    let merged = sensorium_hub::merge(&weights, adapter, &path)
        .map_err(Error::from)
        .and_then(|merged| copy_files(checkpoint, aside).map(|()| merged))
        .and_then(|merged| {
            std::fs::rename(aside, folder).map_err(written)?;
            Ok(merged)
        });
    if merged.is_err() {
        // What was written so far is of no use; the first error is the one to tell.
        let _ = std::fs::remove_dir_all(aside);
    }
    merged
}

/// Copies the files of a checkpoint that are no weights into a folder, those of its modules included.
pub(crate) fn copy_files(checkpoint: &Checkpoint, folder: &Path) -> Result<(), Error> {
    let mut names: Vec<String> = BESIDE.iter().map(|name| (*name).to_owned()).collect();
    let mut configs = vec![CONFIG.to_owned()];
    if checkpoint.optional(MODULES)?.is_some() {
        let sentence = SentenceConfig::read(|name| {
            names.push(name.to_owned());
            Ok(checkpoint.json(name)?)
        })?;
        names.extend(BESIDE.map(|name| join(&sentence.bert_path, name)));
        configs.push(join(&sentence.bert_path, CONFIG));
    }
    names.sort_unstable();
    names.dedup();
    for name in names {
        let Some(path) = checkpoint.optional(&name)? else {
            continue;
        };
        let single = match configs.contains(&name) {
            true => checkpoint.json(&name)?.and_then(in_single_precision),
            false => None,
        };
        put(&path, single.as_ref(), &folder.join(name))?;
    }
    Ok(())
}

/// Puts a file into a place, or what it is to say instead. What is read and what is written may be one file.
fn put(from: &Path, instead: Option<&Value>, to: &Path) -> Result<(), Error> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(|source| sensorium_hub::Error::Write {
            path: to.to_owned(),
            source,
        })?;
    }
    let there = to.canonicalize().ok();
    if instead.is_none() && there.is_some() && there == from.canonicalize().ok() {
        return Ok(());
    }
    sensorium_hub::write_whole(to, |aside| match instead {
        Some(json) => std::fs::write(aside, serde_json::to_vec_pretty(json)?),
        None => std::fs::copy(from, aside).map(drop),
    })?;
    Ok(())
}

/// A `config.json`, or a part of one, that names single precision, in which weights are saved: Python reads them in what
/// it names. `None` where there is nothing to change.
fn in_single_precision(mut config: Value) -> Option<Value> {
    const SINGLE: &str = "float32";
    fn change(json: &mut Value) -> bool {
        let Value::Object(keys) = json else {
            return false;
        };
        let mut changed = false;
        for (key, value) in keys {
            let named = matches!(key.as_str(), "dtype" | "torch_dtype");
            changed |= match value {
                Value::String(dtype) if named && dtype != SINGLE => {
                    SINGLE.clone_into(dtype);
                    true
                }
                part => change(part),
            };
        }
        changed
    }
    change(&mut config).then_some(config)
}

/// Where a checkpoint's `config.json` is, and what it says: in the model's folder or, of a sentence encoder that has its
/// tower in a folder of its own, there. The folder, empty for the model's own, is that of the weights too.
///
/// # Errors
/// If there is none, or it is no JSON.
pub fn described(checkpoint: &Checkpoint) -> Result<(String, Value), Error> {
    let root = checkpoint.json(CONFIG)?;
    let named = root
        .as_ref()
        .is_some_and(|config| config["model_type"].is_string());
    if !named && let Some(modules) = checkpoint.json(MODULES)? {
        let folder = tower_folder(&modules)?;
        if let (false, Some(config)) = (folder.is_empty(), checkpoint.json(&join(&folder, CONFIG))?)
        {
            return Ok((folder, config));
        }
    }
    match root {
        Some(config) => Ok((String::new(), config)),
        None => Ok((String::new(), checkpoint.config()?)), // says that it is missing
    }
}

/// A tower with a checkpoint's weights, which may hold more than it, or without `weights` as it is laid out.
pub(crate) fn tower<M: Published>(
    checkpoint: &Checkpoint,
    weights: Option<&Weights>,
    init: impl Fn(&M::Config) -> Result<M, Error>,
) -> Result<M, Error> {
    let config = M::parse("config.json", &checkpoint.config()?)?;
    let laid_out = init(&config)?;
    let Some(weights) = weights else {
        return Ok(laid_out);
    };
    let rest = Allow::nothing().unused();
    let (tower, _) = sensorium_hub::load(laid_out, weights, &M::key_map(&config), &rest)?;
    Ok(tower)
}

/// A map of renames alone.
pub(crate) fn pairs(names: &[(&str, &str)]) -> KeyMap {
    let map = KeyMap::new();
    names
        .iter()
        .fold(map, |map, (ours, theirs)| map.rename(ours, theirs))
}

/// Whether a checkpoint has a tensor of this name, under whatever stands before it.
pub(crate) fn holds(weights: &Weights, name: &str) -> bool {
    let below = format!(".{name}");
    weights
        .names()
        .any(|there| there == name || there.ends_with(&below))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use burn::tensor::Device;
    use sensorium_hub::Checkpoint;
    use serde_json::json;

    use super::*;
    use crate::bert::BertModel;
    use crate::clip::ClipModel;

    fn here(path: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        entries
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, std::fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    #[test]
    fn a_model_is_saved_over_itself() {
        let folder = tempfile::tempdir().unwrap();
        let original = Checkpoint::folder(&here("tests/fixtures/bert"));
        let device = Device::flex();
        BertModel::load(&original, &device)
            .unwrap()
            .save(&original, folder.path())
            .unwrap();
        std::fs::write(folder.path().join("vocab.txt"), "a\nb\n").unwrap();
        let before = files(folder.path());
        let own = Checkpoint::folder(folder.path());
        let loaded = BertModel::load(&own, &device).unwrap();
        loaded.save(&own, folder.path()).unwrap();
        assert_eq!(files(folder.path()), before);
    }

    #[test]
    fn what_was_in_half_precision_is_said_to_be_in_single() {
        let folder = tempfile::tempdir().unwrap();
        let half = Checkpoint::folder(&here("../../recipes/tiny-clip"));
        let clip = ClipModel::load(&half, &Device::flex()).unwrap();
        clip.save(&half, folder.path()).unwrap();
        let saved = Checkpoint::folder(folder.path());
        let mut expected = half.config().unwrap();
        assert_eq!(expected["dtype"], "float16");
        expected["dtype"] = json!("float32");
        let config = saved.config().unwrap();
        assert_eq!(config, expected);
        let keys = |json: &Value| {
            json.as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&config), keys(&expected));
        let again = ClipModel::load(&saved, &Device::flex()).unwrap();
        assert_eq!(again.report.loaded, clip.report.loaded);
        // Parts name it too, in the older spelling as well; nothing else is touched.
        let parts = json!({"text_config": {"torch_dtype": "bfloat16", "a": 1}, "dtype": null});
        let single = json!({"text_config": {"torch_dtype": "float32", "a": 1}, "dtype": null});
        assert_eq!(in_single_precision(parts), Some(single.clone()));
        assert_eq!(in_single_precision(single), None);
    }
}
