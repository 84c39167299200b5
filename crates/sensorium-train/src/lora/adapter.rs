//! Additions by themselves, saved as PEFT saves them: `adapter_model.safetensors` and `adapter_config.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use serde_json::{Value, json};

use super::{BETWEEN, LoraConfig, is_matrix};
use crate::Error;
use crate::checkpoint::files::write_file;
use crate::parameters::{Path, Seen};
use crate::tensors::{Tensors, encode_for};

/// What a model has learned beside the one that it began as: its additions, and what learned whole.
#[derive(Clone, Debug)]
pub struct Adapter {
    tensors: Tensors,
    config: Value,
    loose: Vec<String>,
}

impl Adapter {
    /// Of a module that [`add_lora`](super::add_lora) gave additions to, in PyTorch's names and orientation: a linear layer's
    /// matrix is `[out, in]`, and a norm has a `weight` and a `bias`.
    pub fn of<M: Module>(module: &M, config: &LoraConfig) -> Self {
        let parameters = Seen::in_training(module);
        let learned: BTreeSet<&str> = parameters
            .iter()
            .filter(|seen| !seen.is_factor() && config.learns_whole(&seen.path))
            .map(|seen| seen.path.as_str())
            .collect();
        let (modules, loose) = modules(&parameters, &learned);
        let mut collect = Collect {
            path: Path::default(),
            whole: |path: &str| learned.contains(path) || modules.iter().any(|m| below(path, m)),
            tensors: Tensors::new(),
            targets: Vec::new(),
        };
        module.valid().visit(&mut collect);
        let Collect {
            tensors, targets, ..
        } = collect;
        Self {
            tensors,
            config: settings(config, &targets, &modules),
            loose,
        }
    }

    /// Parameters that learned whole and stand in no module of their own, such as a class token: they are in the file, but PEFT has
    /// no place for them and leaves them out when it reads it.
    pub fn unknown_to_peft(&self) -> &[String] {
        &self.loose
    }

    /// Writes both files into a folder that is there, each whole or not at all. `base` says where the model is that they are
    /// added to, if it is anywhere.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be written, [`Error::Unsaveable`] for numbers that safetensors cannot hold.
    pub fn save(&self, folder: &FilePath, base: Option<&str>) -> Result<(), Error> {
        let bytes = encode_for(&self.tensors, Some("pt"))?;
        write_file(&folder.join("adapter_model.safetensors"), &bytes)?;
        let mut config = self.config.clone();
        config["base_model_name_or_path"] = json!(base);
        let mut text = serde_json::to_vec_pretty(&config).expect("a configuration is plain data");
        text.push(b'\n');
        write_file(&folder.join("adapter_config.json"), &text)
    }
}

/// What PEFT 0.21 reads; what is left out has no effect on how an adapter is read.
fn settings(config: &LoraConfig, targets: &[String], modules: &[String]) -> Value {
    // PEFT writes a whole number where it is one.
    let alpha = match config.alpha.fract() == 0.0 && config.alpha < 1e9 {
        true => json!(config.alpha as u64),
        false => json!(config.alpha),
    };
    json!({
        "peft_type": "LORA",
        "task_type": null,
        "base_model_name_or_path": null,
        "revision": null,
        "inference_mode": true,
        "r": config.rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "use_rslora": config.rslora,
        "use_dora": false,
        "target_modules": targets,
        "modules_to_save": match modules.is_empty() {
            true => Value::Null,
            false => json!(modules),
        },
        "bias": "none",
        "fan_in_fan_out": false,
        "init_lora_weights": true,
        "rank_pattern": {},
        "alpha_pattern": {},
        "layers_to_transform": null,
        "layers_pattern": null,
    })
}

/// Whether a parameter lies in a module.
fn below(path: &str, module: &str) -> bool {
    let rest = path.strip_prefix(module);
    rest.is_some_and(|rest| rest.starts_with('.'))
}

/// The modules all of whose parameters are learned whole, the outermost of each; and the parameters that lie in none.
fn modules(parameters: &[Seen], learned: &BTreeSet<&str>) -> (Vec<String>, Vec<String>) {
    let all: BTreeSet<&str> = parameters.iter().flat_map(|s| above(&s.path)).collect();
    let is_whole = |module: &str| {
        let mut inside = parameters.iter().filter(|seen| below(&seen.path, module));
        // What a batch norm remembers does not train, and belongs to it.
        inside.all(|seen| {
            learned.contains(seen.path.as_str()) || own(&seen.path).starts_with("running_")
        })
    };
    // PEFT takes every module whose path ends so, however its name begins.
    let is_named = |module: &str| {
        let mut others = all.iter().filter(|other| **other != module);
        !others.any(|other| other.ends_with(module))
    };
    let (mut modules, mut loose) = (BTreeSet::new(), Vec::new());
    for path in learned {
        match above(path).find(|module| is_whole(module) && is_named(module)) {
            Some(module) => drop(modules.insert(module.to_owned())),
            None => loose.push((*path).to_owned()),
        }
    }
    (modules.into_iter().collect(), loose)
}

/// The modules that a parameter lies in, the outermost first.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('.').map(|(at, _)| &path[..at])
}

/// A parameter's own name.
fn own(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, own)| own)
}

/// What PEFT calls a parameter that was learned whole.
pub(super) fn published(path: &str, holder: &str) -> String {
    let (module, own) = path.rsplit_once('.').unwrap_or(("", path));
    let own = match (own, holder) {
        ("gamma", "LayerNorm" | "RmsNorm" | "BatchNorm" | "GroupNorm" | "InstanceNorm") => "weight",
        ("beta", "LayerNorm" | "BatchNorm" | "GroupNorm" | "InstanceNorm") => "bias",
        (own, _) => own,
    };
    match module {
        "" => own.to_owned(),
        module => format!("{module}.{own}"),
    }
}

/// What PEFT puts before each name.
const PREFIX: &str = "base_model.model.";

struct Collect<F> {
    path: Path,
    /// Whether a parameter is kept whole.
    whole: F,
    tensors: Tensors,
    targets: Vec<String>,
}

impl<F: Fn(&str) -> bool> ModuleVisitor for Collect<F> {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.path.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.dotted();
        if let Some((matrix, factor)) = path.split_once(BETWEEN) {
            let module = matrix.strip_suffix(".weight").unwrap_or(matrix);
            let factor = match factor {
                "a" => {
                    self.targets.push(module.to_owned());
                    "lora_A"
                }
                _ => "lora_B",
            };
            let name = format!("{PREFIX}{module}.{factor}.weight");
            self.tensors.insert(name, turned(param.base()));
        } else if (self.whole)(&path) {
            let holder = self.path.name_and_holder().1;
            let name = format!("{PREFIX}{}", published(&path, holder));
            let data = match is_matrix(&path, holder, &param.base().dims()) {
                true => turned(param.base()),
                false => param.base().into_data(),
            };
            self.tensors.insert(name, data);
        }
    }
}

/// A matrix with rows and columns changed for each other, and laid out so.
fn turned<const D: usize>(matrix: Tensor<D>) -> TensorData {
    matrix.swap_dims(0, 1).into_data()
}

/// Tensors by name, for tests and who looks on.
impl Adapter {
    /// The tensors as they are saved: shapes and single-precision numbers by name.
    pub fn tensors(&self) -> BTreeMap<&str, (&[usize], Vec<f32>)> {
        let shown = |data: &'_ TensorData| data.iter::<f32>().collect();
        let named = self.tensors.iter();
        named
            .map(|(name, data)| (name.as_str(), (data.shape().as_slice(), shown(data))))
            .collect()
    }
}
