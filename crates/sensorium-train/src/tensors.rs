//! Tensors on the host by name, and the safetensors files they are kept in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, BoolStore, DType, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, View};

use crate::Error;
use crate::parameters::Path;

/// Tensors by name.
pub(crate) type Tensors = BTreeMap<String, TensorData>;

/// In which layout parameters are kept: some (Burn's `Linear` with `LinearLayout::Col`) are saved transposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As they lie in memory: what comes back is bit for bit what was there.
    Memory,
    /// As the module wants to be saved, and as `burn-store` saves it.
    Saved,
}

/// Writes tensors as safetensors.
///
/// # Errors
/// [`Error::Unsaveable`] for number formats it does not have.
pub(crate) fn encode(tensors: &Tensors) -> Result<Vec<u8>, Error> {
    encode_for(tensors, None)
}

/// The same for who asks in whose layout it is, such as `pt`.
pub(crate) fn encode_for(tensors: &Tensors, layout: Option<&str>) -> Result<Vec<u8>, Error> {
    struct Shown<'a> {
        dtype: Dtype,
        data: &'a TensorData,
    }
    impl View for Shown<'_> {
        fn dtype(&self) -> Dtype {
            self.dtype
        }
        fn shape(&self) -> &[usize] {
            self.data.shape().as_slice()
        }
        fn data(&self) -> Cow<'_, [u8]> {
            Cow::Borrowed(self.data.as_bytes())
        }
        fn data_len(&self) -> usize {
            self.data.as_bytes().len()
        }
    }
    let unsaveable = |name: &str, dtype: String| Error::Unsaveable {
        parameter: name.to_owned(),
        dtype,
    };
    let shown = tensors
        .iter()
        .map(|(name, data)| {
            let dtype = to_safetensors(data.dtype())
                .ok_or_else(|| unsaveable(name, format!("{:?}", data.dtype())))?;
            Ok((name, Shown { dtype, data }))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let metadata = layout.map(|layout| [("format".to_owned(), layout.to_owned())].into());
    safetensors::serialize(shown, metadata).map_err(|error| unsaveable("(all)", error.to_string()))
}

/// Reads safetensors.
///
/// # Errors
/// What is wrong with the bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<Tensors, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    file.iter()
        .map(|(name, view)| {
            let dtype = from_safetensors(view.dtype())
                .ok_or_else(|| format!("{name}: numbers of type {} are unknown", view.dtype()))?;
            // A bool of any other byte would not be one.
            if view.dtype() == Dtype::BOOL && view.data().iter().any(|byte| *byte > 1) {
                return Err(format!("{name}: holds bytes that are no bools"));
            }
            let data =
                TensorData::try_from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype)
                    .map_err(|error| format!("{name}: {error}"))?;
            Ok((name.to_owned(), data))
        })
        .collect()
}

fn to_safetensors(dtype: DType) -> Option<Dtype> {
    Some(match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 | DType::Flex32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::I16 => Dtype::I16,
        DType::I8 => Dtype::I8,
        DType::U64 => Dtype::U64,
        DType::U32 => Dtype::U32,
        DType::U16 => Dtype::U16,
        DType::U8 => Dtype::U8,
        DType::Bool(BoolStore::Native) => Dtype::BOOL,
        DType::Bool(_) | DType::QFloat(_) => return None,
    })
}

fn from_safetensors(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::I16 => DType::I16,
        Dtype::I8 => DType::I8,
        Dtype::U64 => DType::U64,
        Dtype::U32 => DType::U32,
        Dtype::U16 => DType::U16,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}

/// Reads all parameters of a module back to the host, by path.
pub(crate) fn collect<M: Module>(module: &M, layout: Layout) -> Tensors {
    struct Collect {
        path: Path,
        layout: Layout,
        out: Tensors,
    }
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, holder: &str) {
            self.path.enter(name, holder);
        }
        fn exit_module(&mut self, _name: &str, _holder: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let data = laid_out(param, self.layout).into_data();
            self.out.insert(self.path.dotted(), data);
        }
        fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
            // Backends store ints in different widths.
            let data = param.base().into_data_as::<i64>();
            self.out.insert(self.path.dotted(), data);
        }
        fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
            let value = param.base();
            let shape = value.dims();
            let bools: Vec<bool> = value.into_data().iter::<bool>().collect();
            self.out
                .insert(self.path.dotted(), TensorData::new(bools, shape));
        }
    }
    let mut collect = Collect {
        path: Path::default(),
        layout,
        out: Tensors::new(),
    };
    module.visit(&mut collect);
    collect.out
}

fn laid_out<const D: usize>(param: &Param<Tensor<D>>, layout: Layout) -> Tensor<D> {
    match layout {
        Layout::Memory => param.base(),
        Layout::Saved => param.transform_for_save().base(),
    }
}

/// How tensors do not fit a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) missing: Vec<String>,
    pub(crate) unused: Vec<String>,
    pub(crate) unfit: Vec<String>,
}

impl Misfit {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// All of it as the error of a file.
    pub(crate) fn in_file(self, path: &std::path::Path) -> Error {
        Error::Weights {
            path: path.to_owned(),
            missing: self.missing,
            unused: self.unused,
            unfit: self.unfit,
        }
    }
}

/// The module with all its parameters replaced. Floats become the module's own width.
///
/// # Errors
/// All that does not fit; then nothing was replaced.
pub(crate) fn restore<M: Module>(
    module: &M,
    tensors: Tensors,
    layout: Layout,
) -> Result<M, Misfit> {
    let misfit = compare(module, &tensors, layout);
    if !misfit.is_none() {
        return Err(misfit);
    }
    Ok(module.clone().map(&mut Restore {
        path: Path::default(),
        layout,
        tensors,
    }))
}

