//! The run report: what a run was, what it learned and where it fails, as one HTML file that needs nothing else.

mod bits;
mod calibration;
mod charts;
mod classes;
mod compared;
mod examples;
mod fusing;
mod labels;
mod media;
mod numbers;
mod page;
mod provenance;
mod scale;
mod series;
mod types;

pub(crate) use scale::{percent, points, significant};
pub use types::{
    Curve, DataSummary, Example, ExampleInput, KeyValue, Media, RenderOptions, RunReport, Scatter,
    SkippedRow, SplitSummary,
};

/// Renders a report as one self-contained HTML page: no network, no script, no font; light and dark; printable.
///
/// Sections without content do not appear. Every string is escaped.
pub fn render(report: &RunReport) -> String {
    render_with(report, &RenderOptions::default())
}

/// As [`render`], with limits of one's own.
pub fn render_with(report: &RunReport, options: &RenderOptions) -> String {
    page::page(report, options).into_string()
}
