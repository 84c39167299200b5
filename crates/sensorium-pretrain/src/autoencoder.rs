//! Masked autoencoders: an encoder sees a part of its tokens, and a small decoder paints the others.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Bool, Device, Tensor};
use sensorium_core::nn::{LearnedPositions, Transformer, TransformerConfig, linear, trunc_normal};
use sensorium_core::tap::in_layer;
use sensorium_core::{Maskable, NoTap, Opened, SampleRng, Tap, Tokens, need};
use sensorium_train::{Learned, Loss, MaskedPatches, Objective, PatchTargets};

use crate::{Error, PatchMasks, Pretext, positions};

/// The longest sequence a decoder has positions for.
pub(crate) const MOST_TOKENS: usize = 1 << 20;

/// Configuration of a [`MaskedAutoencoder`].
#[derive(Clone, Debug)]
pub struct MaskedAutoencoderConfig {
    d_encoder: usize,
    d_content: usize,
    n_extra: usize,
    grid: [usize; 2],
    d_decoder: usize,
    n_layers: usize,
    n_heads: usize,
    d_ff: Option<usize>,
    norm_epsilon: f64,
    learned_positions: bool,
    normalised: bool,
    share: f64,
}

impl MaskedAutoencoderConfig {
    /// A decoder of so many features, layers and heads for what an encoder gives; a feed-forward width of four times its
    /// features, fixed positions, normalised targets, three quarters hidden. The paper's has 512 features, 8 layers and 16
    /// heads.
    pub fn new<E: Maskable>(
        encoder: &E,
        d_decoder: usize,
        n_layers: usize,
        n_heads: usize,
    ) -> Self {
        Self {
            d_encoder: encoder.d_output(),
            d_content: encoder.d_content(),
            n_extra: encoder.n_extra(),
            grid: encoder.grid(),
            d_decoder,
            n_layers,
            n_heads,
            d_ff: None,
            norm_epsilon: 1e-6,
            learned_positions: false,
            normalised: true,
            share: 0.75,
        }
    }

    /// Width of the decoder's feed-forward part.
    pub fn with_d_ff(mut self, d_ff: usize) -> Self {
        self.d_ff = Some(d_ff);
        self
    }

    /// What the decoder's norms add before the root.
    pub fn with_norm_epsilon(mut self, norm_epsilon: f64) -> Self {
        self.norm_epsilon = norm_epsilon;
        self
    }

    /// Whether the decoder's positions are trained; they begin as sines and cosines all the same.
    pub fn with_learned_positions(mut self, learned: bool) -> Self {
        self.learned_positions = learned;
        self
    }

    /// Whether what is to be painted is brought to mean 0 and deviation 1, patch by patch.
    pub fn with_normalised_targets(mut self, normalised: bool) -> Self {
        self.normalised = normalised;
        self
    }

    /// The share of the tokens that [`MaskedAutoencoder::masks`] hides.
    pub fn with_share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        need(self.d_decoder.is_multiple_of(4), "d_decoder", || {
            let up = self.d_decoder.next_multiple_of(4);
            format!("{} is not a multiple of 4; use {up}", self.d_decoder)
        })?;
        need((0.0..1.0).contains(&self.share), "share", || {
            format!("{} must be at least 0 and below 1", self.share)
        })?;
        let [rows, columns] = self.grid;
        let tokens = rows.saturating_mul(columns).saturating_add(self.n_extra);
        need((1..=MOST_TOKENS).contains(&tokens), "grid", || {
            format!("{rows} x {columns} tokens; use 1 to {MOST_TOKENS}")
        })?;
        need(!self.normalised || self.d_content > 1, "normalised", || {
            "a content of one number has no deviation; use targets as they are".to_owned()
        })?;
        Ok(self.transformer().validate()?)
    }

    /// A freshly initialised decoder.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> MaskedAutoencoder {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let positions = positions::grid(self.n_extra, self.grid, self.d_decoder, device);
        let positions = Param::from_tensor(positions).set_require_grad(self.learned_positions);
        let objective = match self.normalised {
            true => MaskedPatches::normalised(),
            false => MaskedPatches::plain(),
        };
        MaskedAutoencoder {
            embed: LinearConfig::new(self.d_encoder, self.d_decoder).init(device),
            mask_token: trunc_normal([self.d_decoder], 0.02, device),
            position: LearnedPositions { weight: positions },
            decoder: self.transformer().init(device),
            predict: LinearConfig::new(self.d_decoder, self.d_content).init(device),
            objective,
            n_extra: self.n_extra,
            normalised: self.normalised,
            share: self.share,
        }
    }

    fn transformer(&self) -> TransformerConfig {
        let transformer = TransformerConfig::new(self.d_decoder, self.n_heads, self.n_layers)
            .with_norm_epsilon(self.norm_epsilon);
        match self.d_ff {
            Some(d_ff) => transformer.with_d_ff(d_ff),
            None => transformer,
        }
    }
}

