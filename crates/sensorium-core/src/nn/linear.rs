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
    let [y] = linears([layer], x);
    y
}

/// What [`linear`] gives for each of several layers; where threads share a product, they share all of them at once.
pub fn linears<const D: usize, const N: usize>(
    layers: [&Linear; N],
    x: Tensor<D>,
) -> [Tensor<D>; N] {
    let maps = layers.map(|layer| {
        let bias = layer.bias.as_ref().map(|bias| bias.val());
        (layer.weight.val(), bias)
    });
    affines(x, maps)
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
    let [y] = affines(x, [(weight, bias)]);
    y
}

fn affines<const D: usize, const N: usize>(
    x: Tensor<D>,
    maps: [(Tensor<2>, Option<Tensor<1>>); N],
) -> [Tensor<D>; N] {
    let shape = x.dims();
    let rows: usize = shape[..D - 1].iter().product();
    let x = x.reshape([rows, shape[D - 1]]);
    let shaped = |y: Tensor<2>| {
        let mut shape = shape;
        shape[D - 1] = y.dims()[1];
        y.reshape(shape)
    };
    if rows > FEW_ROWS {
        return maps.map(|(weight, bias)| shaped(module::linear(x.clone(), weight, bias)));
    }
    let weights = maps.each_ref().map(|(weight, _)| weight);
    let mut products = match parts(&x, &weights) {
        1 => weights.map(|weight| product(&x, weight.clone())).into(),
        parts => side_by_side(&x, &weights, parts),
    }
    .into_iter();
    maps.map(|(_, bias)| {
        let y = products.next().expect("a product for each map");
        let y = match bias {
            Some(bias) => y + bias.unsqueeze_dim(1),
            None => y,
        };
        shaped(y.transpose())
    })
}

/// How many threads should share products. On the host, one that is said token by token is reading weights for the most part: one
/// thread alone cannot read as fast as there is memory to read, and flex has several work on large products alone, and on none of
/// one row.
fn parts(x: &Tensor<2>, weights: &[&Tensor<2>]) -> usize {
    let rows = x.dims()[0];
    let mut sizes = weights.iter().map(|weight| weight.shape().num_elements());
    let all: usize = sizes.clone().sum();
    let alone = rows == 1 || sizes.all(|size| rows * size < SHARED);
    if !alone || all < 2 * LEAST_SHARE || !weights.iter().all(|weight| host::holds(weight)) {
        return 1;
    }
    let narrowest = weights.iter().map(|weight| weight.dims()[1]).min();
    rayon::current_num_threads()
        .min(all / LEAST_SHARE)
        .min(narrowest.unwrap_or(1))
}

/// The outputs in as many parts, each by a thread: `[rows, d_input]` and weights `[d_input, d_output]` → `[d_output, rows]` each.
fn side_by_side(x: &Tensor<2>, weights: &[&Tensor<2>], parts: usize) -> Vec<Tensor<2>> {
    let part = |weight: &Tensor<2>, i: usize| {
        let d_output = weight.dims()[1];
        let [from, to] = [i, i + 1].map(|edge| edge * d_output / parts);
        product(x, weight.clone().narrow(1, from, to - from))
    };
    let of_all = |i| weights.iter().map(|weight| part(weight, i)).collect();
    let done: Vec<Vec<_>> = (0..parts).into_par_iter().map(of_all).collect();
    let whole = |map: usize| Tensor::cat(done.iter().map(|part| part[map].clone()).collect(), 0);
    (0..weights.len()).map(whole).collect()
}

/// [O, I] x [I, R] -> [O, R]
fn product(x: &Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    weight.transpose().matmul(x.clone().transpose())
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
