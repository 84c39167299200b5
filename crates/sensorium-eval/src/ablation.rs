//! What each modality is worth: the same model measured on every subset of what it can take.

use serde::{Deserialize, Serialize};

use crate::{Error, Interval, Metric, Summary};

/// 10 modalities have 1,023 subsets: beyond that an evaluation would never end.
const MOST_MODALITIES: usize = 10;

/// All non-empty subsets, the single ones first and the whole last, each in the order given.
///
/// # Errors
/// [`Error::TooManyModalities`] beyond ten.
///
/// ```
/// let subsets = sensorium_eval::subsets(&["image", "text"])?;
/// assert_eq!(subsets, [vec!["image"], vec!["text"], vec!["image", "text"]]);
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
pub fn subsets<T: Clone>(modalities: &[T]) -> Result<Vec<Vec<T>>, Error> {
    let count = modalities.len();
    if count > MOST_MODALITIES {
        return Err(Error::TooManyModalities {
            count,
            most: MOST_MODALITIES,
        });
    }
    let chosen = |bits: u32| (0..count).filter(move |i| bits >> i & 1 == 1);
    let mut all: Vec<u32> = (1..1 << count).collect();
    all.sort_by_key(|&bits| (bits.count_ones(), chosen(bits).collect::<Vec<_>>()));
    Ok(all
        .into_iter()
        .map(|bits| chosen(bits).map(|i| modalities[i].clone()).collect())
        .collect())
}

/// The measurements of one model on subsets of its modalities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    /// All modalities of the model, in its order.
    pub modalities: Vec<String>,
    /// What the model is judged by: accuracy, if nothing is said.
    #[serde(default, skip_serializing_if = "is_accuracy")]
    pub metric: Metric,
    /// One row a subset.
    pub rows: Vec<AblationRow>,
}

/// One subset of modalities and how well the model does with only these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AblationRow {
    /// The modalities the model was given.
    pub modalities: Vec<String>,
    /// Samples measured.
    pub n: u64,
    /// Share of right answers; undefined without samples.
    pub accuracy: Option<f64>,
    /// Its 95 % interval.
    pub accuracy_interval: Option<Interval>,
    /// Macro F1; undefined without samples.
    pub macro_f1: Option<f64>,
    /// Mean average precision, of several labels a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_average_precision: Option<f64>,
    /// The share of the variance that is explained, of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// Mean absolute error, of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
    /// The share of texts that are what was wanted, of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_match: Option<f64>,
    /// BLEU, of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bleu: Option<f64>,
}

impl AblationRow {
    /// What the model is judged by.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Accuracy => self.accuracy,
            Metric::MeanAveragePrecision => self.mean_average_precision,
            Metric::R2 => self.r2,
            Metric::ExactMatch => self.exact_match,
        }
    }

    /// What stands beside it.
    pub fn second(&self) -> Option<f64> {
        self.macro_f1.or(self.mae).or(self.bleu)
    }
}

/// What one modality adds to all the others together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The modality.
    pub modality: String,
    /// Accuracy, or what else the model is judged by, with nothing but this modality, where it was measured.
    pub alone: Option<f64>,
    /// The same with everything but this modality.
    pub without: f64,
    /// The same with everything, less `without`: what is lost when the modality is missing.
    pub adds: f64,
    /// The same difference in macro F1.
    pub adds_macro_f1: Option<f64>,
}

impl Ablation {
    /// An empty table over these modalities.
    pub fn new<S: Into<String>>(modalities: impl IntoIterator<Item = S>) -> Self {
        Self {
            modalities: modalities.into_iter().map(Into::into).collect(),
            metric: Metric::default(),
            rows: Vec::new(),
        }
    }

    /// Adds the measurement of one subset; a subset measured before is replaced. All are to be of one kind.
    ///
    /// # Errors
    /// [`Error::UnknownModality`].
    pub fn push(
        &mut self,
        subset: &[impl AsRef<str>],
        report: impl Into<Summary>,
    ) -> Result<(), Error> {
        if let Some(unknown) = subset
            .iter()
            .find(|name| !self.modalities.iter().any(|known| known == name.as_ref()))
        {
            let modality = unknown.as_ref().to_owned();
            return Err(Error::UnknownModality {
                modality,
                known: self.modalities.clone(),
            });
        }
        // In the model's order, so that a subset has one spelling.
        let given = |known: &&String| subset.iter().any(|name| name.as_ref() == known.as_str());
        let found: Summary = report.into();
        let of = |metric: Metric| found.value.filter(|_| found.metric == metric);
        let row = AblationRow {
            modalities: self.modalities.iter().filter(given).cloned().collect(),
            n: found.n,
            accuracy: of(Metric::Accuracy),
            accuracy_interval: found.interval,
            macro_f1: found.macro_f1,
            mean_average_precision: of(Metric::MeanAveragePrecision),
            r2: of(Metric::R2),
            mae: found.mae,
            exact_match: of(Metric::ExactMatch),
            bleu: found.bleu,
        };
        self.metric = found.metric;
        self.rows.retain(|old| old.modalities != row.modalities);
        self.rows.push(row);
        Ok(())
    }

