//! The fusions that a recipe can name, as one list: each with its module, how many modalities it joins, and the keys of
//! `[fusion]` that it looks at. A new one is a line here and a file of its own; tests go over the list.

use burn::module::Module;
use burn::tensor::Device;
use sensorium_core::{Fusion, Parts, Tap, Tokens};
use serde::{Deserialize, Serialize};

use crate::{
    AttentionSumFusion, BlockFusion, BottleneckFusion, CoAttentionFusion, ConcatFusion,
    CrossAttentionFusion, CrossModalTransformer, FilmFusion, FusionConfig,
    GatedCrossAttentionFusion, GatedFusion, LowRankFusion, ModalityExpertsFusion, MultFusion,
    MultiplicativeFusion, PerceiverFusion, ProductOfExperts, QFormerFusion, SetFusion,
    TensorFusion, Width,
};

/// A fusion that can be made of a recipe's table. The table and the widths have been found good.
pub(crate) trait FromTable: Fusion {
    fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self;
}

/// The keys of a fusion's blocks.
const BLOCKS: &[&str] = &["n_layers", "n_heads", "d_ff", "dropout", "drop_path"];
/// Those of blocks that are never skipped.
const WHOLE_BLOCKS: &[&str] = &["n_layers", "n_heads", "d_ff", "dropout"];

/// From how many modalities on, and up to how many.
const ANY: (usize, Option<usize>) = (1, None);
const TWO_OR_MORE: (usize, Option<usize>) = (2, None);
const TWO: (usize, Option<usize>) = (2, Some(2));

