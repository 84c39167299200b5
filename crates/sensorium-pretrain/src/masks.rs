//! Which tokens of a batch are hidden: decided sample by sample on the host, kept as tensors.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use sensorium_core::{SampleRng, Tokens, assert_shape};
use sensorium_train::PatchMask;

/// Which tokens of each sample a model sees and which it must guess.
///
/// Samples may differ in length. Each keeps its share of its own tokens; who keeps fewer than another has padding in their
/// places. Padding among the tokens is neither kept nor guessed, even where a mask names it.
#[derive(Clone, Debug)]
pub struct PatchMasks {
    /// The places of what is kept, `[batch, kept]`; 0 where a sample keeps fewer.
    pub kept: Tensor<2, Int>,
    /// True where a sample keeps fewer, `[batch, kept]`.
    pub kept_pad: Tensor<2, Bool>,
    /// True for what is hidden and to be guessed, `[batch, tokens]`.
    pub masked: Tensor<2, Bool>,
    /// For each token, where among the kept it stands, or `kept` where it does not: `[batch, tokens]`.
    restore: Tensor<2, Int>,
}

impl PatchMasks {
    /// Joins a mask for each sample, of which each may be shorter than `n_tokens`: what comes after it is padding. A sample
    /// that is absent has an empty one.
    ///
    /// # Panics
    /// If there is no sample, or a mask is longer, or keeps what it hides or has not.
    pub fn new(masks: &[PatchMask], n_tokens: usize, device: &Device) -> Self {
        assert!(!masks.is_empty(), "a batch needs a sample");
        let batch = masks.len();
        let most = masks.iter().map(|mask| mask.kept.len()).max().unwrap_or(0);
        let width = most.max(1); // a tensor without columns is none
        let mut kept = vec![0i64; batch * width];
        let mut kept_pad = vec![true; batch * width];
        let mut masked = vec![false; batch * n_tokens];
        let mut restore = vec![width as i64; batch * n_tokens];
        for (sample, mask) in masks.iter().enumerate() {
            let tokens = mask.masked.len();
            assert!(
                tokens <= n_tokens,
                "sample {sample} has a mask for {tokens} tokens, but there are only {n_tokens}"
            );
            let row = sample * n_tokens;
            masked[row..row + tokens].copy_from_slice(&mask.masked);
            for (slot, place) in mask.kept.iter().enumerate() {
                assert!(
                    mask.masked.get(*place) == Some(&false),
                    "sample {sample} keeps token {place}, which is hidden or not there"
                );
                kept[sample * width + slot] = *place as i64;
                kept_pad[sample * width + slot] = false;
                restore[row + place] = slot as i64;
            }
        }
        let ints = |values, shape| Tensor::from_data(TensorData::new(values, shape), device);
        let bools = |values, shape| Tensor::from_data(TensorData::new(values, shape), device);
        Self {
            kept: ints(kept, [batch, width]),
            kept_pad: bools(kept_pad, [batch, width]),
            masked: bools(masked, [batch, n_tokens]),
            restore: ints(restore, [batch, n_tokens]),
        }
    }

    /// Hides a share of each sample's tokens, each as likely as any other ([`PatchMask::random`]), going by the padding,
    /// which is read on the host: `pad` `[batch, tokens]`, true = padding, and a generator for each sample.
    ///
    /// ```
    /// use burn::tensor::Tensor;
    /// use sensorium_core::seed;
    /// use sensorium_pretrain::PatchMasks;
    ///
    /// let device = sensorium_runtime::open("flex".parse()?)?;
    /// // Two sounds, of eight patches and of four.
    /// let pad = Tensor::<1, burn::tensor::Int>::arange(0..16, &device).greater_equal_elem(12).reshape([2, 8]);
    /// let masks = PatchMasks::random(pad, 0.75, (0..2).map(|sample| seed::rng(7, &[0, sample])));
    /// assert_eq!(masks.kept.dims(), [2, 2]); // two of eight, one of four
    /// assert_eq!(masks.masked.float().sum().into_scalar::<f32>(), 6.0 + 3.0);
    /// # Ok::<(), sensorium_runtime::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the share lies outside of 0 to 1, or there are fewer generators than samples.
    pub fn random(
        pad: Tensor<2, Bool>,
        share: f64,
        rngs: impl IntoIterator<Item = SampleRng>,
    ) -> Self {
        let [batch, n_tokens] = pad.dims();
        let device = pad.device();
        let padding: Vec<bool> = pad.into_data().iter::<bool>().collect();
        let mut rngs = rngs.into_iter();
        let masks = padding.chunks(n_tokens).map(|padding| {
            let rng = rngs.next();
            let mut rng = rng.unwrap_or_else(|| panic!("fewer generators than {batch} samples"));
            let there: Vec<usize> = (0..n_tokens).filter(|place| !padding[*place]).collect();
            let mask = PatchMask::random(there.len(), share, &mut rng);
            let mut masked = vec![false; n_tokens];
            for (place, hidden) in there.iter().zip(&mask.masked) {
                masked[*place] = *hidden;
            }
            let kept = mask.kept.iter().map(|place| there[*place]).collect();
            PatchMask { kept, masked }
        });
        Self::new(&masks.collect::<Vec<_>>(), n_tokens, &device)
    }

    /// The tokens that are kept: `[batch, tokens, d]` → `[batch, kept, d]`.
    ///
    /// # Panics
    /// If the masks are for another number of samples or tokens.
    pub fn keep(&self, tokens: Tokens) -> Tokens {
        let [batch, n_tokens, d] = tokens.dims();
        assert_shape!(self.masked, [batch, n_tokens]);
        let [_, kept] = self.kept.dims();
        let places = self.kept.clone().unsqueeze_dim::<3>(2);
        let embeds = tokens.embeds.gather(1, places.expand([batch, kept, d]));
        let absent = tokens.pad.int().gather(1, self.kept.clone()).equal_elem(1);
        Tokens::new(embeds, absent.bool_or(self.kept_pad.clone()))
    }

    /// What is to be guessed, and is no padding: `[batch, tokens]`.
    pub(crate) fn guessed(&self, pad: Tensor<2, Bool>) -> Tensor<2, Bool> {
        self.masked.clone().bool_and(pad.bool_not())
    }

    /// All tokens in their places, `filler` `[d]` where one is hidden: `[batch, kept, d]` → `[batch, tokens, d]`.
    pub(crate) fn restore(&self, kept: Tensor<3>, filler: Tensor<1>) -> Tensor<3> {
        let [batch, _, d] = kept.dims();
        let [_, n_tokens] = self.restore.dims();
        let filler = filler.reshape([1, 1, d]).expand([batch, 1, d]);
        let places = self.restore.clone().unsqueeze_dim::<3>(2);
        Tensor::cat(vec![kept, filler], 1).gather(1, places.expand([batch, n_tokens, d]))
    }
}
