//! The run's report: gathers what `sensorium-eval` draws.

use std::path::Path;

use sensorium_core::Source;
use sensorium_data::Row;
use sensorium_eval::{
    Curve, DataSummary, Example, ExampleInput, KeyValue, Media, RunReport, SkippedRow,
    SplitSummary, render,
};

use crate::dataset::Dataset;
use crate::evaluate::Answer;
use crate::folder::RunFolder;
use crate::prepare::Prepared;
use crate::session::RunMetrics;
use crate::{Error, Recipe};

/// How many right and how many wrong answers are shown. Wrong ones teach more.
const SHOWN_RIGHT: usize = 6;
const SHOWN_WRONG: usize = 12;

/// The largest file shown in the report, in bytes.
const LARGEST_SHOWN: u64 = 4 << 20;

/// Draws the report of a finished run.
pub(crate) fn html(
    recipe: &Recipe,
    folder: &RunFolder,
    data: &Dataset,
    test: &Prepared,
    answers: &[Answer],
    metrics: &RunMetrics,
) -> Result<String, Error> {
    let report = RunReport {
        title: recipe.name.clone(),
        subtitle: recipe.about.clone(),
        parameters: Some(metrics.parameters as u64),
        duration_s: Some(metrics.train_seconds),
        backend: Some(metrics.backend.clone()),
        facts: facts(metrics),
        test: metrics.test.clone(),
        curves: curves(&folder.path().join("metrics.jsonl"))?,
        ablation: metrics.ablation.clone(),
        beside: metrics
            .beside
            .iter()
            .filter_map(|other| Some((other.name.clone(), other.accuracy?)))
            .collect(),
        search: metrics.search.clone(),
        told: metrics.told.clone(),
        examples: examples(data, test, answers),
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
            curves.push(Curve::new(format!("valid/{key}"), validated));
        }
    }
    Ok(curves)
}

/// The most confident mistakes, and right answers spread over the test rows.
fn examples(data: &Dataset, test: &Prepared, answers: &[Answer]) -> Vec<Example> {
    let names = data.class_names();
    let mut wrong = Vec::new();
    let mut right = Vec::new();
    for answer in answers {
        let ranked = answer.ranked();
        let entry = (ranked[0].1, answer, ranked.clone());
        if ranked[0].0 == test.class(answer.row) {
            right.push(entry);
        } else {
            wrong.push(entry);
        }
    }
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0));
    wrong.truncate(SHOWN_WRONG);
    let stride = right.len().div_ceil(SHOWN_RIGHT).max(1);
    let right = right.into_iter().step_by(stride);
    wrong
        .into_iter()
        .chain(right)
        .map(|(_, answer, ranked)| Example {
            id: test.id(answer.row).to_owned(),
            inputs: test
                .inputs(answer.row)
                .iter()
                .filter_map(|(modality, source)| {
                    Some(ExampleInput {
                        modality: modality.to_string(),
                        content: media(source)?,
                    })
                })
                .collect(),
            target: names[test.class(answer.row)].clone(),
            top: ranked
                .iter()
                .take(3)
                .map(|(class, p)| (names[*class].clone(), f64::from(*p)))
                .collect(),
        })
        .collect()
}

/// What a browser can show of a source; by its extension, which is all a browser needs.
fn media(source: &Source) -> Option<Media> {
    if let Source::Text(text) = source {
        return Some(Media::Text(text.to_string()));
    }
    let extension = source.extension()?;
    let bytes = || Some(source.read(LARGEST_SHOWN).ok()?.to_vec());
    let image = |mime: &str| {
        Some(Media::Image {
            mime: mime.to_owned(),
            bytes: bytes()?,
        })
    };
    let sound = |mime: &str| {
        Some(Media::Sound {
            mime: mime.to_owned(),
            bytes: bytes()?,
        })
    };
    match extension.as_str() {
        "png" => image("image/png"),
        "jpg" | "jpeg" => image("image/jpeg"),
        "gif" => image("image/gif"),
        "webp" => image("image/webp"),
        "bmp" => image("image/bmp"),
        "wav" => sound("audio/wav"),
        "flac" => sound("audio/flac"),
        "mp3" => sound("audio/mpeg"),
        "ogg" | "oga" => sound("audio/ogg"),
        "aac" => sound("audio/aac"),
        "m4a" | "mp4" => sound("audio/mp4"),
        "webm" => sound("audio/webm"),
        "txt" => Some(Media::Text(String::from_utf8(bytes()?).ok()?)),
        _ => None,
    }
}

/// What was measured besides classes.
fn facts(metrics: &RunMetrics) -> Vec<KeyValue> {
    let scores = metrics.scores.iter();
    scores
        .map(|(name, value)| KeyValue::new(name.replace('_', " "), format!("{value:.3}")))
        .collect()
}

fn summary(recipe: &Recipe, data: &Dataset) -> DataSummary {
    let part = |name: &str, rows: Vec<&Row>| SplitSummary {
        name: name.to_owned(),
        rows: rows.len() as u64,
        present: recipe
            .encoders
            .modalities()
            .iter()
            .map(|m| {
                let has = |row: &&&Row| row.inputs.contains_key(m.name());
                (m.to_string(), rows.iter().filter(has).count() as u64)
            })
            .collect(),
    };
    DataSummary {
        name: data.name.clone(),
        splits: vec![
            part("training", data.training().collect()),
            part("validation", data.part(&data.splits.valid).collect()),
            part("test", data.part(&data.splits.test).collect()),
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
