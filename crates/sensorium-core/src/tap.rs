//! Seeing inside a model while it runs, without a second model and at no cost when nobody looks.

use burn::tensor::Tensor;

/// Sees named intermediates of a forward pass, and may replace them.
///
/// A model hands each intermediate worth seeing to [`tensor`](Tap::tensor) and goes on with what
/// comes back. Names nest: between [`enter`](Tap::enter) and [`exit`](Tap::exit) a name is
/// relative to the layer. [`NoTap`] does nothing and vanishes in compilation.
pub trait Tap {
    /// Whether attention weights are wanted. If not, attention may run fused and never form them.
    const WEIGHTS: bool = true;

    /// Whether tensors are wanted. If not, those that an answer does not depend on may be left out.
    const TENSORS: bool = true;

    /// Opens a layer; names that follow are relative to it.
    fn enter(&mut self, _layer: &str) {}

    /// Closes the layer opened last.
    fn exit(&mut self) {}

    /// Shows a loss that a layer has of its own, `[1]`, such as how unevenly experts are used, and what it is to be multiplied
    /// with before it is added to that of the objective. Who trains a model looks with [`Losses`]; others need not.
    fn loss(&mut self, _name: &str, _value: Tensor<1>, _weight: f64) {}

    /// Shows an intermediate; the model continues with what is returned.
    fn tensor<const D: usize>(&mut self, _name: &str, value: Tensor<D>) -> Tensor<D> {
        value
    }
}

/// Looks at nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTap;

impl Tap for NoTap {
    const WEIGHTS: bool = false;
    const TENSORS: bool = false;
}

/// Collects the losses that layers have of their own, and looks at nothing else.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    path: Vec<String>,
    /// Full dotted name, value `[1]` and weight, in the order they were seen.
    pub seen: Vec<(String, Tensor<1>, f64)>,
}

impl Tap for Losses {
    const WEIGHTS: bool = false;
    const TENSORS: bool = false;

    fn enter(&mut self, layer: &str) {
        self.path.push(layer.to_owned());
    }

    fn exit(&mut self) {
        self.path.pop();
    }

    fn loss(&mut self, name: &str, value: Tensor<1>, weight: f64) {
        self.seen.push((full_name(&self.path, name), value, weight));
    }
}

fn full_name(path: &[String], name: &str) -> String {
    match path {
        [] => name.to_owned(),
        path => format!("{}.{name}", path.join(".")),
    }
}

/// Runs `f` with the tap inside the layer `name`.
pub fn in_layer<T: Tap, R>(tap: &mut T, name: &str, f: impl FnOnce(&mut T) -> R) -> R {
    tap.enter(name);
    let out = f(tap);
    tap.exit();
    out
}

/// Keeps every intermediate as flat host data, by its full dotted name. For tests and inspection.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    path: Vec<String>,
    /// `(name, shape, values)` in the order they were seen.
    pub seen: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl Recorder {
    /// Shape and values of the intermediate with this full name, the last one if seen twice.
    pub fn get(&self, name: &str) -> Option<(&[usize], &[f32])> {
        let (_, shape, values) = self.seen.iter().rev().find(|(n, _, _)| n == name)?;
        Some((shape, values))
    }
}

impl Tap for Recorder {
    fn enter(&mut self, layer: &str) {
        self.path.push(layer.to_owned());
    }

    fn exit(&mut self) {
        self.path.pop();
    }

    fn loss(&mut self, name: &str, value: Tensor<1>, _weight: f64) {
        self.tensor(name, value);
    }

    fn tensor<const D: usize>(&mut self, name: &str, value: Tensor<D>) -> Tensor<D> {
        let full = full_name(&self.path, name);
        let values = value.clone().into_data().iter::<f32>().collect();
        self.seen.push((full, value.dims().to_vec(), values));
        value
    }
}
