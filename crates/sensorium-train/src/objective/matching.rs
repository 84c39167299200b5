//! Image-text matching: does this text belong to this picture? Asked about pairs that are hard to tell apart.

use burn::module::Module;
use burn::tensor::{Bool, Device, Distribution, Int, Tensor};
use sensorium_core::{Logits, assert_shape};

use super::{CrossEntropy, Loss, Objective};

/// Pictures and texts that do not belong together but look as if they did.
#[derive(Clone, Debug)]
pub struct HardNegatives {
    /// For each picture, the text to pair it with, `[batch]`.
    pub texts: Tensor<1, Int>,
    /// For each text, the picture to pair it with, `[batch]`.
    pub images: Tensor<1, Int>,
    /// True for a picture for which the batch has no wrong text, `[batch]`; its `texts` means nothing.
    pub no_text: Tensor<1, Bool>,
    /// True for a text for which the batch has no wrong picture, `[batch]`.
    pub no_image: Tensor<1, Bool>,
}

impl HardNegatives {
    /// Draws from the batch, as ALBEF does (arXiv 2107.07651, section 3.2): a wrong text for each picture, the likelier
    /// the higher the contrastive softmax of their similarity, and a wrong picture for each text likewise.
    ///
    /// `same` is true where a picture and a text belong together, `[images, texts]`; none: only those in the same place.
    /// Draws come from the device's generator, which the trainer seeds before each step.
    ///
    /// # Shapes
    /// `similarity` `[batch, batch]`, pictures by texts: the logits of the contrastive loss, temperature included.
    ///
    /// # Panics
    /// If shapes do not fit.
    pub fn draw(similarity: Tensor<2>, same: Option<Tensor<2, Bool>>) -> Self {
        let [batch, texts] = similarity.dims();
        assert_eq!(batch, texts, "as many texts as pictures are needed");
        let noise = [(); 2].map(|()| gumbel([batch, texts], &similarity.clone().inner().device()));
        Self::draw_by(similarity, same, noise)
    }

    /// The same by noise that is given, which is drawn from Gumbel's distribution: `[pictures, texts]` for the texts that are
    /// drawn, and `[texts, pictures]` for the pictures. Noise that was made on the host draws the same on every device. With a
    /// similarity of zeros, all pairs are as likely.
    ///
    /// # Panics
    /// If shapes do not fit.
    pub fn draw_by(
        similarity: Tensor<2>,
        same: Option<Tensor<2, Bool>>,
        [of_texts, of_images]: [Tensor<2>; 2],
    ) -> Self {
        let similarity = similarity.inner();
        let [batch, _] = similarity.dims();
        assert_shape!(similarity, [batch, batch]);
        assert_shape!(of_texts, [batch, batch]);
        assert_shape!(of_images, [batch, batch]);
        let same = match same {
            Some(same) => same,
            None => Tensor::<2>::eye(batch, &similarity.device()).bool(),
        };
        assert_shape!(same, [batch, batch]);
        let (texts, no_text) = draw_rows(similarity.clone(), same.clone(), of_texts);
        let (images, no_image) = draw_rows(similarity.transpose(), same.transpose(), of_images);
        Self {
            texts,
            images,
            no_text,
            no_image,
        }
    }

    /// The targets of [`ImageTextMatching`] for logits of, in this order, the true pairs, each picture with its wrong
    /// text, and each text with its wrong picture: `[3 · batch]`, 1 for a match, -1 for a pair that could not be made.
    pub fn targets(&self) -> Tensor<1, Int> {
        let [batch] = self.texts.dims();
        let device = self.texts.device();
        let wrong = |none: &Tensor<1, Bool>| {
            Tensor::<1, Int>::zeros([batch], &device).mask_fill(none.clone(), -1)
        };
        Tensor::cat(
            vec![
                Tensor::ones([batch], &device),
                wrong(&self.no_text),
                wrong(&self.no_image),
            ],
            0,
        )
    }
}

/// Drawn by the device's generator.
fn gumbel(shape: [usize; 2], device: &Device) -> Tensor<2> {
    let uniform = Tensor::<2>::random(shape, Distribution::Uniform(1e-6, 1.0 - 1e-6), device);
    uniform.log().neg().log().neg()
}

