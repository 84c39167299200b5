//! From a checkpoint's tensors to a module's parameters: all of them, or none.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{AllocationProperty, Bytes, DType, Tensor, TensorData};

use crate::mismatch::{Mismatch, Unfit};
use crate::wanted::{Trail, Wanted, wanted};
use crate::{Dtype, Error, KeyMap, TensorView, Weights};

/// What may be amiss between a checkpoint and a module.
#[derive(Clone, Debug, Default)]
pub struct Allow {
    unused: bool,
    missing: Vec<String>,
}

impl Allow {
    /// Nothing: every parameter is in the checkpoint, and every tensor of it is used.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Tensors that no parameter asks for: a tower taken out of a larger model.
    #[must_use]
    pub fn unused(mut self) -> Self {
        self.unused = true;
        self
    }

    /// Parameters that begin with this path and are not in the checkpoint, which keep what they are: a new head.
    #[must_use]
    pub fn missing(mut self, ours: &str) -> Self {
        self.missing.push(ours.to_owned());
        self
    }

    fn misses(&self, path: &str) -> bool {
        self.missing.iter().any(|allowed| {
            let rest = path.strip_prefix(allowed.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// What loading did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadReport {
    /// How many parameters were loaded.
    pub loaded: usize,
    /// Our paths of those that kept what they were.
    pub missing: Vec<String>,
    /// Their tensors that nothing asked for.
    pub unused: Vec<String>,
    /// What stood before all names.
    pub prefix: String,
}

/// The module with its parameters from a checkpoint; floats of any width become what the module's device computes in.
///
/// On flex, parameters that are stored in single precision stay where they are in the mapped files, so nothing is
/// copied before it is changed; where a device makes a copy, the file's memory is given back as soon as it has. Integer and truth-value parameters stay as they are.
///
/// # Errors
/// [`Error::Mismatch`] with all that is missing, left over or of another shape, unless it is allowed; the module is as it
/// was.
pub fn load<M: Module>(
    module: M,
    weights: &Weights,
    map: &KeyMap,
    allow: &Allow,
) -> Result<(M, LoadReport), Error> {
    let (found, report) = fit(&module, weights, map, allow)?;
    let mut loader = Loader {
        weights,
        map,
        trail: Trail::default(),
        found,
    };
    Ok((module.map(&mut loader), report))
}

/// Compares without loading: what [`load`] would say.
///
/// # Errors
/// As [`load`].
pub fn check<M: Module>(
    module: &M,
    weights: &Weights,
    map: &KeyMap,
    allow: &Allow,
) -> Result<LoadReport, Error> {
    fit(module, weights, map, allow).map(|(_, report)| report)
}

/// Names of their tensors, by our path.
type Found = HashMap<String, Vec<String>>;

fn fit<M: Module>(
    module: &M,
    weights: &Weights,
    map: &KeyMap,
    allow: &Allow,
) -> Result<(Found, LoadReport), Error> {
    let wanted = wanted(module, map);
    let names = wanted.iter().flat_map(|want| &want.place.names);
    let names: Vec<&str> = names.map(String::as_str).collect();
    let prefix = map.prefix(&names, |name| weights.get(name).is_some());

    let mut fitting = Fitting::default();
    for want in &wanted {
        fitting.add(want, (map, prefix), weights, allow);
    }
    let Fitting {
        found,
        used,
        kept,
        missed,
        unfit,
    } = fitting;
    let unused = weights
        .names()
        .filter(|name| !used.contains(*name) && !map.is_ignored(name, prefix));
    let unused: Vec<String> = unused.map(str::to_owned).collect();
    let told = if allow.unused { &[][..] } else { &unused };
    let mismatch = Mismatch::new(missed, unfit, &unused, told);
    if !mismatch.is_none() {
        return Err(Error::Mismatch {
            path: weights.path().to_owned(),
            mismatch: Box::new(mismatch),
        });
    }
    let report = LoadReport {
        loaded: found.len(),
        missing: kept,
        unused,
        prefix: prefix.to_owned(),
    };
    Ok((found, report))
}

/// What is known of the parameters looked at so far.
#[derive(Default)]
struct Fitting {
    found: Found,
    /// Their names of all that was asked for.
    used: BTreeSet<String>,
    /// Our paths of those that may miss, and do.
    kept: Vec<String>,
    missed: Vec<String>,
    unfit: Vec<Unfit>,
}

impl Fitting {
    fn add(
        &mut self,
        want: &Wanted,
        (map, prefix): (&KeyMap, &str),
        weights: &Weights,
        allow: &Allow,
    ) {
        let names = want.place.names.iter();
        let names: Vec<String> = names
            .map(|name| {
                let older = map.older(name).map(|older| format!("{prefix}{older}"));
                spelled(want, &format!("{prefix}{name}"), older, weights)
            })
            .collect();
        self.used.extend(names.iter().cloned());
        let missing = names.iter().filter(|name| weights.get(name).is_none());
        let missing: Vec<&String> = missing.collect();
        if missing.is_empty() {
            // Parts of one tensor do not fit together.
            if let Some(unfit) = unfit(want, &names, weights)
                && !self.unfit.contains(&unfit)
            {
                self.unfit.push(unfit);
            }
            self.found.insert(want.ours.clone(), names);
        } else if allow.misses(&want.ours) {
            self.kept.push(want.ours.clone());
        } else {
            for name in missing {
                if !self.missed.contains(name) {
                    self.missed.push(name.clone());
                }
            }
        }
    }
}

/// The name as this checkpoint has it: norms of older ones hold `gamma` and `beta`, and the map may know an older name.
fn spelled(want: &Wanted, name: &str, older: Option<String>, weights: &Weights) -> String {
    let norm = want.old_name.and_then(|old| {
        let (holder, _) = name.rsplit_once('.')?;
        Some(format!("{holder}.{old}"))
    });
    match older.or(norm) {
        Some(old) if weights.get(name).is_none() && weights.get(&old).is_some() => old,
        _ => name.to_owned(),
    }
}

/// What is wrong with the shapes and numbers of tensors that are all there.
fn unfit(want: &Wanted, names: &[String], weights: &Weights) -> Option<Unfit> {
    let views: Vec<TensorView<'_>> = names.iter().filter_map(|name| weights.get(name)).collect();
    let expected = want.whole_shape();
    let unreal = views.iter().find(|view| !view.dtype.is_real());
    let (name, found) = match (unreal, views.as_slice()) {
        (Some(view), _) => (view.name, format!("holds {}", view.dtype.name())),
        (None, [one]) if one.shape == expected || is_same_number(one.shape, &expected) => {
            return None;
        }
        (None, [one]) => (one.name, format!("has shape {:?}", one.shape)),
        (None, many) => {
            let rest = |shape: &[usize]| shape.get(1..).map(<[usize]>::to_vec);
            let same = many.iter().all(|view| rest(view.shape) == rest(&expected));
            let rows: usize = many.iter().filter_map(|view| view.shape.first()).sum();
            if same && Some(&rows) == expected.first() {
                return None;
            }
            let shapes: Vec<_> = many.iter().map(|view| view.shape).collect();
            (
                many.first()?.name,
                format!("and those after it have shapes {shapes:?}"),
            )
        }
    };
    Some(Unfit {
        name: name.to_owned(),
        found,
        expected,
    })
}

/// A single number may have a dimension or none.
fn is_same_number(a: &[usize], b: &[usize]) -> bool {
    matches!((a, b), ([], [1]) | ([1], []))
}

struct Loader<'a> {
    weights: &'a Weights,
    map: &'a KeyMap,
    trail: Trail,
    found: Found,
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.trail.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.trail.leave();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape();
        let want = Wanted::new(&self.trail, shape.as_slice(), self.map);
        let Some(names) = self.found.get(&want.ours) else {
            return param; // allowed to miss
        };
        let views: Vec<_> = names
            .iter()
            .filter_map(|name| self.weights.get(name))
            .collect();
        let lent = Arc::new(());
        let data = data(&want, &views, &lent);
        let device = param.lazy_device();
        let mut tensor = Tensor::<D>::from_data(data, &device);
        if Arc::strong_count(&lent) == 1 {
            views.iter().for_each(TensorView::release); // the device has a copy
        }
        if want.transposed {
            tensor = tensor.swap_dims(0, 1); // a view: matrix products take either order
        }
        let id = param.id;
        param.transform_for_load(tensor, id)
    }
}

/// Bytes of a file, and a mark that they are still in use.
struct Lent(
    bytes::Bytes,
    #[expect(dead_code, reason = "it is counted")] Arc<()>,
);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The numbers of one parameter, in their layout. While they are the file's own bytes, they hold `lent`.
fn data(want: &Wanted, views: &[TensorView<'_>], lent: &Arc<()>) -> TensorData {
    let shape = want.shape.clone();
    match views {
        [one] => {
            let (start, end) = match want.place.part {
                Some((index, of)) => {
                    let length = one.bytes.len() / of;
                    (index * length, (index + 1) * length)
                }
                None => (0, one.bytes.len()),
            };
            match one.dtype {
                Dtype::F32 if is_aligned(&one.bytes[start..end]) => {
                    let bytes = Lent(one.shared(start..end), lent.clone());
                    let bytes = bytes::Bytes::from_owner(bytes);
                    let bytes = Bytes::from_shared(bytes, AllocationProperty::File);
                    TensorData::from_bytes(bytes, shape, DType::F32)
                }
                dtype => TensorData::new(real(dtype, &one.bytes[start..end]), shape),
            }
        }
        many => {
            let numbers: Vec<f32> = many
                .iter()
                .flat_map(|view| real(view.dtype, view.bytes))
                .collect();
            TensorData::new(numbers, shape)
        }
    }
}

/// Whether memory can be read as single-precision numbers of this machine.
fn is_aligned(bytes: &[u8]) -> bool {
    cfg!(target_endian = "little") && bytes.as_ptr().cast::<f32>().is_aligned()
}

fn real(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    dtype.to_f32(bytes).expect("`unfit` names what is not real")
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