/// A masked autoencoder's decoder and loss (He et al., arXiv 2111.06377), around any [`Maskable`] encoder: of pictures, or of
/// spectrograms (Audio-MAE, arXiv 2207.06405).
///
/// The encoder sees the tokens that are kept alone, which makes it quick. The decoder gets what it made of them, in their
/// places, and one learned vector in all others, with fixed positions (sines and cosines of row and column); it paints what
/// each token stands for, and the mean squared error counts where it was hidden. Afterwards the decoder is thrown away.
///
/// A sound of another length has fewer rows of the grid. Each sample keeps a share of its own tokens. Padding is not seen, not
/// painted and does not count; the loss is averaged over the hidden tokens of the batch, so that a long sound counts more.
///
/// # Differs from the paper
/// Contents are in the encoder's own order. Kept tokens stand in the order of their places, which changes nothing: each
/// brings its position.
#[derive(Module, Debug)]
pub struct MaskedAutoencoder {
    /// The encoder's width → the decoder's.
    pub embed: Linear,
    /// `[d_decoder]`, in the place of what is hidden.
    pub mask_token: Param<Tensor<1>>,
    /// A vector for each of the encoder's own tokens (zero) and each place of the grid; frozen unless asked for.
    pub position: LearnedPositions,
    /// The decoder's blocks.
    pub decoder: Transformer,
    /// The decoder's width → what a token stands for.
    pub predict: Linear,
    objective: MaskedPatches,
    #[module(skip)]
    n_extra: usize,
    #[module(skip)]
    normalised: bool,
    #[module(skip)]
    share: f64,
}

/// What an autoencoder painted.
#[derive(Clone, Debug)]
pub struct Painted {
    /// What it painted, on the scale of the contents: `[batch, tokens, d_content]`.
    pub painted: Tensor<3>,
    /// What was there: `[batch, tokens, d_content]`.
    pub contents: Tensor<3>,
    /// Where it was hidden: `[batch, tokens]`.
    pub masked: Tensor<2, Bool>,
}

impl Painted {
    /// What was there, with what was painted where it was hidden: `[batch, tokens, d_content]`.
    pub fn filled(self) -> Tensor<3> {
        let shape = self.contents.dims();
        let hidden = self.masked.unsqueeze_dim::<3>(2).expand(shape);
        self.contents.mask_where(hidden, self.painted)
    }

    /// What was there, with nothing where it was hidden: `[batch, tokens, d_content]`.
    pub fn seen(self) -> Tensor<3> {
        let shape = self.contents.dims();
        let hidden = self.masked.unsqueeze_dim::<3>(2).expand(shape);
        self.contents.mask_fill(hidden, 0.0)
    }
}

/// What is painted, `[batch, tokens, d_content]`, of what, and what was hidden of it.
type Predicted = (Tensor<3>, Opened, PatchMasks);

impl MaskedAutoencoder {
    /// Hides this autoencoder's share of each sample's tokens, see [`PatchMasks::random`].
    ///
    /// # Panics
    /// If there are fewer generators than samples.
    pub fn masks(
        &self,
        pad: Tensor<2, Bool>,
        rngs: impl IntoIterator<Item = SampleRng>,
    ) -> PatchMasks {
        PatchMasks::random(pad, self.share, rngs)
    }

    /// The loss of a batch.
    ///
    /// # Panics
    /// If masks are for another number of samples or tokens.
    pub fn loss<E: Maskable>(&self, encoder: &E, batch: E::Batch, masks: &PatchMasks) -> Loss {
        self.loss_with(encoder, batch, masks, &mut NoTap)
    }

    /// The same, showing the encoder's intermediates under `encoder`, `decoder.embeds`, `decoder.blocks.N.output`,
    /// `decoder.output` and `predicted`.
    ///
    /// # Panics
    /// If masks are for another number of samples or tokens.
    pub fn loss_with<E: Maskable, T: Tap>(
        &self,
        encoder: &E,
        batch: E::Batch,
        masks: &PatchMasks,
        tap: &mut T,
    ) -> Loss {
        let masks = |_| masks.clone();
        self.judge(self.predict_with(encoder, batch, masks, tap))
    }

