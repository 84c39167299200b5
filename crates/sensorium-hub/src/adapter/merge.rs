//! A checkpoint with an adapter merged into it, tensor by tensor, under the names that it has.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use safetensors::View;

use super::{Adapter, Factors};
use crate::error::shown;
use crate::whole::write_whole;
use crate::{Dtype, Error, TensorView, Weights};

/// What merging came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// How many matrices were added to.
    pub added_to: usize,
    /// Tensors that were replaced.
    pub replaced: Vec<String>,
    /// Tensors that the checkpoint did not have, such as those of a new head.
    pub new: Vec<String>,
}

/// Writes a checkpoint's tensors with an adapter merged into them as one file: real numbers in single precision, all else as it is.
/// The file appears whole or not at all.
///
/// Where the adapter was trained on the model inside of the checkpoint's (`encoder.…` for `bert.encoder.…`) or on one around it, what
/// stands before all of its names is found out.
///
/// # Errors
/// [`Error::Broken`] with the first of the adapter's names that the checkpoint lacks or that has another shape there, and
/// [`Error::Write`].
pub fn merge(base: &Weights, adapter: &Adapter, path: &Path) -> Result<Merged, Error> {
    let around = Around::of(base, adapter)?;
    let mut out: BTreeMap<String, Tensor<'_>> = base
        .iter()
        .map(|tensor| (tensor.name.to_owned(), Tensor::Own(tensor)))
        .collect();
    let mut merged = Merged::default();
    for factors in adapter.factors() {
        let name = around.name(&format!("{}.weight", factors.module));
        let Some(Tensor::Own(tensor)) = out.get(&name) else {
            return Err(lacks(base, adapter, &name));
        };
        let sum = added(*tensor, &factors, adapter)?;
        let shape = tensor.shape.to_vec();
        out.insert(name, Tensor::New(shape, sum));
        merged.added_to += 1;
    }
    for (name, tensor) in adapter.whole() {
        let name = around.name(name);
        match base.get(&name) {
            None => merged.new.push(name.clone()),
            Some(before) if before.shape == tensor.shape => merged.replaced.push(name.clone()),
            Some(before) => {
                let problem = format!(
                    "{} has shape {:?}, and {:?} in {}",
                    shown(&name),
                    tensor.shape,
                    before.shape,
                    base.path().display()
                );
                return Err(Error::broken(&adapter.path(), problem));
            }
        }
        out.insert(name, Tensor::Own(tensor));
    }
    // Python refuses files that do not say which framework's layout they have.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    write_whole(path, |aside| {
        safetensors::serialize_to_file(out, Some(metadata), aside).map_err(io::Error::other)
    })?;
    Ok(merged)
}

/// A tensor that is written.
enum Tensor<'a> {
    Own(TensorView<'a>),
    New(Vec<usize>, Vec<f32>),
}

impl View for Tensor<'_> {
    fn dtype(&self) -> safetensors::Dtype {
        match self {
            Self::Own(tensor) if !tensor.dtype.is_real() => plain(tensor.dtype),
            _ => safetensors::Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Own(tensor) => tensor.shape,
            Self::New(shape, _) => shape,
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        match self {
            Self::Own(tensor) if matches!(tensor.dtype, Dtype::F32) || !tensor.dtype.is_real() => {
                Cow::Borrowed(tensor.bytes)
            }
            Self::Own(tensor) => {
                let numbers = tensor.to_f32().expect("real numbers");
                Cow::Owned(bytes(&numbers))
            }
            Self::New(_, numbers) => Cow::Owned(bytes(numbers)),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Self::Own(tensor) if !tensor.dtype.is_real() => tensor.bytes.len(),
            Self::Own(tensor) => tensor.count() * 4,
            Self::New(_, numbers) => numbers.len() * 4,
        }
    }
}

/// A format of no real numbers, as the writer has it.
fn plain(dtype: Dtype) -> safetensors::Dtype {
    match dtype {
        Dtype::Bool => safetensors::Dtype::BOOL,
        Dtype::U8 => safetensors::Dtype::U8,
        Dtype::I8 => safetensors::Dtype::I8,
        Dtype::U16 => safetensors::Dtype::U16,
        Dtype::I16 => safetensors::Dtype::I16,
        Dtype::U32 => safetensors::Dtype::U32,
        Dtype::I32 => safetensors::Dtype::I32,
        Dtype::U64 => safetensors::Dtype::U64,
        Dtype::I64 => safetensors::Dtype::I64,
        Dtype::F16 | Dtype::Bf16 | Dtype::F32 | Dtype::F64 => safetensors::Dtype::F32,
    }
}

