//! Weights as a file: the model of a run folder, readable from anywhere.

use std::path::Path;

use burn::module::Module;

use crate::checkpoint::files::{Disk, write_atomically};
use crate::lora::BETWEEN;
use crate::tensors::{Layout, collect, decode, encode, restore};
use crate::{Error, LoraConfig};

/// Writes a module's parameters as safetensors, keyed by path in the module's own layout. The file appears whole or
/// not at all.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use burn::tensor::Device;
/// use burn::nn::LinearConfig;
/// use sensorium_train::{export_weights, import_weights};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("model.safetensors");
/// # let device = Device::flex();
/// let model = LinearConfig::new(3, 2).init(&device);
/// export_weights(&model, &path)?;
/// let same = import_weights(&LinearConfig::new(3, 2).init(&device), &path)?;
/// assert_eq!(same.weight.val().into_data(), model.weight.val().into_data());
/// assert!(import_weights(&LinearConfig::new(3, 4).init(&device), &path).is_err());
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`Error::Io`] if it cannot be written, [`Error::Unsaveable`] for quantised parameters.
pub fn export_weights<M: Module>(module: &M, path: &Path) -> Result<(), Error> {
    let tensors = collect(&module.valid(), Layout::Saved);
    write_atomically(&Disk, path, &encode(&tensors)?)
}

/// The module with all its parameters read from a file that [`export_weights`] wrote, or another in the module's own
/// layout. Floats take the module's own width.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Broken`] if it is not safetensors, and [`Error::Weights`] naming
/// all that is missing, unused or unfit. The module itself is as it was.
pub fn import_weights<M: Module>(module: &M, path: &Path) -> Result<M, Error> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let tensors = decode(&bytes).map_err(|reason| Error::Broken {
        path: path.to_owned(),
        reason,
    })?;
    restore(module, tensors, Layout::Saved).map_err(|misfit| misfit.in_file(path))
}

/// The module with those of its parameters read from such a file whose path begins with `part`, such as `encoders.image.`;
/// all others are as they were, and what else the file holds is not looked at.
///
/// # Errors
/// As [`import_weights`].
pub fn import_part<M: Module>(module: &M, path: &Path, part: &str) -> Result<M, Error> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let tensors = decode(&bytes).map_err(|reason| Error::Broken {
        path: path.to_owned(),
        reason,
    })?;
    let mut all = collect(&module.valid(), Layout::Saved);
    all.retain(|name, _| !name.starts_with(part));
    all.extend(
        tensors
            .into_iter()
            .filter(|(name, _)| name.starts_with(part)),
    );
    restore(module, all, Layout::Saved).map_err(|misfit| misfit.in_file(path))
}

/// The module with those of its parameters read from such a file that the file has in their shape, and the names of all others.
pub(crate) fn import_what_fits<M: Module>(
    module: &M,
    path: &Path,
) -> Result<(M, Vec<String>), Error> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut tensors = decode(&bytes).map_err(|reason| Error::Broken {
        path: path.to_owned(),
        reason,
    })?;
    let (mut all, mut absent) = (collect(&module.valid(), Layout::Saved), Vec::new());
    for (name, data) in &mut all {
        match tensors.remove(name) {
            Some(held) if held.shape() == data.shape() => *data = held,
            _ => absent.push(name.clone()),
        }
    }
    let module = restore(module, all, Layout::Saved).map_err(|misfit| misfit.in_file(path))?;
    Ok((module, absent))
}

