//! What a reference implementation made of some inputs, and whether ours makes the same: the first layer that differs is
//! named.
//!
//! A case is a folder that a script under `tools/parity` wrote: a checkpoint in the hub's layout, and
//! `reference.safetensors` with the inputs (`input.…`), every hidden state (`hidden.0` is what the blocks take, `hidden.N`
//! what the last one gives), and the outputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};
use sensorium_core::Recorder;

use crate::floats;

/// As close as float32 gets through a model's layers.
pub const PARITY: f32 = 1e-4;

/// The inputs and results of one case.
pub struct Reference {
    file: PathBuf,
    tensors: BTreeMap<String, Stored>,
    tolerance: f32,
}

struct Stored {
    shape: Vec<usize>,
    values: Values,
}

enum Values {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

impl Reference {
    /// Reads `reference.safetensors` of a case.
    ///
    /// # Panics
    /// If there is none, or it holds other numbers than f32 and i64.
    pub fn open(case: &Path) -> Self {
        let file = case.join("reference.safetensors");
        let bytes = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let tensors = SafeTensors::deserialize(&bytes)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let tensors = tensors.iter().map(|(name, view)| {
            let values = match view.dtype() {
                Dtype::F32 => Values::Floats(numbers(view.data(), f32::from_le_bytes)),
                Dtype::I64 => Values::Ints(numbers(view.data(), i64::from_le_bytes)),
                other => panic!("{}: {name} holds {other:?}", file.display()),
            };
            let shape = view.shape().to_vec();
            (name.to_owned(), Stored { shape, values })
        });
        Self {
            tensors: tensors.collect(),
            tolerance: PARITY,
            file,
        }
    }

    /// The largest absolute difference that passes, [`PARITY`] unless said otherwise.
    #[must_use]
    pub fn within(mut self, tolerance: f32) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Whether the case has a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The names of tensors that begin like this.
    pub fn names(&self, start: &str) -> impl Iterator<Item = &str> {
        let names = self.tensors.keys().map(String::as_str);
        names.filter(move |name| name.starts_with(start))
    }

    /// Shape and numbers of a float tensor.
    ///
    /// # Panics
    /// If there is none of this name.
    pub fn floats(&self, name: &str) -> (&[usize], &[f32]) {
        match self.stored(name) {
            Stored {
                shape,
                values: Values::Floats(values),
            } => (shape, values),
            _ => panic!("{}: {name} holds whole numbers", self.file.display()),
        }
    }

    /// Shape and numbers of an integer tensor.
    ///
    /// # Panics
    /// If there is none of this name.
    pub fn ints(&self, name: &str) -> (&[usize], &[i64]) {
        match self.stored(name) {
            Stored {
                shape,
                values: Values::Ints(values),
            } => (shape, values),
            _ => panic!("{}: {name} holds real numbers", self.file.display()),
        }
    }

    fn stored(&self, name: &str) -> &Stored {
        let found = self.tensors.get(name);
        found.unwrap_or_else(|| panic!("{}: there is no {name}", self.file.display()))
    }

    /// A float input.
    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let (shape, values) = self.floats(name);
        Tensor::from_data(TensorData::new(values.to_vec(), shape.to_vec()), device)
    }

    /// An integer input.
    pub fn ids<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D, Int> {
        let (shape, values) = self.ints(name);
        Tensor::from_data(TensorData::new(values.to_vec(), shape.to_vec()), device)
    }

    /// A mask, which is 1 where something is, as the padding: true where it is 0.
    pub fn pad<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D, Bool> {
        self.ids(name, device).equal_elem(0)
    }

    /// Panics unless `found` is the reference's tensor of this name.
    ///
    /// # Panics
    /// If shapes differ, or numbers by more than the tolerance; NaN differs from everything.
    #[track_caller]
    pub fn check<const D: usize>(&self, name: &str, found: &Tensor<D>) {
        self.check_values(name, &found.dims(), &floats(found));
    }

    /// The same for numbers on the host.
    ///
    /// # Panics
    /// As [`check`](Self::check).
    #[track_caller]
    pub fn check_values(&self, name: &str, shape: &[usize], found: &[f32]) {
        let (expected_shape, expected) = self.floats(name);
        let case = self.file.display();
        assert_eq!(shape, expected_shape, "{case}: {name}: shapes differ");
        assert_eq!(found.len(), expected.len(), "{case}: {name}: counts differ");
        let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
        // `max` passes over NaN, which is no agreement.
        let differences = differences.map(|d| if d.is_nan() { f32::INFINITY } else { d });
        let worst = differences.fold(0.0, f32::max);
        assert!(
            worst <= self.tolerance,
            "{case}: {name} is the first that differs, by {worst}, more than {}",
            self.tolerance
        );
    }

