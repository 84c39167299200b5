//! From what a model's head gives to answers.

use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, softmax};
use sensorium_train::Ordinal;
use serde::{Deserialize, Serialize};

use super::{LabelSet, Numbers};

/// What the model answers for one row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// The row's place among the prepared rows.
    pub row: usize,
    /// One probability per class; of a model that answers with numbers none.
    pub probabilities: Vec<f32>,
    /// The numbers, as they stand in the data; of a model that answers with classes none.
    pub numbers: Vec<f64>,
    /// The text, of a model that writes one. Always said: what processes tell each other has no names.
    pub written: Option<WrittenAnswer>,
}

/// A text that a model wrote, and how it found the one that was wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WrittenAnswer {
    /// What it wrote.
    pub text: String,
    /// -ln of the likelihood of what was wanted, all of its tokens together.
    pub surprise: f64,
    /// How many tokens these are.
    pub tokens: usize,
}

/// A class of several is given where it is likelier than not.
pub(crate) const GIVEN: f32 = 0.5;

impl Answer {
    /// With a text.
    pub(crate) fn of_text(row: usize, written: WrittenAnswer) -> Self {
        Self {
            row,
            written: Some(written),
            ..Self::default()
        }
    }

    /// Classes by their probability, the most likely first.
    pub fn ranked(&self) -> Vec<(usize, f32)> {
        let mut ranked: Vec<(usize, f32)> =
            self.probabilities.iter().copied().enumerate().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }

    /// Which classes are given, where there may be several.
    pub fn given(&self) -> Vec<bool> {
        self.probabilities.iter().map(|p| *p > GIVEN).collect()
    }
}

impl LabelSet {
    /// What a model's head gives, `[rows, width]`, as answers for these rows.
    pub(crate) fn answers(&self, outputs: Tensor<2>, rows: &[usize]) -> Vec<Answer> {
        let values = match self {
            Self::Classes(_) => softmax(outputs, 1),
            Self::Ordered(_) => Ordinal.probabilities(outputs),
            Self::Several { .. } => sigmoid(outputs),
            Self::Numbers(_) => outputs,
            Self::Texts(_) => unreachable!("a text is written by no head"),
        };
        let [_, width] = values.dims();
        let values: Vec<f32> = values.into_data().iter::<f32>().collect();
        let answer = |(row, values): (&usize, &[f32])| match self {
            Self::Numbers(numbers) => Answer {
                row: *row,
                numbers: plain(numbers, values),
                ..Answer::default()
            },
            _ => Answer {
                row: *row,
                probabilities: values.to_vec(),
                ..Answer::default()
            },
        };
        rows.iter().zip(values.chunks(width)).map(answer).collect()
    }
}

fn plain(numbers: &Numbers, values: &[f32]) -> Vec<f64> {
    let pairs = numbers.scales.iter().zip(values);
    pairs
        .map(|(scale, value)| scale.plain(f64::from(*value)))
        .collect()
}
