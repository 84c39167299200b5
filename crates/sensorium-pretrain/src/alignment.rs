//! One space for any number of modalities.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::nn::{Pool, PoolConfig, PoolKind, linear};
use sensorium_core::tap::in_layer;
use sensorium_core::{EncoderSet, Losses, Modality, NoTap, Parts, Tokens, need};
use sensorium_train::{
    Compared, Contrastive, Learned, Learner, Loss, Objective, Others, Pairs, Side,
    SigmoidContrastive,
};

use crate::{ByModality, Error};

/// How a pair of modalities is brought together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlignBy {
    /// Each sample finds its partner among all of the batch ([`Contrastive`], CLIP, arXiv 2103.00020).
    #[default]
    Softmax,
    /// Of each pair, whether it belongs together ([`SigmoidContrastive`], SigLIP, arXiv 2303.15343).
    Sigmoid,
}

/// Configuration of an [`Alignment`].
#[derive(Clone, Debug)]
pub struct AlignmentConfig {
    widths: Vec<(Modality, usize)>,
    d_embed: usize,
    pool: PoolKind,
    by: AlignBy,
    anchor: Option<Modality>,
    temperature: f64,
}

impl AlignmentConfig {
    /// For modalities and the widths of their tokens, to vectors of `d_embed` features: the mean of the tokens, a softmax, all
    /// pairs of modalities.
    pub fn new(widths: &[(Modality, usize)], d_embed: usize) -> Self {
        Self {
            widths: widths.to_vec(),
            d_embed,
            pool: PoolKind::Mean,
            by: AlignBy::Softmax,
            anchor: None,
            temperature: 0.07,
        }
    }

    /// How tokens become one vector.
    pub fn with_pool(mut self, pool: PoolKind) -> Self {
        self.pool = pool;
        self
    }

    /// How a pair is brought together.
    pub fn with_by(mut self, by: AlignBy) -> Self {
        self.by = by;
        self
    }

    /// Brings each modality together with this one alone, and the others through it (ImageBind, arXiv 2305.05665).
    pub fn with_anchor(mut self, anchor: Option<Modality>) -> Self {
        self.anchor = anchor;
        self
    }

    /// The softmax's first temperature, 0.07 unless said otherwise.
    pub fn with_temperature(mut self, temperature: f64) -> Self {
        self.temperature = temperature;
        self
    }

    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        let names: BTreeMap<_, _> = self.widths.iter().copied().collect();
        need(names.len() > 1, "modalities", || {
            "an alignment needs two modalities at least".to_owned()
        })?;
        need(names.len() == self.widths.len(), "modalities", || {
            "a modality is named twice".to_owned()
        })?;
        for (modality, width) in &self.widths {
            need((1..=1 << 20).contains(width), "modalities", || {
                format!("{modality} is {width} wide; use 1 to {}", 1 << 20)
            })?;
        }
        need((1..=1 << 20).contains(&self.d_embed), "d_embed", || {
            format!("{} must be 1 to {}", self.d_embed, 1 << 20)
        })?;
        if let Some(anchor) = &self.anchor {
            need(names.contains_key(anchor), "anchor", || {
                format!("{anchor} is none of the modalities")
            })?;
        }
        let within = (0.01..=1e3).contains(&self.temperature);
        need(within, "temperature", || {
            format!("{} must be 0.01 to 1000", self.temperature)
        })?;
        Ok(())
    }

    /// A freshly initialised alignment.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> Alignment {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let linear = |d| {
            let linear = LinearConfig::new(d, self.d_embed).with_bias(false);
            linear.init(device)
        };
        let pool = |d| PoolConfig::new(self.pool, d).init(device);
        let widths = self.widths.iter();
        let softmax = || Contrastive::with_temperature(self.temperature, device);
        Alignment {
            pools: widths.clone().map(|(m, d)| (*m, pool(*d))).collect(),
            projections: widths.map(|(m, d)| (*m, linear(*d))).collect(),
            softmax: (self.by == AlignBy::Softmax).then(softmax),
            sigmoid: (self.by == AlignBy::Sigmoid).then(|| SigmoidContrastive::new(device)),
            anchor: self.anchor,
        }
    }
}

