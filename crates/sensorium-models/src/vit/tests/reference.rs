//! Checkpoints that Transformers wrote, with what it computed, from `tools/parity/models/vision_towers.py` and
//! `image_text.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};
use sensorium_core::Recorder;
use sensorium_testkit::floats;
use sensorium_text::TextBatch;
use serde_json::Value;

use crate::vit::Rename;

/// As close as float32 gets through a few layers.
const TOLERANCE: f32 = 1e-4;

/// Those of ours that a tensor of theirs holds one after the other along the output dimension.
pub(crate) type Parts = Option<([String; 2], String)>;

/// The same for any number of parts.
pub(crate) type AnyParts = (Vec<String>, String);

/// Tensors of a file by name: shape and values.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

pub(crate) struct Case {
    pub(crate) config: Value,
    weights: Tensors,
    reference: Tensors,
}

impl Case {
    pub(crate) fn open(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name);
        let config = std::fs::read(folder.join("config.json")).expect("a config");
        Self {
            config: serde_json::from_slice(&config).expect("JSON"),
            weights: read(&folder.join("model.safetensors")),
            reference: read(&folder.join("reference.safetensors")),
        }
    }

    pub(crate) fn input(&self, device: &Device) -> Tensor<4> {
        let (shape, values) = &self.reference["input.pixels"];
        Tensor::from_data(TensorData::new(values.clone(), shape.clone()), device)
    }

    /// Ids and padding of the input.
    pub(crate) fn texts(&self, device: &Device) -> TextBatch {
        let whole = |name: &str| -> Tensor<2, Int> {
            let (shape, values) = &self.reference[name];
            let values: Vec<i64> = values.iter().map(|v| *v as i64).collect();
            Tensor::from_data(TensorData::new(values, shape.clone()), device)
        };
        TextBatch {
            ids: whole("input.ids"),
            pad: whole("input.mask").equal_elem(0),
        }
    }

    /// The module with the checkpoint's weights: all of its parameters, and all of the checkpoint's tensors.
    pub(crate) fn load<M: Module>(&self, module: M, names: &[Rename], parts: Parts) -> M {
        let parts = parts.map(|(ours, theirs)| (ours.to_vec(), theirs));
        self.load_parts(module, names, parts.into_iter().collect())
    }

    /// The same with any number of tensors of theirs that hold several of ours.
    pub(crate) fn load_parts<M: Module>(
        &self,
        module: M,
        names: &[Rename],
        parts: Vec<AnyParts>,
    ) -> M {
        let mut loader = Loader {
            weights: &self.weights,
            names,
            parts,
            path: Vec::new(),
            used: BTreeSet::new(),
        };
        let module = module.map(&mut loader);
        let all: BTreeSet<String> = self.weights.keys().cloned().collect();
        assert_eq!(loader.used, all, "tensors of the checkpoint are left over");
        module
    }

    /// Panics at the first of the layers that differs from the reference.
    pub(crate) fn compare_layers(&self, seen: &Recorder, prefix: &str) {
        self.compare_tower(seen, prefix, "");
    }

    /// The same where their layers stand under a prefix too.
    pub(crate) fn compare_tower(&self, seen: &Recorder, prefix: &str, theirs: &str) {
        let hidden = format!("{theirs}hidden.");
        let layers = self.reference.keys().filter(|k| k.starts_with(&hidden));
        for layer in 0..layers.count() {
            let ours = match layer {
                0 => format!("{prefix}embeds"),
                n => format!("{prefix}encoder.blocks.{}.output", n - 1),
            };
            let (shape, values) = seen.get(&ours).expect("a layer seen");
            self.compare_values(&format!("{hidden}{layer}"), shape, values);
        }
        let (shape, values) = seen
            .get(&format!("{prefix}encoder.output"))
            .expect("the last hidden state");
        self.compare_values(&format!("{theirs}last_hidden_state"), shape, values);
    }

    pub(crate) fn compare<const D: usize>(&self, name: &str, found: &Tensor<D>) {
        self.compare_values(name, &found.dims(), &floats(found));
    }

    fn compare_values(&self, name: &str, shape: &[usize], found: &[f32]) {
        let (expected_shape, expected) = &self.reference[name];
        assert_eq!(shape, expected_shape, "{name}");
        let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
        let worst = differences.fold(0.0, f32::max);
        assert!(worst <= TOLERANCE, "{name} differs by {worst}");
        assert!(found.iter().all(|v| v.is_finite()), "{name} is not finite");
    }
}

