//! The vision transformer: patches of an image as tokens.

use burn::module::{Initializer, Module, Param};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{LearnedPositions, Transformer, TransformerConfig, trunc_normal};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Maskable, Modality, Opened, Tap, Tokens, assert_shape, need};

use crate::patch::unfold;
use crate::{Error, IMAGE, ImageBatch, Stem, StemConfig};

/// The longest side, as in [`PrepareConfig`](crate::PrepareConfig).
const MOST_PIXELS: usize = 16_384;
/// Satellites see in a few hundred bands.
const MOST_CHANNELS: usize = 1024;

/// Configuration of a [`Vit`].
#[derive(Clone, Debug)]
pub struct VitConfig {
    image_size: usize,
    patch_size: usize,
    d_model: usize,
    n_layers: usize,
    n_heads: usize,
    channels: usize,
    d_ff: Option<usize>,
    dropout: f64,
    drop_path: f64,
    class_token: bool,
    stem: Option<StemConfig>,
    fused_qkv: bool,
    norm_epsilon: f64,
}

impl VitConfig {
    /// For colour images, with a class token, a feed-forward width of `4 * d_model` and no dropout.
    pub fn new(
        image_size: usize,
        patch_size: usize,
        d_model: usize,
        n_layers: usize,
        n_heads: usize,
    ) -> Self {
        Self {
            image_size,
            patch_size,
            d_model,
            n_layers,
            n_heads,
            channels: 3,
            d_ff: None,
            dropout: 0.0,
            drop_path: 0.0,
            class_token: true,
            stem: None,
            fused_qkv: true,
            // Flax's default, with which the original was trained.
            norm_epsilon: 1e-6,
        }
    }

    /// ViT-B/16 at 224 pixels: arXiv 2010.11929, table 1.
    pub fn b16_224() -> Self {
        Self::new(224, 16, 768, 12, 12)
    }

    /// A model that runs in a moment: 8 pixels, four patches, two layers.
    pub fn debug() -> Self {
        Self::new(8, 4, 8, 2, 2)
    }

    /// 3 for colour, 1 for grey.
    pub fn with_channels(mut self, channels: usize) -> Self {
        self.channels = channels;
        self
    }

    /// Width of the feed-forward part.
    pub fn with_d_ff(mut self, d_ff: usize) -> Self {
        self.d_ff = Some(d_ff);
        self
    }

    /// Share of features dropped in training, of embeddings and inside blocks.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// Chance of skipping a residual branch in the last block, less in earlier ones.
    pub fn with_drop_path(mut self, drop_path: f64) -> Self {
        self.drop_path = drop_path;
        self
    }

    /// Whether a learned token that stands for the whole image comes first.
    pub fn with_class_token(mut self, class_token: bool) -> Self {
        self.class_token = class_token;
        self
    }

    /// Convolutions before the patches; a patch of pixels is then one of what they give.
    pub fn with_stem(mut self, stem: StemConfig) -> Self {
        self.stem = Some(stem);
        self
    }

    /// Whether query, key and value are one linear map.
    pub fn with_fused_qkv(mut self, fused_qkv: bool) -> Self {
        self.fused_qkv = fused_qkv;
        self
    }

    /// What the norms add before the root.
    pub fn with_norm_epsilon(mut self, norm_epsilon: f64) -> Self {
        self.norm_epsilon = norm_epsilon;
        self
    }

    /// How many patches an image has.
    pub fn n_patches(&self) -> usize {
        (self.image_size / self.patch_size).pow(2)
    }

    /// How many tokens come out: the patches, and the class token if there is one.
    pub fn n_tokens(&self) -> usize {
        self.n_patches() + usize::from(self.class_token)
    }

    /// How many numbers of a patch become a token: its pixels, or what the stem makes of them.
    pub fn d_patch(&self) -> usize {
        let (features, stride) = self
            .stem
            .map_or((self.channels, 1), |stem| (stem.d_output(), stem.stride()));
        features * (self.patch_size / stride).pow(2)
    }

