//! A batch in parts whose loss is more than the mean of theirs: each part is learned from among all of them.

use std::collections::BTreeMap;

use burn::tensor::{Bool, Tensor, TensorData};
use sensorium_core::assert_shape;
use serde::{Deserialize, Serialize};

use crate::Loss;
use crate::objective::constant;

/// What the samples of a batch are compared by: one vector of each, for each side that there is, such as a modality. And where the
/// loss is a sum of means over different things, how many of each there are.
#[derive(Clone, Debug)]
pub struct Compared {
    /// How many samples there are.
    pub rows: usize,
    /// Their vectors by the side's name. A side that no sample has may be left out.
    pub sides: BTreeMap<String, Side>,
    /// What else means of the loss are over, by its name: how many, or the sum of their weights.
    pub counts: BTreeMap<String, f64>,
}

/// The vectors of one side.
#[derive(Clone, Debug)]
pub struct Side {
    /// `[rows, d_embed]`
    pub vectors: Tensor<2>,
    /// Which rows have it: `[rows]`.
    pub present: Tensor<1, Bool>,
}

impl Side {
    /// Vectors of rows that all have them.
    pub fn all(vectors: Tensor<2>) -> Self {
        let [rows, _] = vectors.dims();
        let present = Tensor::<1>::ones([rows], &vectors.device()).greater_elem(0.5);
        Self { vectors, present }
    }
}

impl Compared {
    /// What is compared by these sides of so many samples.
    pub fn new(rows: usize, sides: impl IntoIterator<Item = (String, Side)>) -> Self {
        Self {
            rows,
            sides: sides.into_iter().collect(),
            counts: BTreeMap::new(),
        }
    }

    /// With so many of what a mean of the loss is over.
    #[must_use]
    pub fn counting(mut self, name: &str, count: f64) -> Self {
        self.counts.insert(name.to_owned(), count);
        self
    }

    /// As plain numbers, to be kept or told to others.
    pub(crate) fn told(self) -> Told {
        let sides = self.sides.into_iter();
        let sides = sides.map(|(name, side)| {
            let [rows, width] = side.vectors.dims();
            assert_shape!(side.present, [rows]);
            let numbers = side.vectors.inner().into_data();
            let present = side.present.inner().into_data();
            let told = ToldSide {
                width,
                vectors: numbers.iter::<f32>().collect(),
                present: present.iter::<bool>().collect(),
            };
            (name, told)
        });
        Told {
            rows: self.rows,
            sides: sides.collect(),
            counts: self.counts,
        }
    }
}

/// [`Compared`] as plain numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    rows: usize,
    sides: BTreeMap<String, ToldSide>,
    counts: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ToldSide {
    width: usize,
    vectors: Vec<f32>,
    present: Vec<bool>,
}

/// The other parts of a batch, those that come before and those that come after.
#[derive(Clone, Debug, Default)]
pub struct Others {
    pub(crate) before: Vec<Told>,
    pub(crate) after: Vec<Told>,
}

impl Others {
    /// What a mean over a part's own of something is to be multiplied by, of which it has so many ([`Compared::counting`]): a step is the mean
    /// over its parts, and so comes to the mean over all. Without other parts it is 1, and nothing is counted.
    pub fn part(&self, name: &str, own: impl FnOnce() -> f64) -> f64 {
        let parts = self.before.len() + 1 + self.after.len();
        if parts == 1 {
            return 1.0;
        }
        let told = self.before.iter().chain(&self.after);
        let others: f64 = told.filter_map(|part| part.counts.get(name)).sum();
        match own() {
            // Of which nobody has any, nothing is a mean.
            0.0 => 0.0,
            own => parts as f64 * own / (own + others),
        }
    }

    /// The mean that a loss is, as it counts among the parts, which have told how much of this there is ([`part`](Self::part)); its own is
    /// what it says that it is a mean over.
    ///
    /// # Panics
    /// If it says nothing, and there are other parts.
    pub fn mean(&self, name: &str, loss: Loss) -> Tensor<1> {
        let over = || {
            let over = loss.over.expect("a mean that says what it is over");
            over.into_scalar::<f32>().into()
        };
        times(loss.total, self.part(name, over))
    }

    /// All samples of the batch: those of other parts as numbers that do not learn, and one's own, `rows` of them, in their place
    /// between them.
    ///
    /// Their gradient is as many times as large as there are parts, as a step is the mean over the parts: so it comes to that of the
    /// whole batch, for what vectors are made by and for what the loss itself learns alike (each part sees the whole loss).
    ///
    /// # Panics
    /// If vectors of a side are not of one width.
    pub fn around(&self, own: Compared) -> BTreeMap<String, Side> {
        let parts = self.before.len() + 1 + self.after.len();
        if parts == 1 {
            return own.sides;
        }
        let told = || self.before.iter().chain(&self.after);
        let like = own.sides.values().next().map(|side| side.vectors.clone());
        let Some(like) = like else {
            return BTreeMap::new();
        };
        let mut widths: BTreeMap<&String, usize> = BTreeMap::new();
        for part in told() {
            widths.extend(part.sides.iter().map(|(name, side)| (name, side.width)));
        }
        for (name, side) in &own.sides {
            widths.insert(name, side.vectors.dims()[1]);
        }
        let side = |name: &String, width: usize| {
            let others = |parts: &[Told]| -> Vec<Side> {
                parts
                    .iter()
                    .map(|part| part.side(name, width, &like))
                    .collect()
            };
            let own = match own.sides.get(name) {
                Some(side) => Side {
                    vectors: steeper(side.vectors.clone(), parts as f64),
                    present: side.present.clone(),
                },
                None => absent(own.rows, width, &like),
            };
            let all = [others(&self.before), vec![own], others(&self.after)].concat();
            let (vectors, present) = all
                .into_iter()
                .map(|side| (side.vectors, side.present))
                .unzip();
            Side {
                vectors: Tensor::cat(vectors, 0),
                present: Tensor::cat(present, 0),
            }
        };
        widths
            .into_iter()
            .map(|(name, width)| (name.clone(), side(name, width)))
            .collect()
    }
}

impl Told {
    /// Vectors of a side on the device of others.
    fn side(&self, name: &str, width: usize, like: &Tensor<2>) -> Side {
        let Some(side) = self.sides.get(name) else {
            return absent(self.rows, width, like);
        };
        assert_eq!(side.width, width, "vectors of {name} are of several widths");
        let device = like.device();
        let vectors = TensorData::new(side.vectors.clone(), [self.rows, width]);
        let present = TensorData::new(side.present.clone(), [self.rows]);
        Side {
            vectors: Tensor::<2>::from_data(vectors, &device).cast(like.dtype()),
            present: Tensor::from_data(present, &device),
        }
    }
}

/// A mean, so many times; to the last bit what it is where that is once.
pub(crate) fn times(mean: Tensor<1>, count: f64) -> Tensor<1> {
    match count {
        1.0 => mean,
        count => mean.mul_scalar(count),
    }
}

fn absent(rows: usize, width: usize, like: &Tensor<2>) -> Side {
    let device = like.device();
    Side {
        vectors: Tensor::<2>::zeros([rows, width], &device).cast(like.dtype()),
        present: Tensor::<1>::zeros([rows], &device).greater_elem(0.5),
    }
}

/// The same to the last bit, with a gradient so many times as large.
fn steeper(x: Tensor<2>, times: f64) -> Tensor<2> {
    if !x.is_tracked() {
        return x;
    }
    let fixed = constant(x.clone());
    fixed.clone() + (x - fixed).mul_scalar(times)
}
