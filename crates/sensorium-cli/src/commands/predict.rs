//! `sensorium predict`: one answer from a trained model.

use sensorium_core::Source;
use sensorium_recipe::{Prediction, SavedModel, Scored};

use crate::args::{Common, PredictArgs};
use crate::{Misuse, screen};

/// Asks a model and prints the best answers.
pub fn run(args: &PredictArgs, common: &Common) -> anyhow::Result<()> {
    let inputs = inputs(args)?;
    let device = sensorium_runtime::open(common.backend)?;
    let model = SavedModel::open(&args.run, &device)?;
    let mut answer = model.predict(&inputs)?;
    answer.scores.truncate(args.top_k);
    if common.json {
        let given: Vec<&str> = inputs.iter().map(|(name, _)| name.as_str()).collect();
        let mut result = serde_json::json!({ "input": given });
        if let serde_json::Value::Object(answer) = serde_json::to_value(&answer)? {
            answer
                .into_iter()
                .for_each(|(key, value)| result[key] = value);
        }
        return screen::json(&serde_json::json!({ "results": [result] }));
    }
    screen::text(&lines(&answer).join("\n"))
}

/// A line an answer: classes with their probability, of several those marked that are given, numbers, or a text.
fn lines(answer: &Prediction) -> Vec<String> {
    let width = answer
        .scores
        .iter()
        .map(|s| s.label.chars().count())
        .max()
        .unwrap_or(0);
    let is_given = |label: &String| answer.given.as_ref().is_some_and(|g| g.contains(label));
    let line = |s: &Scored| {
        let mark = if is_given(&s.label) { "  ✓" } else { "" };
        format!("{:<width$}  {:>5.1}%{mark}", s.label, 100.0 * s.score)
    };
    let numbers = answer.numbers.iter().map(|number| {
        // A network of 32-bit numbers knows no more digits than these.
        let size = number.abs().max(1e-9).log10().floor() as i32;
        format!("{number:.*}", (5 - size).clamp(0, 9) as usize)
    });
    let texts = answer.text.iter().map(|text| printable(text));
    let scores = answer.scores.iter().map(line);
    scores.chain(numbers).chain(texts).collect()
}

/// A text without what a terminal would obey.
fn printable(text: &str) -> String {
    let keeps = |letter: &char| !letter.is_control() || *letter == '\n';
    text.chars().filter(keeps).collect()
}

fn inputs(args: &PredictArgs) -> anyhow::Result<Vec<(String, Source)>> {
    let mut inputs = Vec::new();
    if let Some(text) = &args.text {
        inputs.push(("text".to_owned(), Source::text(text.as_str())));
    }
    for (name, file) in [("image", &args.image), ("audio", &args.audio)] {
        inputs.extend(
            file.as_ref()
                .map(|file| (name.to_owned(), Source::path(file))),
        );
    }
    for input in &args.input {
        let (name, file) = input
            .split_once('=')
            .ok_or_else(|| Misuse(format!("--input {input}: is not of the form MODALITY=FILE")))?;
        inputs.push((name.to_owned(), Source::path(file)));
    }
    if inputs.is_empty() {
        return Err(Misuse(
            "nothing to answer to: give --text, --image, --audio or --input".to_owned(),
        )
        .into());
    }
    Ok(inputs)
}
