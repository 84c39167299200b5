//! Work on the numbers of tensors that live in the host's memory: each by itself or row by row, many at a time and by all threads.
//!
//! A device is not asked its name but what it does: hand a tensor over and take it back; where the numbers come back at the
//! same address, nothing was copied, and the host may as well work on them.

use burn::tensor::{DType, Device, Tensor, TensorData};
use rayon::prelude::*;

use super::asked::Asked;

/// Whether a device's memory is the host's.
static OF_THE_HOST: Asked<bool> = Asked::nobody();

/// Whether `x` is single precision in the host's memory, and no gradient goes through it.
pub(super) fn holds<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device();
    x.dtype() == DType::F32 && !device.is_autodiff() && is_memory_of_the_host(&device)
}

pub(super) fn is_memory_of_the_host(device: &Device) -> bool {
    OF_THE_HOST.answer(device, |device| {
        [1024, 1280, 1536]
            .into_iter()
            .all(|count| comes_back(device, count))
    })
}

/// Whether so many numbers come back from where they were lent. A device that copies may have let go of that place, and be given
/// it again for what it hands back: something else is put there meanwhile.
fn comes_back(device: &Device, count: usize) -> bool {
    let data = TensorData::new(vec![0.0_f32; count], [count]);
    let lent = data.as_bytes().as_ptr();
    let tensor = Tensor::<1>::from_data(data, device);
    // What was handed over is let go of when the device has done its work.
    if device.sync().is_err() {
        return false;
    }
    let others: Vec<TensorData> = (0..8)
        .map(|_| TensorData::new(vec![1.0_f32; count], [count]))
        .collect();
    let back = tensor.into_data().as_bytes().as_ptr() == lent;
    drop(others);
    back
}

/// `f` on every number of `x`, with the widest vector instructions this processor has and by all threads; for a tensor that [`holds`]
/// holds. Numbers nobody else looks at are changed where they are.
///
/// `f` has to be `#[inline(always)]`, or it is compiled for the oldest processor and called once a number.
pub(super) fn map<const D: usize>(x: Tensor<D>, f: impl Fn(f32) -> f32 + Sync) -> Tensor<D> {
    changed(x, |values| {
        shared(values, SHARE, |_, values| {
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || values.iter_mut().for_each(|value| *value = f(*value)),
            );
        });
    })
}

/// `f` of every number of `x` and of the one at the same place of `y`; otherwise as [`map`].
pub(super) fn map_both<const D: usize>(
    x: Tensor<D>,
    y: Tensor<D>,
    f: impl Fn(f32, f32) -> f32 + Sync,
) -> Tensor<D> {
    let y = y.into_data();
    let y = numbers(&y);
    changed(x, |values| {
        shared(values, SHARE, |from, values| {
            let both = values.iter_mut().zip(&y[from..]);
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || both.for_each(|(x, y)| *x = f(*x, *y)),
            );
        });
    })
}

/// The numbers of a tensor, changed by `f` in its place or in a copy.
fn changed<const D: usize>(x: Tensor<D>, f: impl FnOnce(&mut [f32])) -> Tensor<D> {
    let device = x.device();
    let mut data = x.into_data();
    match data.as_mut_slice::<f32>() {
        Ok(values) => f(values),
        Err(error) => unreachable!("single precision was asked for: {error:?}"),
    }
    Tensor::from_data(data, &device)
}

pub(super) fn numbers(data: &TensorData) -> &[f32] {
    match data.as_slice::<f32>() {
        Ok(values) => values,
        Err(error) => unreachable!("single precision was asked for: {error:?}"),
    }
}

/// `f` of `x`; by one of the threads that share work, where they do. Whoever is none of them hands over each product and falls
/// asleep until it is done, which takes as long as a small product.
pub(super) fn by_threads<const D: usize>(
    x: Tensor<D>,
    f: impl FnOnce(Tensor<D>) -> Tensor<D> + Send,
) -> Tensor<D> {
    match holds(&x) {
        true => rayon::scope(|_| f(x)),
        false => f(x),
    }
}

/// Numbers that a thread takes at a time: so many take longer than to ask another thread.
const SHARE: usize = 1 << 15;

/// `f` on all values, so many at a time and by all threads; told where its own begin.
fn shared(values: &mut [f32], share: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    if values.len() <= share {
        return f(0, values);
    }
    let shares = values.par_chunks_mut(share).enumerate();
    shares.for_each(|(i, own)| f(i * share, own));
}

/// `f` on every row of `x`, which is told its number; otherwise as [`map`].
///
/// `f` has to be `#[inline(always)]`, as it is there.
pub(super) fn rows<const D: usize>(
    x: Tensor<D>,
    f: impl Fn(usize, &mut [f32]) + Sync,
) -> Tensor<D> {
    let width = x.dims()[D - 1].max(1);
    changed(x, |values| {
        shared(values, SHARE.next_multiple_of(width), |from, values| {
            let first = from / width;
            let f = &f;
            pulp::Arch::new().dispatch(Rows {
                values,
                width,
                first,
                f,
            });
        });
    })
}