macro_rules! kinds {
    ($(
        $(#[$meta:meta])*
        $variant:ident $name:literal $field:ident: $module:ty, $modalities:expr, [$($keys:expr),*];
    )+) => {
        /// Which fusion.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FusionKind {
            $(
                $(#[$meta])*
                #[serde(rename = $name)]
                $variant,
            )+
        }

        impl FusionKind {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As it stands in a recipe.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// How many modalities it joins, at least and at most.
            pub fn modalities(self) -> (usize, Option<usize>) {
                match self { $(Self::$variant => $modalities,)+ }
            }

            fn own_keys(self) -> &'static [&'static [&'static str]] {
                match self { $(Self::$variant => &[$($keys),*],)+ }
            }
        }

        /// Whichever fusion a recipe names. One of the fields is set: an enum's variant would stand in the parameters' paths with
        /// its capital letter.
        #[derive(Module, Debug)]
        pub struct AnyFusion {
            $(
                #[doc = concat!("For [`FusionKind::", stringify!($variant), "`].")]
                pub $field: Option<$module>,
            )+
        }

        impl AnyFusion {
            pub(crate) fn from_table(table: &FusionConfig, widths: &[Width], device: &Device) -> Self {
                let mut any = Self { $($field: None,)+ };
                match table.kind {
                    $(FusionKind::$variant => {
                        any.$field = Some(<$module>::from_table(table, widths, device));
                    })+
                }
                any
            }
        }

        impl Fusion for AnyFusion {
            fn d_output(&self) -> usize {
                $(if let Some(fusion) = &self.$field {
                    return fusion.d_output();
                })+
                unreachable!("`build` sets one of the fields")
            }

            fn fuse_with<T: Tap>(&self, parts: Parts, tap: &mut T) -> Tokens {
                $(if let Some(fusion) = &self.$field {
                    return fusion.fuse_with(parts, tap);
                })+
                unreachable!("`build` sets one of the fields")
            }
        }
    };
}

kinds! {
    /// Put side by side and projected: [`ConcatFusion`]
    Concat "concat" concat: ConcatFusion, ANY, [&["pool"]];
    /// Added up: [`SetFusion`]
    Sum "sum" sum: SetFusion, ANY, [&["pool"]];
    /// The mean of those there are: [`SetFusion`]
    Mean "mean" mean: SetFusion, ANY, [&["pool"]];
    /// Per feature, the largest: [`SetFusion`]
    Max "max" max: SetFusion, ANY, [&["pool"]];
    /// Added up with a weight each: [`AttentionSumFusion`]
    AttentionSum "attention-sum" attention_sum: AttentionSumFusion, ANY, [&["pool"]];
    /// Added up by gates: [`GatedFusion`]
    Gated "gated" gated: GatedFusion, ANY, [&["pool"]];
    /// One scaled and shifted by the others: [`FilmFusion`]
    Film "film" film: FilmFusion, TWO_OR_MORE, [&["main", "pool"]];
    /// All products of two features: [`MultiplicativeFusion`]
    Multiplicative "multiplicative" multiplicative: MultiplicativeFusion, TWO, [&["pool"]];
    /// The product of all features: [`TensorFusion`]
    Tensor "tensor" tensor: TensorFusion, TWO_OR_MORE, [&["pool", "d_factor"]];
    /// The same without forming it: [`LowRankFusion`]
    LowRankTensor "low-rank-tensor" low_rank_tensor: LowRankFusion, TWO_OR_MORE, [&["pool", "rank"]];
    /// A bilinear map of low rank: [`BlockFusion`]
    Mutan "mutan" mutan: BlockFusion, TWO, [&["pool", "d_factor", "rank"]];
    /// The same in blocks: [`BlockFusion`]
    Block "block" block: BlockFusion, TWO, [&["pool", "d_factor", "rank", "n_chunks"]];
    /// Each as sure as it is: [`ProductOfExperts`]
    ProductOfExperts "product-of-experts" product_of_experts: ProductOfExperts, ANY, [&["pool"]];
    /// All tokens see all: [`CrossModalTransformer`]
    #[default]
    Transformer "transformer" transformer: CrossModalTransformer, ANY, [BLOCKS];
    /// One looks at the others: [`CrossAttentionFusion`]
    CrossAttention "cross-attention" cross_attention: CrossAttentionFusion, TWO_OR_MORE, [&["main"], BLOCKS];
    /// The same, closed at first: [`GatedCrossAttentionFusion`]
    GatedCrossAttention "gated-cross-attention" gated_cross_attention: GatedCrossAttentionFusion, TWO_OR_MORE,
        [&["main"], BLOCKS];
    /// Each looks at the others, in turn with itself: [`CoAttentionFusion`]
    CoAttention "co-attention" co_attention: CoAttentionFusion, TWO_OR_MORE, [BLOCKS];
    /// A transformer for each directed pair: [`MultFusion`]
    Mult "mult" mult: MultFusion, TWO_OR_MORE, [&["pool"], BLOCKS];
    /// Through a few shared tokens: [`BottleneckFusion`]
    Bottleneck "bottleneck" bottleneck: BottleneckFusion, ANY, [&["n_latents"], BLOCKS];
    /// To a few tokens: [`PerceiverFusion`]
    Perceiver "perceiver" perceiver: PerceiverFusion, ANY, [&["n_latents"], WHOLE_BLOCKS];
    /// Asked by a few queries: [`QFormerFusion`]
    QFormer "q-former" q_former: QFormerFusion, ANY, [&["n_latents"], WHOLE_BLOCKS];
    /// Each token to its experts: [`ModalityExpertsFusion`]
    ModalityExperts "modality-experts" modality_experts: ModalityExpertsFusion, ANY,
        [BLOCKS, &["n_experts", "top_k", "balance"]];
}

impl FusionKind {
    /// The keys of `[fusion]` that count for it; others have no effect.
    pub fn keys(self) -> impl Iterator<Item = &'static str> {
        let own = self.own_keys().iter().copied().flatten().copied();
        ["kind", "d_model"].into_iter().chain(own)
    }

    /// Whether this key counts for it.
    pub fn looks_at(self, key: &str) -> bool {
        self.keys().any(|known| known == key)
    }

    /// The names of those that join so many modalities.
    pub fn that_join(n: usize) -> Vec<&'static str> {
        let fits = |kind: &&Self| {
            let (least, most) = kind.modalities();
            n >= least && most.is_none_or(|most| n <= most)
        };
        Self::ALL
            .iter()
            .filter(fits)
            .map(|kind| kind.name())
            .collect()
    }
}
