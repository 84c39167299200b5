//! Numbers: truth against answer, a point a sample, and how far off answers are.

use maud::{Markup, html};

use super::bits::{px, section};
use super::scale::{count, significant, tick_label, ticks};
use super::types::{RunReport, Scatter};
use crate::{Metric, NumbersReport, RegressionReport};

/// A square plot: left, right, top and bottom.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 384.0;
const PLOT: (f64, f64, f64, f64) = (52.0, 392.0, 14.0, 354.0);
/// More points than this are one cloud, and a large file.
const MOST_POINTS: usize = 1500;
/// Pictures beyond this many would not be looked at.
const MOST_PLOTS: usize = 12;

pub(super) fn numbers(report: &RunReport) -> Option<Markup> {
    let test = report.regression.as_ref().filter(|test| test.n > 0)?;
    let plots: Vec<Plot> = report
        .scatter
        .iter()
        .take(MOST_PLOTS)
        .filter_map(Plot::new)
        .collect();
    let body = html! {
        @if !plots.is_empty() { div.charts { @for plot in &plots { (plot.figure()) } } }
        @if test.outputs.len() > 1 { (table(test)) }
        (facts(test))
    };
    let lead = "A point a sample: the truth to the right, the answer upwards. On the line they are the same.";
    Some(section("numbers", "Truth and answer", lead, body))
}

struct Plot<'a> {
    scatter: &'a Scatter,
    points: Vec<(f64, f64)>,
    /// Both axes have the same.
    range: (f64, f64),
}

impl<'a> Plot<'a> {
    fn new(scatter: &'a Scatter) -> Option<Self> {
        let finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
        let stride = scatter.points.len().div_ceil(MOST_POINTS).max(1);
        let points = scatter.points.iter().step_by(stride).filter(finite);
        let points: Vec<(f64, f64)> = points.copied().collect();
        let all = || points.iter().flat_map(|point| [point.0, point.1]);
        let low = all().min_by(f64::total_cmp)?;
        let high = all().max_by(f64::total_cmp)?;
        let room = (0.04 * (high - low)).max(0.02 * low.abs()).max(1e-9);
        let range = (low - room, high + room);
        // Between the largest numbers of both signs lies more than a number can say.
        (range.1 - range.0).is_finite().then_some(Self {
            scatter,
            points,
            range,
        })
    }

    fn share(&self, value: f64) -> f64 {
        ((value - self.range.0) / (self.range.1 - self.range.0)).clamp(0.0, 1.0)
    }

    fn x(&self, value: f64) -> f64 {
        PLOT.0 + self.share(value) * (PLOT.1 - PLOT.0)
    }

    fn y(&self, value: f64) -> f64 {
        PLOT.3 - self.share(value) * (PLOT.3 - PLOT.2)
    }

    fn figure(&self) -> Markup {
        let (low, high) = self.range;
        let label = format!(
            "{}: truth against answer, {} samples",
            self.scatter.name,
            self.points.len()
        );
        html! {
            figure.card.chart.scatter.s0 {
                figcaption { span.name { (self.scatter.name) } }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
                    (self.axes())
                    path.same d={ "M" (px(self.x(low))) " " (px(self.y(low))) "L" (px(self.x(high))) " " (px(self.y(high))) } {}
                    @for &(truth, answer) in &self.points {
                        circle cx=(px(self.x(truth))) cy=(px(self.y(answer))) r="2.6" {
                            title { "truth " (significant(truth)) ", answer " (significant(answer)) }
                        }
                    }
                }
            }
        }
    }

    fn axes(&self) -> Markup {
        let levels = ticks(self.range.0, self.range.1, 5);
        let step = levels.windows(2).map(|pair| pair[1] - pair[0]).next();
        let step = step.unwrap_or(1.0);
        html! {
            @for level in levels {
                line.grid x1=(PLOT.0) x2=(PLOT.1) y1=(px(self.y(level))) y2=(px(self.y(level))) {}
                line.grid x1=(px(self.x(level))) x2=(px(self.x(level))) y1=(PLOT.2) y2=(PLOT.3) {}
                text.tick x=(PLOT.0 - 7.0) y=(px(self.y(level) + 3.5)) text-anchor="end" { (tick_label(level, step)) }
                text.tick x=(px(self.x(level))) y=(PLOT.3 + 17.0) text-anchor="middle" { (tick_label(level, step)) }
            }
        }
    }
}

fn table(test: &NumbersReport) -> Markup {
    let read = |value: Option<f64>| value.map_or("–".into(), significant);
    let row = |i: usize, output: &RegressionReport| {
        html! { tr {
            th scope="row" { (i + 1) }
            td.num { (output.r2.map_or("–".into(), |r2| Metric::R2.spelled(r2))) }
            @for value in [output.mae, output.rmse, output.bias] { td.num { (read(value)) } }
        } }
    };
    html! { div.card.scroll { table.classes {
        thead { tr {
            th scope="col" { "Number" } th.num scope="col" { "R²" } th.num scope="col" { "MAE" }
            th.num scope="col" { "RMSE" } th.num scope="col" { "Bias" }
        } }
        tbody { @for (i, output) in test.outputs.iter().enumerate().take(1000) { (row(i, output)) } }
    } } }
}

fn facts(test: &NumbersReport) -> Markup {
    let bias = match &test.outputs[..] {
        [output] => output.bias,
        _ => None,
    };
    let facts = [
        ("Mean absolute error", test.mae.map(significant)),
        ("Root of the mean squared error", test.rmse.map(significant)),
        ("Too high on average by", bias.map(significant)),
        ("Samples", Some(count(test.n))),
    ];
    html! {
        dl.facts { @for (name, value) in &facts { @if let Some(value) = value { div { dt { (name) } dd { (value) } } } } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_points_draw_finite_numbers_only() {
        for points in [
            vec![],
            vec![(3.0, 3.0)],
            vec![(0.0, 0.0), (0.0, 0.0)],
            vec![(f64::NAN, 1.0), (1.0, f64::INFINITY), (2.0, 1.0)],
            vec![(1e308, -1e308), (-1e308, 1e308)],
            vec![(1e-320, 1e-320), (1e300, 1.0)],
        ] {
            let report = RunReport {
                regression: Some(NumbersReport {
                    n: 3,
                    ..NumbersReport::default()
                }),
                scatter: vec![Scatter {
                    name: "a number".to_owned(),
                    points: points.clone(),
                }],
                ..RunReport::default()
            };
            let html = numbers(&report).expect("a section").into_string();
            assert!(
                !html.contains("NaN") && !html.contains("inf"),
                "{points:?}: {html}"
            );
        }
    }
}
