//! Where a model is right and wrong: the confusion matrix, its commonest mistakes, and one row a class.

use maud::{Markup, html};

use super::bits::{bar, section};
use super::scale::count;
use super::types::RunReport;
use crate::{Averaged, ClassScores, ClassificationReport};

/// Beyond this many classes a matrix cannot be read and only its commonest mistakes are listed.
const MOST_IN_MATRIX: usize = 30;
/// Above this the cells are small and the list of mistakes goes below.
const DENSE: usize = 14;
/// Mistakes listed beside a matrix, and instead of one.
const MISTAKES: (usize, usize) = (6, 30);
/// More classes than this are folded away, the weakest first in sight.
const MOST_ROWS: usize = 30;
/// Folded rows; a label column taken from ids by mistake has one class a sample.
const MOST_FOLDED: usize = 1000;

pub(super) fn confusion(report: &RunReport) -> Option<Markup> {
    let test = report
        .test
        .as_ref()
        .filter(|test| test.n > 0 && test.classes.len() > 1)?;
    let matrix = test.classes.len() <= MOST_IN_MATRIX;
    let (heading, lead) = if matrix {
        (
            "Confusion",
            "Rows are the truth, columns the answer; the colour is the share of the row.",
        )
    } else {
        (
            "Commonest mistakes",
            "Too many classes for a matrix: what is taken for what, most often first.",
        )
    };
    let layout = match test.classes.len() {
        n if n <= DENSE => "confusion",
        _ if matrix => "confusion wide",
        _ => "mistakes-only",
    };
    let list = mistakes(test, if matrix { MISTAKES.0 } else { MISTAKES.1 });
    let body = html! {
        div class=(layout) {
            @if matrix { div.card.scroll { (grid(test)) } }
            (list)
        }
    };
    Some(section("confusion", heading, lead, body))
}

fn grid(test: &ClassificationReport) -> Markup {
    let n = test.classes.len();
    html! {
        table class=(if n > DENSE { "matrix dense" } else { "matrix" }) {
            caption.hide { "Confusion matrix: samples of each true class (rows) by answer (columns)" }
            thead { tr {
                td {}
                @for class in &test.classes { th scope="col" title=(class.label) { span { (class.label) } } }
            } }
            tbody {
                @for (i, class) in test.classes.iter().enumerate() {
                    tr {
                        th scope="row" title=(class.label) { span { (class.label) } }
                        @for (j, other) in test.classes.iter().enumerate() {
                            @let found = test.confusion.count(i, j);
                            @let share = if class.support > 0 { found as f64 / class.support as f64 } else { 0.0 };
                            td class=(cell_class(i == j, share, found)) style={ "--a:" (format!("{:.3}", shade(share))) }
                                title={ (class.label) " → " (other.label) ": " (count(found)) } { @if found > 0 { (found) } @else { "·" } }
                        }
                    }
                }
            }
        }
    }
}

/// How strongly a cell is coloured: small shares must be seen too.
fn shade(share: f64) -> f64 {
    if share > 0.0 {
        0.08 + 0.92 * share.sqrt()
    } else {
        0.0
    }
}

/// From this strength on, the text on a cell changes to the colour of the paper: both contrasts are above 4 to 1.
const FULL: f64 = 0.8;

fn cell_class(diagonal: bool, share: f64, found: u64) -> String {
    let kind = match (found, diagonal) {
        (0, _) => "none",
        (_, true) => "hit",
        (_, false) => "miss",
    };
    format!("{kind}{}", if shade(share) > FULL { " full" } else { "" })
}

fn mistakes(test: &ClassificationReport, most: usize) -> Markup {
    let wrong = test.confusion.top_confusions(most);
    let largest = wrong.first().map_or(1, |cell| cell.count);
    let name = |class: usize| {
        test.classes
            .get(class)
            .map_or("?", |class| class.label.as_str())
    };
    html! {
        div.card.mistakes {
            @if most <= MISTAKES.0 { h3 { "Taken for something else" } }
            @if wrong.is_empty() { p.note { "No mistakes on " (super::bits::counted(test.n, "sample")) "." } }
            ol {
                @for cell in &wrong {
                    li {
                        span.pair { b { (name(cell.target)) } span.arrow { " taken for " } b { (name(cell.predicted)) } }
                        (bar(cell.count as f64 / largest as f64, "miss"))
                        span.num { (count(cell.count)) }
                    }
                }
            }
        }
    }
}