    /// The loss of a batch with this autoencoder's share of each sample's tokens hidden, see [`masks`](Self::masks). The
    /// encoder alone knows which tokens are padding; it is asked once.
    ///
    /// # Panics
    /// If there are fewer generators than samples.
    pub fn loss_hiding<E: Maskable>(
        &self,
        encoder: &E,
        batch: E::Batch,
        rngs: impl IntoIterator<Item = SampleRng>,
    ) -> Loss {
        let masks = |pad| self.masks(pad, rngs);
        self.judge(self.predict_with(encoder, batch, masks, &mut NoTap))
    }

    fn judge(&self, (predicted, opened, masks): Predicted) -> Loss {
        let targets = PatchTargets {
            patches: opened.contents,
            masked: masks.guessed(opened.tokens.pad),
        };
        self.objective.loss(predicted, targets)
    }

    /// What is painted and what was there, to be looked at. Where targets are normalised, mean and deviation of what was
    /// there are given to what is painted, as in the paper's figures: they are not guessed.
    ///
    /// # Panics
    /// If masks are for another number of samples or tokens.
    pub fn paint<E: Maskable>(&self, encoder: &E, batch: E::Batch, masks: &PatchMasks) -> Painted {
        let masks = |_| masks.clone();
        let (mut painted, opened, masks) = self.predict_with(encoder, batch, masks, &mut NoTap);
        if self.normalised {
            let (variance, mean) = opened.contents.clone().var_mean(2);
            painted = painted * variance.add_scalar(1e-6).sqrt() + mean;
        }
        Painted {
            painted,
            contents: opened.contents,
            masked: masks.guessed(opened.tokens.pad),
        }
    }

    fn predict_with<E: Maskable, T: Tap>(
        &self,
        encoder: &E,
        batch: E::Batch,
        masks: impl FnOnce(Tensor<2, Bool>) -> PatchMasks,
        tap: &mut T,
    ) -> Predicted {
        let (opened, latent, masks) = in_layer(tap, "encoder", |tap| {
            let opened = encoder.open_with(batch, tap);
            let masks = masks(opened.tokens.pad.clone());
            let kept = masks.keep(opened.tokens.clone());
            (opened, encoder.close_with(kept, tap), masks)
        });
        let mut tokens = self.canvas().in_place(latent, &opened.tokens.pad, &masks);
        let [_, n, _] = tokens.dims();
        let decoded = in_layer(tap, "decoder", |tap| {
            tokens.embeds = tap.tensor("embeds", tokens.embeds);
            self.decoder.forward_with(tokens, tap)
        });
        let decoded = decoded.embeds.narrow(1, self.n_extra, n - self.n_extra);
        let predicted = tap.tensor("predicted", linear(&self.predict, decoded));
        (predicted, opened, masks)
    }

    fn canvas(&self) -> Canvas<'_> {
        Canvas {
            embed: &self.embed,
            mask_token: &self.mask_token,
            position: &self.position,
            n_extra: self.n_extra,
        }
    }
}

/// What puts tokens back in their places, for a model that is wider or narrower than the encoder.
pub(crate) struct Canvas<'a> {
    pub embed: &'a Linear,
    pub mask_token: &'a Param<Tensor<1>>,
    pub position: &'a LearnedPositions,
    pub n_extra: usize,
}

impl Canvas<'_> {
    /// What was kept in its places, and what stands for the hidden in theirs: `[B, extra + kept, D]` →
    /// `[B, extra + tokens, d_decoder]`.
    pub fn in_place(&self, latent: Tokens, pad: &Tensor<2, Bool>, masks: &PatchMasks) -> Tokens {
        let [_, n, _] = latent.dims();
        let extra = self.n_extra;
        let x = linear(self.embed, latent.embeds);
        let kept = x.clone().narrow(1, extra, n - extra);
        let all = masks.restore(kept, self.mask_token.val());
        let own = |x: Tensor<3>| x.narrow(1, 0, extra);
        let (embeds, pad) = match extra {
            0 => (all, pad.clone()),
            _ => (
                Tensor::cat(vec![own(x), all], 1),
                Tensor::cat(vec![latent.pad.narrow(1, 0, extra), pad.clone()], 1),
            ),
        };
        Tokens::new(self.position.forward(embeds), pad)
    }
}

impl<E: Maskable> Pretext<E> for MaskedAutoencoder {
    type Target = PatchMasks;

    fn learn(&self, encoder: &E, batch: E::Batch, masks: PatchMasks) -> Learned {
        Learned::new(self.loss(encoder, batch, &masks))
    }
}
