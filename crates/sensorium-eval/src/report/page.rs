//! The page itself: its frame, the head with the headline numbers, and the order of the sections.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::bits::width;
use super::scale::{count, duration, magnitude, percent, significant};
use super::types::{RenderOptions, RunReport};
use super::{
    calibration, charts, classes, compared, examples, fusing, labels, numbers, provenance,
};
use crate::{Ablation, ClassificationReport, Metric};

const STYLE: &str = include_str!("style.css");

pub(super) fn page(report: &RunReport, options: &RenderOptions) -> Markup {
    let title = if report.title.is_empty() {
        "run"
    } else {
        report.title.as_str()
    };
    let sections = [
        compared::beside(report),
        compared::search(report),
        compared::told(report),
        fusing::fusing(report),
        charts::curves(report),
        classes::confusion(report),
        classes::per_class(report),
        labels::labels(report),
        numbers::numbers(report),
        calibration::calibration(report),
        examples::examples(report, options),
        provenance::data(report),
        provenance::recipe(report),
    ];
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Whatever slipped through escaping could neither run nor call out.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:";
                title { (title) " · Sensorium" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(report, title))
                main { @for section in sections.into_iter().flatten() { (section) } }
                footer { p { "Written by Sensorium " (env!("CARGO_PKG_VERSION")) ". This file needs nothing else." } }
            }
        }
    }
}

fn header(report: &RunReport, title: &str) -> Markup {
    let strands = report.ablation.as_ref().and_then(fusing::strands);
    html! {
        header {
            div class=(if strands.is_some() { "hero with-strands" } else { "hero" }) {
                div {
                    p.eyebrow { "Sensorium · run report" }
                    h1 { (title) }
                    @if !report.subtitle.is_empty() { p.subtitle { (report.subtitle) } }
                    @if let Some(test) = &report.test { (headline(report, test)) } @else { (other_headline(report)) }
                }
                @if let Some(strands) = strands { div.flow { (strands) } }
            }
            (tiles(report))
        }
    }
}

/// The accuracy, how sure it is, and what it means in words.
fn headline(report: &RunReport, test: &ClassificationReport) -> Markup {
    let Some(accuracy) = test.accuracy else {
        return html! { p.said { "Nothing was measured: the test split has no samples." } };
    };
    html! {
        p.headline { span.big { (percent(accuracy)) } span.what { "test accuracy" } }
        @if let Some(interval) = test.accuracy_interval {
            div.interval {
                span.rail aria-hidden="true" {
                    span.range style={ "left:" (width(interval.low)) "%;width:" (width(interval.high - interval.low)) "%" } {}
                    span.dot style={ "left:" (width(accuracy)) "%" } {}
                    @if let Some(chance) = test.majority_share { span.chance style={ "left:" (width(chance)) "%" } {} }
                }
                p.note { "95 % interval " (percent(interval.low)) " to " (percent(interval.high)) }
            }
        }
        p.said { (in_words(report, test)) }
    }
}

fn in_words(report: &RunReport, test: &ClassificationReport) -> String {
    let mut said = format!(
        "Right on {} of {} test samples.",
        count(test.confusion.right()),
        count(test.n)
    );
    said += &report.ablation.as_ref().and_then(gain).unwrap_or_default();
    if let Some(chance) = test.majority_share.filter(|_| test.classes.len() > 1) {
        said += &format!(
            " Always answering the commonest class gives {}.",
            percent(chance)
        );
    }
    said
}

/// What fusing buys against the best single modality.
fn gain(ablation: &Ablation) -> Option<String> {
    let (best, whole) = (ablation.best_single()?, ablation.whole()?);
    let metric = ablation.metric;
    let gain = whole.value(metric)? - best.value(metric)?;
    let alone = &best.modalities[0];
    let size = match metric {
        Metric::R2 => format!("{:.3} of R²", gain.abs()),
        _ => format!("{:.1} points", 100.0 * gain.abs()),
    };
    Some(match gain {
        gain if gain >= 0.0005 => {
            format!(" Fusing adds {size} to {alone} alone, the best single modality.")
        }
        gain if gain > -0.0005 => format!(" Fusing adds nothing to {alone} alone."),
        _ => format!(" Fusing costs {size} against {alone} alone."),
    })
}

/// The headline of a model that answers with several labels, numbers or texts.
fn other_headline(report: &RunReport) -> Markup {
    let Some(summary) = report.summary() else {
        return html! {};
    };
    let Some(value) = summary.value else {
        return html! { p.said { "Nothing was measured: the test split has nothing that tells answers apart." } };
    };
    let said = match (&report.multi_label, &report.regression, &report.written) {
        (Some(test), ..) => test.subset_accuracy.map(|share| {
            format!(
                "Of {} of {} test samples every label is right.",
                percent(share),
                count(test.n)
            )
        }),
        (_, Some(test), _) => test.mae.map(|mae| {
            format!(
                "Answers are {} off on average, on {} test samples.",
                significant(mae),
                count(test.n)
            )
        }),
        (_, _, Some(test)) => test.exact_match.map(|share| {
            let right = (share * test.n as f64).round() as u64;
            format!(
                "{} of {} test texts are right to the letter.",
                count(right),
                count(test.n)
            )
        }),
        _ => None,
    };
    let gain = report.ablation.as_ref().and_then(gain).unwrap_or_default();
    html! {
        p.headline { span.big { (summary.metric.spelled(value)) } span.what { "test " (summary.metric.name()) } }
        p.said { (said.unwrap_or_default()) (gain) }
    }
}

/// The headline's companions among the tiles.
fn measured(report: &RunReport) -> Vec<(&'static str, String)> {
    let three = |value: f64| format!("{value:.3}");
    let (summary, order) = (
        report.summary().unwrap_or_default(),
        report.test.as_ref().and_then(|test| test.order),
    );
    let micro = report.multi_label.as_ref().and_then(|test| test.micro);
    let rmse = report.regression.as_ref().and_then(|test| test.rmse);
    let perplexity = report.written.as_ref().and_then(|test| test.perplexity);
    let order = order.unwrap_or_default();
    let tiles = [
        ("Macro F1", summary.macro_f1.map(three)),
        ("Micro F1", micro.map(|average| three(average.f1))),
        ("MAE", summary.mae.map(significant)),
        ("RMSE", rmse.map(significant)),
        ("BLEU", summary.bleu.map(|bleu| format!("{bleu:.1}"))),
        ("Perplexity", perplexity.map(three)),
        ("Rank error", order.rank_error.map(three)),
        (
            "Weighted kappa",
            order
                .weighted_kappa
                .map(|kappa| three(kappa).replace('-', "−")),
        ),
        ("Test samples", (summary.n > 0).then(|| count(summary.n))),
    ];
    tiles
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

fn tiles(report: &RunReport) -> Markup {
    let mut tiles: Vec<(&str, String)> = Vec::new();
    tiles.extend(measured(report));
    tiles.extend(report.parameters.map(|n| ("Parameters", magnitude(n))));
    tiles.extend(report.duration_s.map(|seconds| ("Time", duration(seconds))));
    tiles.extend(report.backend.clone().map(|backend| ("Backend", backend)));
    tiles.extend(
        report
            .facts
            .iter()
            .map(|pair| (pair.key.as_str(), pair.value.clone())),
    );
    html! {
        @if !tiles.is_empty() {
            dl.tiles { @for (name, value) in &tiles { div { dt { (name) } dd { (value) } } } }
        }
    }
}
