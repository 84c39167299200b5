//! A module's parameters back into a checkpoint, under the published names and in the published layout.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor, TensorData};
use safetensors::tensor::TensorView;

use crate::wanted::{Trail, Wanted};
use crate::whole::write_whole;
use crate::{Error, KeyMap};

/// Writes the parameters in single precision, and the map's constants, as one safetensors file that the family's other
/// implementations read. What LoRA adds is in them. The file appears whole or not at all.
///
/// # Errors
/// [`Error::Write`] if it cannot be written.
///
/// # Panics
/// If the map gives two parameters one name, or the parts of a joined tensor are not equal.
pub fn save<M: Module>(module: &M, map: &KeyMap, path: &Path) -> Result<(), Error> {
    let mut visitor = Collect {
        trail: Trail::default(),
        map,
        whole: BTreeMap::new(),
        parts: BTreeMap::new(),
    };
    module.valid().visit(&mut visitor);
    let Collect {
        mut whole, parts, ..
    } = visitor;
    for (name, parts) in parts {
        whole.insert(name, stacked(parts));
    }
    for (name, constant) in map.constants() {
        let name = format!("{}{name}", map.saved_prefix());
        let numbers = TensorData::new(constant.numbers.to_vec(), constant.shape.clone());
        whole.insert(name, numbers);
    }
    write(&whole, path)
}

type Tensors = BTreeMap<String, TensorData>;

struct Collect<'a> {
    trail: Trail,
    map: &'a KeyMap,
    whole: Tensors,
    parts: BTreeMap<String, Vec<Option<TensorData>>>,
}

impl Collect<'_> {
    fn put(&mut self, name: &str, data: TensorData) {
        let name = format!("{}{name}", self.map.saved_prefix());
        let before = self.whole.insert(name.clone(), data);
        assert!(before.is_none(), "two parameters are called {name}");
    }
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.trail.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.trail.leave();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut tensor = param.transform_for_save().val();
        let dims = tensor.dims();
        let want = Wanted::new(&self.trail, &dims, self.map);
        if want.transposed {
            tensor = tensor.swap_dims(0, 1);
        }
        let mut data = tensor.into_data().convert::<f32>();
        if want.scalar {
            data = TensorData::new(numbers(&data).to_vec(), Vec::<usize>::new());
        }
        match (want.place.part, want.place.names.as_slice()) {
            (None, [name]) => self.put(name, data),
            (Some((index, of)), names) => {
                let name = format!("{}{}", self.map.saved_prefix(), names[0]);
                let parts = self.parts.entry(name).or_insert_with(|| vec![None; of]);
                parts[index] = Some(data);
            }
            (None, names) => {
                for (name, data) in names.iter().zip(split(&data, names.len())) {
                    self.put(name, data);
                }
            }
        }
    }
}

fn numbers(data: &TensorData) -> &[f32] {
    data.as_slice().expect("converted to f32")
}

/// Equal parts along the first dimension.
fn split(data: &TensorData, count: usize) -> Vec<TensorData> {
    let mut shape = data.shape().to_vec();
    assert_eq!(shape[0] % count, 0, "{shape:?} has no {count} equal parts");
    shape[0] /= count;
    let numbers = numbers(data);
    let parts = numbers.chunks_exact(numbers.len() / count);
    parts
        .map(|part| TensorData::new(part.to_vec(), shape.clone()))
        .collect()
}

/// Parts one after the other along the first dimension.
fn stacked(parts: Vec<Option<TensorData>>) -> TensorData {
    let parts: Vec<TensorData> = parts.into_iter().flatten().collect();
    let mut shape = parts[0].shape().to_vec();
    shape[0] = parts.iter().map(|part| part.shape()[0]).sum();
    let all: Vec<f32> = parts.iter().flat_map(numbers).copied().collect();
    TensorData::new(all, shape)
}

fn write(tensors: &Tensors, path: &Path) -> Result<(), Error> {
    let views = tensors.iter().map(|(name, data)| {
        let dtype = match data.dtype() {
            DType::I64 => safetensors::Dtype::I64, // a constant
            _ => safetensors::Dtype::F32,
        };
        let view = TensorView::new(dtype, data.shape().to_vec(), data.as_bytes());
        (name, view.expect("the bytes of its shape"))
    });
    // Python refuses files that do not say which framework's layout they have.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    write_whole(path, |aside| {
        safetensors::serialize_to_file(views, Some(metadata), aside).map_err(io::Error::other)
    })
}