/// Brings modalities into one space, in which what belongs together lies together (CLIP, arXiv 2103.00020; ALIGN, arXiv
/// 2102.05918): pooled tokens, a linear map for each modality, and a contrastive loss of each pair of modalities, all with one
/// learned temperature.
///
/// A sample takes part in the pairs of which it has both sides. One that lacks a modality is not even a wrong answer there.
#[derive(Module, Debug)]
pub struct Alignment {
    /// Tokens to one vector, for each modality.
    pub pools: ByModality<Pool>,
    /// That vector → `d_embed`, without a bias, for each modality.
    pub projections: ByModality<Linear>,
    /// What is minimised, for [`AlignBy::Softmax`].
    pub softmax: Option<Contrastive>,
    /// What is minimised, for [`AlignBy::Sigmoid`].
    pub sigmoid: Option<SigmoidContrastive>,
    #[module(skip)]
    anchor: Option<Modality>,
}

/// The vectors of one modality in the common space.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// Of length 1, or of zeros where a sample lacks the modality: `[batch, d_embed]`.
    pub vectors: Tensor<2>,
    /// Which samples have the modality: `[batch]`.
    pub present: Tensor<1, Bool>,
}

impl Alignment {
    /// The vectors of each modality of the batch.
    ///
    /// # Panics
    /// If the alignment was not made for a modality, or for tokens of another width.
    pub fn embed(&self, parts: Parts) -> BTreeMap<Modality, Embedded> {
        let parts = parts.into_iter();
        parts
            .map(|(modality, tokens)| (modality, self.embed_one(modality, tokens)))
            .collect()
    }

    fn embed_one(&self, modality: Modality, tokens: Tokens) -> Embedded {
        let (pool, projection) = self
            .pools
            .get(modality)
            .zip(self.projections.get(modality))
            .unwrap_or_else(|| panic!("this alignment was not made for {modality}"));
        let ([_, _, found], [width, _]) = (tokens.dims(), projection.weight.dims());
        assert!(
            found == width,
            "{modality} tokens are {found} wide, but this alignment was made for {width}"
        );
        let present = tokens.present();
        let x = linear(projection, pool.forward(tokens));
        let norm = x.clone().square().sum_dim(1).clamp_min(1e-12).sqrt();
        Embedded {
            vectors: x / norm,
            present,
        }
    }

    /// How likely each vector of one side belongs to each of the other, both of length 1: `[a, d_embed]` and `[b, d_embed]` →
    /// `[a, b]`. By a softmax it belongs to one of them, and a row sums to 1; by a sigmoid to each or not.
    pub fn likelihood(&self, first: Tensor<2>, second: Tensor<2>) -> Tensor<2> {
        let cosines = first.matmul(second.transpose());
        match (&self.softmax, &self.sigmoid) {
            (Some(by), _) => softmax(cosines * by.scale().unsqueeze(), 1),
            (None, Some(by)) => {
                sigmoid(cosines * by.scale().unsqueeze() + by.logit_bias.val().unsqueeze())
            }
            (None, None) => unreachable!("an alignment is by one of both"),
        }
    }

    /// The pairs of modalities that are brought together, each in order of the names.
    pub fn pairs(&self) -> Vec<(Modality, Modality)> {
        let all: Vec<Modality> = self.projections.modalities().collect();
        let pairs = all.iter().enumerate().flat_map(|(i, first)| {
            let others = all[i + 1..].iter();
            others.map(move |second| (*first, *second))
        });
        let of_anchor = |(first, second): &(Modality, Modality)| match self.anchor {
            Some(anchor) => *first == anchor || *second == anchor,
            None => true,
        };
        pairs.filter(of_anchor).collect()
    }

    /// The loss of a batch, the mean over all pairs of modalities; a pair that no sample has both sides of has loss 0. Terms: one
    /// of each pair that is there, such as `image_text`, and `scale`, what cosines are multiplied by.
    ///
    /// With `positives` `[batch]`, samples of the same number belong together, such as those of one class or with the same
    /// caption, instead of being wrong answers to each other: the target is spread evenly over them (UniCL, arXiv 2204.03610). A
    /// negative number belongs to nothing but itself. In a small data set a batch holds many such samples.
    ///
    /// # Panics
    /// If the alignment was not made for a modality, or for tokens of another width; if there are `positives`, and it is not
    /// by [`AlignBy::Softmax`].
    pub fn loss(&self, parts: Parts, positives: Option<Tensor<1, Int>>) -> Loss {
        self.loss_of(self.embed(parts), positives)
    }

    /// What samples are compared by: their vectors of each modality.
    ///
    /// # Panics
    /// As [`embed`](Self::embed).
    pub fn compared(&self, parts: Parts) -> Compared {
        let (rows, _) = parts.batch().expect(SOME);
        let sides = self.embed(parts).into_iter().map(|(modality, own)| {
            let side = Side {
                vectors: own.vectors,
                present: own.present,
            };
            (modality.name().to_owned(), side)
        });
        Compared::new(rows, sides)
    }

