//! The few lines a terminal shows at the end of a run.

use crate::report::significant;
use crate::{
    Ablation, AblationRow, ClassScores, ClassificationReport, Interval, Metric, MultiLabelReport,
    NumbersReport, RegressionReport, Summary, WrittenReport,
};

/// The result as aligned plain text: accuracy with its interval, macro F1 and n, a row for each subset of modalities
/// (best first), and the line to be above; in a line of its own what is known of
/// [probabilities](ClassificationReport::with_probabilities). Empty where there is nothing to tell.
///
/// ```
/// # use sensorium_eval::{Classification, text_table};
/// let mut counts = Classification::new(["cat", "dog"])?;
/// counts.add(0, &[2.0, 0.1])?;
/// counts.add(1, &[0.1, 2.0])?;
/// let table = text_table(Some(&counts.finish()), None);
/// assert!(table.contains("100 %"));
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
pub fn text_table(test: Option<&ClassificationReport>, ablation: Option<&Ablation>) -> String {
    let mut rows: Vec<[String; 5]> = Vec::new();
    match (ablation.filter(|ablation| !ablation.rows.is_empty()), test) {
        (Some(ablation), _) => rows.extend(ablation.sorted().into_iter().map(subset)),
        (None, Some(test)) => {
            rows.push(row(
                "test",
                test.accuracy,
                test.accuracy_interval,
                test.macro_f1(),
                Some(test.n),
            ));
        }
        (None, None) => return String::new(),
    }
    if let Some(chance) = test.and_then(|test| test.majority_share) {
        rows.push(row("commonest class", Some(chance), None, None, None));
    }
    let mut text = align(&HEAD.map(String::from), &rows);
    if let Some(line) = test.and_then(certainty) {
        text += "\n";
        text += &line;
    }
    text
}

/// The results on several labels a sample as aligned plain text: mean average precision, macro F1 and n, a row for each subset of
/// modalities (best first); each label by itself; and in a line of its own what is known of all decisions together.
///
/// ```
/// # use sensorium_eval::{MultiLabel, labels_table};
/// let mut counts = MultiLabel::new(["cat", "dog"], 0.5)?;
/// counts.add(&[true, false], &[0.9, 0.2])?;
/// counts.add(&[true, true], &[0.7, 0.4])?;
/// let table = labels_table(&counts.finish(), None);
/// assert!(table.contains("subset accuracy 0.500, Hamming loss 0.250"));
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
pub fn labels_table(test: &MultiLabelReport, ablation: Option<&Ablation>) -> String {
    let mut text = whole_and_parts(&test.into(), ablation);
    let rows: Vec<[String; 6]> = test
        .labels
        .iter()
        .take(MOST_LABELS)
        .map(label_row)
        .collect();
    let head = ["label", "AP", "AUROC", "F1", "precision", "there"];
    text += "\n";
    text += &align(&head.map(String::from), &rows);
    if test.labels.len() > MOST_LABELS {
        let more = test.labels.len() - MOST_LABELS;
        text += &format!("… and {more} more\n");
    }
    let numbers = [
        ("AUROC", test.auroc),
        ("micro F1", test.micro.map(|average| average.f1)),
        ("weighted F1", test.weighted.map(|average| average.f1)),
        ("subset accuracy", test.subset_accuracy),
        ("Hamming loss", test.hamming_loss),
    ];
    text + &line_of(&numbers)
}

/// More labels than this would run off a screen.
const MOST_LABELS: usize = 40;

fn label_row(label: &ClassScores) -> [String; 6] {
    let three = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.3}"));
    [
        printable(&label.label),
        three(label.average_precision),
        three(label.auroc),
        three(label.f1),
        three(label.precision),
        label.support.to_string(),
    ]
}

/// The results on numbers as aligned plain text: the share of the variance that is explained, mean absolute error and n, a row for each
/// subset of modalities (best first); and how far off answers are.
///
/// ```
/// # use sensorium_eval::{NumbersReport, numbers_table};
/// let (truths, answers) = ([[1.0], [2.0], [3.0]], [[1.0], [2.5], [3.0]]);
/// let samples = truths.iter().zip(&answers).map(|(truth, answer)| (&truth[..], &answer[..]));
/// let table = numbers_table(&NumbersReport::of(1, samples)?, None);
/// assert!(table.starts_with("         R²    MAE  n\ntest  0.875  0.167  3\n"), "{table}");
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
pub fn numbers_table(test: &NumbersReport, ablation: Option<&Ablation>) -> String {
    let mut text = whole_and_parts(&test.into(), ablation);
    if let [output] = &test.outputs[..] {
        return text + &line_of(&[("RMSE", output.rmse), ("bias", output.bias)]);
    }
    let read = |value: Option<f64>| value.map_or("–".into(), significant);
    let row = |(i, output): (usize, &RegressionReport)| {
        let r2 = output.r2.map_or("–".into(), |r2| Metric::R2.spelled(r2));
        let [mae, rmse, bias] = [output.mae, output.rmse, output.bias].map(read);
        [(i + 1).to_string(), r2, mae, rmse, bias]
    };
    let rows: Vec<[String; 5]> = test
        .outputs
        .iter()
        .enumerate()
        .take(MOST_LABELS)
        .map(row)
        .collect();
    text += "\n";
    text + &align(
        &["number", "R²", "MAE", "RMSE", "bias"].map(String::from),
        &rows,
    )
}