/// A matrix with what is added to it.
fn added(
    base: TensorView<'_>,
    factors: &Factors<'_>,
    adapter: &Adapter,
) -> Result<Vec<f32>, Error> {
    let Factors { a, b, scale, .. } = *factors;
    let ([rank, d_in], [d_out, _]) = ([a.shape[0], a.shape[1]], [b.shape[0], b.shape[1]]);
    // A table's rows are its inputs; some models keep linear layers so as well.
    let by_input = factors.table || adapter.config.fan_in_fan_out;
    let expected = match by_input {
        true => [d_in, d_out],
        false => [d_out, d_in],
    };
    if base.shape != expected {
        let problem = format!(
            "adds {expected:?} to {}, which has shape {:?} in {}",
            shown(base.name),
            base.shape,
            base.file.display()
        );
        return Err(Error::broken(&adapter.path(), problem));
    }
    let (mut sum, a, b) = (base.to_f32()?, a.to_f32()?, b.to_f32()?);
    let mut row = vec![0f64; d_in];
    for o in 0..d_out {
        row.fill(0.0);
        for k in 0..rank {
            let factor = f64::from(b[o * rank + k]) * scale;
            let inputs = &a[k * d_in..(k + 1) * d_in];
            let pairs = row.iter_mut().zip(inputs);
            pairs.for_each(|(sum, a)| *sum += factor * f64::from(*a));
        }
        for (i, delta) in row.iter().enumerate() {
            let at = if by_input {
                i * d_out + o
            } else {
                o * d_in + i
            };
            sum[at] = (f64::from(sum[at]) + delta) as f32;
        }
    }
    Ok(sum)
}

/// What the checkpoint's names have before the adapter's, or the adapter's before them.
#[derive(Clone, Copy, Debug)]
enum Around<'a> {
    Base(&'a str),
    Adapter(&'a str),
}

impl Around<'_> {
    fn of<'a>(base: &'a Weights, adapter: &'a Adapter) -> Result<Around<'a>, Error> {
        let first = adapter.factors().next().map_or("", |first| first.module);
        let end = format!(".{first}.weight");
        let before = base
            .names()
            .filter_map(|name| name.strip_suffix(end.as_str()));
        let after = first.match_indices('.').map(|(at, _)| &first[..at]);
        let mut ways = [Around::Base("")]
            .into_iter()
            .chain(before.map(Around::Base))
            .chain(after.map(Around::Adapter));
        let fits = |way: &Around<'_>| {
            adapter.factors().all(|f| {
                let name = way.name(&format!("{}.weight", f.module));
                base.get(&name).is_some()
            })
        };
        ways.find(fits).ok_or_else(|| {
            let names = adapter.factors().map(|f| format!("{}.weight", f.module));
            let missing = names.filter(|name| base.get(name).is_none()).min();
            lacks(base, adapter, &missing.unwrap_or_default())
        })
    }

    fn name(&self, name: &str) -> String {
        match self {
            Self::Base("") => name.to_owned(),
            Self::Base(before) => format!("{before}.{name}"),
            Self::Adapter(before) => {
                let rest = name
                    .strip_prefix(before)
                    .and_then(|rest| rest.strip_prefix('.'));
                rest.unwrap_or(name).to_owned()
            }
        }
    }
}

/// That the adapter adds to what is not there.
fn lacks(base: &Weights, adapter: &Adapter, name: &str) -> Error {
    // Names are compared up to some length and number: files may hold any.
    let near = base.names().take(20_000).filter(|name| name.len() < 256);
    let near = near.min_by_key(|known| strsim::damerau_levenshtein(&shown(name), known));
    let near = near.map_or(String::new(), |near| format!("; the nearest is {near}"));
    let problem = format!(
        "adds to {}, which {} does not have{near}",
        shown(name),
        base.path().display()
    );
    Error::broken(&adapter.path(), problem)
}
