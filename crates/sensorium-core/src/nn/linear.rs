//! A linear map of every token, as one product of two matrices.

use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::module;

/// Up to so many rows, the weight is the larger factor, and what counts is that it is read once as it lies.
const FEW_ROWS: usize = 256;

/// `layer` on the last axis of `x`: `[.., d_input]` → `[.., d_output]`; see [`affine`].
pub fn linear<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    affine(x, layer.weight.val(), bias)
}

/// `x · weight + bias` on the last axis of `x`: `[.., d_input]`, `[d_input, d_output]` and `[d_output]` give
/// `[.., d_output]`.
///
/// All rows go through as one matrix. Given a batch, Burn's own layer may unsqueeze the weight instead, which copies it
/// where it is a transposed view, as the weights of published checkpoints are; and on flex a product of few rows would put
/// the weight into another order first. At a batch of one, either took longer than the product.
pub fn affine<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let mut shape = x.dims();
    let [d_input, d_output] = weight.dims();
    let rows: usize = shape[..D - 1].iter().product();
    shape[D - 1] = d_output;
    let x = x.reshape([rows, d_input]);
    if rows > FEW_ROWS {
        return module::linear(x, weight, bias).reshape(shape);
    }
    let mut y = weight.transpose().matmul(x.transpose()); // [O, I] x [I, R] -> [O, R]
    if let Some(bias) = bias {
        y = y + bias.unsqueeze_dim(1);
    }
    y.transpose().reshape(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::Device;
    use sensorium_testkit::{assert_close, check_gradients, devices, random};

    #[test]
    fn few_rows_and_many_give_what_the_layer_gives() {
        for device in devices() {
            for bias in [false, true] {
                let layer = LinearConfig::new(5, 7).with_bias(bias).init(&device);
                for [batch, tokens] in [[1, 1], [2, 3], [1, 256], [257, 1], [9, 64]] {
                    let x = random::<3>([batch, tokens, 5], 1, &device);
                    assert_close(&linear(&layer, x.clone()), &layer.forward(x), 1e-5);
                }
                // A weight and tokens that lie in another order.
                let weight = random::<2>([7, 5], 2, &device).transpose();
                let x = random::<4>([2, 5, 3, 2], 3, &device).swap_dims(1, 3);
                let flat = x.clone().reshape([12, 5]).matmul(weight.clone());
                assert_close(&affine(x, weight, None), &flat.reshape([2, 2, 3, 7]), 1e-5);
            }
        }
    }

    #[test]
    fn it_trains() {
        for device in devices().into_iter().map(Device::autodiff) {
            for tokens in [3, 300] {
                let layer = LinearConfig::new(5, 7).init(&device);
                let x = random::<3>([1, tokens, 5], 1, &device);
                let w = random([1, tokens, 7], 2, &device);
                check_gradients(layer, |layer| (linear(layer, x) * w).sum());
            }
        }
    }
}
