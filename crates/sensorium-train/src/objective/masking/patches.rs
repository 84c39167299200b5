//! Masked image modelling: most of a picture is hidden, and a model paints it.

use burn::module::Module;
use burn::tensor::{Bool, Tensor};
use sensorium_core::{SampleRng, assert_shape};

use super::tokens::shuffle;
use crate::{Loss, Objective};

/// Which patches of a picture are hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchMask {
    /// The patches a model sees, in order.
    pub kept: Vec<usize>,
    /// For each patch, whether it is hidden.
    pub masked: Vec<bool>,
}

impl PatchMask {
    /// Hides a share of the patches, each as likely as any other (MAE, arXiv 2111.06377, section 3); the paper hides 75 %.
    /// `patches · (1 - share)` of them are kept, rounded down, and at least one if there is any.
    ///
    /// ```
    /// use sensorium_core::seed;
    /// use sensorium_train::PatchMask;
    /// let mask = PatchMask::random(196, 0.75, &mut seed::rng(7, &[0, 3])); // epoch 0, sample 3
    /// assert_eq!(mask.kept.len(), 49);
    /// assert!(mask.kept.iter().all(|patch| !mask.masked[*patch]));
    /// ```
    ///
    /// # Panics
    /// If the share lies outside of 0 to 1.
    pub fn random(patches: usize, share: f64, rng: &mut SampleRng) -> Self {
        let share = super::super::checked_share(share);
        let left = (patches as f64 * (1.0 - share)) as usize;
        let mut order: Vec<usize> = (0..patches).collect();
        shuffle(&mut order, rng);
        order.truncate(left.max(1));
        order.sort_unstable();
        let mut masked = vec![true; patches];
        for patch in &order {
            masked[*patch] = false;
        }
        Self {
            kept: order,
            masked,
        }
    }
}

/// A picture's pixels patch by patch: `[batch, channels, height, width]` → `[batch, patches, size² · channels]`, patches
/// by rows, and within one the channels of each pixel together, as MAE has them.
///
/// # Panics
/// If patches do not fill the picture.
pub fn patches(images: Tensor<4>, size: usize) -> Tensor<3> {
    let [batch, channels, height, width] = images.dims();
    assert!(
        size > 0 && height.is_multiple_of(size) && width.is_multiple_of(size),
        "patches of {size} pixels do not fill {height} x {width}"
    );
    let (rows, columns) = (height / size, width / size);
    images
        .reshape([batch, channels, rows, size, columns, size]) // [B, C, R, P, Q, P]
        .permute([0, 2, 4, 3, 5, 1]) // [B, R, Q, P, P, C]
        .reshape([batch, rows * columns, size * size * channels])
}

/// What a picture's patches are, and which a model had to paint.
#[derive(Clone, Debug)]
pub struct PatchTargets {
    /// The pixels of each patch, `[batch, patches, pixels]`, as [`patches`] gives them.
    pub patches: Tensor<3>,
    /// True for the hidden ones, `[batch, patches]`.
    pub masked: Tensor<2, Bool>,
}

/// The loss of masked autoencoders (arXiv 2111.06377, section 3): the mean squared error of a patch's pixels, averaged over
/// the hidden patches. A batch without any has loss 0.
///
/// With normalised targets, which the paper finds better, the pixels of each patch are first brought to mean 0 and
/// deviation 1 ((x - μ) / √(σ² + 10⁻⁶), σ² divided by one less than the pixels): what is to be painted is the structure.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{MaskedPatches, Objective, PatchTargets};
/// # let device = Device::flex();
/// let targets = PatchTargets {
///     patches: Tensor::from_data([[[1.0, 3.0], [5.0, 5.0]]], &device),
///     masked: Tensor::from_data([[true, false]], &device),
/// };
/// let painted = Tensor::zeros([1, 2, 2], &device);
/// let loss = MaskedPatches::plain().loss(painted, targets).total.into_scalar::<f32>();
/// assert_eq!(loss, (1.0 + 9.0) / 2.0); // the first patch alone
/// ```
#[derive(Module, Debug)]
pub struct MaskedPatches {
    #[module(skip)]
    normalised: bool,
}

