//! Additions to a module: which matrices get one, what stays as it is, and what they begin as.

use std::collections::BTreeSet;

use burn::module::{Flag, LoraAdapter, Module, ModuleMapper, Param, Reparameterizer};
use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use sensorium_core::seed;

use super::{BETWEEN, LoraConfig, is_matrix};
use crate::Error;
use crate::groups::{matches, nearest};
use crate::parameters::{Path, Seen};

/// The module with an addition to each matrix that is named, and all else frozen but what is to learn whole. It answers as it
/// did: additions begin at zero. What is frozen already gets none, and stays so.
///
/// They are drawn on the host, so that they begin alike on every backend.
///
/// # Errors
/// [`Error::Config`], [`Error::NoMatrix`] for a pattern that names nothing that could learn, and [`Error::AddedTo`] if the module
/// has additions already.
pub fn add_lora<M: Module>(module: M, config: &LoraConfig, seed: u64) -> Result<M, Error> {
    config.validate()?;
    let parameters = Seen::in_training(&module);
    if let Some(seen) = parameters.iter().find(|seen| seen.is_factor()) {
        return Err(Error::AddedTo {
            path: seen.path.clone(),
        });
    }
    let also = whole(config, &parameters)?;
    let on = added_to(config, &parameters, &also)?;
    let module = module.map(&mut Still {
        path: Path::default(),
        also: &also,
    });
    Ok(module.apply_reparameterization(Attach {
        config,
        seed: seed::derive(seed, &[seed::of_name("lora")]),
        on,
        also,
    }))
}

impl Seen {
    /// All parameters of floats of a module that may stand in `valid()` mode, where none tells whether it is trainable.
    pub(super) fn in_training<M: Module>(module: &M) -> Vec<Self> {
        Self::of(&module.clone().train())
    }

    /// Whether it belongs to an addition.
    pub(super) fn is_factor(&self) -> bool {
        self.path.contains(BETWEEN)
    }

    fn is_matrix(&self) -> bool {
        is_matrix(&self.path, &self.holder, &self.shape)
    }
}

/// The parameters that learn whole.
fn whole(config: &LoraConfig, parameters: &[Seen]) -> Result<BTreeSet<String>, Error> {
    let mut named = BTreeSet::new();
    for pattern in &config.also {
        let found = || {
            parameters
                .iter()
                .filter(|seen| matches(pattern, &seen.path))
        };
        let learn: Vec<&Seen> = found().filter(|seen| seen.trains).collect();
        if learn.is_empty() && !LoraConfig::is_default_also(pattern) {
            let paths: Vec<&str> = parameters.iter().map(|seen| seen.path.as_str()).collect();
            return Err(Error::NoMatrix {
                key: "lora.also",
                pattern: pattern.clone(),
                why: match found().next() {
                    Some(_) => "all of which is frozen".to_owned(),
                    None => format!(
                        "which no parameter matches; the nearest is {:?}, and --dry-run lists all",
                        nearest(pattern, &paths)
                    ),
                },
            });
        }
        named.extend(learn.iter().map(|seen| seen.path.clone()));
    }
    Ok(named)
}

