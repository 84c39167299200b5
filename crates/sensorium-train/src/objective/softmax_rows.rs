//! The softmax over pairs of a batch and its gradient, in blocks of rows, so that memory grows with the batch and not with its
//! square.

use burn::tensor::{Bool, Device, Int, Tensor};
use sensorium_core::assert_shape;

use super::pairs::{OUT, constant, own_places};

/// All that the loss depends on, without a graph.
pub(super) struct Rows {
    /// Unit vectors, `[batch, d_embed]`.
    pub(super) first: Tensor<2>,
    /// Unit vectors, `[batch, d_embed]`.
    pub(super) second: Tensor<2>,
    /// What cosines are multiplied by, `[1]`.
    scale: Tensor<1>,
    /// 1 where a pair is there, else 0: `[batch]`.
    there: Tensor<1>,
    /// Which rows belong together, `[batch]`; none: each to itself.
    groups: Option<Tensor<1, Int>>,
}

/// Cross-entropy of rows and of columns, each the mean over pairs that are there, `[1]`.
pub(super) struct Sums {
    pub(super) first: Tensor<1>,
    pub(super) second: Tensor<1>,
    pub(super) slopes: Option<Slopes>,
}

/// The gradient of the mean of both.
pub(super) struct Slopes {
    /// By either side's unit vectors, `[batch, d_embed]`.
    pub(super) sides: [Tensor<2>; 2],
    /// By the logarithm of the scale, `[1]`.
    pub(super) scale: Tensor<1>,
}

/// Largest logits and sums of e^(logit - largest) along an axis, as far as they were seen; both keep the other axis.
struct Softmax {
    most: Tensor<2>,
    sum: Tensor<2>,
}

impl Softmax {
    fn along(axis: usize, logits: Tensor<2>) -> Self {
        let most = logits.clone().max_dim(axis);
        let sum = (logits - most.clone()).exp().sum_dim(axis);
        Self { most, sum }
    }

    fn and(self, other: Self) -> Self {
        let most = self.most.clone().max_pair(other.most.clone());
        let sum = self.sum * (self.most - most.clone()).exp()
            + other.sum * (other.most - most.clone()).exp();
        Self { most, sum }
    }

    fn of(&self, logits: Tensor<2>) -> Tensor<2> {
        (logits - self.most.clone()).exp() / self.sum.clone()
    }

    /// Cross-entropy, given the logits of the right answers.
    fn entropy(&self, right: Tensor<2>) -> Tensor<2> {
        self.sum.clone().log() + (self.most.clone() - right)
    }
}

/// Logits of a block of rows, `[block, batch]`.
struct Block {
    first: Tensor<2>,
    logits: Tensor<2>,
    /// The same without columns that are not there.
    rows: Tensor<2>,
    /// The same without rows that are not there.
    columns: Tensor<2>,
    /// What should be: each row over all that belong to it. Columns sum up to 1 as well.
    targets: Tensor<2>,
    /// Which of the batch's rows these are.
    place: std::ops::Range<usize>,
}

impl Rows {
    pub(super) fn new(
        sides: [&Tensor<2>; 2],
        scale: Tensor<1>,
        present: Option<Tensor<1, Bool>>,
        groups: Option<Tensor<1, Int>>,
    ) -> Self {
        let [first, second] = sides.map(|side| constant(side.clone()));
        let [batch, _] = first.dims();
        // Made where the embeddings are, whether or not the mask knows of gradients.
        let mut there = Tensor::<1>::ones([batch], &first.device());
        if let Some(present) = present {
            assert_shape!(present, [batch]);
            there = there.mask_fill(present.bool_not(), 0.0);
        }
        if let Some(groups) = &groups {
            assert_shape!(groups, [batch]);
        }
        Self {
            first,
            second,
            scale,
            there,
            groups,
        }
    }

