//! `sensorium predict`: one answer from a trained model.

use sensorium_core::Source;
use sensorium_recipe::SavedModel;

use crate::args::{Common, PredictArgs};
use crate::{Misuse, screen};

/// Asks a model and prints the best answers.
pub fn run(args: &PredictArgs, common: &Common) -> anyhow::Result<()> {
    let inputs = inputs(args)?;
    let device = sensorium_runtime::open(common.backend)?;
    let model = SavedModel::open(&args.run, &device)?;
    let mut scores = model.predict(&inputs)?;
    scores.truncate(args.top_k);
    if common.json {
        let given: Vec<&str> = inputs.iter().map(|(name, _)| name.as_str()).collect();
        return screen::json(&serde_json::json!({
            "results": [{ "input": given, "scores": scores }],
        }));
    }
    let width = scores
        .iter()
        .map(|s| s.label.chars().count())
        .max()
        .unwrap_or(0);
    let lines: Vec<String> = scores
        .iter()
        .map(|s| format!("{:<width$}  {:>5.1}%", s.label, 100.0 * s.score))
        .collect();
    screen::text(&lines.join("\n"))
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
