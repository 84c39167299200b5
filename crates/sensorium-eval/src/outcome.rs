//! What a model comes to, whatever it answers with: the kinds of reports, and what tables ask of any.

use serde::{Deserialize, Serialize};

use crate::{
    ClassificationReport, Error, Interval, MultiLabelReport, Regression, RegressionReport,
    WrittenReport,
};
use crate::{mean, report};

/// The one number that a model is judged by. Of each more is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The share of right answers, of one class a sample.
    #[default]
    Accuracy,
    /// Mean average precision, of several labels a sample.
    MeanAveragePrecision,
    /// The share of the targets' variance that is explained, of numbers.
    R2,
    /// The share of texts that are what was wanted, to the letter.
    ExactMatch,
}

impl Metric {
    /// As it stands in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::MeanAveragePrecision => "mAP",
            Self::R2 => "R²",
            Self::ExactMatch => "exact match",
        }
    }

    /// What stands beside it there.
    pub fn second(self) -> &'static str {
        match self {
            Self::Accuracy | Self::MeanAveragePrecision => "macro F1",
            Self::R2 => "MAE",
            Self::ExactMatch => "BLEU",
        }
    }

    /// A value for people: shares in per cent.
    pub fn spelled(self, value: f64) -> String {
        match self {
            Self::Accuracy | Self::MeanAveragePrecision | Self::ExactMatch => {
                report::percent(value)
            }
            Self::R2 => signed(value),
        }
    }

    /// A difference of two values, with its sign: shares in points.
    pub fn apart(self, difference: f64) -> String {
        match self {
            Self::Accuracy | Self::MeanAveragePrecision | Self::ExactMatch => {
                report::points(difference)
            }
            Self::R2 => format!(
                "{}{}",
                if difference < 0.0 { "" } else { "+" },
                signed(difference)
            ),
        }
    }

    /// What stands beside it, for people.
    pub(crate) fn spelled_second(self, value: f64) -> String {
        match self {
            Self::Accuracy | Self::MeanAveragePrecision => format!("{value:.3}"),
            Self::R2 => report::significant(value),
            Self::ExactMatch => format!("{value:.1}"),
        }
    }

    /// What differences are counted in.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Accuracy | Self::MeanAveragePrecision | Self::ExactMatch => " points",
            Self::R2 => "",
        }
    }
}

/// Three digits, with the sign that books print.
fn signed(value: f64) -> String {
    format!("{value:.3}").replace('-', "−")
}

/// What any report has in a row of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// What the model is judged by.
    pub metric: Metric,
    /// Samples measured.
    pub n: u64,
    /// The metric; undefined where there is nothing to measure it on.
    pub value: Option<f64>,
    /// Its 95 % interval, where there is one.
    pub interval: Option<Interval>,
    /// Macro F1 of classes and labels.
    pub macro_f1: Option<f64>,
    /// Mean absolute error of numbers.
    pub mae: Option<f64>,
    /// BLEU of texts.
    pub bleu: Option<f64>,
}

impl Summary {
    /// What stands beside the metric.
    pub fn second(&self) -> Option<f64> {
        self.macro_f1.or(self.mae).or(self.bleu)
    }
}

impl From<&ClassificationReport> for Summary {
    fn from(report: &ClassificationReport) -> Self {
        Self {
            metric: Metric::Accuracy,
            n: report.n,
            value: report.accuracy,
            interval: report.accuracy_interval,
            macro_f1: report.macro_f1(),
            ..Self::default()
        }
    }
}

impl From<&MultiLabelReport> for Summary {
    fn from(report: &MultiLabelReport) -> Self {
        Self {
            metric: Metric::MeanAveragePrecision,
            n: report.n,
            value: report.mean_average_precision,
            macro_f1: report.macro_.map(|average| average.f1),
            ..Self::default()
        }
    }
}

impl From<&NumbersReport> for Summary {
    fn from(report: &NumbersReport) -> Self {
        Self {
            metric: Metric::R2,
            n: report.n,
            value: report.r2,
            mae: report.mae,
            ..Self::default()
        }
    }
}

impl From<&WrittenReport> for Summary {
    fn from(report: &WrittenReport) -> Self {
        Self {
            metric: Metric::ExactMatch,
            n: report.n,
            value: report.exact_match,
            interval: report.exact_match_interval,
            bleu: report.bleu,
            ..Self::default()
        }
    }
}

/// Predictions of one or several numbers a sample: each of them, and the plain means over them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NumbersReport {
    /// Samples measured.
    pub n: u64,
    /// Mean absolute error.
    pub mae: Option<f64>,
    /// Root of the mean squared error.
    pub rmse: Option<f64>,
    /// Coefficient of determination; undefined if it is of one of the numbers.
    pub r2: Option<f64>,
    /// One entry a number, in their order.
    pub outputs: Vec<RegressionReport>,
}

impl NumbersReport {
    /// Measures answers against what is true, each a sample's numbers.
    ///
    /// # Errors
    /// [`Error::Lengths`] where they are not equally many, [`Error::NotFinite`].
    ///
    /// ```
    /// let truths: [&[f64]; 3] = [&[1.0, 10.0], &[2.0, 20.0], &[3.0, 30.0]];
    /// let answers: [&[f64]; 3] = [&[1.0, 10.0], &[2.0, 26.0], &[3.0, 30.0]];
    /// let report = sensorium_eval::NumbersReport::of(2, truths.into_iter().zip(answers))?;
    /// assert_eq!((report.outputs[0].mae, report.outputs[1].mae, report.mae), (Some(0.0), Some(2.0), Some(1.0)));
    /// # Ok::<(), sensorium_eval::Error>(())
    /// ```
    pub fn of<'a>(
        outputs: usize,
        samples: impl IntoIterator<Item = (&'a [f64], &'a [f64])>,
    ) -> Result<Self, Error> {
        let mut counts = vec![Regression::new(); outputs];
        let mut n = 0;
        for (truths, answers) in samples {
            for found in [truths.len(), answers.len()] {
                if found != outputs {
                    return Err(Error::Lengths {
                        targets: outputs,
                        scores: found,
                    });
                }
            }
            for ((count, truth), answer) in counts.iter_mut().zip(truths).zip(answers) {
                count.add(*truth, *answer)?;
            }
            n += 1;
        }
        let outputs: Vec<RegressionReport> = counts.iter().map(Regression::finish).collect();
        Ok(Self {
            n,
            mae: mean(outputs.iter().map(|output| output.mae)),
            rmse: mean(outputs.iter().map(|output| output.rmse)),
            r2: mean(outputs.iter().map(|output| output.r2)),
            outputs,
        })
    }
}

/// A report of any kind.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a measurement, and it is moved about little"
)]
pub enum Outcome {
    /// Of one class a sample.
    Classes(ClassificationReport),
    /// Of several labels a sample.
    Labels(MultiLabelReport),
    /// Of numbers.
    Numbers(NumbersReport),
    /// Of texts.
    Written(WrittenReport),
}

impl Outcome {
    /// What stands in a row of a table.
    pub fn summary(&self) -> Summary {
        match self {
            Self::Classes(report) => report.into(),
            Self::Labels(report) => report.into(),
            Self::Numbers(report) => report.into(),
            Self::Written(report) => report.into(),
        }
    }
}

impl From<&Outcome> for Summary {
    fn from(outcome: &Outcome) -> Self {
        outcome.summary()
    }
}