    /// Refuses sizes that do not fit each other.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn validate(&self) -> Result<(), Error> {
        let Self {
            image_size,
            patch_size,
            channels,
            ..
        } = *self;
        need(
            (1..=MOST_PIXELS).contains(&patch_size),
            "patch_size",
            || format!("{patch_size}; use 1 to {MOST_PIXELS}"),
        )?;
        need(
            (1..=MOST_PIXELS).contains(&image_size),
            "image_size",
            || format!("{image_size}; use 1 to {MOST_PIXELS}"),
        )?;
        need(image_size.is_multiple_of(patch_size), "image_size", || {
            let up = image_size.next_multiple_of(patch_size);
            format!("{image_size} is not a multiple of patch_size {patch_size}; use {up}")
        })?;
        need((1..=MOST_CHANNELS).contains(&channels), "channels", || {
            format!("{channels}; use 3 or 1, and at most {MOST_CHANNELS}")
        })?;
        if let Some(stem) = self.stem {
            stem.validate()?;
            let stride = stem.stride();
            need(patch_size.is_multiple_of(stride), "patch_size", || {
                let up = patch_size.next_multiple_of(stride);
                format!(
                    "{patch_size} is not a multiple of {stride}, what {} halvings of the stem make one; use {up}",
                    stem.halvings
                )
            })?;
        }
        Ok(self.transformer().validate()?)
    }

    /// A freshly initialised encoder.
    ///
    /// # Panics
    /// If sizes do not fit each other; [`validate`](VitConfig::validate) says so beforehand.
    pub fn init(&self, device: &Device) -> Vit {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let Self { d_model, .. } = *self;
        Vit {
            stem: self.stem.map(|stem| stem.init(self.channels, device)),
            patch: LinearConfig::new(self.d_patch(), d_model)
                .with_initializer(Initializer::XavierUniform { gain: 1.0 })
                .init(device),
            class: self
                .class_token
                .then(|| trunc_normal([1, d_model], 0.02, device)),
            position: LearnedPositions::new(self.n_tokens(), d_model, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            transformer: self.transformer().init(device),
            channels: self.channels,
            image_size: self.image_size,
            patch_size: self.patch_size,
        }
    }

    fn transformer(&self) -> TransformerConfig {
        let transformer = TransformerConfig::new(self.d_model, self.n_heads, self.n_layers)
            .with_norm_epsilon(self.norm_epsilon)
            .with_fused_qkv(self.fused_qkv)
            .with_dropout(self.dropout)
            .with_drop_path(self.drop_path);
        match self.d_ff {
            Some(d_ff) => transformer.with_d_ff(d_ff),
            None => transformer,
        }
    }
}

/// A vision transformer (Dosovitskiy et al., arXiv 2010.11929): an image is cut into square patches, each
/// becomes a token, and a pre-norm transformer encodes them.
///
/// # Differs from the paper
/// All tokens come out, normed, and not the class token alone; what to pool is up to who reads them.
/// Patches are embedded by a linear map over their pixels in the order `[channel, row, column]`, which
/// is the paper's equation 1 and equals the strided convolution that others write it as (and takes 0.2 to
/// 0.9 of its time on the CPU).
#[derive(Module, Debug)]
pub struct Vit {
    /// Convolutions before the patches, if there are any.
    pub stem: Option<Stem>,
    /// The pixels of a patch, or what the stem makes of them → `d_model`.
    pub patch: Linear,
    /// `[1, d_model]`, the token that comes first.
    pub class: Option<Param<Tensor<2>>>,
    /// A vector for each token's place.
    pub position: LearnedPositions,
    /// On the embeddings.
    pub dropout: Dropout,
    /// The blocks.
    pub transformer: Transformer,
    #[module(skip)]
    channels: usize,
    #[module(skip)]
    image_size: usize,
    #[module(skip)]
    patch_size: usize,
}

