//! An adapter onto a module: additions to its matrices, and parameters that take the place of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;

use burn::module::{LoraAdapter, Module, Param, ParamId, Reparameterizer};
use burn::tensor::{Tensor, TensorData};

use super::adapter::published;
use super::is_matrix;
use crate::Error;
use crate::parameters::Seen;
use crate::tensors::Misfit;
use crate::weights::import_what_fits;

/// What an adapter adds to one linear layer, in PyTorch's orientation.
#[derive(Clone, Debug)]
pub struct Addition {
    /// `[rank, in]`
    pub a: TensorData,
    /// `[out, rank]`
    pub b: TensorData,
    /// What their product is multiplied with.
    pub scale: f64,
}

/// An adapter's tensors by the paths of a module, without what PEFT puts before them.
#[derive(Clone, Debug, Default)]
pub struct Additions {
    /// By the path of the linear layer.
    pub factors: BTreeMap<String, Addition>,
    /// Parameters that were learned whole, by PyTorch's name of each.
    pub whole: BTreeMap<String, TensorData>,
}

/// The module with an adapter's additions on its matrices, and those of its parameters replaced that were learned whole.
/// [`materialize`](Module::materialize) merges the additions. `file` names the adapter in messages.
///
/// # Errors
/// [`Error::AddedTo`] if the module has additions already, and [`Error::Weights`] naming all that does not fit.
pub fn with_adapter<M: Module>(
    module: M,
    additions: Additions,
    file: &FilePath,
) -> Result<M, Error> {
    let parameters = Seen::in_training(&module);
    if let Some(seen) = parameters.iter().find(|seen| seen.is_factor()) {
        return Err(Error::AddedTo {
            path: seen.path.clone(),
        });
    }
    let misfit = compare(&parameters, &additions);
    if !misfit.is_none() {
        return Err(misfit.in_file(file));
    }
    let matrices = parameters
        .iter()
        .filter(|seen| is_matrix(&seen.path, &seen.holder, &seen.shape))
        .map(|seen| seen.path.clone())
        .collect();
    let names = parameters
        .into_iter()
        .map(|seen| {
            let name = published(&seen.path, &seen.holder);
            (seen.path, name)
        })
        .collect();
    Ok(module.apply_reparameterization(Onto {
        additions,
        names,
        matrices,
    }))
}

/// The same of a module that is read from a file of weights, in its own layout, where the file has a parameter in its shape: what the
/// adapter replaces need not be there.
///
/// # Errors
/// As [`with_adapter`] and [`import_weights`](crate::import_weights).
pub fn import_with_adapter<M: Module>(
    module: &M,
    base: &FilePath,
    additions: Additions,
    file: &FilePath,
) -> Result<M, Error> {
    let (module, absent) = import_what_fits(module, base)?;
    let parameters = Seen::in_training(&module);
    let holder = |path: &str| {
        let seen = parameters.iter().find(|seen| seen.path == path);
        seen.map_or("", |seen| &seen.holder)
    };
    let misfit = Misfit {
        missing: absent
            .into_iter()
            .filter(|path| !additions.whole.contains_key(&published(path, holder(path))))
            .collect(),
        ..Misfit::default()
    };
    if !misfit.is_none() {
        return Err(misfit.in_file(base));
    }
    with_adapter(module, additions, file)
}

/// All of an adapter that has no place in a module.
fn compare(parameters: &[Seen], additions: &Additions) -> Misfit {
    let mut misfit = Misfit::default();
    let mut check = |name: &str, found: &[usize], expected: &[usize]| {
        if found != expected {
            misfit.unfit.push(format!(
                "{name} has shape {found:?} instead of {expected:?}"
            ));
        }
    };
    let mut known = BTreeSet::new();
    for seen in parameters {
        let matrix = is_matrix(&seen.path, &seen.holder, &seen.shape);
        let module = seen.path.strip_suffix(".weight").filter(|_| matrix);
        if let Some((module, added)) = module.and_then(|m| Some((m, additions.factors.get(m)?))) {
            known.insert(module.to_owned());
            // A rank that both agree on, whatever it is.
            let rank = added.b.shape().last().copied().unwrap_or(0);
            let [d_in, d_out] = [seen.shape[0], seen.shape[1]];
            check(
                &format!("{module}.lora_A"),
                &added.a.shape().to_vec(),
                &[rank, d_in],
            );
            check(
                &format!("{module}.lora_B"),
                &added.b.shape().to_vec(),
                &[d_out, rank],
            );
        }
        let name = published(&seen.path, &seen.holder);
        if let Some(data) = additions.whole.get(&name) {
            let mut expected = seen.shape.clone();
            if matrix {
                expected.reverse();
            }
            check(&name, &data.shape().to_vec(), &expected);
            known.insert(name);
        }
    }
    let names = additions.factors.keys().chain(additions.whole.keys());
    let unknown = names.filter(|name| !known.contains(*name));
    misfit.unused = unknown.cloned().collect();
    misfit
}

struct Onto {
    additions: Additions,
    /// PyTorch's name of each parameter.
    names: BTreeMap<String, String>,
    matrices: BTreeSet<String>,
}

impl Reparameterizer for Onto {
    type Reparam = LoraAdapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<LoraAdapter>) {
        let matrix = self.matrices.contains(path);
        let whole = self.names.get(path);
        let whole = whole.and_then(|name| self.additions.whole.remove(name));
        let param = match whole {
            None => param,
            Some(data) => param.map(|old| {
                let trains = old.is_require_grad();
                let new: Tensor<D> = Tensor::from_data(data, (&old.device(), old.dtype()));
                let new = match matrix {
                    true => new.swap_dims(0, 1).detach(),
                    false => new,
                };
                new.set_require_grad(trains)
            }),
        };
        let module = path.strip_suffix(".weight").filter(|_| matrix);
        let Some(added) = module.and_then(|module| self.additions.factors.remove(module)) else {
            return (param, None);
        };
        let base = param.base();
        let factor = |data: TensorData| {
            let factor: Tensor<2> = Tensor::from_data(data, (&base.device(), base.dtype()));
            Param::initialized(ParamId::new(), factor.transpose())
        };
        let adapter = LoraAdapter {
            a: factor(added.a),
            b: factor(added.b),
            scale: added.scale,
        };
        (param, Some(adapter))
    }
}