    /// The loss of a whole batch of which these samples are a part, see [`Learner::learn_among`].
    ///
    /// # Panics
    /// As [`embed`](Self::embed).
    pub fn loss_among(&self, parts: Parts, others: &Others) -> Loss {
        let mut sides = others.around(self.compared(parts));
        let modalities = self.projections.modalities();
        let vectors = modalities.filter_map(|modality| {
            let side = sides.remove(modality.name())?;
            let embedded = Embedded {
                vectors: side.vectors,
                present: side.present,
            };
            Some((modality, embedded))
        });
        self.loss_of(vectors.collect(), None)
    }

    fn loss_of(
        &self,
        vectors: BTreeMap<Modality, Embedded>,
        positives: Option<Tensor<1, Int>>,
    ) -> Loss {
        let device = vectors.values().next().expect(SOME).vectors.device();
        let pairs = self.pairs();
        let mut loss = Loss::new(Tensor::zeros([1], &device));
        let mut scale = None;
        for (first, second) in &pairs {
            let Some((a, b)) = vectors.get(first).zip(vectors.get(second)) else {
                continue;
            };
            let found = self.pair(a, b, positives.clone());
            let name = format!("{first}_{second}");
            loss = loss.plus(&name, found.total, 1.0 / pairs.len() as f64);
            let mut terms = found.terms.into_iter();
            scale = scale.or_else(|| terms.find(|(name, _)| name == "scale"));
        }
        if loss.terms.is_empty() {
            // A loss of 0 that a gradient can be asked of, as that of a pair which no sample has both sides of.
            let nothing = vectors
                .into_values()
                .map(|v| v.vectors.sum().mul_scalar(0.0));
            loss.total = nothing.fold(loss.total, |total, zero| total + zero);
        }
        loss.terms.extend(scale);
        loss
    }

    fn pair(&self, a: &Embedded, b: &Embedded, positives: Option<Tensor<1, Int>>) -> Loss {
        let both = a.present.clone().bool_and(b.present.clone());
        let pairs = Pairs::new(a.vectors.clone(), b.vectors.clone());
        match (&self.softmax, &self.sigmoid) {
            (Some(softmax), _) => softmax.loss_of_groups(pairs, Some(both), positives),
            (None, Some(sigmoid)) => {
                assert!(
                    positives.is_none(),
                    "samples that belong together are known to the softmax alone"
                );
                sigmoid.loss(pairs, Some(both))
            }
            (None, None) => unreachable!("an alignment is by one of the two"),
        }
    }
}

const SOME: &str = "a batch has tokens of at least one modality";

/// Encoders and the space they are to share: a [`Learner`], of batches and the samples of them that belong together. Parameter
/// paths begin with `encoders` and `alignment`.
#[derive(Module, Debug)]
pub struct Aligning<E: EncoderSet> {
    /// One encoder per modality.
    pub encoders: E,
    /// What they learn from.
    pub alignment: Alignment,
}

impl<E: EncoderSet> Aligning<E> {
    /// Puts both together.
    pub fn new(encoders: E, alignment: Alignment) -> Self {
        Self {
            encoders,
            alignment,
        }
    }
}

impl<E: EncoderSet> Learner for Aligning<E> {
    type Batch = (E::Batch, Option<Tensor<1, Int>>);

    fn learn(&self, (batch, positives): Self::Batch) -> Learned {
        let mut losses = Losses::default();
        let parts = in_layer(&mut losses, "encoders", |tap| {
            self.encoders.encode_with(batch, tap)
        });
        Learned::new(self.alignment.loss(parts, positives).and(losses))
    }

    /// Nothing where samples are told which belong together: that is known within a batch alone.
    fn compared(&self, (batch, positives): Self::Batch) -> Option<Compared> {
        let parts = || self.encoders.encode_with(batch, &mut NoTap);
        positives
            .is_none()
            .then(|| self.alignment.compared(parts()))
    }

    fn learn_among(&self, (batch, _): Self::Batch, others: &Others) -> Learned {
        let mut losses = Losses::default();
        let parts = in_layer(&mut losses, "encoders", |tap| {
            self.encoders.encode_with(batch, tap)
        });
        Learned::new(self.alignment.loss_among(parts, others).and(losses))
    }
}