/// For each row a column that is not the same, drawn by softmax; and whether there is none.
fn draw_rows(
    similarity: Tensor<2>,
    same: Tensor<2, Bool>,
    noise: Tensor<2>,
) -> (Tensor<1, Int>, Tensor<1, Bool>) {
    let none = same.clone().all_dim(1).squeeze_dim(1);
    // The place of the largest of logits plus Gumbel noise is distributed as their softmax.
    let lowest = similarity.clone().min().sub_scalar(1e4).unsqueeze::<2>();
    let scores = (similarity.clone() + noise).mask_where(same, lowest.expand(similarity.dims()));
    (scores.argmax(1).squeeze_dim(1), none)
}

/// Image-text matching: cross-entropy of two classes, no match (0) and match (1), over pairs (arXiv 2107.07651,
/// equation 3). Its terms are `matched` and `unmatched`, the loss of either kind of pair. A negative target marks a pair
/// that does not count.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{HardNegatives, ImageTextMatching, Objective};
/// # let device = Device::flex();
/// let similarity = Tensor::from_data([[9.0, 2.0], [1.0, 8.0]], &device);
/// let wrong = HardNegatives::draw(similarity, None); // of two there is one wrong text each
/// assert_eq!(wrong.texts.to_data().iter::<i64>().collect::<Vec<_>>(), [1, 0]);
/// // A model fuses the six pairs and gives two logits for each:
/// let logits = Tensor::zeros([6, 2], &device);
/// let loss = ImageTextMatching::new().loss(logits, wrong.targets());
/// assert!((loss.total.into_scalar::<f32>() - 2f32.ln()).abs() < 1e-6);
/// ```
#[derive(Module, Debug, Default)]
pub struct ImageTextMatching {
    #[module(skip)]
    cross_entropy: CrossEntropy,
}

impl ImageTextMatching {
    /// A loss over pairs.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Objective for ImageTextMatching {
    type Output = Logits;
    type Target = Tensor<1, Int>;