/// The results on texts as aligned plain text: the share that is right to the letter, BLEU and n, a row for each subset of modalities
/// (best first); and how unexpected what was wanted is.
///
/// ```
/// # use sensorium_eval::{Written, WrittenReport, written_table};
/// let text = Written { reference: "a cat", answer: "a cat", surprise: 0.5, tokens: 2 };
/// let table = written_table(&WrittenReport::of(&[text])?, None);
/// assert!(table.ends_with("loss 0.250, perplexity 1.284\n"), "{table}");
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
pub fn written_table(test: &WrittenReport, ablation: Option<&Ablation>) -> String {
    let text = whole_and_parts(&test.into(), ablation);
    text + &line_of(&[("loss", test.loss), ("perplexity", test.perplexity)])
}

/// A row for each subset of modalities, the best first; of none, one row for all.
fn whole_and_parts(test: &Summary, ablation: Option<&Ablation>) -> String {
    let metric = test.metric;
    let second = |value: f64| metric.spelled_second(value);
    let row = |name: &str, value: Option<f64>, beside: Option<f64>, n: u64| {
        let value = value.map(|value| metric.spelled(value).replace('\u{a0}', " "));
        [
            printable(name),
            value.unwrap_or("–".into()),
            beside.map_or("–".into(), second),
            n.to_string(),
        ]
    };
    let of = |subset: &AblationRow| {
        let name = subset.modalities.join(" + ");
        row(&name, subset.value(metric), subset.second(), subset.n)
    };
    let rows = match ablation.filter(|ablation| !ablation.rows.is_empty()) {
        Some(ablation) => ablation.sorted().into_iter().map(of).collect(),
        None => vec![row("test", test.value, test.second(), test.n)],
    };
    align(
        &["", metric.name(), metric.second(), "n"].map(String::from),
        &rows,
    )
}

/// Numbers that are known, in one line below a free one.
fn line_of(numbers: &[(&str, Option<f64>)]) -> String {
    let read = |&(name, value): &(&str, Option<f64>)| {
        let value = format!("{:.3}", value?).replace('-', "−");
        Some(format!("{name} {value}"))
    };
    let known: Vec<String> = numbers.iter().filter_map(read).collect();
    match known.is_empty() {
        true => String::new(),
        false => format!("\n{}\n", known.join(", ")),
    }
}

/// A class or modality name may hold anything: what a terminal would obey is not printed.
fn printable(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).collect()
}

/// What is known of probabilities, in one line.
fn certainty(test: &ClassificationReport) -> Option<String> {
    let ece = test.calibration.as_ref().and_then(|found| found.ece);
    let numbers = [
        ("AUROC", test.auroc),
        ("average precision", test.average_precision),
        ("calibration error", ece),
        ("Brier score", test.brier),
        ("kappa", test.kappa),
        ("MCC", test.mcc),
    ];
    let known = numbers
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} {:.3}", value?)));
    let line = known.collect::<Vec<_>>().join(", ") + "\n";
    let line = ece.map(|_| line);
    let Some(order) = test.order else { return line };
    let ordered = [
        ("rank error", order.rank_error),
        ("weighted kappa", order.weighted_kappa),
    ];
    Some(line.unwrap_or_default() + line_of(&ordered).trim_start())
}

/// The results of models that each were tested on one group, as aligned plain text, and their mean, in which each group counts
/// alike; `column` is what groups are told by. Empty where there is no group.
pub fn group_table(column: &str, groups: &[(&str, &ClassificationReport)]) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let of = |(name, test): &(&str, &ClassificationReport)| {
        let (accuracy, interval) = (test.accuracy, test.accuracy_interval);
        row(name, accuracy, interval, test.macro_f1(), Some(test.n))
    };
    let mut rows: Vec<[String; 5]> = groups.iter().map(of).collect();
    let accuracy = mean(groups.iter().map(|(_, test)| test.accuracy));
    let f1 = mean(groups.iter().map(|(_, test)| test.macro_f1()));
    rows.push(row("mean", accuracy, None, f1, None));
    let mut head = HEAD.map(String::from);
    head[0] = column.chars().filter(|c| !c.is_control()).collect();
    align(&head, &rows)
}

/// The mean of numbers all of which are there.
pub fn mean(numbers: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let numbers: Option<Vec<f64>> = numbers.collect();
    let numbers = numbers.filter(|numbers| !numbers.is_empty())?;
    Some(numbers.iter().sum::<f64>() / numbers.len() as f64)
}

