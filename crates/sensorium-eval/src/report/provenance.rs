//! Where a run came from: its data, its recipe and its machine, enough to run it again.

use maud::{Markup, html};

use super::bits::{bar, counted, section};
use super::scale::count;
use super::types::{DataSummary, RunReport};

/// Skipped rows listed one by one; the run folder has them all.
const MOST_SKIPPED: usize = 50;

pub(super) fn data(report: &RunReport) -> Option<Markup> {
    let data = report
        .data
        .as_ref()
        .filter(|data| !data.splits.is_empty() || data.skipped_rows > 0)?;
    let body = html! {
        @if !data.splits.is_empty() { div.card.scroll { (splits(data)) } }
        @if data.skipped_rows > 0 || !data.skipped.is_empty() { (skipped(data)) }
    };
    Some(section("data", "Data", &data.name, body))
}

fn splits(data: &DataSummary) -> Markup {
    let most = data
        .splits
        .iter()
        .map(|split| split.rows)
        .max()
        .unwrap_or(0)
        .max(1) as f64;
    let modalities: Vec<&String> = data
        .splits
        .iter()
        .max_by_key(|split| split.present.len())
        .map_or(vec![], |split| {
            split.present.iter().map(|(name, _)| name).collect()
        });
    html! {
        table.splits {
            thead { tr {
                th scope="col" { "Split" } th.num scope="col" { "Rows" }
                @for name in &modalities { th.num scope="col" { "with " (name) } }
            } }
            tbody { @for split in &data.splits { tr {
                th scope="row" { (split.name) }
                td.num.score { (bar(split.rows as f64 / most, "score")) span { (count(split.rows)) } }
                @for name in &modalities {
                    td.num { (split.present.iter().find(|(known, _)| known == *name).map_or("–".into(), |(_, n)| count(*n))) }
                }
            } } }
        }
    }
}

fn skipped(data: &DataSummary) -> Markup {
    let total = data.skipped_rows.max(data.skipped.len() as u64);
    let shown = &data.skipped[..data.skipped.len().min(MOST_SKIPPED)];
    html! {
        details.card.skipped open[total <= 5] {
            summary { (counted(total, "row")) " skipped" }
            @if !shown.is_empty() {
                div.scroll { table {
                    thead { tr { th.num scope="col" { "Row" } th scope="col" { "Column" } th scope="col" { "Reason" } } }
                    tbody { @for row in shown { tr { td.num { (count(row.row)) } td { (row.column) } td.reason { (row.reason) } } } }
                } }
            }
            @if total > shown.len() as u64 { p.note { "and " (count(total - shown.len() as u64)) " more, listed in the run folder" } }
        }
    }
}

pub(super) fn recipe(report: &RunReport) -> Option<Markup> {
    if report.recipe_toml.trim().is_empty() && report.environment.is_empty() {
        return None;
    }
    let body = html! {
        @if !report.environment.is_empty() {
            dl.facts { @for pair in &report.environment { div { dt { (pair.key) } dd { (pair.value) } } } }
        }
        @if !report.recipe_toml.trim().is_empty() {
            details.card.recipe {
                summary { "The resolved recipe" }
                pre { code { @for line in report.recipe_toml.lines() { (toml_line(line)) "\n" } } }
            }
        }
    };
    Some(section("again", "To run it again", "", body))
}

/// Light colouring of a line of TOML: tables, keys and comments, no more than what needs no parser.
fn toml_line(line: &str) -> Markup {
    let bare = line.trim_start();
    if bare.starts_with('#') {
        return html! { span.comment { (line) } };
    }
    if bare.starts_with('[') {
        return html! { span.table { (line) } };
    }
    match line.split_once(" = ") {
        Some((key, value)) => html! { span.key { (key) } " = " (value) },
        None => html! { (line) },
    }
}
