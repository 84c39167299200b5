//! An adapter as PEFT saves it: low-rank additions to a model's matrices, and tensors that take the place of the model's own.

mod config;
mod merge;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use merge::{Merged, merge};

use crate::error::shown;
use crate::{Error, TensorView, Weights};
use config::Config;

/// The name of its tensors' file.
const WEIGHTS: &str = "adapter_model.safetensors";
/// What PEFT puts before each name.
const PREFIX: &str = "base_model.model.";

/// A LoRA (arXiv 2106.09685) in PEFT's layout, checked as a whole: `adapter_config.json` and `adapter_model.safetensors`.
#[derive(Debug)]
pub struct Adapter {
    weights: Weights,
    config: Config,
    factors: BTreeMap<String, Names>,
    /// By the name that the model has for it.
    whole: BTreeMap<String, String>,
}

/// The tensors of one addition.
#[derive(Debug)]
struct Names {
    a: String,
    b: String,
    scale: f64,
    /// Whether it is added to a table of vectors instead of a linear layer's matrix.
    table: bool,
}

/// An addition to one module's matrix `[out, in]`: `scale · b · a`.
#[derive(Clone, Copy, Debug)]
pub struct Factors<'a> {
    /// The module, as the model has it.
    pub module: &'a str,
    /// `[rank, in]`
    pub a: TensorView<'a>,
    /// `[out, rank]`
    pub b: TensorView<'a>,
    /// What their product is multiplied with.
    pub scale: f64,
    /// Whether it is added to a table of vectors `[count, out]`, whose rows `a` counts as inputs.
    pub table: bool,
}

impl Adapter {
    /// Opens a folder.
    ///
    /// # Errors
    /// If a file is missing or broken, it is no LoRA, or of a kind whose additions are not `scale · b · a`.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let config = Config::open(folder)?;
        let weights = Weights::open(&folder.join(WEIGHTS))?;
        let (mut pairs, mut whole) = (BTreeMap::<String, Pair>::new(), BTreeMap::new());
        for tensor in weights.iter() {
            let refuse = |problem: String| Error::tensor(tensor.file, tensor.name, problem);
            let Some(name) = tensor.name.strip_prefix(PREFIX) else {
                let problem = format!("is no name of PEFT's: they begin with {PREFIX}");
                return Err(refuse(problem));
            };
            match Part::of(name) {
                Part::Whole => drop(whole.insert(name.to_owned(), tensor.name.to_owned())),
                Part::Unknown => {
                    let problem = "is no factor of LoRA's, and no tensor that a model has";
                    return Err(refuse(problem.to_owned()));
                }
                Part::Factor { module, at, table } => {
                    if tensor.shape.len() != 2 {
                        let problem = format!(
                            "has shape {:?}: only additions to matrices can be merged",
                            tensor.shape
                        );
                        return Err(refuse(problem));
                    }
                    let pair = pairs.entry(module.to_owned()).or_default();
                    pair.0[at] = Some(tensor.name.to_owned());
                    pair.1 |= table;
                }
            }
        }
        if pairs.is_empty() {
            let problem = "holds no additions: no tensor of it ends in lora_A.weight";
            return Err(Error::broken(weights.path(), problem));
        }
        let factors = pairs
            .into_iter()
            .map(|(module, pair)| Ok((module.clone(), named(&module, pair, &weights, &config)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            weights,
            config,
            factors,
            whole,
        })
    }

    /// The file of its tensors.
    pub fn path(&self) -> PathBuf {
        self.weights.path().to_owned()
    }

    /// Its additions, by the module's name.
    pub fn factors(&self) -> impl Iterator<Item = Factors<'_>> {
        let tensor = |name: &str| self.weights.get(name).expect("it was there when opened");
        self.factors.iter().map(move |(module, names)| Factors {
            module,
            a: tensor(&names.a),
            b: tensor(&names.b),
            scale: names.scale,
            table: names.table,
        })
    }

    /// Tensors that take the place of the model's, by its name for them.
    pub fn whole(&self) -> impl Iterator<Item = (&str, TensorView<'_>)> {
        let tensor = |name: &str| self.weights.get(name).expect("it was there when opened");
        self.whole
            .iter()
            .map(move |(name, own)| (name.as_str(), tensor(own)))
    }
}

/// The names of both factors, and whether they belong to a table.
#[derive(Default)]
struct Pair([Option<String>; 2], bool);

/// What a tensor is, by its name.
enum Part<'a> {
    Factor {
        module: &'a str,
        at: usize,
        table: bool,
    },
    Whole,
    Unknown,
}

impl<'a> Part<'a> {
    fn of(name: &'a str) -> Self {
        for (end, at, table) in [
            (".lora_A.weight", 0, false),
            (".lora_B.weight", 1, false),
            (".lora_embedding_A", 0, true),
            (".lora_embedding_B", 1, true),
        ] {
            if let Some(module) = name.strip_suffix(end) {
                return Self::Factor { module, at, table };
            }
        }
        match name.contains(".lora_") || name.contains(".base_layer.") {
            true => Self::Unknown,
            false => Self::Whole,
        }
    }
}

/// An addition whose two factors are there and agree with each other and the configuration.
fn named(module: &str, pair: Pair, weights: &Weights, config: &Config) -> Result<Names, Error> {
    let Pair([Some(a), Some(b)], table) = pair else {
        let problem = format!("{} has one factor of two", shown(module));
        return Err(Error::broken(weights.path(), problem));
    };
    let shape = |name: &str| weights.get(name).map_or(&[][..], |tensor| tensor.shape);
    let (rank, other) = (shape(&a)[0], shape(&b)[1]);
    let expected = config.rank(module);
    if rank != other || rank != expected {
        let problem = format!(
            "{} has factors of rank {rank} and {other}, and adapter_config.json says {expected}",
            shown(module)
        );
        return Err(Error::broken(weights.path(), problem));
    }
    Ok(Names {
        a,
        b,
        scale: config.scale(module),
        table,
    })
}
