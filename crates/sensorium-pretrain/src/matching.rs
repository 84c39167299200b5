//! Whether two inputs belong together, told by a model that has fused them.

use burn::module::Module;
use burn::tensor::{Bool, Int, Tensor};
use sensorium_core::{Fusion, Head, Logits, Parts, Tokens, with_autodiff_of};
use sensorium_train::{HardNegatives, ImageTextMatching, Learned, Loss, Objective, Tally};

use crate::{Alignment, Embedded};

/// Matching of two modalities (ALBEF, arXiv 2107.07651, section 3.2): a fusion and a head say of a pair whether it belongs
/// together. Asked about the pairs of a batch, and about wrong ones that are drawn from it: for each sample's first modality
/// another's second, and the other way round, the likelier the more alike they are in the common space of an [`Alignment`],
/// whose contrastive loss counts beside.
///
/// A sample that lacks one of both is in no pair, right or wrong.
///
/// # Differs from the paper
/// Wrong pairs are drawn by the encoders that learn, not by an average of them, and there is no queue.
#[derive(Module, Debug)]
pub struct Matching<F: Fusion, H: Head<Output = Logits>> {
    /// The common space.
    pub alignment: Alignment,
    /// Joins both modalities of a pair.
    pub fusion: F,
    /// Two logits: that they do not belong together, and that they do.
    pub head: H,
    objective: ImageTextMatching,
}

/// What wrong pairs are drawn by.
#[derive(Clone, Debug)]
pub struct WrongPairs {
    /// Gumbel noise: for each sample's first modality over the second ones, and the other way round, `[batch, batch]` each.
    pub noise: [Tensor<2>; 2],
    /// True where two samples' modalities belong together as well, such as those of one caption, `[batch, batch]`; a sample's
    /// own always do.
    pub same: Tensor<2, Bool>,
    /// Whether those that are alike are likelier; else all are as likely.
    pub hard: bool,
}

/// What a model says of pairs.
#[derive(Clone, Debug)]
pub struct Judged {
    /// `[3 · batch, 2]`: of the right pairs, each first modality with a wrong second, each second with a wrong first.
    pub logits: Logits,
    /// 1 for a pair that belongs together, 0 for one that does not, -1 for one that could not be made: `[3 · batch]`.
    pub matches: Tensor<1, Int>,
}

impl<F: Fusion, H: Head<Output = Logits>> Matching<F, H> {
    /// Puts them together.
    ///
    /// # Panics
    /// If the alignment is not of two modalities.
    pub fn new(alignment: Alignment, fusion: F, head: H) -> Self {
        assert_eq!(alignment.pairs().len(), 1, "pairs are of two modalities");
        Self {
            alignment,
            fusion,
            head,
            objective: ImageTextMatching::new(),
        }
    }

    /// Loss and tally of a batch. Terms: `matching`, of which `matched` and `unmatched` are those of either kind of pair, the
    /// contrastive loss by the names of both modalities, and its `scale`. A batch that lacks a modality has a loss of 0.
    ///
    /// # Panics
    /// If the alignment was not made for a modality, or the wrong pairs are for another number of samples.
    pub fn learn(&self, parts: Parts, wrong: WrongPairs) -> Learned {
        let contrastive = self.alignment.loss(parts.clone(), None);
        let scale = scale(&contrastive);
        let Some(judged) = self.judge_by(parts, wrong, scale) else {
            return Learned::new(contrastive);
        };
        let tally = Tally::of_classes(judged.logits.clone(), judged.matches.clone());
        let matching = self.objective.loss(judged.logits, judged.matches);
        let mut loss = contrastive.plus("matching", matching.total, 1.0);
        loss.terms.extend(matching.terms);
        Learned {
            loss,
            tally: Some(tally),
        }
    }

    /// What the model says of the pairs of a batch and of wrong ones; nothing, if the batch lacks a modality.
    ///
    /// # Panics
    /// As [`learn`](Self::learn).
    pub fn judge(&self, parts: Parts, wrong: WrongPairs) -> Option<Judged> {
        let scale = scale(&self.alignment.loss(parts.clone(), None));
        self.judge_by(parts, wrong, scale)
    }

    fn judge_by(
        &self,
        parts: Parts,
        wrong: WrongPairs,
        scale: Option<Tensor<1>>,
    ) -> Option<Judged> {
        let (first, second) = self.alignment.pairs()[0];
        let (a, b) = parts.get(first).cloned().zip(parts.get(second).cloned())?;
        let mut vectors = self.alignment.embed(parts);
        let (x, y) = vectors.remove(&first).zip(vectors.remove(&second))?;
        let both = x.present.clone().bool_and(y.present.clone()).inner();
        let drawn = draw(&x, &y, wrong, scale);
        let [batch] = both.dims();
        let right = drawn.targets().narrow(0, 0, batch);
        let right = right.mask_fill(both.bool_not(), -1);
        let wrong = drawn.targets().narrow(0, batch, 2 * batch);
        let device = a.device();
        let own = Tensor::<1, Int>::arange(0..batch as i64, &device);
        let [texts, images] =
            [drawn.texts, drawn.images].map(|order| with_autodiff_of(order, &device));
        let pairs = Parts::new()
            .with(first, picked(a, [own.clone(), own.clone(), images]))
            .with(second, picked(b, [own.clone(), texts, own]));
        Some(Judged {
            logits: self.head.forward(self.fusion.fuse(pairs)),
            matches: with_autodiff_of(Tensor::cat(vec![right, wrong], 0), &device),
        })
    }
}

/// What cosines are multiplied by, if a pair was there.
fn scale(contrastive: &Loss) -> Option<Tensor<1>> {
    let mut terms = contrastive.terms.iter();
    let (_, scale) = terms.find(|(name, _)| name == "scale")?;
    Some(scale.clone())
}

fn draw(x: &Embedded, y: &Embedded, wrong: WrongPairs, scale: Option<Tensor<1>>) -> HardNegatives {
    let [batch] = x.present.dims();
    let device = x.vectors.clone().inner().device();
    let similarity = match scale.filter(|_| wrong.hard) {
        Some(scale) => {
            let cosines = x.vectors.clone().matmul(y.vectors.clone().transpose());
            (cosines * scale.unsqueeze::<2>()).inner()
        }
        None => Tensor::zeros([batch, batch], &device),
    };
    // Who lacks a side is paired with nobody.
    let lacks = |present: &Tensor<1, Bool>| present.clone().inner().bool_not();
    let row = lacks(&x.present).unsqueeze_dim::<2>(1);
    let column = lacks(&y.present).unsqueeze_dim::<2>(0);
    let own = Tensor::<2>::eye(batch, &device).bool();
    let square = [batch, batch];
    let never = own
        .bool_or(wrong.same.inner())
        .bool_or(row.expand(square))
        .bool_or(column.expand(square));
    let noise = wrong.noise.map(Tensor::inner);
    HardNegatives::draw_by(similarity, Some(never), noise)
}

/// Samples in these orders, one after the other: `[batch, T, D]` → `[3 · batch, T, D]`.
fn picked(tokens: Tokens, orders: [Tensor<1, Int>; 3]) -> Tokens {
    let places = Tensor::cat(orders.to_vec(), 0);
    Tokens::new(
        tokens.embeds.select(0, places.clone()),
        // Selected as numbers: flex forgets that what it selects of booleans is boolean.
        tokens.pad.int().select(0, places).bool(),
    )
}