    /// The row with all modalities.
    pub fn whole(&self) -> Option<&AblationRow> {
        self.rows
            .iter()
            .find(|row| row.modalities == self.modalities)
    }

    /// The best row with a single modality, of a model that has several.
    pub fn best_single(&self) -> Option<&AblationRow> {
        let single = self
            .rows
            .iter()
            .filter(|row| row.modalities.len() == 1 && self.modalities.len() > 1);
        single
            .filter(|row| row.value(self.metric).is_some())
            .max_by(|a, b| self.order(a, b))
    }

    /// The rows, the best first; undefined ones last.
    pub fn sorted(&self) -> Vec<&AblationRow> {
        let mut rows: Vec<&AblationRow> = self.rows.iter().collect();
        rows.sort_by(|a, b| self.order(b, a));
        rows
    }

    /// What each modality adds to the others; empty for a model of one modality or where a subset was not measured.
    pub fn contributions(&self) -> Vec<Contribution> {
        let find = |keep: &dyn Fn(&String) -> bool| {
            let wanted: Vec<&String> = self.modalities.iter().filter(|name| keep(name)).collect();
            self.rows
                .iter()
                .find(|row| row.modalities.iter().eq(wanted.iter().copied()))
        };
        let contribution = |modality: &String| {
            let (whole, without) = (self.whole()?, find(&|name| name != modality)?);
            Some(Contribution {
                modality: modality.clone(),
                alone: find(&|name| name == modality).and_then(|row| row.value(self.metric)),
                without: without.value(self.metric)?,
                adds: whole.value(self.metric)? - without.value(self.metric)?,
                adds_macro_f1: whole
                    .macro_f1
                    .zip(without.macro_f1)
                    .map(|(whole, without)| whole - without),
            })
        };
        self.modalities.iter().filter_map(contribution).collect()
    }

    /// Undefined is less than anything.
    fn order(&self, a: &AblationRow, b: &AblationRow) -> std::cmp::Ordering {
        let value = |row: &AblationRow| row.value(self.metric).unwrap_or(f64::NEG_INFINITY);
        value(a).total_cmp(&value(b))
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands on references"
)]
fn is_accuracy(metric: &Metric) -> bool {
    *metric == Metric::Accuracy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Classification, ClassificationReport};
    use proptest::prelude::*;

    fn report(right: usize, n: usize) -> ClassificationReport {
        let mut counts = Classification::new(["a", "b"]).unwrap();
        for i in 0..n {
            counts
                .add(0, if i < right { &[1.0, 0.0] } else { &[0.0, 1.0] })
                .unwrap();
        }
        counts.finish()
    }

    #[test]
    fn says_what_a_modality_adds() {
        let mut ablation = Ablation::new(["image", "text"]);
        ablation.push(&["text"], &report(4, 10)).unwrap();
        ablation.push(&["text", "image"], &report(9, 10)).unwrap();
        ablation.push(&["image"], &report(6, 10)).unwrap();
        ablation.push(&["text"], &report(5, 10)).unwrap(); // measured again
        assert_eq!(ablation.rows.len(), 3);
        assert_eq!(ablation.whole().unwrap().accuracy, Some(0.9));
        assert_eq!(ablation.best_single().unwrap().modalities, ["image"]);
        let adds: Vec<_> = ablation
            .contributions()
            .iter()
            .map(|c| (c.modality.clone(), c.without))
            .collect();
        assert_eq!(adds, [("image".into(), 0.5), ("text".into(), 0.6)]);
        assert!((ablation.contributions()[0].adds - 0.4).abs() < 1e-12);
        let order: Vec<_> = ablation
            .sorted()
            .iter()
            .map(|row| row.modalities.join("+"))
            .collect();
        assert_eq!(order, ["image+text", "image", "text"]);
    }

    #[test]
    fn one_modality_adds_nothing_to_no_others() {
        let mut ablation = Ablation::new(["image"]);
        ablation.push(&["image"], &report(6, 10)).unwrap();
        assert!(ablation.contributions().is_empty());
        assert_eq!(ablation.best_single(), None);
        let error = ablation
            .push(&["radar"], &report(1, 1))
            .unwrap_err()
            .to_string();
        assert_eq!(error, "modality `radar` is none of this ablation's: image");
    }

    #[test]
    fn too_many_modalities_are_refused() {
        let error = subsets(&[0; 200]).unwrap_err().to_string();
        assert_eq!(
            error,
            "200 modalities have 2^200 subsets, more than can be evaluated: choose at most 10"
        );
    }

    proptest! {
        #[test]
        fn subsets_are_all_and_each_once(count in 0_usize..=10) {
            let modalities: Vec<usize> = (0..count).collect();
            let all = subsets(&modalities).unwrap();
            prop_assert_eq!(all.len(), (1 << count) - 1);
            prop_assert!(all.iter().all(|subset| subset.is_sorted() && !subset.is_empty()));
            prop_assert!(all.windows(2).all(|pair| pair[0].len() <= pair[1].len() && pair[0] != pair[1]));
            let distinct: std::collections::HashSet<_> = all.iter().collect();
            prop_assert_eq!(distinct.len(), all.len());
        }
    }
}
