//! The page itself: its frame, the head with the headline numbers, and the order of the sections.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::bits::width;
use super::scale::{count, duration, magnitude, percent};
use super::types::{RenderOptions, RunReport};
use super::{calibration, charts, classes, compared, examples, fusing, provenance};
use crate::ClassificationReport;

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
                    @if let Some(test) = &report.test { (headline(report, test)) }
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
    let ablation = report.ablation.as_ref();
    if let Some((best, whole)) =
        ablation.and_then(|ablation| Some((ablation.best_single()?, ablation.whole()?)))
        && let (Some(alone), Some(together)) = (best.accuracy, whole.accuracy)
    {
        let gain = (together - alone) * 100.0;
        said += &match gain {
            gain if gain >= 0.05 => format!(
                " Fusing adds {gain:.1} points to {} alone, the best single modality.",
                best.modalities[0]
            ),
            gain if gain > -0.05 => {
                format!(" Fusing adds nothing to {} alone.", best.modalities[0])
            }
            gain => format!(
                " Fusing costs {:.1} points against {} alone.",
                -gain, best.modalities[0]
            ),
        };
    }
    if let Some(chance) = test.majority_share.filter(|_| test.classes.len() > 1) {
        said += &format!(
            " Always answering the commonest class gives {}.",
            percent(chance)
        );
    }
    said
}

fn tiles(report: &RunReport) -> Markup {
    let mut tiles: Vec<(&str, String)> = Vec::new();
    if let Some(test) = &report.test {
        tiles.extend(test.macro_f1().map(|f1| ("Macro F1", format!("{f1:.3}"))));
        if test.n > 0 {
            tiles.push(("Test samples", count(test.n)));
        }
    }
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
