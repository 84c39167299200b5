//! Small pieces several sections share: section frames, bars, dots in a modality's colour.

use maud::{Markup, html};

use crate::Metric;

/// How many distinct colours the style sheet has for modalities.
const COLOURS: usize = 8;

/// A section with a heading and a line that says how to read it.
pub(super) fn section(id: &str, heading: &str, lead: &str, body: Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-h" } {
            h2 id={ (id) "-h" } { (heading) }
            @if !lead.is_empty() { p.lead { (lead) } }
            (body)
        }
    }
}

/// A metric as a heading.
pub(super) fn title(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy => "Accuracy",
        Metric::MeanAveragePrecision => "Mean average precision",
        Metric::R2 => "R²",
        Metric::ExactMatch => "Exact match",
    }
}

/// A horizontal bar filled to `share`; what it shows stands in text beside it.
pub(super) fn bar(share: f64, class: &str) -> Markup {
    html! { span.bar aria-hidden="true" { span class=(class) style={ "width:" (width(share)) "%" } {} } }
}

/// A share as a CSS percentage, within 0..100.
pub(super) fn width(share: f64) -> String {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    format!("{:.2}", share * 100.0)
}

/// The style class of a modality's colour: by its place among the model's modalities.
pub(super) fn colour(modalities: &[String], modality: &str) -> String {
    let place = modalities
        .iter()
        .position(|name| name == modality)
        .unwrap_or(COLOURS - 1);
    format!("c{}", place % COLOURS)
}

/// `image + audio + text`.
pub(super) fn joined(modalities: &[String]) -> String {
    modalities.join(" + ")
}

/// `1 sample`, `2 samples`.
pub(super) fn counted(n: u64, what: &str) -> String {
    format!(
        "{} {what}{}",
        super::scale::count(n),
        if n == 1 { "" } else { "s" }
    )
}

/// A coordinate: a tenth of a unit is finer than a screen's pixel.
pub(super) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}
