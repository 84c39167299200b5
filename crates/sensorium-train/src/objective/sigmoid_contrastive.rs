//! The contrastive loss of SigLIP: of each pair of a batch, whether it belongs together. In blocks, so that its memory
//! grows with the batch and not with its square.

use burn::module::{Module, Param};
use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn::tensor::{Bool, Device, Tensor};
use sensorium_core::assert_shape;

use super::pairs::{constant, own_places, sloped, unit};
use super::{Loss, Objective, Pairs};

/// Contrastive loss with a sigmoid for each pair (SigLIP, arXiv 2303.15343, algorithm 1).
///
/// With z of length 1 and logits xᵢⱼ = e^t' · z₁ᵢ · z₂ⱼ + b, the loss is -Σᵢⱼ ln σ(± xᵢⱼ) / batch, + where i = j. Both
/// t' and b are learned, from ln 10 and -10, so that the many wrong pairs do not swamp the first steps. Terms: `matched`
/// and `unmatched`, which add up to the total, and `scale` (e^t') and `bias`.
///
/// Rows are taken in blocks, and the gradient of a block is written out by hand and added up while the block is there. So
/// at any time there is memory for `[block, batch]` logits, forward and back, and no graph of them is kept. The gradient
/// is computed with the loss (unless nothing asks for one), and results do not depend on the block.
///
/// A pair of which one side is missing takes no part, not even as a wrong answer for others; the loss is divided by the
/// pairs there are, and is 0 without any.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{Objective, Pairs, SigmoidContrastive};
/// # let device = Device::flex();
/// let rows = Tensor::from_data([[3.0, 0.0], [0.0, 1.0]], &device);
/// let loss = SigmoidContrastive::new(&device).loss(Pairs::new(rows.clone(), rows), None);
/// // Logits 0 and -10: ln 2 for either pair, next to nothing for the wrong ones.
/// assert!((loss.total.into_scalar::<f32>() - 2f32.ln()).abs() < 1e-3);
/// ```
#[derive(Module, Debug)]
pub struct SigmoidContrastive {
    /// t', the logarithm of what cosines are multiplied by: `[1]`.
    pub logit_scale: Param<Tensor<1>>,
    /// b, what is added: `[1]`.
    pub logit_bias: Param<Tensor<1>>,
    #[module(skip)]
    block: usize,
}

impl SigmoidContrastive {
    /// With the paper's beginning, and blocks of 512 rows.
    pub fn new(device: &Device) -> Self {
        Self {
            logit_scale: Param::from_tensor(Tensor::from_data([10f32.ln()], device)),
            logit_bias: Param::from_tensor(Tensor::from_data([-10f32], device)),
            block: 512,
        }
    }

    /// With blocks of so many rows.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    pub fn with_block(mut self, rows: usize) -> Self {
        assert!(rows > 0, "a block needs a row");
        self.block = rows;
        self
    }

    /// What cosines are multiplied by: `[1]`.
    pub fn scale(&self) -> Tensor<1> {
        self.logit_scale.val().exp()
    }
}

impl Objective for SigmoidContrastive {
    type Output = Pairs;
    /// True for pairs of which both sides are there, `[batch]`; none: all are.
    type Target = Option<Tensor<1, Bool>>;

    fn loss(&self, pairs: Pairs, present: Self::Target) -> Loss {
        let [batch, d_embed] = pairs.first.dims();
        assert_shape!(pairs.second, [batch, d_embed]);
        let (first, second) = (unit(pairs.first), unit(pairs.second));
        let (scale, bias) = (self.logit_scale.val(), self.logit_bias.val());
        let learns = [first.is_tracked(), second.is_tracked()]
            .into_iter()
            .chain([scale.is_tracked(), bias.is_tracked()])
            .any(|tracked| tracked);
        let fixed = Fixed::new([&first, &second], [&scale, &bias], present);
        let sums = fixed.sums(self.block, learns);

        let mut total = sums.matched.clone() + sums.unmatched.clone();
        if let Some(Slopes { sides, numbers }) = sums.slopes {
            let [first_slope, second_slope] = sides;
            let [scale_slope, bias_slope] = numbers;
            total = total
                + sloped(first, &fixed.first, first_slope)
                + sloped(second, &fixed.second, second_slope)
                + sloped(scale, &fixed.scale, scale_slope)
                + sloped(bias, &fixed.bias, bias_slope);
        }
        let terms = [
            ("matched", sums.matched),
            ("unmatched", sums.unmatched),
            ("scale", fixed.scale.exp()),
            ("bias", fixed.bias),
        ];
        Loss {
            total,
            terms: terms.map(|(name, term)| (name.to_owned(), term)).into(),
            over: None,
            noted: Vec::new(),
        }
    }
}

