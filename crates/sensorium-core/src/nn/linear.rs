//! A linear map of every token, as one product of two matrices.

use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::module;
use rayon::prelude::*;

use super::host;

/// Up to so many rows, the weight is the larger factor, and what counts is that it is read once as it lies.
const FEW_ROWS: usize = 256;
/// From so many multiplications on, flex has all threads share a product.
const SHARED: usize = 192 * 192 * 192;
/// What a thread should have to read of a weight at least, in numbers.
const LEAST_SHARE: usize = 1 << 16;

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
    let mut y = match parts(&x, &weight) {
        1 => weight.transpose().matmul(x.transpose()), // [O, I] x [I, R] -> [O, R]
        parts => side_by_side(x, weight, parts),
    };
    if let Some(bias) = bias {
        y = y + bias.unsqueeze_dim(1);
    }
    y.transpose().reshape(shape)
}

/// How many threads should share a product. On the host, one that is said token by token is reading weights for the most part: one
/// thread alone cannot read as fast as there is memory to read, and flex has several work on large products alone, and on none of
/// one row.
fn parts(x: &Tensor<2>, weight: &Tensor<2>) -> usize {
    let ([rows, _], [d_input, d_output]) = (x.dims(), weight.dims());
    let size = d_input * d_output;
    let alone = rows == 1 || rows * size < SHARED;
    if !alone || size < 2 * LEAST_SHARE || !host::holds(weight) {
        return 1;
    }
    rayon::current_num_threads()
        .min(size / LEAST_SHARE)
        .min(d_output)
}

/// The outputs in as many parts, each by a thread: `[rows, d_input]`, `[d_input, d_output]` → `[d_output, rows]`.
fn side_by_side(x: Tensor<2>, weight: Tensor<2>, parts: usize) -> Tensor<2> {
    let [_, d_output] = weight.dims();
    let x = x.transpose();
    let edge = |part: usize| part * d_output / parts;
    let part = |i: usize| {
        let own = weight.clone().narrow(1, edge(i), edge(i + 1) - edge(i));
        own.transpose().matmul(x.clone())
    };
    Tensor::cat((0..parts).into_par_iter().map(part).collect(), 0)
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
    fn what_threads_share_is_the_whole() {
        for device in devices() {
            for (tokens, [d_input, d_output]) in
                [(1, [512, 517]), (3, [300, 1001]), (1, [1, 200_000])]
            {
                let x = random::<2>([tokens, d_input], 1, &device);
                let weight = random::<2>([d_input, d_output], 2, &device);
                let whole = x.clone().matmul(weight.clone());
                assert_close(&affine(x.clone(), weight.clone(), None), &whole, 1e-4);
                // As it lies in published checkpoints.
                let turned = weight.transpose().reshape([d_output * d_input]);
                let turned = turned.reshape([d_output, d_input]).transpose();
                assert_close(&affine(x, turned, None), &whole, 1e-4);
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
