//! What fusing buys and what a missing modality costs: the picture of strands that join, the bars of every
//! subset, and what each modality adds.

use maud::{Markup, html};

use super::bits::{bar, colour, joined, section, title, width};
use super::scale::{count, percent};
use super::types::RunReport;
use crate::{Ablation, AblationRow, Metric};

/// More subsets than this are folded away.
const MOST_ROWS: usize = 24;
/// More strands than this would not read as a picture.
const MOST_STRANDS: usize = 6;

/// Each modality alone on the left, all of them together on the right.
pub(super) fn strands(ablation: &Ablation) -> Option<Markup> {
    let metric = ablation.metric;
    let whole = ablation.whole()?.value(metric)?;
    let alone = |name: &String| {
        let row = ablation
            .rows
            .iter()
            .find(|row| row.modalities == [name.clone()])?;
        Some((name.clone(), row.value(metric)?))
    };
    let singles: Vec<(String, f64)> = ablation.modalities.iter().filter_map(alone).collect();
    if !(2..=MOST_STRANDS).contains(&singles.len()) || singles.len() != ablation.modalities.len() {
        return None;
    }
    let (gap, middle) = (56.0, 28.0 * singles.len() as f64);
    let height = 2.0 * middle;
    let told: Vec<String> = singles
        .iter()
        .map(|(name, value)| format!("{name} alone {}", metric.spelled(*value)))
        .collect();
    let label = format!(
        "Test {}: {}; together {}",
        metric.name(),
        told.join(", "),
        metric.spelled(whole)
    );
    Some(html! {
        svg.strands viewBox={ "0 0 400 " (height) } role="img" aria-label=(label) {
            @for (i, (name, value)) in singles.iter().enumerate() {
                @let y = gap / 2.0 + gap * i as f64;
                // Side by side where they meet, so that none hides another.
                @let end = middle + (i as f64 - (singles.len() - 1) as f64 / 2.0) * 3.0;
                g class=(colour(&ablation.modalities, name)) {
                    path d={ "M112 " (y) "C190 " (y) " 180 " (end) " 262 " (end) } style={ "stroke-width:" (format!("{:.1}", 1.5 + 5.0 * value.clamp(0.0, 1.0))) } {}
                    circle cx="112" cy=(y) r="5" {}
                }
                text.value x="98" y=(y + 1.0) text-anchor="end" { (metric.spelled(*value)) }
                text.name x="98" y=(y + 16.0) text-anchor="end" { (clip(name, 16)) }
            }
            circle.joint cx="266" cy=(middle) r="9" {}
            text.whole x="286" y=(middle + 4.0) { (metric.spelled(whole)) }
            text.name x="287" y=(middle + 22.0) { "together" }
        }
    })
}

/// At most `most` letters, for places that cannot grow.
fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.to_owned()
    } else {
        text.chars().take(most - 1).chain(['…']).collect()
    }
}

pub(super) fn fusing(report: &RunReport) -> Option<Markup> {
    let ablation = report
        .ablation
        .as_ref()
        .filter(|ablation| ablation.rows.len() > 1)?;
    let rows = ablation.sorted();
    let chance = report.test.as_ref().and_then(|test| test.majority_share);
    let lead = if rows.iter().all(|row| row.n == rows[0].n) {
        "The same model on the same samples, given only some of what it can take."
    } else {
        "The same model given only some of what it can take, on the n samples that have any of it."
    };
    let whiskers = rows.iter().any(|row| row.accuracy_interval.is_some());
    let lead = &match whiskers {
        true => format!("{lead} The whisker is the 95 % interval."),
        false => lead.to_owned(),
    };
    let (shown, folded) = rows.split_at(rows.len().min(MOST_ROWS));
    let body = html! {
        div.card {
            div.subsets role="table" aria-label={ (title(ablation.metric)) " for each subset of modalities" } {
                (head(ablation))
                @for row in shown { (subset(ablation, row, chance)) }
            }
            @if !folded.is_empty() {
                details { summary { (folded.len()) " more subsets" }
                    div.subsets role="table" aria-label="Further subsets" { @for row in folded { (subset(ablation, row, chance)) } }
                }
            }
            @if let Some(chance) = chance {
                p.legend { i.chance {} "always answering the commonest class: " b { (percent(chance)) } }
            }
        }
        (contributions(ablation))
    };
    Some(section("fusing", "What fusing buys", lead, body))
}

fn head(ablation: &Ablation) -> Markup {
    html! {
        div.subset.head role="row" {
            span role="columnheader" { @if ablation.modalities.len() > 1 { "Given" } @else { "Modality" } }
            span role="columnheader" {}
            span.num role="columnheader" { (heading(ablation.metric)) }
            span.num role="columnheader" { (second_heading(ablation.metric)) }
            span.num.n role="columnheader" { "n" }
        }
    }
}

/// What stands beside a metric, above a narrow column.
fn second_heading(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy | Metric::MeanAveragePrecision => "Macro F1",
        other => other.second(),
    }
}

/// A metric above a narrow column.
fn heading(metric: Metric) -> &'static str {
    match metric {
        Metric::MeanAveragePrecision => "mAP",
        other => title(other),
    }
}

fn subset(ablation: &Ablation, row: &AblationRow, chance: Option<f64>) -> Markup {
    let (whole, metric) = (row.modalities == ablation.modalities, ablation.metric);
    let second = |value: f64| metric.spelled_second(value);
    html! {
        div class={ "subset" @if whole { " whole" } } role="row" {
            span.given role="rowheader" {
                span.dots aria-hidden="true" {
                    @for name in &ablation.modalities {
                        @if row.modalities.contains(name) { i class=(colour(&ablation.modalities, name)) {} } @else { i.off {} }
                    }
                }
                (joined(&row.modalities))
            }
            span.track role="cell" aria-hidden="true" {
                @if let Some(value) = row.value(metric) {
                    span class={ "fill" @if whole { " whole" } } style={ "width:" (width(value)) "%" } {}
                }
                @if let Some(interval) = row.accuracy_interval {
                    span.whisker style={ "left:" (width(interval.low)) "%;width:" (width(interval.high - interval.low)) "%" } {}
                }
                @if let Some(chance) = chance { span.chance style={ "left:" (width(chance)) "%" } {} }
            }
            span.num.strong role="cell" { (row.value(metric).map_or("–".into(), |value| metric.spelled(value))) }
            span.num role="cell" { (row.second().map_or("–".into(), second)) }
            span.num.n role="cell" { (count(row.n)) }
        }
    }
}

fn contributions(ablation: &Ablation) -> Markup {
    let metric = ablation.metric;
    let mut found = ablation.contributions();
    found.sort_by(|a, b| b.adds.total_cmp(&a.adds));
    let largest = found
        .iter()
        .map(|one| one.adds.abs())
        .fold(f64::MIN_POSITIVE, f64::max);
    html! {
        @if !found.is_empty() {
            h3 { "What each modality adds to the others" }
            div.adds {
                @for one in &found {
                    div class={ "card add " (colour(&ablation.modalities, &one.modality)) } {
                        p.name { i {} (one.modality) }
                        p.big { (metric.apart(one.adds)) small { (metric.unit()) } }
                        (bar(one.adds.abs() / largest, if one.adds < 0.0 { "loss" } else { "gain" }))
                        p.note {
                            "without it " (metric.spelled(one.without))
                            @if let Some(alone) = one.alone { ", alone " (metric.spelled(alone)) }
                        }
                    }
                }
            }
        }
    }
}