/// The matrices that are added to.
fn added_to(
    config: &LoraConfig,
    parameters: &[Seen],
    also: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Error> {
    // An addition that is no smaller than the matrix saves nothing: such a matrix can as well learn whole.
    let smaller = |seen: &Seen| {
        let [d_in, d_out] = [seen.shape[0], seen.shape[1]];
        config.rank.saturating_mul(d_in + d_out) < d_in * d_out
    };
    let matrices = || parameters.iter().filter(|seen| seen.is_matrix());
    let mut named = BTreeSet::new();
    for pattern in &config.on {
        let found: Vec<&Seen> = matches_of(pattern, matrices());
        let learn = found.iter().filter(|seen| seen.trains);
        let left: Vec<&Seen> = learn
            .copied()
            .filter(|seen| !also.contains(&seen.path) && smaller(seen))
            .collect();
        if left.is_empty() && !LoraConfig::is_default_on(pattern) {
            let paths: Vec<&str> = matrices().map(|seen| seen.path.as_str()).collect();
            return Err(Error::NoMatrix {
                key: "lora.on",
                pattern: pattern.clone(),
                why: nothing_left(pattern, &found, also, &paths),
            });
        }
        named.extend(left.iter().map(|seen| seen.path.clone()));
    }
    match named.is_empty() {
        true => Err(Error::NoMatrix {
            key: "lora.on",
            pattern: config.on.join(", "),
            why: "which names no matrix that could learn by an addition: name others, or wake what is frozen"
                .to_owned(),
        }),
        false => Ok(named),
    }
}

fn matches_of<'a>(pattern: &str, of: impl Iterator<Item = &'a Seen>) -> Vec<&'a Seen> {
    of.filter(|seen| matches(pattern, &seen.path)).collect()
}

/// Why a pattern names no matrix that is added to.
fn nothing_left(pattern: &str, found: &[&Seen], also: &BTreeSet<String>, paths: &[&str]) -> String {
    if found.is_empty() {
        return format!(
            "which no matrix of a linear layer matches; the nearest is {:?}, and --dry-run lists all",
            nearest(pattern, paths)
        );
    }
    if found.iter().all(|seen| !seen.trains) {
        return "all of which is frozen: wake it (see frozen, and tune of a published tower), or name others"
            .to_owned();
    }
    match found.iter().any(|seen| also.contains(&seen.path)) {
        true => "which lora.also names too: what learns whole needs no addition",
        false => "whose matrices are no larger than additions of this rank: name them in lora.also, or make lora.rank smaller",
    }
    .to_owned()
}

/// Batch norms that are no part of what learns whole keep what they have learned: it would move with the batches.
struct Still<'a> {
    path: Path,
    also: &'a BTreeSet<String>,
}

impl ModuleMapper for Still<'_> {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.path.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.path.exit();
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        let path = self.path.dotted();
        let norm = path.rsplit_once('.').map_or("", |(norm, _)| norm);
        let learns = |name: &str| self.also.contains(&format!("{norm}.{name}"));
        match self.path.name_and_holder().1 == "BatchNorm" && !learns("gamma") {
            true => flag.with_value(false),
            false => flag,
        }
    }
}

/// Puts additions where they belong, and freezes what does not learn.
struct Attach<'a> {
    config: &'a LoraConfig,
    seed: u64,
    on: BTreeSet<String>,
    also: BTreeSet<String>,
}

impl Reparameterizer for Attach<'_> {
    type Reparam = LoraAdapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<LoraAdapter>) {
        if self.also.contains(path) {
            return (param, None);
        }
        let base = param.base();
        let param = param.set_require_grad(false);
        if !self.on.contains(path) {
            return (param, None);
        }
        let [d_in, d_out] = [base.dims()[0], base.dims()[1]];
        let rank = self.config.rank;
        // PyTorch's own beginning of a linear layer, as PEFT has it.
        let most = 1.0 / (d_in as f32).sqrt();
        let mut rng = seed::rng(self.seed, &[seed::of_name(path)]);
        let a: Vec<f32> = (0..d_in * rank)
            .map(|_| rng.random_range(-most..most))
            .collect();
        let device = base.device();
        let factor = |numbers: Vec<f32>, shape: [usize; 2]| {
            let data = TensorData::new(numbers, shape);
            Param::from_tensor(Tensor::<2>::from_data(data, (&device, base.dtype())))
        };
        let adapter = LoraAdapter {
            a: factor(a, [d_in, rank]),
            b: factor(vec![0.0; rank * d_out], [rank, d_out]),
            scale: self.config.scale(),
        };
        (param, Some(adapter))
    }
}
