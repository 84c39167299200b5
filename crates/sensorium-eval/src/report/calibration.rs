//! How sure a model is beside how often it is right: the reliability diagram, with how many answers there are of each certainty.

use maud::{Markup, html};

use super::bits::{counted, px, section};
use super::scale::{count, percent, points};
use super::types::RunReport;
use crate::{CalibrationBin, CalibrationReport, Interval, wilson};

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 288.0;
/// Left, right, top and bottom of the diagram.
const PLOT: (f64, f64, f64, f64) = (44.0, 384.0, 12.0, 220.0);
/// Top and bottom of the strip below it, which shows where the answers are.
const STRIP: (f64, f64) = (246.0, 278.0);

pub(super) fn calibration(report: &RunReport) -> Option<Markup> {
    let test = report.test.as_ref().filter(|test| test.classes.len() > 1)?;
    let calibration = test.calibration.as_ref().filter(|found| found.n > 0)?;
    let lead = "To the right: how sure an answer is. Upwards: how many of these are right. Where bars end below the dotted line, the \
                model is too sure.";
    let body = html! {
        div.calibration {
            figure.card.chart {
                figcaption {
                    span.name { "Reliability" }
                    span.key.right { i {} "right" }
                    span.key.many { i {} "answers" }
                }
                (diagram(calibration))
            }
            div.card { (in_words(calibration, test.accuracy_interval)) (facts(calibration, test.brier)) }
        }
    };
    Some(section("calibration", "Calibration", lead, body))
}

/// A bar of the diagram.
struct Bar {
    low: f64,
    high: f64,
    n: u64,
    confidence: f64,
    accuracy: f64,
    interval: Interval,
}

/// The bins that hold answers; a certainty of exactly 1, which has no width, stands with the bin below it.
fn bars(calibration: &CalibrationReport) -> Vec<Bar> {
    let (wide, whole): (Vec<&CalibrationBin>, Vec<_>) =
        calibration.bins.iter().partition(|bin| bin.low < bin.high);
    let last = wide.last().map_or(1.0, |bin| bin.low);
    let bar = |bin: &CalibrationBin| {
        let extra = whole.iter().copied().filter(|_| bin.low == last);
        let all = || std::iter::once(bin).chain(extra.clone());
        let n: u64 = all().map(|bin| bin.n).sum();
        let sum = |of: fn(&CalibrationBin) -> Option<f64>| -> f64 {
            all().map(|bin| of(bin).unwrap_or(0.0) * bin.n as f64).sum()
        };
        let right = sum(|bin| bin.accuracy).round();
        Some(Bar {
            low: bin.low,
            high: bin.high,
            n,
            confidence: sum(|bin| bin.confidence) / n as f64,
            accuracy: right / n as f64,
            interval: wilson(right as u64, n)?,
        })
    };
    wide.iter().copied().filter_map(bar).collect()
}

fn x(share: f64) -> f64 {
    PLOT.0 + share.clamp(0.0, 1.0) * (PLOT.1 - PLOT.0)
}

fn y(share: f64) -> f64 {
    PLOT.3 - share.clamp(0.0, 1.0) * (PLOT.3 - PLOT.2)
}

fn diagram(calibration: &CalibrationReport) -> Markup {
    let bars = bars(calibration);
    let most = bars.iter().map(|bar| bar.n).max().unwrap_or(1) as f64;
    let label = format!(
        "Reliability diagram of {}. Expected calibration error {}.",
        counted(calibration.n, "answer"),
        calibration.ece.map_or("–".into(), percent)
    );
    html! {
        svg.reliability viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
            (axes())
            @for bar in &bars {
                g.bin {
                    title { (told(bar)) }
                    rect.right x=(px(x(bar.low) + 0.75)) y=(px(y(bar.accuracy))) width=(px(width(bar))) height=(px(PLOT.3 - y(bar.accuracy))) {}
                    rect.many x=(px(x(bar.low) + 0.75)) y=(px(strip(bar.n as f64 / most))) width=(px(width(bar)))
                        height=(px(STRIP.1 - strip(bar.n as f64 / most))) {}
                    // The whole column, so that a pointer need not find a low bar.
                    rect.reach x=(px(x(bar.low))) y=(PLOT.2) width=(px(x(bar.high) - x(bar.low))) height=(STRIP.1 - PLOT.2) {}
                }
            }
            line.ideal x1=(PLOT.0) y1=(PLOT.3) x2=(PLOT.1) y2=(PLOT.2) {}
            @for bar in &bars {
                path.whisker d=(whisker(bar)) {}
                circle.dot cx=(px(x(bar.confidence))) cy=(px(y(bar.accuracy))) r="2.6" {}
            }
        }
    }
}

