//! How good answers are, and what a validation keeps of that.

use sensorium_eval::{
    Classification, ClassificationReport, MultiLabel, MultiLabelReport, NumbersReport, Outcome,
    Written, WrittenReport,
};
use sensorium_train::Scores;

use super::answers::GIVEN;
use super::{Answer, LabelKind, LabelSet, Numbers};
use crate::Error;
use crate::prepare::Prepared;

impl LabelKind {
    /// What validation measures; the first chooses the best weights unless the recipe names another.
    pub(crate) fn metrics(self) -> &'static [&'static str] {
        match self {
            Self::Class => &["accuracy", "macro_f1", "loss"],
            Self::Ordered => &["accuracy", "macro_f1", "rank_error", "loss"],
            Self::Several => &["map", "macro_f1", "micro_f1", "loss"],
            Self::Numbers => &["mae", "rmse", "r2", "loss"],
            Self::Text => &["exact_match", "bleu", "perplexity", "loss"],
        }
    }
}

impl LabelSet {
    /// All metrics over answers.
    ///
    /// # Errors
    /// If the model answers something that is not a number.
    pub(crate) fn score(&self, rows: &Prepared, answers: &[Answer]) -> Result<Outcome, Error> {
        match self.count(rows, answers)? {
            Outcome::Classes(counted) => {
                let probabilities: Vec<(usize, &[f32])> = answers
                    .iter()
                    .map(|answer| (rows.class(answer.row), &*answer.probabilities))
                    .collect();
                Ok(Outcome::Classes(
                    counted.with_probabilities(&probabilities)?,
                ))
            }
            other => Ok(other),
        }
    }

    /// The metrics that cost little, for what is measured again and again.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub(crate) fn count(&self, rows: &Prepared, answers: &[Answer]) -> Result<Outcome, Error> {
        Ok(match self {
            Self::Classes(_) => Outcome::Classes(self.classes(rows, answers)?),
            Self::Ordered(_) => Outcome::Classes(self.classes(rows, answers)?.with_order()),
            Self::Several { .. } => Outcome::Labels(self.several(rows, answers)?),
            Self::Numbers(numbers) => {
                let pairs = answers
                    .iter()
                    .map(|answer| (rows.numbers(answer.row), &*answer.numbers));
                Outcome::Numbers(NumbersReport::of(numbers.scales.len(), pairs)?)
            }
            Self::Texts(_) => Outcome::Written(written(rows, answers)?),
        })
    }

    fn classes(&self, rows: &Prepared, answers: &[Answer]) -> Result<ClassificationReport, Error> {
        let mut counts = Classification::new(self.names().iter().cloned())?;
        for answer in answers {
            let (id, class) = (rows.id(answer.row), rows.class(answer.row));
            counts.add_sample(id, class, &answer.probabilities)?;
        }
        Ok(counts.finish())
    }

    fn several(&self, rows: &Prepared, answers: &[Answer]) -> Result<MultiLabelReport, Error> {
        let mut counts = MultiLabel::new(self.names().iter().cloned(), GIVEN)?;
        for answer in answers {
            counts.add(rows.held(answer.row), &answer.probabilities)?;
        }
        Ok(counts.finish())
    }

    /// What a validation keeps.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub(crate) fn validation(&self, rows: &Prepared, answers: &[Answer]) -> Result<Scores, Error> {
        let mean = || {
            let losses = answers.iter().map(|answer| self.loss(rows, answer));
            losses.sum::<f64>() / answers.len().max(1) as f64
        };
        // What is undefined, such as recall of nothing, is as bad as can be.
        let scores = match self.count(rows, answers)? {
            Outcome::Classes(report) => {
                let scores = Scores::default()
                    .higher("accuracy", report.accuracy.unwrap_or(0.0))
                    .higher("macro_f1", report.macro_f1().unwrap_or(0.0));
                match report.order {
                    Some(order) => scores.lower("rank_error", order.rank_error.unwrap_or(f64::MAX)),
                    None => scores,
                }
            }
            Outcome::Labels(report) => {
                let f1 = |average: Option<sensorium_eval::Averaged>| average.map_or(0.0, |a| a.f1);
                Scores::default()
                    .higher("map", report.mean_average_precision.unwrap_or(0.0))
                    .higher("macro_f1", f1(report.macro_))
                    .higher("micro_f1", f1(report.micro))
            }
            Outcome::Numbers(report) => Scores::default()
                .lower("mae", report.mae.unwrap_or(f64::MAX))
                .lower("rmse", report.rmse.unwrap_or(f64::MAX))
                .higher("r2", report.r2.unwrap_or(0.0)),
            Outcome::Written(report) => {
                let scores = Scores::default()
                    .higher("exact_match", report.exact_match.unwrap_or(0.0))
                    .higher("bleu", report.bleu.unwrap_or(0.0))
                    .lower("perplexity", report.perplexity.unwrap_or(f64::MAX));
                // A token counts, and not a text.
                return Ok(scores.lower("loss", report.loss.unwrap_or(f64::MAX)));
            }
        };
        Ok(scores.lower("loss", mean()))
    }

    /// How far off an answer is, without what a recipe adds to the loss in training.
    fn loss(&self, rows: &Prepared, answer: &Answer) -> f64 {
        let surprise = |p: f32| -f64::from(p.max(f32::MIN_POSITIVE)).ln();
        match self {
            Self::Classes(_) | Self::Ordered(_) => {
                surprise(answer.probabilities[rows.class(answer.row)])
            }
            Self::Several { .. } => {
                let pairs = answer.probabilities.iter().zip(rows.held(answer.row));
                let sum: f64 = pairs
                    .map(|(p, held)| surprise(if *held { *p } else { 1.0 - p }))
                    .sum();
                sum / answer.probabilities.len() as f64
            }
            Self::Numbers(numbers) => numbers.loss(rows.numbers(answer.row), &answer.numbers),
            Self::Texts(_) => answer.written.as_ref().map_or(0.0, |text| text.surprise),
        }
    }
}

/// Texts against those that were wanted.
fn written(rows: &Prepared, answers: &[Answer]) -> Result<WrittenReport, Error> {
    let text = |answer: &Answer| {
        let written = answer.written.as_ref()?;
        Some((rows.text(answer.row)?.to_owned(), written.clone()))
    };
    let texts: Vec<_> = answers.iter().filter_map(text).collect();
    let texts: Vec<Written<'_>> = texts
        .iter()
        .map(|(reference, written)| Written {
            reference,
            answer: &written.text,
            surprise: written.surprise,
            tokens: written.tokens,
        })
        .collect();
    Ok(WrittenReport::of(&texts)?)
}

impl Numbers {
    /// The distance of answers from truths in the scale that they are learned in.
    fn loss(&self, truths: &[f64], answers: &[f64]) -> f64 {
        let pairs = self.scales.iter().zip(truths.iter().zip(answers));
        let sum: f64 = pairs
            .map(|(scale, (truth, answer))| {
                self.distance
                    .of(scale.scaled(*truth) - scale.scaled(*answer))
            })
            .sum();
        sum / self.scales.len() as f64
    }
}
