//! Transformer decoders: blocks that also attend to a context, all tokens at once or one after the other.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};

use super::attention::{Attend, KvCache, Remembered};
use super::block::DecoderBlock;
use super::host;
use super::norm::Norm;
use super::rotary::{Positions, Rotary};
use super::stack::{TransformerConfig, finish, turned};
use crate::tap::in_layer;
use crate::{NoTap, Tap, Tokens};

/// Configuration of a [`Decoder`]: a transformer that also attends to a context.
#[derive(Clone, Debug)]
pub struct DecoderConfig {
    transformer: TransformerConfig,
    d_context: usize,
}

impl DecoderConfig {
    /// Blocks as `transformer` says, attending to a context of width `d_context`.
    pub fn new(transformer: TransformerConfig, d_context: usize) -> Self {
        Self {
            transformer,
            d_context,
        }
    }

    /// A freshly initialised decoder.
    ///
    /// # Panics
    /// If heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> Decoder {
        let base = &self.transformer;
        let cross = base
            .self_attention()
            .with_fused_qkv(false)
            .with_d_context(self.d_context);
        let block = |layer| DecoderBlock {
            norm_attention: base.block_norm().init(device),
            attention: base.self_attention().init(device),
            scale_attention: base.block_scale(device),
            norm_cross: base.block_norm().init(device),
            cross: cross.init(device),
            scale_cross: base.block_scale(device),
            norm_feed_forward: base.block_norm().init(device),
            feed_forward: base.feed_forward().init(device),
            scale_feed_forward: base.block_scale(device),
            drop_path: base.block_drop_path(layer),
            order: base.order,
        };
        Decoder {
            blocks: (0..base.n_layers).map(block).collect(),
            norm: base.last_norm(device),
            rotary: base.rotary.clone(),
            causal: base.causal,
        }
    }
}

/// A transformer decoder with cross-attention.
#[derive(Module, Debug)]
pub struct Decoder {
    /// The layers, first to last.
    pub blocks: Vec<DecoderBlock>,
    /// After the last layer.
    pub norm: Option<Norm>,
    #[module(skip)]
    pub(super) rotary: Option<Rotary>,
    #[module(skip)]
    causal: bool,
}

impl Decoder {
    /// Decodes `tokens` `[batch, tokens, d_model]` in view of `context` `[batch, keys, d_context]`.
    pub fn forward(&self, tokens: Tokens, context: &Tokens) -> Tokens {
        self.forward_with(tokens, context, &mut NoTap)
    }

    /// The same, showing `blocks.N.attention.weights`, `blocks.N.cross.weights`, `blocks.N.output`
    /// and `output` to the tap.
    pub fn forward_with<T: Tap>(&self, tokens: Tokens, context: &Tokens, tap: &mut T) -> Tokens {
        let Tokens { embeds, pad } = tokens;
        let how = Attend::keys(pad.clone()).with_causal(self.causal);
        let angles = turned(self.rotary.as_ref(), &embeds, None);
        let embeds = self
            .blocks
            .iter()
            .enumerate()
            .fold(embeds, |x, (i, block)| {
                in_layer(tap, &format!("blocks.{i}"), |tap| {
                    block.forward_with(x, angles.as_ref(), &how, context, tap)
                })
            });
        finish(embeds, pad, self.norm.as_ref(), tap)
    }

    /// Begins to decode up to `capacity` tokens a sample in view of a context `[batch, keys, d_context]`. `pad`
    /// `[batch, keys]` is true at padding; none is quicker than one without padding.
    ///
    /// # Panics
    /// If the decoder is not causal: what comes later would change what has been decoded.
    pub fn begin(
        &self,
        context: &Tensor<3>,
        pad: Option<&Tensor<2, Bool>>,
        capacity: usize,
    ) -> DecoderCache {
        assert!(self.causal, "only a causal decoder can go token by token");
        let remember = |block: &DecoderBlock| block.cross.remember(context.clone(), pad.cloned());
        DecoderCache {
            own: self.blocks.iter().map(|_| KvCache::new(capacity)).collect(),
            context: self.blocks.iter().map(remember).collect(),
        }
    }

    /// The next tokens, `[batch, tokens, d_model]`, as [`forward`](Self::forward) gives them where they follow those that
    /// the cache has seen; they join it. No token of a sample is padding.
    ///
    /// # Panics
    /// If the cache has no room for them, is another decoder's, or has contexts among which the samples cannot be divided.
    pub fn step(&self, tokens: Tensor<3>, cache: &mut DecoderCache) -> Tensor<3> {
        assert_eq!(
            self.blocks.len(),
            cache.own.len(),
            "the cache is another decoder's"
        );
        let at = Positions::following(cache.len(), tokens.dims()[1]);
        let angles = turned(self.rotary.as_ref(), &tokens, Some(&at));
        let caches = cache.own.iter_mut().zip(&cache.context);
        let x = host::by_threads(tokens, |tokens| {
            let blocks = self.blocks.iter().zip(caches);
            blocks.fold(tokens, |x, (block, (own, context))| {
                block.step(x, angles.as_ref(), own, context)
            })
        });
        match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }
}

/// What a [`Decoder`] keeps from one step to the next, of each block.
#[derive(Clone, Debug)]
pub struct DecoderCache {
    own: Vec<KvCache>,
    context: Vec<Remembered>,
}

impl DecoderCache {
    /// How many tokens of each sample have been decoded.
    pub fn len(&self) -> usize {
        self.own.first().map_or(0, KvCache::len)
    }

    /// Whether nothing has been decoded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Goes on with these samples of the batch, in this order; one may be taken more than once: `[rows]`.
    pub fn select(&mut self, rows: &Tensor<1, Int>) {
        self.select_tokens(rows);
        self.select_contexts(rows);
    }

    /// Goes on with the tokens of these samples alone, `[rows]`, where the contexts stay: each is then that of as many samples
    /// that follow each other, as in a beam search, and no copy of it is made.
    pub fn select_tokens(&mut self, rows: &Tensor<1, Int>) {
        self.own.iter_mut().for_each(|cache| cache.select(rows));
    }

    /// Goes on with these contexts alone: `[contexts]`.
    pub fn select_contexts(&mut self, contexts: &Tensor<1, Int>) {
        self.context.iter_mut().for_each(|one| one.select(contexts));
    }
}