fn width(bar: &Bar) -> f64 {
    (x(bar.high) - x(bar.low) - 1.5).max(0.5)
}

/// Of a few answers among many there is still a line to see.
fn strip(share: f64) -> f64 {
    STRIP.1 - (share * (STRIP.1 - STRIP.0)).max(1.0)
}

fn whisker(bar: &Bar) -> String {
    let (at, low, high) = (x(bar.confidence), y(bar.interval.low), y(bar.interval.high));
    format!("M{} {}V{}", px(at), px(low), px(high))
}

fn told(bar: &Bar) -> String {
    let (low, high) = (percent(bar.interval.low), percent(bar.interval.high));
    format!(
        "{}, {} sure on average: {} right (95 % interval {low} to {high})",
        counted(bar.n, "answer"),
        percent(bar.confidence),
        percent(bar.accuracy)
    )
}

fn axes() -> Markup {
    let levels = [0.0, 0.25, 0.5, 0.75, 1.0];
    html! {
        @for level in levels {
            line.grid x1=(PLOT.0) x2=(PLOT.1) y1=(px(y(level))) y2=(px(y(level))) {}
            text x=(PLOT.0 - 7.0) y=(px(y(level) + 3.5)) text-anchor="end" { (format!("{:.0} %", level * 100.0)) }
            text x=(px(x(level))) y=(PLOT.3 + 16.0) text-anchor="middle" { (format!("{:.0} %", level * 100.0)) }
        }
        line.grid x1=(PLOT.0) x2=(PLOT.1) y1=(STRIP.1) y2=(STRIP.1) {}
    }
}

/// Too sure or too modest, where more than chance says so.
fn in_words(calibration: &CalibrationReport, accuracy: Option<Interval>) -> Markup {
    let (Some(sure), Some(right)) = (calibration.confidence, calibration.accuracy) else {
        return html! {};
    };
    let verdict = match accuracy {
        Some(range) if sure > range.high => "It is surer than it should be.",
        Some(range) if sure < range.low => "It could be surer than it is.",
        _ => "On the whole it is as sure as it may be.",
    };
    html! {
        p { "The model is " b { (percent(sure)) } " sure on average, and right on " b { (percent(right)) } ". " (verdict) }
    }
}

fn facts(calibration: &CalibrationReport, brier: Option<f64>) -> Markup {
    let gap = calibration.confidence.zip(calibration.accuracy);
    let facts = [
        ("Calibration error (ECE)", calibration.ece.map(percent)),
        (
            "Certainty less accuracy",
            gap.map(|(sure, right)| format!("{} points", points(sure - right))),
        ),
        ("Brier score", brier.map(|score| format!("{score:.3}"))),
        ("Answers", Some(count(calibration.n))),
    ];
    html! {
        dl.facts { @for (name, value) in facts { @if let Some(value) = value { div { dt { (name) } dd { (value) } } } } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Calibration;

    #[test]
    fn what_is_certain_stands_with_what_is_nearly_so() {
        let mut counts = Calibration::new(4).unwrap();
        for (sure, right) in [(0.3, false), (0.8, true), (1.0, true), (1.0, false)] {
            counts.add(sure, right).unwrap();
        }
        let bars = bars(&counts.finish());
        let drawn: Vec<_> = bars.iter().map(|bar| (bar.low, bar.high, bar.n)).collect();
        assert_eq!(drawn, [(0.25, 0.5, 1), (0.75, 1.0, 3)]);
        assert!((bars[1].accuracy - 2.0 / 3.0).abs() < 1e-12);
        assert!((bars[1].confidence - 2.8 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn odd_counts_draw_finite_numbers_only() {
        for answers in [vec![(0.0, true)], vec![(1.0, false)], vec![(0.5, true); 9]] {
            let mut counts = Calibration::new(1).unwrap();
            for (sure, right) in answers {
                counts.add(sure, right).unwrap();
            }
            let svg = diagram(&counts.finish()).into_string();
            assert!(svg.contains("<rect") && !svg.contains("NaN") && !svg.contains("inf"));
        }
        // What is read from a file may hold anything.
        let svg = diagram(&CalibrationReport::default()).into_string();
        assert!(!svg.contains("NaN"));
    }
}