/// A closure as large as those of rows would be called, and not become part of what is compiled for this processor.
struct Rows<'a, F> {
    values: &'a mut [f32],
    width: usize,
    /// The number of the first.
    first: usize,
    f: &'a F,
}

impl<F: Fn(usize, &mut [f32])> pulp::NullaryFnOnce for Rows<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (row, values) in self.values.chunks_exact_mut(self.width).enumerate() {
            (self.f)(self.first + row, values);
        }
    }
}

/// Numbers become their shares of the sum of their exponentials; all 0 where all are -∞.
#[inline(always)]
pub(super) fn softmax(row: &mut [f32]) {
    let most = folded(row, f32::NEG_INFINITY, larger);
    if most == f32::NEG_INFINITY {
        return row.fill(0.0);
    }
    let sum = mapped(row, |x| exp_negative(x - most));
    let share = 1.0 / sum;
    row.iter_mut().for_each(|x| *x *= share);
}

/// `f` of every number, in its place, and their sum.
#[inline(always)]
fn mapped(row: &mut [f32], f: impl Fn(f32) -> f32) -> f32 {
    let (many, rest) = row.as_chunks_mut::<32>();
    let mut sums = [0.0; 32];
    for numbers in many {
        for (sum, x) in sums.iter_mut().zip(numbers) {
            *x = f(*x);
            *sum += *x;
        }
    }
    let rest = rest.iter_mut().map(|x| {
        *x = f(*x);
        *x
    });
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

/// The sum of `f` of every number.
#[inline(always)]
pub(super) fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (many, rest) = row.as_chunks::<32>();
    let mut sums = [0.0; 32];
    for numbers in many {
        for (sum, x) in sums.iter_mut().zip(numbers) {
            *sum += f(*x);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|x| f(*x)).sum::<f32>()
}

/// The larger of two, or what is no number.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

/// All numbers of a row, many at a time, as one after the other would not let vector instructions.
#[inline(always)]
fn folded(row: &[f32], start: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let (many, rest) = row.as_chunks::<32>();
    let mut at_a_time = [start; 32];
    for numbers in many {
        for (sum, x) in at_a_time.iter_mut().zip(numbers) {
            *sum = f(*sum, *x);
        }
    }
    at_a_time.iter().chain(rest).fold(start, |a, b| f(a, *b))
}

/// e^x for x ≤ 0, to about two units in the last place; zero where that is below the smallest normal number.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2, and e^r by its Taylor polynomial. No branch and no table, so that a loop over it
/// becomes vector instructions.
#[inline(always)]
fn exp_negative(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4; // few digits: n times it is exact
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23: adding it rounds to a whole number
    let clamped = if x < -87.0 { -87.0 } else { x }; // not f32::max, which would lose NaN
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * LN_2_HIGH - n * LN_2_LOW;
    let poly = 1.0 / 720.0 + r * (1.0 / 5040.0);
    let poly = 1.0 / 24.0 + r * (1.0 / 120.0 + r * poly);
    let poly = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * poly)));
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23); // 2^n
    let zero_if_far = if x < -87.0 { 0.0 } else { 1.0 };
    poly * power * zero_if_far
}

/// σ(x) = 1 / (1 + e^-x), without overflow on either side.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let e = exp_negative(-x.abs());
    let share = 1.0 / (1.0 + e);
    if x < 0.0 { e * share } else { share }
}

/// x·σ(x)
#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

/// x·σ(1.702x)
#[inline(always)]
pub(super) fn quick_gelu(x: f32) -> f32 {
    x * sigmoid(1.702 * x)
}

/// x·Φ(x), with the error function of Abramowitz and Stegun 7.1.26: at most 1.5e-7 off, which is what single precision
/// leaves of 1 + erf.
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let poly = -1.453_152 + t * 1.061_405_4;
    let poly = -0.284_496_74 + t * (1.421_413_7 + t * poly);
    let beyond = t * (0.254_829_6 + t * poly) * exp_negative(-z * z); // erfc(|x| / √2)
    let below = 0.5 * beyond; // Φ(-|x|)
    x * if x < 0.0 { below } else { 1.0 - below }
}

/// ½x(1 + tanh(√(2/π)(x + 0.044715x³))), where ½(1 + tanh u) is σ(2u).
#[inline(always)]
pub(super) fn gelu_tanh(x: f32) -> f32 {
    const TWICE_ROOT: f32 =
        2.0 * std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;
    x * sigmoid(TWICE_ROOT * x * (1.0 + 0.044_715 * x * x))
}
