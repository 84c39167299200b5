//! Muon (<https://kellerjordan.github.io/posts/muon/>): a momentum whose singular values are all made about one.

use burn::tensor::Tensor;

use super::rule::{Memory, Pace, Rule};

/// The quintic of the Newton–Schulz iteration, chosen by its author for its slope at zero: it brings singular values
/// into about 0.7 to 1.2, and not nearer to one.
const QUINTIC: [f64; 3] = [3.4445, -4.7750, 2.0315];

/// The least norm that a matrix is divided by, as in PyTorch.
const EPS: f64 = 1e-7;

/// The root mean square of AdamW's updates, which Muon's are brought to (arXiv 2502.16982, section 2.2): by
/// 0.2 · √max(rows, columns). So one learning rate and one decay serve both.
const RMS_OF_ADAMW: f64 = 0.2;

/// For matrices between layers alone; see [`is_hidden_matrix`](super::is_hidden_matrix).
///
/// # Differs from the paper
/// The iteration runs in the parameter's own precision, not in bfloat16. Burn's `Linear` is `[in, out]`, PyTorch's
/// `[out, in]`: both the iteration and the scale are the same for a matrix and its transpose.
#[derive(Clone, Debug)]
pub(crate) struct Muon {
    /// How much of the momentum stays; the step looks ahead by as much (Nesterov).
    pub(crate) momentum: f64,
    /// How often the quintic is applied.
    pub(crate) ns_steps: usize,
}

impl Rule for Muon {
    fn remembers(&self, shape: &[usize]) -> Vec<(&'static str, Vec<usize>)> {
        vec![("momentum", shape.to_vec())]
    }

    fn step<const D: usize>(
        &self,
        pace: Pace,
        value: Tensor<D>,
        grad: Tensor<D>,
        memory: Option<Memory<D>>,
    ) -> (Tensor<D>, Memory<D>) {
        let mixed = |old: Tensor<D>, new: Tensor<D>| {
            old.mul_scalar(self.momentum) + new.mul_scalar(1.0 - self.momentum)
        };
        let (steps, momentum) = Memory::momentum(memory, &grad);
        let momentum = mixed(momentum, grad.clone());
        let ahead = mixed(momentum.clone(), grad);

        let dims = value.dims();
        let (rows, columns) = (dims[0], dims[1..].iter().product());
        let update = orthogonal(ahead.reshape([rows, columns]), self.ns_steps).reshape(dims);
        let length = RMS_OF_ADAMW * (rows.max(columns) as f64).sqrt();
        let value = value.mul_scalar(pace.kept()) - update.mul_scalar(pace.lr * length);
        let memory = Memory {
            steps: steps + 1,
            tensors: vec![momentum],
        };
        (value, memory)
    }
}

/// The nearest matrix with orthogonal rows or columns, about.
pub(crate) fn orthogonal(matrix: Tensor<2>, steps: usize) -> Tensor<2> {
    let [rows, columns] = matrix.dims();
    let [a, b, c] = QUINTIC;
    // The square that is multiplied with is that of the shorter side.
    let is_tall = rows > columns;
    let x = if is_tall { matrix.transpose() } else { matrix };
    let norm = x.clone().square().sum().sqrt().clamp_min(EPS);
    let mut x = x / norm.reshape([1, 1]);
    for _ in 0..steps {
        let square = x.clone().matmul(x.clone().transpose());
        let fourth = square.clone().matmul(square.clone());
        let both = square.mul_scalar(b) + fourth.mul_scalar(c);
        x = x.clone().mul_scalar(a) + both.matmul(x);
    }
    if is_tall { x.transpose() } else { x }
}
