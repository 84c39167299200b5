//! Training curves as inline SVG: raw values faint, a smoothed line on top, validation as points; the value under
//! the pointer is shown with CSS alone.

use maud::{Markup, html};

use super::bits::{px, section};
use super::scale::{count, percent, significant, tick_label, ticks};
use super::series::{Group, Line, group, range};
use super::types::RunReport;

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 224.0;
/// Left, right, top and bottom of the plot: room for labels, and on top for the value under the pointer.
const PLOT: (f64, f64, f64, f64) = (44.0, 392.0, 20.0, 198.0);
/// Places along the steps where a pointer finds a value.
const HOVER_BANDS: usize = 96;

pub(super) fn curves(report: &RunReport) -> Option<Markup> {
    let charts: Vec<Chart> = group(&report.curves)
        .into_iter()
        .filter_map(Chart::new)
        .collect();
    let smooth = charts
        .iter()
        .any(|chart| chart.lines.iter().any(|line| line.smoothed.is_some()));
    let lead = if smooth {
        "Faint: every step. Strong: the same, smoothed. Point at a curve to read it."
    } else {
        "Point at a curve to read it."
    };
    let body = html! { div.charts { @for chart in &charts { (chart.figure()) } } };
    (!charts.is_empty()).then(|| section("curves", "Training", lead, body))
}
struct Chart {
    title: String,
    lines: Vec<Line>,
    steps: (f64, f64),
    values: (f64, f64),
    shares: bool,
}

impl Chart {
    fn new(group: Group<'_>) -> Option<Self> {
        let lines: Vec<Line> = group
            .curves
            .iter()
            .map(|(split, curve)| Line::new(split, curve))
            .collect();
        let lines: Vec<Line> = lines
            .into_iter()
            .filter(|line| !line.points.is_empty())
            .collect();
        let all = || lines.iter().flat_map(|line| line.points.iter());
        let first = all().map(|&(step, _)| step).min()?;
        let last = all().map(|&(step, _)| step).max()?;
        let share_like = ["accuracy", "f1", "precision", "recall", "share"];
        let within = |&(_, value): &(u64, f64)| (0.0..=1.0).contains(&value);
        let shares = share_like.iter().any(|word| group.metric.contains(word)) && all().all(within);
        let values = if shares {
            (0.0, 1.0)
        } else {
            range(all().map(|&(_, value)| value).collect())
        };
        let title = sentence(&group.metric);
        Some(Self {
            title,
            lines,
            steps: (first as f64, last as f64),
            values,
            shares,
        })
    }

    fn x(&self, step: u64) -> f64 {
        let (first, last) = self.steps;
        let share = if last > first {
            ((step as f64 - first) / (last - first)).clamp(0.0, 1.0)
        } else {
            0.5
        };
        PLOT.0 + share * (PLOT.1 - PLOT.0)
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        let share = if high > low {
            ((value - low) / (high - low)).clamp(0.0, 1.0)
        } else {
            0.5
        };
        PLOT.3 - share * (PLOT.3 - PLOT.2)
    }

    fn read(&self, value: f64) -> String {
        if self.shares {
            percent(value)
        } else {
            significant(value)
        }
    }

    fn figure(&self) -> Markup {
        html! {
            figure.card.chart {
                figcaption {
                    span.name { (self.title) }
                    @for line in &self.lines {
                        @if let Some((_, value)) = line.main().last() {
                            span class={ "key " (line.class()) } { i {} (line.split) " " b { (self.read(*value)) } }
                        }
                    }
                }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(self.in_words()) {
                    (self.axes())
                    @for line in &self.lines { (self.draw(line)) }
                    (self.hover())
                }
                @for line in self.lines.iter().filter(|line| !line.broken.is_empty()) {
                    p.warn { (not_finite(line)) }
                }
            }
        }
    }

    fn in_words(&self) -> String {
        let told = self.lines.iter().filter_map(|line| {
            let ((_, first), (last_step, last)) = (line.main().first()?, line.main().last()?);
            Some(format!(
                "{}: from {} to {} at step {}",
                line.split,
                self.read(*first),
                self.read(*last),
                count(*last_step)
            ))
        });
        format!("{}. {}", self.title, told.collect::<Vec<_>>().join("; "))
    }

    fn axes(&self) -> Markup {
        let levels = ticks(self.values.0, self.values.1, 4);
        let step = levels
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .next()
            .unwrap_or(1.0);
        let label = |level: f64| {
            if self.shares {
                format!("{:.0} %", level * 100.0)
            } else {
                tick_label(level, step)
            }
        };
        let places: Vec<u64> = ticks(self.steps.0, self.steps.1, 4)
            .into_iter()
            .filter(|t| t.fract() == 0.0)
            .map(|t| t as u64)
            .collect();
        html! {
            @for level in levels {
                line.grid x1=(PLOT.0) x2=(PLOT.1) y1=(px(self.y(level))) y2=(px(self.y(level))) {}
                text.tick x=(PLOT.0 - 7.0) y=(px(self.y(level) + 3.5)) text-anchor="end" { (label(level)) }
            }
            @for place in places {
                text.tick x=(px(self.x(place))) y=(PLOT.3 + 17.0) text-anchor=(anchor(self.x(place))) { (count(place)) }
            }
        }
    }