impl MaskedPatches {
    /// Targets are normalised patch by patch.
    pub fn normalised() -> Self {
        Self { normalised: true }
    }

    /// Targets are pixels as they are.
    pub fn plain() -> Self {
        Self { normalised: false }
    }
}

impl Objective for MaskedPatches {
    type Output = Tensor<3>;
    type Target = PatchTargets;

    /// # Shapes
    /// What was painted, `[batch, patches, pixels]`; only hidden patches count.
    fn loss(&self, painted: Tensor<3>, targets: PatchTargets) -> Loss {
        let [batch, patches, pixels] = painted.dims();
        assert_shape!(targets.patches, [batch, patches, pixels]);
        assert_shape!(targets.masked, [batch, patches]);
        let mut target = targets.patches;
        if self.normalised {
            assert!(pixels > 1, "a patch of one pixel has no deviation");
            let (variance, mean) = target.clone().var_mean(2);
            target = (target - mean) / variance.add_scalar(1e-6).sqrt();
        }
        let error: Tensor<2> = (painted - target).square().mean_dim(2).squeeze_dim(2); // [B, N]
        let count = targets.masked.clone().float().sum();
        let seen = targets.masked.bool_not();
        let total = error.mask_fill(seen, 0.0).sum() / count.clone().clamp_min(1.0);
        Loss::new(total).over(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use sensorium_core::seed;
    use sensorium_testkit::{check_gradients, devices, floats, random};

    #[test]
    fn each_patch_is_hidden_as_often_and_a_seed_hides_the_same() {
        let mask = |sample| PatchMask::random(16, 0.75, &mut seed::rng(3, &[sample]));
        let mut counts = [0usize; 16];
        for sample in 0..4000 {
            let mask = mask(sample);
            assert_eq!(mask.kept.len(), 4);
            assert!(mask.kept.windows(2).all(|pair| pair[0] < pair[1]));
            for (patch, masked) in mask.masked.iter().enumerate() {
                assert_eq!(*masked, !mask.kept.contains(&patch));
                counts[patch] += usize::from(*masked);
            }
        }
        // Within four standard errors of 3000.
        assert!(
            counts.iter().all(|count| count.abs_diff(3000) < 110),
            "{counts:?}"
        );
        assert_eq!(mask(1), mask(1));
        assert_ne!(mask(1), mask(2));
        let rng = &mut seed::rng(3, &[]);
        assert_eq!(PatchMask::random(3, 1.0, rng).kept.len(), 1);
        assert_eq!(PatchMask::random(3, 0.0, rng).masked, [false; 3]);
        assert!(PatchMask::random(0, 0.5, rng).kept.is_empty());
    }

    #[test]
    fn a_flat_patch_has_a_finite_loss_and_no_hidden_one_none() {
        for device in devices() {
            let targets = |masked: bool| PatchTargets {
                patches: Tensor::full([1, 1, 4], 0.5, &device),
                masked: Tensor::from_data([[masked]], &device),
            };
            let painted = Tensor::<3>::ones([1, 1, 4], &device);
            let loss = |masked| {
                let loss = MaskedPatches::normalised().loss(painted.clone(), targets(masked));
                floats(&loss.total)[0]
            };
            assert!((loss(true) - 1.0).abs() < 1e-6);
            assert_eq!(loss(false), 0.0);
        }
    }

    #[test]
    fn the_gradient_reaches_what_was_painted() {
        for device in devices() {
            let painted = Param::from_tensor(random([2, 3, 4], 7, &device));
            let on = device.autodiff();
            let targets = PatchTargets {
                patches: random([2, 3, 4], 8, &on),
                masked: Tensor::from_data([[true, false, true], [false, true, true]], &on),
            };
            check_gradients(painted, |painted| {
                MaskedPatches::normalised()
                    .loss(painted.val(), targets)
                    .total
            });
        }
    }
}
