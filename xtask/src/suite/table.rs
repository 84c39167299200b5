//! What the runs of a suite came to, as a table in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result};
use serde_json::Value;

/// A mean, and how far the farthest is from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) mean: f64,
    farthest: f64,
}

impl Spread {
    pub(super) fn of(values: &[f64]) -> Self {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let farthest = values.iter().map(|v| (v - mean).abs()).fold(0.0, f64::max);
        Self { mean, farthest }
    }

    pub(super) fn percent(self) -> String {
        format!("{:.1} ± {:.1}", 100.0 * self.mean, 100.0 * self.farthest)
    }
}

/// A run with all its seeds.
pub(super) struct Row {
    name: String,
    all: Spread,
    /// By the modality that is missing.
    without: BTreeMap<String, Spread>,
    parameters: u64,
    /// Milliseconds of a step.
    step_ms: f64,
}

impl Row {
    /// Of the `metrics.json` of each seed.
    ///
    /// # Errors
    /// If one of them lacks a number.
    pub(super) fn of(name: &str, metrics: &[Value]) -> Result<Self> {
        let mut all = Vec::new();
        let mut without: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let mut step_ms = f64::INFINITY;
        for one in metrics {
            let number = |value: &Value, what: &str| {
                let number = value.as_f64();
                number.with_context(|| format!("{name}: its metrics have no {what}"))
            };
            all.push(number(&one["test"]["accuracy"], "test.accuracy")?);
            step_ms = step_ms.min(number(&one["step_ms"], "step_ms")?);
            let modalities = names(&one["ablation"]["modalities"]);
            for row in one["ablation"]["rows"].as_array().into_iter().flatten() {
                let there = names(&row["modalities"]);
                let missing: Vec<&&str> =
                    modalities.iter().filter(|m| !there.contains(m)).collect();
                if let [missing] = missing[..] {
                    let accuracy = number(&row["accuracy"], "accuracy of an ablation")?;
                    without
                        .entry((*missing).to_owned())
                        .or_default()
                        .push(accuracy);
                }
            }
        }
        let parameters = metrics.first().and_then(|one| one["parameters"].as_u64());
        Ok(Self {
            name: name.to_owned(),
            all: Spread::of(&all),
            without: without
                .into_iter()
                .map(|(name, all)| (name, Spread::of(&all)))
                .collect(),
            parameters: parameters
                .with_context(|| format!("{name}: its metrics have no parameters"))?,
            step_ms,
        })
    }
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// The best first.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by(|a, b| b.all.mean.total_cmp(&a.all.mean));
    let missing: Vec<&String> = rows
        .first()
        .map(|row| row.without.keys().collect())
        .unwrap_or_default();
    let mut text = String::from("| | all |");
    missing.iter().for_each(|name| {
        let _ = write!(text, " without {name} |");
    });
    text += " parameters | ms a step |\n|---|---|";
    text += &"---|".repeat(missing.len() + 2);
    text.push('\n');
    for row in rows {
        let _ = write!(text, "| `{}` | {} |", row.name, row.all.percent());
        for name in &missing {
            let spread = row
                .without
                .get(*name)
                .map_or_else(String::new, |spread| spread.percent());
            let _ = write!(text, " {spread} |");
        }
        let _ = writeln!(text, " {} | {:.0} |", row.parameters, row.step_ms);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metrics(all: f64, alone: f64) -> Value {
        json!({
            "parameters": 5, "step_ms": 2.0, "test": { "accuracy": all },
            "ablation": { "modalities": ["audio", "text"], "rows": [
                { "modalities": ["audio", "text"], "accuracy": all },
                { "modalities": ["audio"], "accuracy": alone },
                { "modalities": ["text"], "accuracy": 0.25 },
            ]},
        })
    }

    #[test]
    fn the_best_stands_first_with_its_spread() {
        let worse = Row::of("a", &[metrics(0.5, 0.4)]).unwrap();
        let better = Row::of(
            "b",
            &[metrics(0.8, 0.5), metrics(0.9, 0.6), metrics(0.85, 0.4)],
        )
        .unwrap();
        let expected = "| | all | without audio | without text | parameters | ms a step |\n\
            |---|---|---|---|---|---|\n\
            | `b` | 85.0 ± 5.0 | 25.0 ± 0.0 | 50.0 ± 10.0 | 5 | 2 |\n\
            | `a` | 50.0 ± 0.0 | 25.0 ± 0.0 | 40.0 ± 0.0 | 5 | 2 |\n";
        assert_eq!(markdown(&[worse, better]), expected);
        assert!(Row::of("c", &[json!({})]).is_err());
    }
}