    /// Panics at the first layer that differs: the hidden states and, where the case has it, the last one after its norm.
    ///
    /// `seen` holds ours under `ours` (`text.` of `text.encoder.blocks.0.output`), the case theirs under `theirs`
    /// (`text.` of `text.hidden.1`).
    ///
    /// # Panics
    /// If a layer differs, or was not seen.
    #[track_caller]
    pub fn check_layers(&self, seen: &Recorder, ours: &str, theirs: &str) {
        self.check_blocks(seen, ours, "encoder", theirs);
    }

    /// The same of blocks that are called otherwise than `encoder`.
    ///
    /// # Panics
    /// If a layer differs, or was not seen.
    #[track_caller]
    pub fn check_blocks(&self, seen: &Recorder, ours: &str, blocks: &str, theirs: &str) {
        let look = |name: String| {
            let found = seen.get(&name);
            found.unwrap_or_else(|| panic!("{}: no layer showed {name}", self.file.display()))
        };
        let hidden = format!("{theirs}hidden.");
        let layers = self
            .tensors
            .keys()
            .filter(|k| k.starts_with(&hidden))
            .count();
        assert!(layers > 1, "{}: there is no {hidden}1", self.file.display());
        for layer in 0..layers {
            let (shape, values) = look(match layer {
                0 => format!("{ours}embeds"),
                n => format!("{ours}{blocks}.blocks.{}.output", n - 1),
            });
            self.check_values(&format!("{hidden}{layer}"), shape, values);
        }
        let last = format!("{theirs}last_hidden_state");
        if self.has(&last) {
            let (shape, values) = look(format!("{ours}{blocks}.output"));
            self.check_values(&last, shape, values);
        }
    }
}

fn numbers<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (numbers, _) = bytes.as_chunks::<N>();
    numbers.iter().map(|b| read(*b)).collect()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use sensorium_core::Tap;
    use sensorium_core::tap::in_layer;

    use super::*;
    use crate::devices;

    fn reference() -> Reference {
        let hidden = |i: f32| Stored {
            shape: vec![2],
            values: Values::Floats(vec![i, i + 0.5]),
        };
        let names = ["hidden.0", "hidden.1", "hidden.2"];
        let tensors = names.iter().zip([0.0, 1.0, 2.0]);
        Reference {
            file: "case".into(),
            tensors: tensors
                .map(|(name, i)| ((*name).to_owned(), hidden(i)))
                .collect(),
            tolerance: 1e-4,
        }
    }

    fn message(check: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("it differs");
        panic.downcast_ref::<String>().expect("a message").clone()
    }

    /// Ours, with layer `wrong` off by `by`.
    fn seen(wrong: usize, by: f32, device: &Device) -> Recorder {
        let mut seen = Recorder::default();
        let state = |i: usize| {
            let i = i as f32 + if i == wrong { by } else { 0.0 };
            Tensor::<1>::from_floats([i, i + 0.5], device)
        };
        seen.tensor("embeds", state(0));
        in_layer(&mut seen, "encoder", |tap| {
            for i in 1..3 {
                tap.tensor(&format!("blocks.{}.output", i - 1), state(i));
            }
        });
        seen
    }

    #[test]
    fn the_first_layer_that_differs_is_named() {
        let reference = reference();
        for device in devices() {
            reference.check_layers(&seen(1, 5e-5, &device), "", "");
            for by in [2e-4, f32::NAN, f32::INFINITY] {
                let told = message(|| reference.check_layers(&seen(1, by, &device), "", ""));
                assert!(
                    told.contains("case: hidden.1 is the first that differs"),
                    "{told}"
                );
            }
        }
    }

    #[test]
    fn what_is_missing_or_of_another_shape_differs() {
        let reference = reference();
        let seen = seen(9, 0.0, &devices()[0]);
        let told = message(|| reference.check_layers(&seen, "text.", ""));
        assert!(told.contains("no layer showed text.embeds"), "{told}");
        let told = message(|| reference.check_layers(&seen, "", "text."));
        assert!(told.contains("there is no text.hidden.1"), "{told}");
        let told = message(|| reference.check_values("hidden.1", &[1], &[1.0]));
        assert!(told.contains("hidden.1: shapes differ"), "{told}");
        let told = message(|| reference.check_values("hidden.1", &[2], &[1.0]));
        assert!(told.contains("hidden.1: counts differ"), "{told}");
        let told = message(|| reference.check_values("logits", &[2], &[1.0]));
        assert!(told.contains("case: there is no logits"), "{told}");
    }
}