    /// # Shapes
    /// `logits` `[pairs, 2]`, `target` `[pairs]` of 1 (match), 0 (none) or -1 (does not count).
    fn loss(&self, logits: Logits, target: Tensor<1, Int>) -> Loss {
        let [pairs, _] = logits.dims();
        assert_shape!(logits, [pairs, 2]);
        let only = |class: i64| {
            let others = target.clone().not_equal_elem(class);
            let target = target.clone().mask_fill(others, -1);
            self.cross_entropy
                .loss(logits.clone().detach(), target)
                .total
        };
        let terms = vec![
            ("matched".to_owned(), only(1)),
            ("unmatched".to_owned(), only(0)),
        ];
        let total = self.cross_entropy.loss(logits, target).total;
        Loss {
            total,
            terms,
            over: None,
            noted: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use sensorium_core::seed;
    use sensorium_testkit::{bools, check_gradients, devices, floats, ints, random};

    #[test]
    fn noise_that_is_given_draws_the_same_everywhere() {
        for device in devices() {
            let similarity = Tensor::<2>::from_data(
                [[9.0, 1.0, 2.0], [3.0, 9.0, 1.0], [0.0, 4.0, 9.0]],
                &device,
            );
            let none = || Tensor::zeros([3, 3], &device);
            // Without noise, those that are most alike; with much of it, what it says.
            let drawn = HardNegatives::draw_by(similarity.clone(), None, [none(), none()]);
            assert_eq!(ints(&drawn.texts), [2, 0, 1]);
            assert_eq!(ints(&drawn.images), [1, 2, 0]);
            let noise = Tensor::from_data([[0.0, 50.0, 0.0], [0.0, 0.0, 50.0], [50.0; 3]], &device);
            let drawn = HardNegatives::draw_by(similarity, None, [noise, none()]);
            assert_eq!(ints(&drawn.texts), [1, 2, 1]);
            assert_eq!(ints(&drawn.images), [1, 2, 0]);
        }
    }

    #[test]
    fn negatives_are_drawn_as_their_softmax_says_and_never_the_right_one() {
        for device in devices() {
            // Without the first text, ln of 1, 2 and 5: shares 1/8, 2/8 and 5/8.
            let row = [9.0, 0.0, 2f32.ln(), 5f32.ln()];
            let similarity = Tensor::from_data([row; 4], &device);
            let same = Tensor::from_data([[true, false, false, false]; 4], &device);
            let mut counts = [0usize; 4];
            seed::drawn(&device, 3, || {
                for _ in 0..500 {
                    let drawn = HardNegatives::draw(similarity.clone(), Some(same.clone()));
                    for text in ints(&drawn.texts) {
                        counts[text as usize] += 1;
                    }
                    assert_eq!(bools(&drawn.no_text), [false; 4]);
                    assert_eq!(bools(&drawn.no_image), [true, false, false, false]);
                }
            });
            assert_eq!(counts[0], 0);
            for (count, share) in counts[1..].iter().zip([0.125, 0.25, 0.625]) {
                let found = *count as f64 / 2000.0;
                assert!((found - share).abs() < 0.05, "{counts:?}"); // over 4 standard errors
            }
        }
    }

    #[test]
    fn a_seed_gives_the_same_draw_and_a_batch_of_one_none() {
        for device in devices() {
            let similarity = random::<2>([8, 8], 5, &device);
            let draw = |seed| {
                seed::drawn(&device, seed, || {
                    let drawn = HardNegatives::draw(similarity.clone(), None);
                    (ints(&drawn.texts), ints(&drawn.images))
                })
            };
            assert_eq!(draw(1), draw(1));
            assert_ne!(draw(1), draw(2));
            let (texts, images) = draw(1);
            for wrong in [texts, images] {
                assert!(
                    wrong
                        .iter()
                        .enumerate()
                        .all(|(row, other)| row as i64 != *other)
                );
            }
            let alone = HardNegatives::draw(Tensor::zeros([1, 1], &device), None);
            assert_eq!(ints(&alone.targets()), [1, -1, -1]);
        }
    }

    #[test]
    fn in_training_the_drawn_pairs_lead_gradients_to_what_they_chose() {
        for device in devices().into_iter().map(|device| device.autodiff()) {
            let texts = random::<2>([3, 2], 5, &device).require_grad();
            let similarity = texts.clone().matmul(texts.clone().transpose());
            let same = [
                [true, true, false],
                [true, true, true],
                [false, false, true],
            ];
            let same = Tensor::<2, Bool>::from_data(same, &device);
            let drawn = HardNegatives::draw(similarity, Some(same));
            let target = drawn.targets();
            assert_eq!(ints(&target), [1, 1, 1, 0, -1, 0, 0, 0, 0]);
            assert_eq!(ints(&drawn.texts)[0], 2);
            let chosen = texts.clone().select(0, drawn.texts);
            let logits = Tensor::cat(vec![texts.clone(), chosen.clone(), chosen], 0);
            let total = ImageTextMatching::new().loss(logits, target).total;
            let grads = floats(&texts.grad(&total.backward()).unwrap());
            assert!(
                grads.iter().all(|grad| grad.is_finite() && *grad != 0.0),
                "{grads:?}"
            );
        }
    }

    #[test]
    fn the_loss_is_the_mean_over_pairs_and_its_terms_are_those_of_each_kind() {
        for device in devices() {
            let logits = random::<2>([4, 2], 3, &device).mul_scalar(3.0);
            let target = [1i64, 0, 0, -1];
            let rows = floats(&logits);
            let nll = |row: usize| {
                let (no, yes) = (f64::from(rows[row * 2]), f64::from(rows[row * 2 + 1]));
                let own = if target[row] == 1 { yes } else { no };
                (no.exp() + yes.exp()).ln() - own
            };
            let loss = ImageTextMatching::new().loss(logits, Tensor::from_data(target, &device));
            let close = |found: &Tensor<1>, expected: f64| {
                let found = f64::from(found.clone().into_scalar::<f32>());
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            };
            close(&loss.total, (nll(0) + nll(1) + nll(2)) / 3.0);
            assert_eq!(
                (&*loss.terms[0].0, &*loss.terms[1].0),
                ("matched", "unmatched")
            );
            close(&loss.terms[0].1, nll(0));
            close(&loss.terms[1].1, (nll(1) + nll(2)) / 2.0);
        }
    }

    #[test]
    fn the_gradient_reaches_the_logits() {
        for device in devices() {
            let logits = Param::from_tensor(random([3, 2], 7, &device));
            let target = Tensor::<1, Int>::from_data([1, 0, -1], &device.autodiff());
            check_gradients(logits, |logits| {
                ImageTextMatching::new().loss(logits.val(), target).total
            });
        }
    }
}