/// All the loss depends on, without a graph.
struct Fixed {
    first: Tensor<2>,
    second: Tensor<2>,
    scale: Tensor<1>,
    bias: Tensor<1>,
    /// What a row counts, `[batch, 1]`: 1 / pairs, or 0 if a side is missing.
    weights: Tensor<2>,
    /// Which columns count, `[1, batch]`.
    columns: Tensor<2>,
}

struct Sums {
    matched: Tensor<1>,
    unmatched: Tensor<1>,
    slopes: Option<Slopes>,
}

/// The loss's gradient.
struct Slopes {
    /// By either side's unit vectors, `[batch, d_embed]`.
    sides: [Tensor<2>; 2],
    /// By t' and b.
    numbers: [Tensor<1>; 2],
}

impl Fixed {
    fn new(
        sides: [&Tensor<2>; 2],
        numbers: [&Tensor<1>; 2],
        present: Option<Tensor<1, Bool>>,
    ) -> Self {
        let [first, second] = sides.map(|side| constant(side.clone()));
        let [scale, bias] = numbers.map(|number| constant(number.clone()));
        let [batch, _] = first.dims();
        let there = match present {
            Some(present) => {
                assert_shape!(present, [batch]);
                // Made where the embeddings are, whether or not the mask knows of gradients.
                let ones = Tensor::<1>::ones([batch], &first.device());
                ones.mask_fill(present.bool_not(), 0.0)
            }
            None => Tensor::ones([batch], &first.device()),
        };
        let count = there.clone().sum().clamp_min(1.0);
        Self {
            weights: (there.clone() / count).unsqueeze_dim(1),
            columns: there.unsqueeze_dim(0),
            first,
            second,
            scale,
            bias,
        }
    }

