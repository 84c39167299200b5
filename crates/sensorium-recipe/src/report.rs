//! The run's report: gathers what `sensorium-eval` draws.

use std::path::Path;

use sensorium_data::Rows;
use sensorium_eval::{
    Curve, DataSummary, KeyValue, RunReport, Scatter, SkippedRow, SplitSummary, render,
};

use crate::dataset::Dataset;
use crate::folder::RunFolder;
use crate::labels::{Answer, LabelSet};
use crate::prepare::Prepared;
use crate::session::RunMetrics;
use crate::shown::examples;
use crate::{Error, Recipe};

/// Draws the report of a finished run.
pub(crate) fn html(
    recipe: &Recipe,
    folder: &RunFolder,
    data: &Dataset,
    test: &Prepared,
    answers: &[Answer],
    metrics: &RunMetrics,
) -> Result<String, Error> {
    let metric = metrics.summary().unwrap_or_default().metric;
    let report = RunReport {
        title: recipe.name.clone(),
        subtitle: recipe.about.clone(),
        parameters: Some(metrics.parameters as u64),
        duration_s: Some(metrics.train_seconds),
        backend: Some(metrics.backend.clone()),
        facts: facts(metrics),
        test: metrics.test.clone(),
        multi_label: metrics.multi_label.clone(),
        regression: metrics.regression.clone(),
        written: metrics.text.clone(),
        scatter: scatter(data, test, answers),
        curves: curves(&folder.path().join("metrics.jsonl"))?,
        ablation: metrics.ablation.clone(),
        beside: metrics
            .beside
            .iter()
            .filter_map(|other| Some((other.name.clone(), other.value(metric)?)))
            .collect(),
        search: metrics.search.clone(),
        told: metrics.told.clone(),
        examples: data
            .labels
            .as_ref()
            .map_or_else(Vec::new, |labels| examples(labels, test, answers)),
        data: Some(summary(recipe, data)),
        recipe_toml: recipe.to_toml(),
        environment: environment(recipe, metrics),
    };
    Ok(render(&report))
}

/// Writes the rows that were left out, one JSON object a line, if there are any.
pub(crate) fn write_skipped(folder: &RunFolder, data: &Dataset) -> Result<(), Error> {
    if data.bad.is_empty() {
        return Ok(());
    }
    let mut lines = Vec::new();
    for bad in &data.bad {
        serde_json::to_writer(&mut lines, bad).map_err(|e| Error::folder(folder.path(), e))?;
        lines.push(b'\n');
    }
    folder.write("skipped.jsonl", &lines)
}

/// The curves of the trainer's log.
fn curves(path: &Path) -> Result<Vec<Curve>, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::folder(path, error))?;
    let lines: Vec<serde_json::Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let of_kind = |kind: &'static str| lines.iter().filter(move |line| line["kind"] == kind);
    let mut curves = Vec::new();
    for (name, key) in [
        ("loss", "loss"),
        ("accuracy", "accuracy"),
        ("mean average precision", "map"),
        ("mean absolute error", "mae"),
        ("exact match", "exact_match"),
        ("BLEU", "bleu"),
        ("learning rate", "lr"),
        ("gradient norm", "grad_norm"),
    ] {
        // A loss that was not finite stands there as null; the chart marks it.
        let points = of_kind("step").filter_map(|line| {
            let value = line.get(key)?;
            Some((line["step"].as_u64()?, value.as_f64().unwrap_or(f64::NAN)))
        });
        let mut points: Vec<(u64, f64)> = points.collect();
        if key == "accuracy" {
            points.retain(|(_, value)| !value.is_nan());
        }
        if !points.is_empty() {
            curves.push(Curve::new(name, points));
        }
        let of_name = |score: &&serde_json::Value| score["name"] == key;
        let validated = of_kind("validation").filter_map(|line| {
            let score = line["scores"].as_array()?.iter().find(of_name)?;
            Some((line["step"].as_u64()?, score["value"].as_f64()?))
        });
        let validated: Vec<(u64, f64)> = validated.collect();
        if !validated.is_empty() {
            curves.push(Curve::new(format!("valid/{name}"), validated));
        }
    }
    Ok(curves)
}

/// Truth against answer, for each number that the model answers with.
fn scatter(data: &Dataset, test: &Prepared, answers: &[Answer]) -> Vec<Scatter> {
    let Some(LabelSet::Numbers(numbers)) = &data.labels else {
        return Vec::new();
    };
    let count = numbers.scales.len();
    let of = |i: usize| Scatter {
        name: match count {
            1 => "Test rows".to_owned(),
            _ => format!("Number {}", i + 1),
        },
        points: answers
            .iter()
            .map(|answer| (test.numbers(answer.row)[i], answer.numbers[i]))
            .collect(),
    };
    (0..count.min(SHOWN_NUMBERS)).map(of).collect()
}

/// The most numbers whose answers are drawn.
const SHOWN_NUMBERS: usize = 12;

/// What was measured besides classes.
fn facts(metrics: &RunMetrics) -> Vec<KeyValue> {
    let scores = metrics.scores.iter();
    scores
        .map(|(name, value)| KeyValue::new(name.replace('_', " "), format!("{value:.3}")))
        .collect()
}

fn summary(recipe: &Recipe, data: &Dataset) -> DataSummary {
    let part = |name: &str, rows: Rows| SplitSummary {
        name: name.to_owned(),
        rows: rows.len() as u64,
        present: recipe
            .encoders
            .modalities()
            .iter()
            .map(|m| {
                let there = rows.refs().filter(|row| row.has_input(m.name()));
                (m.to_string(), there.count() as u64)
            })
            .collect(),
    };
    DataSummary {
        name: data.name.clone(),
        splits: vec![
            part("training", data.training()),
            part("validation", data.part(&data.splits.valid)),
            part("test", data.part(&data.splits.test)),
        ],
        skipped: data
            .bad
            .iter()
            .map(|bad| SkippedRow {
                row: bad.place.row,
                column: bad.column.clone(),
                reason: bad.reason.clone(),
            })
            .collect(),
        skipped_rows: data.bad.len() as u64,
    }
}

fn environment(recipe: &Recipe, metrics: &RunMetrics) -> Vec<KeyValue> {
    vec![
        KeyValue::new("sensorium", env!("CARGO_PKG_VERSION")),
        KeyValue::new("backend", &metrics.backend),
        KeyValue::new("seed", recipe.train.seed.to_string()),
        KeyValue::new("steps", metrics.steps.to_string()),
        KeyValue::new(
            "system",
            format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ),
    ]
}
