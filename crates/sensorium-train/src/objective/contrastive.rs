//! The contrastive loss of CLIP: each sample finds its partner among all of the batch.

use burn::module::{Module, Param};
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::assert_shape;

use super::pairs::{constant, sloped, unit};
use super::softmax_rows::Rows;
use super::{Loss, Objective, Pairs};

/// ln 100: cosines are never multiplied by more (arXiv 2103.00020, section 2.5).
const MOST: f32 = 4.605_170_2;

/// Contrastive loss with a softmax and a learned temperature (CLIP, arXiv 2103.00020, figure 3): image-text, audio-text,
/// or any two kinds.
///
/// With z of length 1, logits are e^s · z₁ᵢ · z₂ⱼ; the loss is the cross-entropy of each row with its own place as the
/// class, and of each column, averaged. Terms: `first_to_second`, `second_to_first` and `scale`, which is e^s.
///
/// e^s starts at 1 / 0.07 and stays at or below 100. OpenAI clips the parameter after each step. Here it is clipped on
/// the way in, and past the bound its gradient is let through only where it leads back: to the same end, and no trainer
/// has to know of it.
///
/// A pair of which one side is missing takes no part, not even as a wrong answer for others. The loss of a batch without
/// pairs is 0, and so is that of a single one: there is nothing to confuse it with. Batches should be large, since
/// the others of a batch are all the wrong answers there are. Where some of them are none, because many samples are of one
/// class or have the same caption, [`loss_of_groups`](Contrastive::loss_of_groups) is told so.
///
/// Rows are taken in blocks, twice, and the gradient is written out by hand: at any time there is memory for
/// `[block, batch]` logits, and no graph of them is kept.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{Contrastive, Objective, Pairs};
/// # let device = Device::flex();
/// let images = Tensor::from_data([[3.0, 0.0], [0.0, 1.0]], &device);
/// let texts = Tensor::from_data([[1.0, 0.0], [0.0, 0.5]], &device);
/// let contrastive = Contrastive::new(&device);
/// let right = contrastive.loss(Pairs::new(images.clone(), texts.clone()), None);
/// let wrong = contrastive.loss(Pairs::new(images, texts.flip([0])), None);
/// assert!(right.total.into_scalar::<f32>() < 1e-4);
/// assert!((wrong.total.into_scalar::<f32>() - 1.0 / 0.07).abs() < 1e-3);
/// ```
#[derive(Module, Debug)]
pub struct Contrastive {
    /// s, the logarithm of what cosines are multiplied by: `[1]`.
    pub logit_scale: Param<Tensor<1>>,
    #[module(skip)]
    block: usize,
}

impl Contrastive {
    /// With CLIP's first temperature, 0.07, and blocks of 512 rows.
    pub fn new(device: &Device) -> Self {
        Self::with_temperature(0.07, device)
    }

