//! Batch norm that does with samples what the reference does, in training too.

use burn::nn::BatchNorm;
use burn::tensor::{Device, Tensor, module};

/// Whether a layer normalises by the batch at hand and learns from it, instead of by what it has learned.
pub(super) fn learns(norm: &BatchNorm, device: &Device) -> bool {
    device.is_autodiff() && norm.training.is_enabled()
}

/// Normalises each channel of `[batch, channels, height, width]` (arXiv 1502.03167); the shape is kept.
///
/// As PyTorch has it, what is learned of the variance is the unbiased one, where Burn's own layer learns the biased. A
/// channel of a single number has no variance: PyTorch refuses to train on it; here what was learned stands in.
pub(super) fn batch_norm(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    let [batch, _, height, width] = x.dims();
    let (device, count) = (x.device(), batch * height * width);
    let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
    if !learns(norm, &device) || count < 2 {
        let mean = norm.running_mean.value_sync().to_device(&device);
        let variance = norm.running_var.value_sync().to_device(&device);
        return module::batch_norm(x, gamma, beta, mean, variance, norm.epsilon);
    }
    let of_batch = module::batch_norm_train(x, gamma, beta, norm.epsilon);
    let share = norm.momentum;
    let moved = |learned: Tensor<1>, seen: Tensor<1>| {
        let learned = learned.to_device(&device).mul_scalar(1.0 - share);
        (learned + seen.mul_scalar(share)).detach()
    };
    let unbiased = of_batch.variance * (count as f64 / (count - 1) as f64);
    let mean = moved(norm.running_mean.value_sync(), of_batch.mean);
    let variance = moved(norm.running_var.value_sync(), unbiased);
    norm.running_mean.update(mean);
    norm.running_var.update(variance);
    of_batch.output
}
