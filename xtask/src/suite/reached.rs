//! What recipes came to, each beside its variations, as a table in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::table::Spread;

/// A recipe with all its seeds.
pub(super) struct Row {
    recipe: String,
    /// What was measured, and how much of it.
    measured: Vec<(String, Spread)>,
    /// What a variation came to, and how far the recipe is above it, in points of each seed.
    beside: Vec<(String, Spread, Vec<f64>)>,
    /// Of the quickest seed.
    seconds: f64,
}

/// Where the score of a run that has one stands in its `metrics.json`, and what it is called.
const SCORES: [(&str, &str, &str); 2] = [
    ("test", "accuracy", "accuracy"),
    ("text", "exact_match", "exact match"),
];

impl Row {
    /// Of the `metrics.json` of each seed.
    ///
    /// # Errors
    /// If one of them lacks what the others have.
    pub(super) fn of(recipe: &str, metrics: &[Value]) -> Result<Self> {
        let mut measured: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let mut beside: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        let mut seconds = Vec::new();
        for one in metrics {
            seconds.push(
                one["total_seconds"]
                    .as_f64()
                    .with_context(|| format!("{recipe}: no total_seconds"))?,
            );
            for (part, key, called) in SCORES {
                let Some(own) = one[part][key].as_f64() else {
                    continue;
                };
                measured.entry(called.to_owned()).or_default().push(own);
                for other in one["beside"].as_array().into_iter().flatten() {
                    let (Some(name), Some(score)) = (other["name"].as_str(), other[key].as_f64())
                    else {
                        bail!("{recipe}: a variation has no name, or no {called}");
                    };
                    beside
                        .entry(name.to_owned())
                        .or_default()
                        .push((own, score));
                }
            }
            for (name, value) in told(one) {
                measured.entry(name).or_default().push(value);
            }
        }
        let whole = |values: usize| values == metrics.len();
        if measured.is_empty()
            || !measured.values().map(Vec::len).all(whole)
            || !beside.values().map(Vec::len).all(whole)
        {
            bail!("{recipe}: its seeds did not measure the same");
        }
        Ok(Self {
            recipe: recipe.to_owned(),
            measured: measured
                .into_iter()
                .map(|(name, values)| (name, Spread::of(&values)))
                .collect(),
            beside: beside
                .into_iter()
                .map(|(name, pairs)| {
                    let others: Vec<f64> = pairs.iter().map(|(_, other)| *other).collect();
                    let gaps = pairs
                        .iter()
                        .map(|(own, other)| 100.0 * (own - other))
                        .collect();
                    (name, Spread::of(&others), gaps)
                })
                .collect(),
            seconds: seconds.into_iter().fold(f64::INFINITY, f64::min),
        })
    }
}

/// What is told of a run without classes: who finds whom, and what is told by its name.
fn told(metrics: &Value) -> Vec<(String, f64)> {
    let mut told = Vec::new();
    for search in metrics["search"].as_array().into_iter().flatten() {
        let between =
            [&search["from"], &search["to"]].map(|name| name.as_str().unwrap_or_default());
        for recall in search["report"]["recall"].as_array().into_iter().flatten() {
            if let (Some(k @ (1 | 5)), Some(share)) =
                (recall["k"].as_u64(), recall["recall"].as_f64())
            {
                told.push((format!("{} → {}, R@{k}", between[0], between[1]), share));
            }
        }
    }
    for one in metrics["told"].as_array().into_iter().flatten() {
        if let (Some(by), Some(share)) = (one["by"].as_str(), one["accuracy"].as_f64()) {
            told.push((format!("told by name, {by}"), share));
        }
    }
    told
}

pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| recipe | reaches | beside it | points above that | seconds |\n|---|---|---|---|---|\n",
    );
    for row in rows {
        let lines = |each: Vec<String>| each.join("<br>");
        let reaches = row
            .measured
            .iter()
            .map(|(name, spread)| format!("{name} {}", spread.percent()))
            .collect();
        let beside = row
            .beside
            .iter()
            .map(|(name, spread, _)| format!("`{name}` {}", spread.percent()))
            .collect();
        let above = row
            .beside
            .iter()
            .map(|(.., gaps)| {
                gaps.iter()
                    .map(|gap| format!("{gap:+.1}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            })
            .collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {:.0} |",
            row.recipe,
            lines(reaches),
            lines(beside),
            lines(above),
            row.seconds
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_recipe_stands_beside_its_variations_seed_by_seed() {
        let seed = |own: f64, other: f64| {
            json!({
                "total_seconds": 10.0, "test": { "accuracy": own },
                "beside": [{ "name": "scratch", "accuracy": other }],
            })
        };
        let classes = Row::of("a", &[seed(0.8, 0.6), seed(0.9, 0.5)]).unwrap();
        let scores = json!({
            "total_seconds": 4.0,
            "search": [{ "from": "text", "to": "image", "report": { "recall": [{ "k": 1, "recall": 0.5 }, { "k": 10, "recall": 0.6 }] } }],
            "told": [{ "by": "image", "accuracy": 0.9 }],
        });
        let space = Row::of("b", &[scores]).unwrap();
        let texts = json!({ "total_seconds": 7.0, "text": { "exact_match": 0.97, "bleu": 98.5 } });
        let texts = Row::of("d", &[texts]).unwrap();
        let expected = "| recipe | reaches | beside it | points above that | seconds |\n|---|---|---|---|---|\n\
            | `a` | accuracy 85.0 ± 5.0 | `scratch` 55.0 ± 5.0 | +20.0, +40.0 | 10 |\n\
            | `b` | text → image, R@1 50.0 ± 0.0<br>told by name, image 90.0 ± 0.0 |  |  | 4 |\n\
            | `d` | exact match 97.0 ± 0.0 |  |  | 7 |\n";
        assert_eq!(markdown(&[classes, space, texts]), expected);
        assert!(Row::of("c", &[seed(0.8, 0.6), json!({ "total_seconds": 1.0 })]).is_err());
    }
}