fn read(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).expect("a fixture");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    file.iter()
        .map(|(name, view)| {
            let values: Vec<f32> = match view.dtype() {
                Dtype::I64 => {
                    let values = view.data().chunks_exact(8);
                    let whole = |b: &[u8]| i64::from_le_bytes(b.try_into().expect("eight bytes"));
                    values.map(|b| whole(b) as f32).collect()
                }
                _ => {
                    let values = view.data().chunks_exact(4);
                    let float = |b: &[u8]| f32::from_le_bytes(b.try_into().expect("four bytes"));
                    values.map(float).collect()
                }
            };
            (name.to_owned(), (view.shape().to_vec(), values))
        })
        .collect()
}

struct Loader<'a> {
    weights: &'a Tensors,
    names: &'a [Rename],
    parts: Vec<AnyParts>,
    /// Names of fields, and the types they are in.
    path: Vec<(String, String)>,
    used: BTreeSet<String>,
}

impl Loader<'_> {
    /// Their name of the parameter at hand, and which of how many parts of it is ours.
    fn theirs(&self) -> (String, Option<(usize, usize)>) {
        let names = self.path.iter().map(|(name, container)| {
            let norm = container.ends_with(":LayerNorm");
            match name.as_str() {
                "gamma" if norm => "weight",
                "beta" if norm => "bias",
                other => other,
            }
        });
        let path: Vec<&str> = names.filter(|name| *name != "layer").collect();
        for (ours, theirs) in &self.parts {
            for (part, one) in ours.iter().enumerate() {
                if let Some(name) = renamed(&path, one, theirs) {
                    return (name, Some((part, ours.len())));
                }
            }
        }
        let mut renamed = self.names.iter().filter_map(|(a, b)| renamed(&path, a, b));
        let name = renamed.next().unwrap_or_else(|| path.join("."));
        assert_eq!(renamed.next(), None, "{name} has a second name");
        (name, None)
    }
}

/// Their name of a path that begins with `ours`.
fn renamed(path: &[&str], ours: &str, theirs: &str) -> Option<String> {
    let ours: Vec<&str> = ours.split('.').collect();
    let (begin, rest) = path.split_at_checked(ours.len())?;
    let mut theirs = theirs.to_owned();
    for (found, wanted) in begin.iter().zip(ours) {
        match wanted {
            "{}" => theirs = theirs.replacen("{}", found, 1),
            _ if *found == wanted => (),
            _ => return None,
        }
    }
    let theirs = std::iter::once(theirs.as_str());
    Some(
        theirs
            .chain(rest.iter().copied())
            .collect::<Vec<_>>()
            .join("."),
    )
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push((name.to_owned(), container.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (name, part) = self.theirs();
        let linear = self.path.last().expect("a path").1.ends_with(":Linear");
        let (shape, values) = self
            .weights
            .get(&name)
            .unwrap_or_else(|| panic!("{name} is not in {:?}", self.weights.keys()));
        let (mut shape, mut values) = (shape.clone(), values.clone());
        if let Some((part, count)) = part {
            shape[0] /= count;
            let len = values.len() / count;
            values = values[part * len..(part + 1) * len].to_vec();
        }
        if shape.is_empty() {
            shape = vec![1]; // a scalar there
        }
        let data = TensorData::new(values, shape);
        let mut tensor = Tensor::<D>::from_data(data, &param.lazy_device());
        if linear && D == 2 {
            tensor = tensor.swap_dims(0, 1);
        }
        assert_eq!(tensor.dims(), param.lazy_shape().dims(), "{name}");
        self.used.insert(name);
        Param::from_tensor(tensor)
    }
}