pub(super) fn per_class(report: &RunReport) -> Option<Markup> {
    let test = report.test.as_ref().filter(|test| test.n > 0)?;
    let mut classes: Vec<&ClassScores> = test.classes.iter().collect();
    let many = classes.len() > MOST_ROWS;
    if many {
        classes.sort_by(|a, b| a.f1.unwrap_or(2.0).total_cmp(&b.f1.unwrap_or(2.0)));
    }
    let (shown, folded) = classes.split_at(classes.len().min(MOST_ROWS));
    let (folded, left_out) = folded.split_at(folded.len().min(MOST_FOLDED));
    // How well classes are told apart is known only of probabilities.
    let ranked = test.average_precision.is_some();
    let lead = if many {
        "The weakest classes first."
    } else {
        "Precision: how many answers are right. Recall: how many are found."
    };
    let body = html! {
        div.card.scroll {
            table.classes {
                (column_heads(ranked))
                tbody { @for class in shown { (class_row(class, ranked)) } }
                (averages(test, ranked))
            }
            @if !folded.is_empty() {
                details { summary { @if left_out.is_empty() { "the other " } @else { "the next " } (count(folded.len() as u64)) " classes" }
                    table.classes { (column_heads(ranked)) tbody { @for class in folded { (class_row(class, ranked)) } } }
                }
            }
            @if !left_out.is_empty() { p.note { (count(left_out.len() as u64)) " more stand in metrics.json" } }
        }
        (agreement(test))
    };
    Some(section("classes", "Per class", lead, body))
}

fn column_heads(ranked: bool) -> Markup {
    html! { thead { tr {
        th scope="col" { "Class" }
        th.num scope="col" { "Precision" } th.num scope="col" { "Recall" } th.num scope="col" { "F1" }
        @if ranked {
            th.num.more scope="col" title="area under the ROC curve, this class against all others" { "AUROC" }
            th.num.more scope="col" title="average precision, this class against all others" { "AP" }
        }
        th.num scope="col" { "Support" }
    } } }
}

fn class_row(class: &ClassScores, ranked: bool) -> Markup {
    html! { tr {
        th scope="row" { (class.label) }
        @for score in [class.precision, class.recall, class.f1] { (score_cell(score)) }
        @if ranked {
            @for area in [class.auroc, class.average_precision] {
                td.num.more {
                    @match area {
                        Some(area) => (format!("{area:.3}")),
                        None => span.undefined title="nothing to tell it from" { "–" }
                    }
                }
            }
        }
        td.num { (count(class.support)) }
    } }
}

fn score_cell(score: Option<f64>) -> Markup {
    html! { td.num.score {
        @match score {
            Some(score) => { (bar(score, "score")) span { (format!("{score:.3}")) } }
            None => span.undefined title="neither true nor answered anywhere" { "–" }
        }
    } }
}

fn averages(test: &ClassificationReport, ranked: bool) -> Markup {
    let named = [
        ("macro average", test.macro_),
        ("weighted average", test.weighted),
        ("micro average", test.micro),
    ];
    let row = |name: &str, average: Averaged| {
        html! { tr {
            th scope="row" { (name) }
            @for score in [average.precision, average.recall, average.f1] { (score_cell(Some(score))) }
            @if ranked { td.more {} td.more {} }
            td.num { (count(test.n)) }
        } }
    };
    html! { tfoot { @for (name, average) in named { @if let Some(average) = average { (row(name, average)) } } } }
}

/// The single numbers that fit no column.
fn agreement(test: &ClassificationReport) -> Markup {
    let mut facts: Vec<(String, String)> = test
        .top_k
        .iter()
        .map(|top| {
            (
                format!("Top-{} accuracy", top.k),
                super::scale::percent(top.accuracy),
            )
        })
        .collect();
    facts.extend(test.mcc.map(|mcc| {
        (
            "Matthews correlation".into(),
            format!("{mcc:.3}").replace('-', "−"),
        )
    }));
    facts.extend(test.kappa.map(|kappa| {
        (
            "Cohen's kappa".into(),
            format!("{kappa:.3}").replace('-', "−"),
        )
    }));
    let areas = [
        ("AUROC, macro", test.auroc),
        ("AP, macro", test.average_precision),
    ];
    facts.extend(
        areas
            .into_iter()
            .filter_map(|(name, area)| Some((name.into(), format!("{:.3}", area?)))),
    );
    html! {
        @if !facts.is_empty() {
            dl.facts { @for (name, value) in &facts { div { dt { (name) } dd { (value) } } } }
        }
    }
}
