//! Checkpoints that Transformers wrote, with what it computed, from `tools/parity/models/vision_towers.py` and
//! `image_text.py`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};
use sensorium_core::Recorder;
use sensorium_hub::{Checkpoint, Weights};
use sensorium_testkit::floats;
use sensorium_text::TextBatch;
use serde_json::Value;

use crate::{Loaded, Published};

/// As close as float32 gets through a few layers.
const TOLERANCE: f32 = 1e-4;

/// Tensors of a file by name: shape and values.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

pub(crate) struct Case {
    pub(crate) config: Value,
    folder: PathBuf,
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
            reference: read(&folder.join("reference.safetensors")),
            folder,
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

    /// The model with the checkpoint's weights: all of its parameters, and all of the checkpoint's tensors.
    pub(crate) fn load<M: Published>(&self, device: &Device) -> Loaded<M> {
        let checkpoint = Checkpoint::folder(&self.folder);
        let loaded = M::load(&checkpoint, device).expect("a checkpoint that fits");
        assert_eq!(loaded.report.unused, [""; 0], "tensors are left over");
        self.check_saving(&loaded, &checkpoint);
        loaded
    }

    /// What is saved is what was there.
    fn check_saving<M: Published>(&self, loaded: &Loaded<M>, checkpoint: &Checkpoint) {
        let folder = tempfile::tempdir().expect("a folder");
        loaded.save(checkpoint, folder.path()).expect("saved");
        let saved = Weights::open(folder.path()).expect("weights");
        let original = checkpoint.weights().expect("weights");
        for tensor in original.iter() {
            let same = saved.get(tensor.name).expect(tensor.name);
            assert_eq!(
                (same.shape, same.bytes),
                (tensor.shape, tensor.bytes),
                "{}",
                tensor.name
            );
        }
        assert_eq!(saved.len(), original.len());
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
