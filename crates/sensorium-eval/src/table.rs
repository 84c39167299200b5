//! The few lines a terminal shows at the end of a run.

use crate::{Ablation, AblationRow, ClassificationReport, Interval};

/// The result as aligned plain text: accuracy with its interval, macro F1 and n, a row for each subset of modalities
/// (best first), and the line to be above. Empty where there is nothing to tell.
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
    let head = ["", "accuracy", "95 % interval", "macro F1", "n"].map(String::from);
    align(&head, &rows)
}

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

fn row(
    name: &str,
    accuracy: Option<f64>,
    interval: Option<Interval>,
    f1: Option<f64>,
    n: Option<u64>,
) -> [String; 5] {
    // A class or modality name may hold anything: what a terminal would obey is not printed.
    let name = name.chars().filter(|letter| !letter.is_control()).collect();
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
fn align(head: &[String; 5], rows: &[[String; 5]]) -> String {
    let letters = |text: &String| text.chars().count();
    let widths: Vec<usize> = (0..5)
        .map(|i| {
            rows.iter()
                .chain([head])
                .map(|row| letters(&row[i]))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let line = |row: &[String; 5]| {
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
    fn undefined_is_a_dash() {
        let nothing = measured(0, 0);
        assert_eq!(
            text_table(Some(&nothing), None),
            "      accuracy  95 % interval  macro F1  n\ntest         –              –         –  0\n"
        );
        assert_eq!(text_table(None, None), "");
    }
}
