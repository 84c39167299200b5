//! Several labels a sample: how well each of them is told, as bars, and what all decisions together come to.

use maud::{Markup, html};

use super::bits::{bar, section};
use super::scale::{count, percent};
use super::types::RunReport;
use crate::{Averaged, ClassScores, MultiLabelReport};

/// More labels than this are folded away, the weakest first in sight.
const MOST_ROWS: usize = 30;
/// Folded rows.
const MOST_FOLDED: usize = 1000;

pub(super) fn labels(report: &RunReport) -> Option<Markup> {
    let test = report.multi_label.as_ref().filter(|test| test.n > 0)?;
    let mut labels: Vec<&ClassScores> = test.labels.iter().collect();
    let many = labels.len() > MOST_ROWS;
    if many {
        let weak = |label: &ClassScores| label.average_precision.unwrap_or(2.0);
        labels.sort_by(|a, b| weak(a).total_cmp(&weak(b)));
    }
    let (shown, folded) = labels.split_at(labels.len().min(MOST_ROWS));
    let (folded, left_out) = folded.split_at(folded.len().min(MOST_FOLDED));
    let lead = if many {
        "Each label is a question of its own. The weakest first."
    } else {
        "Each label is a question of its own. AP: how far above the others the samples stand that have it."
    };
    let body = html! {
        div.card.scroll {
            table.classes { (heads()) tbody { @for label in shown { (row(label)) } } (averages(test)) }
            @if !folded.is_empty() {
                details { summary { (count(folded.len() as u64)) " more labels" }
                    table.classes { (heads()) tbody { @for label in folded { (row(label)) } } }
                }
            }
            @if !left_out.is_empty() { p.note { (count(left_out.len() as u64)) " more stand in metrics.json" } }
        }
        (together(test))
    };
    Some(section("labels", "Per label", lead, body))
}

fn heads() -> Markup {
    html! { thead { tr {
        th scope="col" { "Label" }
        th.num scope="col" title="average precision" { "AP" }
        th.num scope="col" { "F1" }
        th.num.more scope="col" { "Precision" } th.num.more scope="col" { "Recall" }
        th.num.more scope="col" title="area under the ROC curve" { "AUROC" }
        th.num scope="col" { "There" }
    } } }
}

fn row(label: &ClassScores) -> Markup {
    html! { tr {
        th scope="row" { (label.label) }
        @for score in [label.average_precision, label.f1] {
            td.num.score {
                @match score {
                    Some(score) => { (bar(score, "score")) span { (format!("{score:.3}")) } }
                    None => span.undefined title="there on no sample" { "–" }
                }
            }
        }
        @for score in [label.precision, label.recall, label.auroc] {
            td.num.more { (score.map_or("–".into(), |score| format!("{score:.3}"))) }
        }
        td.num { (count(label.support)) }
    } }
}

fn averages(test: &MultiLabelReport) -> Markup {
    let named = [
        ("macro average", test.macro_),
        ("weighted average", test.weighted),
        ("micro average", test.micro),
    ];
    let row = |name: &str, average: Averaged| {
        html! { tr {
            th scope="row" { (name) }
            td {}
            td.num.score { (bar(average.f1, "score")) span { (format!("{:.3}", average.f1)) } }
            td.num.more { (format!("{:.3}", average.precision)) } td.num.more { (format!("{:.3}", average.recall)) }
            td.more {}
            td.num { (count(test.n)) }
        } }
    };
    html! { tfoot { @for (name, average) in named { @if let Some(average) = average { (row(name, average)) } } } }
}

/// The single numbers that fit no column.
fn together(test: &MultiLabelReport) -> Markup {
    let three = |value: f64| format!("{value:.3}");
    let facts = [
        ("Every label right", test.subset_accuracy.map(percent)),
        ("Wrong decisions", test.hamming_loss.map(percent)),
        ("AUROC, macro", test.auroc.map(three)),
        (
            "A label is given above",
            Some(format!("{}", test.threshold)),
        ),
    ];
    html! {
        dl.facts { @for (name, value) in &facts { @if let Some(value) = value { div { dt { (name) } dd { (value) } } } } }
    }
}