fn compare<M: Module>(module: &M, tensors: &Tensors, layout: Layout) -> Misfit {
    let mut compare = Compare {
        path: Path::default(),
        layout,
        tensors,
        seen: Vec::new(),
        misfit: Misfit::default(),
    };
    module.visit(&mut compare);
    let Compare {
        seen, mut misfit, ..
    } = compare;
    misfit.unused = tensors
        .keys()
        .filter(|name| !seen.contains(name))
        .cloned()
        .collect();
    misfit
}

struct Compare<'a> {
    path: Path,
    layout: Layout,
    tensors: &'a Tensors,
    seen: Vec<String>,
    misfit: Misfit,
}

impl Compare<'_> {
    fn check(&mut self, shape: &[usize], kind: &str, fits: impl Fn(DType) -> bool) {
        let path = self.path.dotted();
        match self.tensors.get(&path) {
            None => self.misfit.missing.push(path.clone()),
            Some(data) if data.shape().as_slice() != shape => {
                let found = data.shape().as_slice();
                self.misfit
                    .unfit
                    .push(format!("{path} has shape {found:?} instead of {shape:?}"));
            }
            Some(data) if !fits(data.dtype()) => {
                self.misfit
                    .unfit
                    .push(format!("{path} holds {:?} instead of {kind}", data.dtype()));
            }
            Some(_) => {}
        }
        self.seen.push(path);
    }
}

impl ModuleVisitor for Compare<'_> {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.path.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = laid_out(param, self.layout).dims();
        self.check(&shape, "floats", |dtype| dtype.is_float());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.check(&param.base().dims(), "ints", |dtype| {
            dtype.is_int() || dtype.is_uint()
        });
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.check(&param.base().dims(), "bools", |dtype| {
            matches!(dtype, DType::Bool(_))
        });
    }
}

/// Numbers as a tensor on the device of an old one, with its autodiff: a plain tensor could not require gradients.
fn like<const D: usize>(old: &Tensor<D>, data: TensorData) -> Tensor<D> {
    Tensor::from_data(data, (&old.device(), old.dtype()))
}

/// The same in its place: trained as it was.
fn instead<const D: usize>(old: &Tensor<D>, data: TensorData) -> Tensor<D> {
    match old.is_require_grad() {
        true => like(old, data).require_grad(),
        false => like(old, data),
    }
}

/// The module with every parameter laid out row by row, as one is that comes from a checkpoint: one that was loaded
/// transposed would round otherwise in a run that goes through than in one that is resumed.
pub(crate) fn settle<M: Module>(module: M) -> M {
    struct Settle;
    impl ModuleMapper for Settle {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|old| instead(&old, old.to_data()))
        }
    }
    module.map(&mut Settle)
}

struct Restore {
    path: Path,
    layout: Layout,
    tensors: Tensors,
}

impl Restore {
    fn take(&mut self) -> Option<TensorData> {
        self.tensors.remove(&self.path.dotted())
    }
}

impl ModuleMapper for Restore {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.path.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(data) = self.take() else {
            return param;
        };
        if self.layout == Layout::Saved {
            let (id, value) = (param.id, like(&param.base(), data));
            return param.transform_for_load(value, id);
        }
        param.map(|old| instead(&old, data))
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        match self.take() {
            Some(data) => param.map(|old| Tensor::from_data(data, &old.device())),
            None => param,
        }
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        match self.take() {
            Some(data) => param.map(|old| Tensor::from_data(data, &old.device())),
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{LinearConfig, LinearLayout};
    use burn::tensor::Device;
    use proptest::prelude::*;
    use sensorium_testkit::{devices, random};

    fn some() -> Tensors {
        Tensors::from([
            (
                "a.weight".to_owned(),
                TensorData::new(vec![1.0f32, -2.0, 0.5, f32::NAN], [2, 2]),
            ),
            ("ids".to_owned(), TensorData::new(vec![3i64, -1], [2])),
            (
                "mask".to_owned(),
                TensorData::new(vec![true, false, true], [3]),
            ),
        ])
    }

    #[test]
    fn what_is_encoded_is_decoded_bit_for_bit() {
        let decoded = decode(&encode(&some()).unwrap()).unwrap();
        assert_eq!(decoded.len(), 3);
        for (name, data) in some() {
            assert_eq!(decoded[&name].as_bytes(), data.as_bytes());
            assert_eq!(
                (decoded[&name].shape(), decoded[&name].dtype()),
                (data.shape(), data.dtype())
            );
        }
    }

    #[test]
    fn settling_changes_no_number_nor_what_trains() {
        for device in devices().into_iter().map(Device::autodiff) {
            let column = LinearConfig::new(2, 2).with_layout(LinearLayout::Col);
            let mut linear = column.init(&device);
            linear.bias = None;
            let turned: Tensor<2> = random([3, 2], 1, &device).transpose();
            let row = Param::from_tensor(turned);
            let before = (
                collect(&linear, Layout::Memory),
                collect(&row, Layout::Memory),
            );
            let (linear, row) = (settle(linear), settle(row));
            let after = (
                collect(&linear, Layout::Memory),
                collect(&row, Layout::Memory),
            );
            assert_eq!(before, after);
            assert!(linear.weight.is_require_grad() && row.is_require_grad());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn nor_does_any_damage_to_a_good_file(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = encode(&some()).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(tensors) = decode(&bytes) {
                let held = tensors.values().map(|data| data.as_bytes().len()).sum::<usize>();
                prop_assert!(held <= bytes.len());
                let bools = |data: &&TensorData| matches!(data.dtype(), DType::Bool(_));
                tensors.values().filter(bools).for_each(|data| assert!(data.as_slice::<bool>().is_ok()));
            }
        }
    }
}
