//! From a checkpoint to a model of its family, and back.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use sensorium_hub::{Allow, Checkpoint, KeyMap, LoadReport, Weights};
use serde_json::Value;

use crate::Error;
use crate::bert::{MODULES, SentenceConfig};

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
    type Config: Clone;

    /// Whether a checkpoint may hold more than the module: a tower of a larger model.
    const PART: bool = false;

    /// Reads `config.json`; `file` stands for it in messages.
    ///
    /// # Errors
    /// If a key is missing, has the wrong type, or a value that cannot work.
    fn parse(file: &str, json: &Value) -> Result<Self::Config, Error>;

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

/// Files of a checkpoint that say what the model is and how inputs are prepared, which saving takes along.
const BESIDE: [&str; 11] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "preprocessor_config.json",
    "processor_config.json",
    "generation_config.json",
];

impl<M: Published> Loaded<M> {
    /// Writes the model into a folder in the hub's layout, with the files beside it that the checkpoint has. Names stand
    /// under what they stood under there.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn save(&self, checkpoint: &Checkpoint, folder: &Path) -> Result<(), Error> {
        copy_files(checkpoint, folder)?;
        let map = M::key_map(&self.config).prefixes([self.report.prefix.as_str()]);
        sensorium_hub::save(&self.model, &map, &folder.join("model.safetensors"))?;
        Ok(())
    }
}

/// Copies the files of a checkpoint that are no weights into a folder, those of its modules included.
pub(crate) fn copy_files(checkpoint: &Checkpoint, folder: &Path) -> Result<(), Error> {
    let mut names: Vec<String> = BESIDE.iter().map(|name| (*name).to_owned()).collect();
    if checkpoint.optional(MODULES)?.is_some() {
        SentenceConfig::read(|name| {
            names.push(name.to_owned());
            Ok(checkpoint.json(name)?)
        })?;
    }
    for name in names {
        let Some(path) = checkpoint.optional(&name)? else {
            continue;
        };
        let to = folder.join(name);
        let written = |source| sensorium_hub::Error::Write {
            path: to.clone(),
            source,
        };
        std::fs::create_dir_all(to.parent().unwrap_or(folder)).map_err(written)?;
        std::fs::copy(path, &to).map_err(written)?;
    }
    Ok(())
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