    /// The loss block by block, and its gradient if asked for.
    fn sums(&self, block: usize, learns: bool) -> Sums {
        let [batch, d_embed] = self.first.dims();
        let device = self.first.device();
        let zero = || Tensor::<1>::zeros([1], &device);
        let (mut matched, mut unmatched) = (zero(), zero());
        let (mut firsts, mut seconds) = (Vec::new(), Tensor::zeros([batch, d_embed], &device));
        let (mut by_scale, mut by_bias) = (zero(), zero());
        for start in (0..batch).step_by(block) {
            let rows = start..(start + block).min(batch);
            let first = self.first.clone().slice([rows.clone()]);
            let factor = self.scale.clone().exp().unsqueeze::<2>();
            let scaled = first.clone().matmul(self.second.clone().transpose()) * factor.clone();
            let logits = scaled.clone() + self.bias.clone().unsqueeze::<2>(); // [block, B]
            let own = own_places(start, logits.dims(), &device);
            let weights = self.weights.clone().slice([rows]) * self.columns.clone(); // [block, B]

            let right = log_sigmoid(logits.clone()) * weights.clone();
            let wrong = log_sigmoid(logits.clone().neg()) * weights.clone();
            matched = matched - right.mask_fill(own.clone().bool_not(), 0.0).sum();
            unmatched = unmatched - wrong.mask_fill(own.clone(), 0.0).sum();
            if learns {
                // dL/dx is σ(x) - 1 where the pair belongs together, else σ(x).
                let slope = sigmoid(logits.clone()).mask_where(own, sigmoid(logits.neg()).neg());
                let slope = slope * weights;
                by_scale = by_scale + (slope.clone() * scaled).sum();
                by_bias = by_bias + slope.clone().sum();
                let slope = slope * factor;
                firsts.push(slope.clone().matmul(self.second.clone()));
                seconds = seconds + slope.transpose().matmul(first);
            }
        }
        Sums {
            matched,
            unmatched,
            slopes: learns.then(|| Slopes {
                sides: [Tensor::cat(firsts, 0), seconds],
                numbers: [by_scale, by_bias],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{assert_close, check_gradients, devices, floats, random};

    #[derive(Module, Debug)]
    struct Both {
        objective: SigmoidContrastive,
        first: Param<Tensor<2>>,
        second: Param<Tensor<2>>,
    }

    fn both(device: &Device) -> Both {
        let objective = SigmoidContrastive {
            // At its start nearly all of the gradient is that of the matched pairs.
            logit_bias: Param::from_tensor(Tensor::from_data([-1.0], device)),
            ..SigmoidContrastive::new(device)
        };
        Both {
            objective,
            first: Param::from_tensor(random([5, 3], 1, device)),
            second: Param::from_tensor(random([5, 3], 2, device)),
        }
    }

    /// The loss as one matrix that the framework differentiates.
    fn whole(both: &Both, present: Option<&Tensor<1, Bool>>) -> Tensor<1> {
        let (first, second) = (unit(both.first.val()), unit(both.second.val()));
        let scale = both.objective.logit_scale.val().exp().unsqueeze::<2>();
        let bias = both.objective.logit_bias.val().unsqueeze::<2>();
        let logits = first.matmul(second.transpose()) * scale + bias;
        let own = own_places(0, [5, 5], &logits.device());
        let sign = logits.ones_like().neg().mask_fill(own, 1.0);
        let loss = log_sigmoid(logits * sign).neg();
        let there = match present {
            Some(present) => present.clone().float(),
            None => Tensor::ones([5], &loss.device()),
        };
        let weights = there.clone().unsqueeze_dim::<2>(1) * there.clone().unsqueeze_dim::<2>(0);
        (loss * weights).sum() / there.sum()
    }

    fn gradients(both: &Both, loss: &Tensor<1>) -> Vec<Vec<f32>> {
        let grads = loss.backward();
        let of = |x: Tensor<1>| floats(&x.grad(&grads).unwrap());
        let side = |x: Tensor<2>| floats(&x.grad(&grads).unwrap());
        vec![
            side(both.first.val()),
            side(both.second.val()),
            of(both.objective.logit_scale.val()),
            of(both.objective.logit_bias.val()),
        ]
    }

    #[test]
    fn blocks_of_any_size_equal_the_whole_gradients_included() {
        for device in devices() {
            let on = device.clone().autodiff();
            let some = Tensor::<1, Bool>::from_data([true, false, true, true, true], &on);
            for present in [None, Some(some)] {
                let module = both(&device).train();
                let expected = whole(&module, present.as_ref());
                let expected_grads = gradients(&module, &expected);
                for block in [1, 2, 3, 5, 512] {
                    let mut module = both(&device).train();
                    module.objective = module.objective.with_block(block);
                    let pairs = Pairs::new(module.first.val(), module.second.val());
                    let loss = module.objective.loss(pairs, present.clone());
                    assert_close(&loss.total, &expected, 1e-6);
                    let sum = loss.terms[0].1.clone() + loss.terms[1].1.clone();
                    assert_close(&loss.total, &sum, 0.0);
                    let found = gradients(&module, &loss.total);
                    for (found, expected) in
                        found.iter().flatten().zip(expected_grads.iter().flatten())
                    {
                        // Twelve is told apart to 1e-6, and no closer.
                        let off = (found - expected).abs() / expected.abs().max(1.0);
                        assert!(off < 1e-6, "{block}: {found} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_gradients_and_without_pairs_it_is_a_number() {
        for device in devices() {
            let both = both(&device);
            let pairs = || Pairs::new(both.first.val(), both.second.val());
            let plain = both.objective.loss(pairs(), None).total;
            assert_close(&plain, &whole(&both, None), 1e-6);
            let none = Tensor::from_data([false; 5], &device);
            let loss = both.objective.loss(pairs(), Some(none)).total;
            assert_eq!(loss.into_scalar::<f32>(), 0.0);
        }
    }

    #[test]
    fn every_side_the_scale_and_the_bias_train() {
        for device in devices() {
            check_gradients(both(&device), |both| {
                let pairs = Pairs::new(both.first.val(), both.second.val());
                both.objective.loss(pairs, None).total
            });
        }
    }
}
