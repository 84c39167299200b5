//! Loads a checkpoint under the published names, and compares with what the reference made of it.

use std::path::{Path, PathBuf};

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use safetensors::SafeTensors;
use sensorium_hub::Checkpoint;
use sensorium_models::bert::BertInput;
use sensorium_models::{Loaded, Published};

/// A case under `tests/fixtures`.
pub fn fixture(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(case)
}

/// The model of a case, of which every tensor is used.
pub fn load<M: Published>(case: &str, device: &Device) -> Loaded<M> {
    let loaded =
        M::load(&Checkpoint::folder(&fixture(case)), device).expect("a checkpoint that fits");
    assert_eq!(loaded.report.unused, [""; 0]);
    loaded
}

/// What the reference computed.
pub struct Reference(Vec<u8>);

impl Reference {
    pub fn open(case: &str) -> Self {
        let file = fixture(case).join("reference.safetensors");
        Self(std::fs::read(file).expect("the case has a reference"))
    }

    fn bytes(&self, name: &str) -> (Vec<usize>, Vec<u8>) {
        let file = SafeTensors::deserialize(&self.0).expect("a safetensors file");
        let tensor = file.tensor(name).expect(name);
        (tensor.shape().to_vec(), tensor.data().to_vec())
    }

    pub fn has(&self, name: &str) -> bool {
        let file = SafeTensors::deserialize(&self.0).expect("a safetensors file");
        file.tensor(name).is_ok()
    }

    pub fn floats(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let (shape, bytes) = self.bytes(name);
        let numbers = bytes.as_chunks::<4>().0.iter();
        (shape, numbers.map(|b| f32::from_le_bytes(*b)).collect())
    }

    pub fn ints(&self, name: &str) -> (Vec<usize>, Vec<i64>) {
        let (shape, bytes) = self.bytes(name);
        let numbers = bytes.as_chunks::<8>().0.iter();
        (shape, numbers.map(|b| i64::from_le_bytes(*b)).collect())
    }

    fn table(&self, name: &str, device: &Device) -> Tensor<2, Int> {
        let (shape, numbers) = self.ints(name);
        Tensor::from_data(TensorData::new(numbers, shape), device)
    }

    /// Ids, mask and types.
    pub fn input(&self, device: &Device) -> BertInput {
        let pad: Tensor<2, Bool> = self.table("input.mask", device).equal_elem(0);
        BertInput {
            ids: self.table("input.ids", device),
            pad,
            types: self
                .has("input.types")
                .then(|| self.table("input.types", device)),
        }
    }

    /// Panics unless a result equals the reference within `tolerance`, naming it.
    pub fn check(&self, name: &str, shape: &[usize], found: &[f32], tolerance: f32) {
        let (expected_shape, expected) = self.floats(name);
        assert_eq!(shape, expected_shape, "{name}");
        assert_eq!(found.len(), expected.len(), "{name}");
        let differences = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        // `max` passes over NaN, which is no agreement.
        let shown = differences.map(|d| if d.is_nan() { f32::INFINITY } else { d });
        let worst = shown.fold(0f32, f32::max);
        assert!(
            worst <= tolerance,
            "{name} is the first that differs, by {worst}"
        );
    }
}

/// What the comparison says of `pooled` of the case `bert`, changed.
fn changed(change: impl FnOnce(&mut Vec<f32>)) -> std::thread::Result<()> {
    let reference = Reference::open("bert");
    let (shape, mut numbers) = reference.floats("pooled");
    change(&mut numbers);
    std::panic::catch_unwind(|| reference.check("pooled", &shape, &numbers, 1e-4))
}

#[test]
fn the_comparison_can_fail() {
    assert!(changed(|_| ()).is_ok());
    assert!(changed(|numbers| numbers[0] = f32::NAN).is_err());
    assert!(changed(|numbers| numbers[3] += 2e-4).is_err());
    assert!(changed(|numbers| numbers.truncate(5)).is_err());
}