const HEAD: [&str; 5] = ["", "accuracy", "95 % interval", "macro F1", "n"];

fn subset(measured: &AblationRow) -> [String; 5] {
    let name = measured.modalities.join(" + ");
    row(
        &name,
        measured.accuracy,
        measured.accuracy_interval,
        measured.macro_f1,
        Some(measured.n),
    )
}

pub(crate) fn row(
    name: &str,
    accuracy: Option<f64>,
    interval: Option<Interval>,
    f1: Option<f64>,
    n: Option<u64>,
) -> [String; 5] {
    let name = printable(name);
    let percent = |share: f64| crate::report::percent(share).replace('\u{a0}', " ");
    let range =
        |interval: Interval| format!("{:.1} – {:.1}", interval.low * 100.0, interval.high * 100.0);
    // Where samples were counted, a dash says "undefined"; elsewhere the cell has no meaning.
    let dash = |text: Option<String>| {
        text.unwrap_or_else(|| {
            if n.is_some() {
                "–".into()
            } else {
                String::new()
            }
        })
    };
    [
        name,
        dash(accuracy.map(percent)),
        dash(interval.map(range)),
        dash(f1.map(|f1| format!("{f1:.3}"))),
        dash(n.map(|n| n.to_string())),
    ]
}

/// Names to the left, numbers to the right, two spaces between, no space at the ends of lines.
pub(crate) fn align<const N: usize>(head: &[String; N], rows: &[[String; N]]) -> String {
    let letters = |text: &String| text.chars().count();
    let widths: Vec<usize> = (0..N)
        .map(|i| {
            rows.iter()
                .chain([head])
                .map(|row| letters(&row[i]))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let line = |row: &[String; N]| {
        let mut text = format!("{:<width$}", row[0], width = widths[0]);
        for (cell, width) in row[1..].iter().zip(&widths[1..]) {
            text += &format!("  {cell:>width$}");
        }
        text.trim_end().to_owned() + "\n"
    };
    std::iter::once(head).chain(rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Classification;

    fn measured(right: usize, n: usize) -> ClassificationReport {
        let mut counts = Classification::new(["a", "b"]).unwrap();
        for i in 0..n {
            let (target, wrong) = (i % 2, i >= right);
            counts
                .add(
                    target,
                    if (target == 0) != wrong {
                        &[1.0, 0.0]
                    } else {
                        &[0.0, 1.0]
                    },
                )
                .unwrap();
        }
        counts.finish()
    }

    #[test]
    fn rows_are_aligned_and_sorted() {
        let mut ablation = Ablation::new(["image", "audio"]);
        let test = measured(490, 500);
        ablation.push(&["image"], &measured(400, 500)).unwrap();
        ablation.push(&["image", "audio"], &test).unwrap();
        let expected = "                 accuracy  95 % interval  macro F1    n
image + audio      98.0 %    96.4 – 98.9     0.980  500
image              80.0 %    76.3 – 83.3     0.800  500
commonest class    50.0 %
";
        assert_eq!(text_table(Some(&test), Some(&ablation)), expected);
    }

    #[test]
    fn groups_count_alike_in_their_mean() {
        let (theo, ann) = (measured(90, 100), measured(40, 50));
        let expected = "speaker  accuracy  95 % interval  macro F1    n
theo       90.0 %    82.6 – 94.5     0.900  100
ann        80.0 %    67.0 – 88.8     0.800   50
mean       85.0 %                    0.850
";
        let groups = [("theo", &theo), ("a\u{7}nn", &ann)];
        assert_eq!(group_table("speaker", &groups), expected);
        assert_eq!(group_table("speaker", &[]), "");
        assert_eq!(mean([Some(1.0), None].into_iter()), None);
        assert_eq!(mean([None; 0].into_iter()), None);
    }

    #[test]
    fn probabilities_have_a_line_of_their_own() {
        let mut counts = Classification::new(["a", "b"]).unwrap();
        let rows: [(usize, &[f32]); 3] = [(0, &[0.75, 0.25]), (1, &[0.5, 0.5]), (1, &[0.25, 0.75])];
        for (target, row) in rows {
            counts.add(target, row).unwrap();
        }
        let test = counts.finish().with_probabilities(&rows).unwrap();
        let table = text_table(Some(&test), None);
        let line = "\n\nAUROC 1.000, average precision 1.000, calibration error 0.333, Brier score 0.125, kappa 0.400, MCC 0.500\n";
        assert!(table.ends_with(line), "{table}");
    }

    #[test]
    fn undefined_is_a_dash() {
        let nothing = measured(0, 0);
        assert_eq!(
            text_table(Some(&nothing), None),
            "      accuracy  95 % interval  macro F1  n\ntest         –              –         –  0\n"
        );
        assert_eq!(text_table(None, None), "");
    }
}
