//! Adafactor (arXiv 1804.04235, algorithms 4 and 5): Adam's second moment of a matrix from the means of its rows and
//! columns, so that next to nothing has to be remembered.

use burn::tensor::Tensor;

use super::rule::{Memory, Pace, Rule};

/// Added to squared gradients (ε₁ of the paper).
const EPS_SQUARES: f64 = 1e-30;

/// The least root mean square that a parameter counts with (ε₂ of the paper).
const EPS_SCALE: f64 = 1e-3;

/// With a learning rate from outside, as the rest of the run has it; the paper's own, which falls by the root of the
/// step, is left out.
#[derive(Clone, Debug)]
pub(crate) struct Adafactor {
    /// How fast the second moment's decay rate nears 1: it is 1 - t^-x (the paper's β̂₂).
    pub(crate) decay_rate: f64,
    /// The largest root mean square of an update (the paper's d).
    pub(crate) update_clip: f64,
    /// Whether the learning rate is a share of the parameter's own root mean square (the paper's relative step size).
    pub(crate) scale_parameter: bool,
    /// Decay of a first moment; 0 for none, which is what saves memory.
    pub(crate) momentum: f64,
}

/// Whether the second moment is kept by rows and columns, those of the last two dimensions.
fn is_factored(shape: &[usize]) -> bool {
    matches!(shape, [.., rows, columns] if *rows > 1 && *columns > 1)
}

impl Adafactor {
    /// 1 / √second moment, and what is remembered of it.
    fn scaled<const D: usize>(
        &self,
        steps: usize,
        grad: &Tensor<D>,
        mut before: impl Iterator<Item = Tensor<D>>,
    ) -> (Tensor<D>, Vec<Tensor<D>>) {
        let decay = 1.0 - (steps as f64).powf(-self.decay_rate);
        let squares = grad.clone().square().add_scalar(EPS_SQUARES);
        let mut averaged = |new: Tensor<D>| match before.next() {
            Some(old) => old.mul_scalar(decay) + new.mul_scalar(1.0 - decay),
            None => new,
        };
        if !is_factored(&grad.dims()) {
            let squares = averaged(squares);
            return (squares.clone().sqrt().recip(), vec![squares]);
        }
        let rows = averaged(squares.clone().mean_dim(D - 1)); // [.., rows, 1]
        let columns = averaged(squares.mean_dim(D.saturating_sub(2))); // [.., 1, columns]
        let of_row = rows.clone() / rows.clone().mean_dim(D.saturating_sub(2));
        let scaled = of_row.sqrt().recip() * columns.clone().sqrt().recip();
        (scaled, vec![rows, columns])
    }
}

impl Rule for Adafactor {
    fn remembers(&self, shape: &[usize]) -> Vec<(&'static str, Vec<usize>)> {
        let mut remembered = match (is_factored(shape), shape.len()) {
            (true, rank) => {
                let without = |dim: usize| {
                    let mut shape = shape.to_vec();
                    shape[dim] = 1;
                    shape
                };
                vec![("rows", without(rank - 1)), ("columns", without(rank - 2))]
            }
            (false, _) => vec![("squares", shape.to_vec())],
        };
        if self.momentum > 0.0 {
            remembered.push(("momentum", shape.to_vec()));
        }
        remembered
    }

    fn step<const D: usize>(
        &self,
        pace: Pace,
        value: Tensor<D>,
        grad: Tensor<D>,
        memory: Option<Memory<D>>,
    ) -> (Tensor<D>, Memory<D>) {
        let steps = memory.as_ref().map_or(0, |memory| memory.steps) + 1;
        let mut before = memory.into_iter().flat_map(|memory| memory.tensors);
        let (scaled, mut tensors) = self.scaled(steps, &grad, before.by_ref());
        let update = grad * scaled;
        let too_long = rms(&update).div_scalar(self.update_clip).clamp_min(1.0);
        let mut update = (update / too_long).mul_scalar(pace.lr);
        let mut value = value;
        if self.scale_parameter {
            let scale = rms(&value).clamp_min(EPS_SCALE);
            update = update * scale.clone();
            value = value.clone() - value * scale.mul_scalar(pace.lr * pace.weight_decay);
        } else {
            value = value.mul_scalar(pace.kept());
        }
        if self.momentum > 0.0 {
            let old = before.next().unwrap_or_else(|| update.zeros_like());
            update = old.mul_scalar(self.momentum) + update.mul_scalar(1.0 - self.momentum);
            tensors.push(update.clone());
        }
        (value - update, Memory { steps, tensors })
    }
}

/// The root mean square of all numbers, `[1, 1, ..]`.
fn rms<const D: usize>(tensor: &Tensor<D>) -> Tensor<D> {
    tensor.clone().square().mean().sqrt().reshape([1; D])
}