    /// With another first temperature.
    ///
    /// # Panics
    /// If it is below 0.01, the lowest there may be, or not finite.
    pub fn with_temperature(temperature: f64, device: &Device) -> Self {
        assert!(
            temperature >= 0.01 && temperature.is_finite(),
            "the temperature must be 0.01 or more, not {temperature}"
        );
        let scale = Tensor::from_data([-temperature.ln() as f32], device);
        Self {
            logit_scale: Param::from_tensor(scale),
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

    /// What cosines are multiplied by: `[1]`, 100 at most.
    pub fn scale(&self) -> Tensor<1> {
        self.logit_scale.val().clamp_max(MOST).exp()
    }

    /// The loss where several samples may belong together: `groups` `[batch]` gives those that do the same number, and a
    /// negative one to a sample that belongs to nothing but itself. The target of a row is spread evenly over all that
    /// belong to it, as in supervised contrastive learning (UniCL, arXiv 2204.03610, equations 2 and 3). `present` is as
    /// in [`Objective::loss`].
    ///
    /// ```
    /// # use burn::tensor::{Device, Tensor};
    /// use sensorium_train::{Contrastive, Pairs};
    /// # let device = Device::flex();
    /// // Two pictures of a cat and their texts, which say the same.
    /// let rows = Tensor::<2>::from_data([[1.0, 0.0], [1.0, 0.0]], &device);
    /// let contrastive = Contrastive::new(&device);
    /// let pairs = Pairs::new(rows.clone(), rows);
    /// let groups = Tensor::from_data([4, 4], &device);
    /// let loss = contrastive.loss_of_groups(pairs, None, Some(groups)).total.into_scalar::<f32>();
    /// assert!((loss - 2f32.ln()).abs() < 1e-6); // either is half of the answer: it cannot become less
    /// ```
    ///
    /// # Panics
    /// If shapes differ.
    pub fn loss_of_groups(
        &self,
        pairs: Pairs,
        present: Option<Tensor<1, Bool>>,
        groups: Option<Tensor<1, Int>>,
    ) -> Loss {
        let [batch, d_embed] = pairs.first.dims();
        assert_shape!(pairs.second, [batch, d_embed]);
        let (first, second) = (unit(pairs.first), unit(pairs.second));
        let raw = self.logit_scale.val();
        let learns = first.is_tracked() || second.is_tracked() || raw.is_tracked();
        let fixed_raw = constant(raw.clone());
        let scale = fixed_raw.clone().clamp_max(MOST).exp();
        let rows = Rows::new([&first, &second], scale.clone(), present, groups);
        let sums = rows.sums(self.block, learns);

        let mut total = (sums.first.clone() + sums.second.clone()).mul_scalar(0.5);
        if let Some(slopes) = sums.slopes {
            let [first_slope, second_slope] = slopes.sides;
            // Past the bound s is let through only where it leads back.
            let open = fixed_raw.clone().lower_equal_elem(MOST);
            let open = open.bool_or(slopes.scale.clone().greater_elem(0.0)).float();
            total = total
                + sloped(first, &rows.first, first_slope)
                + sloped(second, &rows.second, second_slope)
                + sloped(raw, &fixed_raw, slopes.scale * open);
        }
        let terms = [
            ("first_to_second", sums.first),
            ("second_to_first", sums.second),
            ("scale", scale),
        ];
        Loss {
            total,
            terms: terms.map(|(name, term)| (name.to_owned(), term)).into(),
            over: None,
            noted: Vec::new(),
        }
    }
}

impl Objective for Contrastive {
    type Output = Pairs;
    /// True for pairs of which both sides are there, `[batch]`; none: all are.
    type Target = Option<Tensor<1, Bool>>;

    fn loss(&self, pairs: Pairs, present: Self::Target) -> Loss {
        self.loss_of_groups(pairs, present, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{assert_close, check_gradients, devices, floats, random};

    fn number(x: &Tensor<1>) -> f32 {
        x.clone().into_scalar::<f32>()
    }

    #[test]
    fn a_pair_that_lacks_a_side_is_as_if_it_were_not_in_the_batch() {
        for device in devices().into_iter().map(|device| device.autodiff()) {
            let objective = Contrastive::new(&device);
            let views = |absent: f32| {
                let rows = |seed| {
                    let rows = random::<2>([4, 3], seed, &device);
                    let gap = Tensor::full([1, 3], absent, &device);
                    rows.slice_assign([2..3, 0..3], gap).require_grad()
                };
                (rows(1), rows(2))
            };
            let present = Tensor::<1, Bool>::from_data([true, true, false, true], &device);
            let run = |absent: f32| {
                let (first, second) = views(absent);
                let pairs = Pairs::new(first.clone(), second.clone());
                let loss = objective.loss(pairs, Some(present.clone()));
                let grads = loss.total.backward();
                let grad = floats(&first.grad(&grads).unwrap());
                assert!(grad.iter().all(|g| g.is_finite()), "{grad:?}");
                assert_eq!(grad[6..9], [0.0; 3]);
                assert!(grad[..6].iter().chain(&grad[9..]).all(|g| *g != 0.0));
                (loss, first, second)
            };
            let (zero, first, second) = run(0.0);
            let (filled, _, _) = run(0.5);
            assert_eq!(number(&zero.total), number(&filled.total));
            let rows = |x: Tensor<2>| {
                let x = x.detach();
                Tensor::cat(vec![x.clone().narrow(0, 0, 2), x.narrow(0, 3, 1)], 0)
            };
            let alone = objective.loss(Pairs::new(rows(first), rows(second)), None);
            assert_close(&zero.total.detach(), &alone.total.detach(), 1e-6);
            let none = Tensor::<1, Bool>::from_data([false; 4], &device);
            let (first, second) = views(0.0);
            let loss = objective.loss(Pairs::new(first, second), Some(none));
            assert_eq!(number(&loss.total), 0.0);
        }
    }

    #[test]
    fn whether_masks_and_groups_know_of_gradients_does_not_matter() {
        for device in devices() {
            let on = device.clone().autodiff();
            let rows = |seed| random::<2>([4, 3], seed, &on).require_grad();
            let (first, second) = (rows(1), rows(2));
            let loss = |device: &Device| {
                let present = Tensor::from_data([true, true, false, true], device);
                let groups = Tensor::from_data([1, 0, 1, 1], device);
                let pairs = Pairs::new(first.clone(), second.clone());
                let objective = Contrastive::new(&on);
                objective
                    .loss_of_groups(pairs, Some(present), Some(groups))
                    .total
            };
            assert_eq!(number(&loss(&on)), number(&loss(&device)));
        }
    }

    #[test]
    fn the_scale_has_a_bound_that_it_can_come_back_from() {
        for device in devices().into_iter().map(|device| device.autodiff()) {
            // Nearly one direction, so that a hundredfold cosine still leaves doubt.
            let rows = random::<2>([4, 3], 1, &device).mul_scalar(0.1) + 1.0;
            for (s, turned, expected) in [
                (MOST - 0.1, false, "down"), // right answers: the scale wants to grow
                (MOST - 0.1, true, "up"),
                (MOST + 0.1, false, "still"),
                (MOST + 0.1, true, "up"),
            ] {
                let scale = Tensor::<1>::from_data([s], &device);
                let objective = Contrastive {
                    logit_scale: Param::from_tensor(scale),
                    ..Contrastive::new(&device)
                };
                let second = match turned {
                    true => rows.clone().neg() + 2.0, // each is least like its own
                    false => rows.clone() + random([4, 3], 2, &device).mul_scalar(0.01),
                };
                let loss = objective.loss(Pairs::new(rows.clone(), second), None);
                assert!(number(&loss.terms[2].1) <= 100.001);
                let grads = loss.total.backward();
                let grad = objective.logit_scale.val().grad(&grads).unwrap();
                let grad = number(&grad);
                let found = match grad {
                    0.0 => "still",
                    grad if grad > 0.0 => "up",
                    _ => "down",
                };
                assert_eq!(found, expected, "{s} {turned}: {grad}");
            }
        }
    }

    #[test]
    fn every_side_and_the_scale_train() {
        #[derive(Module, Debug)]
        struct Both {
            objective: Contrastive,
            first: Param<Tensor<2>>,
            second: Param<Tensor<2>>,
        }
        for device in devices() {
            let both = Both {
                objective: Contrastive::new(&device),
                first: Param::from_tensor(random([4, 3], 1, &device)),
                second: Param::from_tensor(random([4, 3], 2, &device)),
            };
            check_gradients(both, |both| {
                let pairs = Pairs::new(both.first.val(), both.second.val());
                both.objective.loss(pairs, None).total
            });
        }
    }
}