    fn draw(&self, line: &Line) -> Markup {
        let dots = line.points.len() <= 40 && (line.split != "train" || line.points.len() == 1);
        html! {
            g class=(line.class()) {
                @if line.smoothed.is_some() { path.raw d=(self.path(&line.points)) {} }
                path.line d=(self.path(line.main())) {}
                @if dots {
                    @for &(step, value) in &line.points {
                        circle.dot cx=(px(self.x(step))) cy=(px(self.y(value))) r="2.6" {}
                    }
                }
                @for &step in &line.broken {
                    path.broken d={ "M" (px(self.x(step))) " " (PLOT.3) "l-3.5 6h7z" } {}
                }
            }
        }
    }

    fn path(&self, points: &[(u64, f64)]) -> String {
        let place = |(i, &(step, value)): (usize, &(u64, f64))| {
            format!(
                "{}{} {}",
                if i == 0 { "M" } else { "L" },
                px(self.x(step)),
                px(self.y(value))
            )
        };
        points.iter().enumerate().map(place).collect()
    }

    /// Invisible bands over the plot; the one under the pointer shows its step and values.
    fn hover(&self) -> Markup {
        let Some(longest) = self.lines.iter().max_by_key(|line| line.main().len()) else {
            return html! {};
        };
        let stride = longest.main().len().div_ceil(HOVER_BANDS).max(1);
        let at: Vec<u64> = longest
            .main()
            .iter()
            .rev()
            .step_by(stride)
            .map(|&(step, _)| step)
            .rev()
            .collect();
        html! {
            @for (i, &step) in at.iter().enumerate() {
                @let x = self.x(step);
                @let left = if i == 0 { PLOT.0 } else { (self.x(at[i - 1]) + x) / 2.0 };
                @let right = at.get(i + 1).map_or(PLOT.1, |&next| (self.x(next) + x) / 2.0);
                @let found: Vec<(&Line, u64, f64)> = self.lines.iter().filter_map(|line| line.nearest(step)).collect();
                g.at {
                    rect x=(px(left)) y="0" width=(px((right - left).max(0.0))) height=(HEIGHT) {}
                    line x1=(px(x)) x2=(px(x)) y1=(PLOT.2) y2=(PLOT.3) {}
                    @for (line, at, value) in &found {
                        circle class=(line.class()) cx=(px(self.x(*at))) cy=(px(self.y(*value))) r="3.4" {}
                    }
                    text x=(PLOT.1) y="11" text-anchor="end" {
                        "step " (count(step))
                        @for (line, _, value) in &found { " · " (line.split) " " (self.read(*value)) }
                    }
                }
            }
        }
    }
}

/// `learning_rate` as `Learning rate`.
fn sentence(metric: &str) -> String {
    let words = metric.replace(['_', '/'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn not_finite(line: &Line) -> String {
    let shown: Vec<String> = line
        .broken
        .iter()
        .take(5)
        .map(|&step| count(step))
        .collect();
    let more = if line.broken.len() > 5 { ", …" } else { "" };
    format!(
        "Not a finite number at step {}{more} ({} in all).",
        shown.join(", "),
        line.broken.len()
    )
}

fn anchor(x: f64) -> &'static str {
    if x > PLOT.1 - 14.0 { "end" } else { "middle" }
}

#[cfg(test)]
mod tests {
    use super::super::types::Curve;
    use super::*;

    #[test]
    fn odd_curves_draw_finite_numbers_only() {
        let odd = [
            vec![(7, 1.0)],
            vec![(0, 0.0), (1, 0.0)],
            vec![(0, f64::NAN), (1, f64::INFINITY), (2, 3.0)],
            vec![(u64::MAX, 1e300), (0, -1e300)],
            vec![(3, 1e-320), (3, 1e-320)],
        ];
        for points in odd {
            let curves = vec![
                Curve::new("loss", points.clone()),
                Curve::new("valid/loss", []),
            ];
            let report = RunReport {
                curves,
                ..Default::default()
            };
            let svg = curves_text(&report);
            assert!(
                !svg.contains("NaN") && !svg.contains("inf"),
                "{points:?}: {svg}"
            );
        }
        let nothing = RunReport {
            curves: vec![Curve::new("loss", [(0, f64::NAN)])],
            ..Default::default()
        };
        assert!(super::curves(&nothing).is_none());
    }

    fn curves_text(report: &RunReport) -> String {
        super::curves(report).unwrap().into_string()
    }
}