    pub(super) fn sums(&self, block: usize, learns: bool) -> Sums {
        let [batch, _] = self.first.dims();
        let starts = || (0..batch).step_by(block);
        let end = |start: usize| (start + block).min(batch);
        let blocks = || starts().map(|start| self.block(start..end(start)));

        let mut by_rows = Vec::new();
        let mut entropies = Vec::new();
        let mut columns: Option<(Softmax, Tensor<2>)> = None;
        for block in blocks() {
            let right = block.targets * block.logits;
            let rows = Softmax::along(1, block.rows);
            entropies.push(rows.entropy(right.clone().sum_dim(1)));
            by_rows.push(rows);
            let (seen, right) = (Softmax::along(0, block.columns), right.sum_dim(0));
            columns = Some(match columns {
                Some((before, sum)) => (before.and(seen), sum + right),
                None => (seen, right),
            });
        }
        let (columns, right) = columns.expect("a batch has a row");
        let weights = self.weights();
        let mean = |entropy: Tensor<1>| (entropy * weights.clone()).sum();
        let first = mean(Tensor::cat(entropies, 0).squeeze_dim(1));
        let second = mean(columns.entropy(right).squeeze_dim(0));
        let slopes = learns.then(|| self.slopes(blocks(), &by_rows, &columns));
        Sums {
            first,
            second,
            slopes,
        }
    }

    fn slopes(
        &self,
        blocks: impl Iterator<Item = Block>,
        by_rows: &[Softmax],
        columns: &Softmax,
    ) -> Slopes {
        let [batch, d_embed] = self.first.dims();
        let device = self.first.device();
        let weights = self.weights();
        let factor = self.scale.clone().unsqueeze::<2>();
        let (mut firsts, mut seconds) = (Vec::new(), Tensor::zeros([batch, d_embed], &device));
        let mut by_scale = Tensor::<1>::zeros([1], &device);
        for (block, rows) in blocks.zip(by_rows) {
            // dL/dx is the softmax less what should be, for rows and for columns.
            let own = weights.clone().slice([block.place]).unsqueeze_dim(1);
            let by_row = (rows.of(block.rows) - block.targets.clone()) * own;
            let all = weights.clone().unsqueeze_dim(0);
            let by_column = (columns.of(block.columns) - block.targets) * all;
            let slope = (by_row + by_column).mul_scalar(0.5); // [block, B]
            by_scale = by_scale + (slope.clone() * block.logits).sum();
            let slope = slope * factor.clone();
            firsts.push(slope.clone().matmul(self.second.clone()));
            seconds = seconds + slope.transpose().matmul(block.first);
        }
        Slopes {
            sides: [Tensor::cat(firsts, 0), seconds],
            scale: by_scale,
        }
    }

    /// What a pair counts: 1 / pairs, or 0 if a side is missing.
    fn weights(&self) -> Tensor<1> {
        self.there.clone() / self.there.clone().sum().clamp_min(1.0)
    }

    fn block(&self, place: std::ops::Range<usize>) -> Block {
        let first = self.first.clone().slice([place.clone()]);
        let factor = self.scale.clone().unsqueeze::<2>();
        let logits = first.clone().matmul(self.second.clone().transpose()) * factor;
        let shape = logits.dims();
        let own = self.there.clone().slice([place.clone()]);
        let row = own.unsqueeze_dim::<2>(1).expand(shape);
        let column = self.there.clone().unsqueeze_dim::<2>(0).expand(shape);
        let without = |there: Tensor<2>| logits.clone().mask_fill(there.lower_elem(0.5), OUT);
        Block {
            rows: without(column.clone()),
            columns: without(row.clone()),
            targets: self.targets(place.clone(), shape, &logits.device(), row * column),
            first,
            logits,
            place,
        }
    }

    /// `[block, batch]`, given 1 where both the row and the column are there.
    fn targets(
        &self,
        place: std::ops::Range<usize>,
        shape: [usize; 2],
        device: &Device,
        there: Tensor<2>,
    ) -> Tensor<2> {
        let itself = own_places(place.start, shape, device);
        let Some(groups) = &self.groups else {
            return there.mask_fill(itself.bool_not(), 0.0);
        };
        let row = groups.clone().slice([place]).unsqueeze_dim::<2>(1);
        let row = row.expand(shape);
        let column = groups.clone().unsqueeze_dim::<2>(0).expand(shape);
        let known = row.clone().greater_equal_elem(0);
        let together = row.equal(column).bool_and(known).bool_or(itself);
        let together = there.mask_fill(together.bool_not(), 0.0);
        together.clone() / together.sum_dim(1).clamp_min(1.0)
    }
}