/// Whether such a file holds all parameters of a module as they are, but for low-rank additions and what learned whole beside
/// them: whether the module's adapter can be put onto it.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Broken`] if it is not safetensors.
pub fn is_base_of<M: Module>(path: &Path, module: &M, lora: &LoraConfig) -> Result<bool, Error> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let held = decode(&bytes).map_err(|reason| Error::Broken {
        path: path.to_owned(),
        reason,
    })?;
    let all = collect(&module.valid(), Layout::Saved);
    let mut base = all
        .iter()
        .filter(|(name, _)| !name.contains(BETWEEN) && !lora.learns_whole(name));
    Ok(base.all(|(name, data)| {
        held.get(name)
            .is_some_and(|held| held.shape() == data.shape() && held.as_bytes() == data.as_bytes())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::{Param, ParamId, RunningState};
    use burn::nn::{Linear, LinearConfig, LinearLayout};
    use burn::tensor::{Bool, Device, Int, Tensor};
    use sensorium_testkit::{devices, floats, ints, random};

    #[derive(Module, Debug)]
    struct Net {
        first: Linear,
        column: Linear,
        half: Param<Tensor<2>>,
        ids: Param<Tensor<1, Int>>,
        mask: Param<Tensor<1, Bool>>,
        mean: RunningState<Tensor<1>>,
    }

    fn net(seed: u64, d_out: usize, device: &Device) -> Net {
        let mut first = LinearConfig::new(2, d_out).init(device);
        first.weight = Param::from_tensor(random([2, d_out], seed, device));
        Net {
            first,
            column: LinearConfig::new(2, 3)
                .with_layout(LinearLayout::Col)
                .init(device),
            half: Param::from_tensor(random([2, 2], seed + 1, device)),
            ids: Param::initialized(ParamId::new(), Tensor::from_data([seed as i64, 7], device)),
            mask: Param::initialized(ParamId::new(), Tensor::from_data([seed == 1, true], device)),
            mean: RunningState::new(random([2], seed + 2, device)),
        }
    }

    #[test]
    fn what_was_exported_is_imported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        for device in devices() {
            let (a, b) = (net(1, 3, &device), net(2, 3, &device).train());
            export_weights(&a, &path).unwrap();
            let b = import_weights(&b, &path).unwrap();
            assert_eq!(floats(&a.first.weight.val()), floats(&b.first.weight.val()));
            assert_eq!(
                floats(&a.column.weight.val()),
                floats(&b.column.weight.val())
            );
            assert_eq!(ints(&b.ids.val()), [1, 7]);
            assert_eq!(sensorium_testkit::bools(&b.mask.val()), [true, true]);
            assert_eq!(floats(&a.mean.value()), floats(&b.mean.value()));
            assert!(
                b.first.weight.is_require_grad(),
                "imported weights must stay trainable"
            );
            // The column layout is written transposed, as burn-store writes it.
            let tensors = decode(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(tensors["column.weight"].shape().as_slice(), [3, 2]);
            assert_eq!(
                std::fs::read_dir(folder.path()).unwrap().count(),
                1,
                "nothing left over"
            );
        }
    }

    #[test]
    fn all_that_does_not_fit_is_named_and_nothing_changed() {
        #[derive(Module, Debug)]
        struct Other {
            first: Linear,
            other: Param<Tensor<1>>,
            ids: Param<Tensor<1>>,
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        for device in devices() {
            export_weights(&net(1, 3, &device), &path).unwrap();
            let other = Other {
                first: LinearConfig::new(2, 4).init(&device),
                other: Param::from_tensor(random([2], 3, &device)),
                ids: Param::from_tensor(random([2], 4, &device)),
            };
            let before = collect(&other, Layout::Memory);
            let Err(Error::Weights {
                missing,
                unused,
                unfit,
                ..
            }) = import_weights(&other, &path)
            else {
                panic!("must not fit");
            };
            assert_eq!(missing, ["other"]);
            assert_eq!(
                unused,
                ["column.bias", "column.weight", "half", "mask", "mean"]
            );
            assert_eq!(unfit.len(), 3, "{unfit:?}");
            assert!(unfit[0].contains("first.weight has shape [2, 3] instead of [2, 4]"));
            assert_eq!(before, collect(&other, Layout::Memory));
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_at_every_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let device = &devices()[0];
        let model = LinearConfig::new(2, 2).init(device);
        export_weights(&model, &path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(
                matches!(import_weights(&model, &path), Err(Error::Broken { .. })),
                "cut at {cut}"
            );
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(
            import_weights(&model, &path),
            Err(Error::Io { .. })
        ));
    }
}
