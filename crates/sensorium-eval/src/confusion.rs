//! Who was taken for whom: the counts every classification metric is computed from.
//!
//! Only cells that occur are kept: a label column taken by mistake from ids must not cost classes² of memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One non-zero cell of a confusion matrix, by class index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The true class.
    pub target: usize,
    /// The class the model answered.
    pub predicted: usize,
    /// How many samples.
    pub count: u64,
}

/// Counts of (true class, answered class) over `classes` classes.
///
/// In JSON it is the list of its non-zero cells, ordered by target, then by prediction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    cells: BTreeMap<(usize, usize), u64>,
}

impl Confusion {
    /// Counts one sample.
    pub fn add(&mut self, target: usize, predicted: usize) {
        *self.cells.entry((target, predicted)).or_default() += 1;
    }

    /// Adds all of another's counts.
    pub fn merge(&mut self, other: &Self) {
        for (&key, count) in &other.cells {
            *self.cells.entry(key).or_default() += count;
        }
    }

    /// How many samples of class `target` were taken for `predicted`.
    pub fn count(&self, target: usize, predicted: usize) -> u64 {
        self.cells.get(&(target, predicted)).copied().unwrap_or(0)
    }

    /// How many samples were counted.
    pub fn total(&self) -> u64 {
        self.cells.values().sum()
    }

    /// How many stand on the diagonal.
    pub fn right(&self) -> u64 {
        self.cells()
            .filter(|cell| cell.target == cell.predicted)
            .map(|cell| cell.count)
            .sum()
    }

    /// The non-zero cells, ordered by target, then by prediction.
    pub fn cells(&self) -> impl Iterator<Item = Cell> + '_ {
        self.cells
            .iter()
            .map(|(&(target, predicted), &count)| Cell {
                target,
                predicted,
                count,
            })
    }

    /// Samples per true class, and per answered class, for `classes` classes.
    pub fn margins(&self, classes: usize) -> (Vec<u64>, Vec<u64>) {
        let (mut rows, mut columns) = (vec![0; classes], vec![0; classes]);
        for cell in self.cells() {
            if let Some(row) = rows.get_mut(cell.target) {
                *row += cell.count;
            }
            if let Some(column) = columns.get_mut(cell.predicted) {
                *column += cell.count;
            }
        }
        (rows, columns)
    }

    /// Cohen's kappa of classes that have an order, with quadratic weights: a mistake counts by the square of how far it is off, so that
    /// 1 for 2 is a small one and 1 for 5 a large one (Cohen, 1968). 1 is perfect, 0 is chance.
    ///
    /// The order is that of the class indices; the number of classes plays no part. `None` where truth and answers are one and the
    /// same class. Equal to scikit-learn's `cohen_kappa_score(weights="quadratic")`.
    pub fn quadratic_kappa(&self) -> Option<f64> {
        // Σ (i − j)²·o against Σ (i − j)²·rᵢ·cⱼ / n; the second splits into moments of the margins.
        let (mut n, mut apart) = (0.0, 0.0);
        let [mut truth, mut answers] = [(0.0, 0.0); 2];
        let first = self.cells.keys().map(|&(i, j)| i.min(j)).min()?;
        for cell in self.cells() {
            // Counted from the least class, so that squares stay small.
            let [i, j] = [cell.target, cell.predicted].map(|class| (class - first) as f64);
            let count = cell.count as f64;
            n += count;
            apart += count * (i - j).powi(2);
            truth = (truth.0 + count * i, truth.1 + count * i * i);
            answers = (answers.0 + count * j, answers.1 + count * j * j);
        }
        let by_chance = truth.1 + answers.1 - 2.0 * truth.0 * answers.0 / n;
        (by_chance > 0.0).then(|| 1.0 - apart / by_chance)
    }

    /// How many classes an answer is away from the truth on average, of classes that have an order: that of the class indices. `None`
    /// without samples.
    pub fn rank_error(&self) -> Option<f64> {
        let (mut n, mut apart) = (0.0, 0.0);
        for cell in self.cells() {
            n += cell.count as f64;
            apart += cell.count as f64 * cell.target.abs_diff(cell.predicted) as f64;
        }
        (n > 0.0).then(|| apart / n)
    }

    /// The most frequent mistakes, commonest first, at most `most` of them.
    pub fn top_confusions(&self, most: usize) -> Vec<Cell> {
        let mut wrong: Vec<Cell> = self
            .cells()
            .filter(|cell| cell.target != cell.predicted)
            .collect();
        // A stable sort: mistakes of one count stay in the order of the classes.
        wrong.sort_by_key(|cell| std::cmp::Reverse(cell.count));
        wrong.truncate(most);
        wrong
    }
}

impl Serialize for Confusion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.cells())
    }
}

impl<'de> Deserialize<'de> for Confusion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut confusion = Self::default();
        for cell in Vec::<Cell>::deserialize(deserializer)? {
            *confusion
                .cells
                .entry((cell.target, cell.predicted))
                .or_default() += cell.count;
        }
        Ok(confusion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_list_of_cells_and_comes_back() {
        let mut confusion = Confusion::default();
        for (target, predicted) in [(1, 0), (0, 0), (1, 0), (2, 2)] {
            confusion.add(target, predicted);
        }
        let json = serde_json::to_string(&confusion).unwrap();
        assert_eq!(
            json,
            r#"[{"target":0,"predicted":0,"count":1},{"target":1,"predicted":0,"count":2},{"target":2,"predicted":2,"count":1}]"#
        );
        assert_eq!(serde_json::from_str::<Confusion>(&json).unwrap(), confusion);
        assert_eq!(confusion.margins(3), (vec![1, 2, 1], vec![3, 0, 1]));
        assert_eq!(
            confusion.top_confusions(5),
            [Cell {
                target: 1,
                predicted: 0,
                count: 2
            }]
        );
        assert_eq!((confusion.right(), confusion.total()), (2, 4));
        assert_eq!(confusion.rank_error(), Some(0.5));
        assert_eq!(Confusion::default().rank_error(), None);
    }
}