impl Vit {
    /// Patches as [`open`](Maskable::open) gives them, or as they were painted, as images again: `[batch, patches, d_content]` →
    /// `[batch, channels, image_size, image_size]`.
    ///
    /// # Panics
    /// If there are not as many patches, or numbers in one, as the model was made for.
    pub fn images(&self, contents: Tensor<3>) -> Tensor<4> {
        let [batch, _, _] = contents.dims();
        let ([rows, columns], p, c) = (self.grid(), self.patch_size, self.channels);
        assert_shape!(contents, [batch, rows * columns, self.d_content()]);
        contents
            .reshape([batch, rows, columns, c, p, p]) // [B, R*S, C*P*P] -> [B, R, S, C, P, P]
            .permute([0, 3, 1, 4, 2, 5]) // [B, C, R, P, S, P]
            .reshape([batch, c, rows * p, columns * p])
    }

    /// The class token in its place, before tokens that have theirs: `[B, T, D]` → `[B, 1 + T, D]`; padding where all are.
    fn with_class(&self, tokens: Tokens) -> Tokens {
        let Some(class) = &self.class else {
            return tokens;
        };
        let [batch, _, d_model] = tokens.dims();
        let class = self.position.forward(class.val().unsqueeze_dim(0)); // [1, 1, D]
        let class = class.expand([batch, 1, d_model]);
        Tokens::concat(vec![Tokens::with_presence(class, tokens.present()), tokens])
    }
}

impl Encoder for Vit {
    const MODALITY: Modality = IMAGE;
    type Batch = ImageBatch;

    fn d_output(&self) -> usize {
        self.position.weight.shape().dims::<2>()[1]
    }

    /// `[batch, channels, image_size, image_size]` → `[batch, tokens, d_model]`; an absent image is all
    /// padding. Shows `stem` if there is one, `patches`, `transformer.blocks.N.attention.weights`, `transformer.blocks.N.output` and
    /// `transformer.output` to the tap.
    ///
    /// # Panics
    /// If images are not of the size and channels the model was made for.
    fn encode_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Tokens {
        let opened = self.open_with(batch, tap);
        self.close_with(opened.tokens, tap)
    }
}

impl Maskable for Vit {
    fn d_content(&self) -> usize {
        self.channels * self.patch_size * self.patch_size
    }

    fn grid(&self) -> [usize; 2] {
        [self.image_size / self.patch_size; 2]
    }

    fn n_extra(&self) -> usize {
        usize::from(self.class.is_some())
    }

    /// A token of an encoder with a stem has seen its neighbours' pixels: what hides patches cannot hide them from it.
    ///
    /// Contents are the pixels of a patch in the order `[channel, row, column]`, as its embedding takes them. Masked
    /// autoencoders elsewhere have them by `[row, column, channel]`: the columns of what predicts them stand otherwise, and
    /// the loss is the same.
    ///
    /// # Panics
    /// If images are not of the size and channels the model was made for.
    fn open_with<T: Tap>(&self, batch: ImageBatch, tap: &mut T) -> Opened {
        let ImageBatch { pixels, present } = batch;
        let [n, _, _, _] = pixels.dims();
        assert_shape!(pixels, [n, self.channels, self.image_size, self.image_size]);
        let contents = unfold(pixels.clone(), [self.patch_size; 2]);
        let dtype = self.patch.weight.val().dtype();
        let x = match &self.stem {
            None => contents.clone().cast(dtype),
            Some(stem) => {
                let features = tap.tensor("stem", stem.forward(pixels.cast(dtype)));
                let [_, _, side, _] = features.dims();
                let [rows, _] = self.grid();
                unfold(features, [side / rows; 2])
            }
        };
        let x = tap.tensor("patches", self.patch.forward(x));
        let x = self.position.forward_from(x, self.n_extra());
        Opened::new(Tokens::with_presence(x, present), contents)
    }

    fn close_with<T: Tap>(&self, tokens: Tokens, tap: &mut T) -> Tokens {
        let Tokens { embeds, pad } = self.with_class(tokens);
        let tokens = Tokens::new(self.dropout.forward(embeds), pad);
        in_layer(tap, "transformer", |tap| {
            self.transformer.forward_with(tokens, tap)
        })
    }
}

#[cfg(test)]
#[path = "vit_tests.rs"]
mod tests;
