//! Logged values made ready to draw: curves of one metric together, rough ones smoothed, long ones thinned.

use super::types::Curve;

/// A curve's points: step and value.
type Points = Vec<(u64, f64)>;

/// More points than this cannot be told apart at a chart's width.
const MOST_POINTS: usize = 360;
/// The smoothed line forgets over this part of the curve.
const SMOOTHED_PART: f64 = 0.015;

/// The curves of one metric.
pub(super) struct Group<'a> {
    pub(super) metric: String,
    pub(super) curves: Vec<(&'a str, &'a Curve)>,
}

/// Curves by metric, both in the order of their first appearance.
pub(super) fn group(curves: &[Curve]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for curve in curves {
        let (split, metric) = match curve.name.split_once('/') {
            Some((split @ ("train" | "valid" | "test"), metric)) => (split, metric),
            _ => ("train", curve.name.as_str()),
        };
        match groups.iter_mut().find(|group| group.metric == metric) {
            Some(group) => group.curves.push((split, curve)),
            None => groups.push(Group {
                metric: metric.to_owned(),
                curves: vec![(split, curve)],
            }),
        }
    }
    groups
}

/// One line of a chart.
pub(super) struct Line {
    pub(super) split: String,
    pub(super) points: Points,
    pub(super) smoothed: Option<Points>,
    /// Steps whose value was not a finite number.
    pub(super) broken: Vec<u64>,
}

impl Line {
    pub(super) fn new(split: &str, curve: &Curve) -> Self {
        let (fine, broken): (Vec<_>, Vec<_>) = curve
            .points
            .iter()
            .partition(|(_, value)| value.is_finite());
        let mut points: Vec<(u64, f64)> = fine;
        points.sort_by_key(|&(step, _)| step);
        let smoothed = is_rough(&points).then(|| thinned(&smooth(&points)));
        let broken = broken.into_iter().map(|(step, _)| step).collect();
        Self {
            split: split.to_owned(),
            points: thinned(&points),
            smoothed,
            broken,
        }
    }

    /// The line to read: smoothed where it is rough.
    pub(super) fn main(&self) -> &[(u64, f64)] {
        self.smoothed.as_deref().unwrap_or(&self.points)
    }

    /// The line's own point next to a step.
    pub(super) fn nearest(&self, step: u64) -> Option<(&Self, u64, f64)> {
        let next = self.main().iter().min_by_key(|(at, _)| at.abs_diff(step));
        next.map(|&(at, value)| (self, at, value))
    }

    pub(super) fn class(&self) -> &'static str {
        match self.split.as_str() {
            "train" => "s0",
            "valid" => "s1",
            _ => "s2",
        }
    }
}

/// True for a line that goes up and down all the time, which a schedule does not.
fn is_rough(points: &[(u64, f64)]) -> bool {
    let slopes: Vec<f64> = points
        .windows(2)
        .map(|pair| pair[1].1 - pair[0].1)
        .collect();
    let turns = slopes
        .windows(2)
        .filter(|pair| pair[0] * pair[1] < 0.0)
        .count();
    points.len() >= 24 && turns * 5 > points.len()
}

/// An exponential moving average from both sides, which neither lags behind nor runs ahead.
fn smooth(points: &[(u64, f64)]) -> Points {
    let keep = 1.0 - 1.0 / (points.len() as f64 * SMOOTHED_PART).max(2.0);
    // Sum and weight of all values up to here, each forgotten the more the farther away it is.
    let average = |state: &mut (f64, f64), value: f64| {
        *state = (keep * state.0 + value, keep * state.1 + 1.0);
        Some(*state)
    };
    let values = points.iter().map(|&(_, value)| value);
    let before = values.clone().scan((0.0, 0.0), average);
    let mut after: Vec<(f64, f64)> = values.rev().scan((0.0, 0.0), average).collect();
    after.reverse();
    let sums = before
        .zip(after)
        .map(|(before, after)| (before.0 + after.0, before.1 + after.1));
    // The point itself stands in both sums.
    let mean =
        |point: &(u64, f64), sum: f64, weight: f64| (point.0, (sum - point.1) / (weight - 1.0));
    points
        .iter()
        .zip(sums)
        .map(|(point, (sum, weight))| mean(point, sum, weight))
        .collect()
}

/// At most [`MOST_POINTS`]; of each bucket the lowest and the highest stay, so that spikes do.
fn thinned(points: &[(u64, f64)]) -> Points {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    let size = points.len().div_ceil(MOST_POINTS / 2);
    let ends = |bucket: &[(u64, f64)]| {
        let by_value = |a: &&(u64, f64), b: &&(u64, f64)| a.1.total_cmp(&b.1);
        let mut ends: Vec<(u64, f64)> = bucket
            .iter()
            .min_by(by_value)
            .into_iter()
            .chain(bucket.iter().max_by(by_value))
            .copied()
            .collect();
        ends.sort_by_key(|&(step, _)| step);
        ends.dedup();
        ends
    };
    points.chunks(size).flat_map(ends).collect()
}
/// What the axis covers: from zero where the values come near it, and not stretched by a few spikes.
pub(super) fn range(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let (Some(&low), Some(&top)) = (values.first(), values.last()) else {
        return (0.0, 1.0);
    };
    let usual = values[(values.len() - 1) * 99 / 100];
    let high = if top > low + 3.0 * (usual - low) && usual > low {
        low + 1.5 * (usual - low)
    } else {
        top
    };
    let low = if low >= 0.0 && low < 0.5 * high {
        0.0
    } else {
        low
    };
    if high > low {
        (low, high + 0.04 * (high - low))
    } else {
        (
            low - 0.5 * low.abs().max(1e-9),
            high + 0.5 * high.abs().max(1e-9),
        )
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(n: u64) -> Vec<(u64, f64)> {
        (0..n)
            .map(|i| {
                (
                    i,
                    2.0 - i as f64 / n as f64 + if i % 2 == 0 { 0.2 } else { -0.2 },
                )
            })
            .collect()
    }

    #[test]
    fn noise_is_smoothed_and_a_schedule_is_not() {
        let rough = Line::new("train", &Curve::new("loss", noisy(1000)));
        let smooth = rough.smoothed.as_ref().unwrap();
        assert!((smooth.last().unwrap().1 - 1.0).abs() < 0.1);
        assert!(rough.points.len() <= MOST_POINTS + 2 && rough.points.len() > 100);
        assert!(
            Line::new(
                "train",
                &Curve::new("lr", (0..1000).map(|i| (i, (i as f64 / 500.0).cos())))
            )
            .smoothed
            .is_none()
        );
    }

    #[test]
    fn curves_of_one_metric_share_a_chart() {
        let curves = ["loss", "valid/loss", "train/accuracy", "loss/contrastive"]
            .map(|name| Curve::new(name, [(1, 0.5)]));
        let names: Vec<(String, usize)> = group(&curves)
            .into_iter()
            .map(|g| (g.metric, g.curves.len()))
            .collect();
        assert_eq!(
            names,
            [
                ("loss".into(), 2),
                ("accuracy".into(), 1),
                ("loss/contrastive".into(), 1)
            ]
        );
    }

    #[test]
    fn a_spike_does_not_flatten_the_rest() {
        let mut values = vec![1.0; 200];
        values[..100].fill(0.5);
        values[3] = 900.0;
        let (low, high) = range(values);
        assert!(low == 0.5 || low == 0.0);
        assert!(high < 3.0, "{high}");
    }
}
