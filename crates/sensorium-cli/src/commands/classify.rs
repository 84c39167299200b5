//! `sensorium classify`: by labels in words, or by a model's own classes.

use std::sync::Arc;

use burn::tensor::Tensor;
use sensorium_core::Source;
use sensorium_models::ready::{Classifier, ZeroShot};
use serde::Serialize;

use crate::args::{ClassifyArgs, Common};
use crate::jobs::{self, Input};
use crate::progress::Progress;
use crate::{Misuse, models, screen};

#[derive(Debug, Serialize)]
struct Answer {
    input: String,
    /// Best first.
    scores: Vec<Score>,
}

#[derive(Debug, Serialize)]
struct Score {
    label: String,
    score: f32,
}

/// Classifies all inputs and prints the best labels of each.
pub fn run(args: &ClassifyArgs, common: &Common) -> anyhow::Result<()> {
    let images = jobs::inputs("image", &args.image)?;
    let texts = jobs::inputs("text", &args.text)?;
    jobs::need_some(&[&images[..], &texts].concat(), "--image or --text")?;
    let checkpoint = models::open(&args.model, common)?;
    let device = sensorium_runtime::open(common.backend)?;
    let mut progress = Progress::new(common.quiet);
    let labels = labels(args)?;
    let answers = if labels.is_empty() {
        let model = Arc::new(Classifier::open(&checkpoint, &device)?);
        let inputs = match (model.takes_images(), texts.is_empty(), images.is_empty()) {
            (true, true, _) => images,
            (false, _, true) => texts,
            (true, _, _) => return Err(misuse("the model classifies images, not --text")),
            (false, _, _) => return Err(misuse("the model classifies texts, not --image")),
        };
        let preparing = model.clone();
        let prepare = move |source: &Source| preparing.prepare(source);
        let labels = model.labels().to_vec();
        let score = |samples: &[_]| model.scores(samples);
        classify(inputs, args, &labels, &mut progress, prepare, score)?
    } else {
        if !texts.is_empty() {
            return Err(misuse(
                "--labels are chosen for an --image, not for a --text",
            ));
        }
        let model = ZeroShot::open(&checkpoint, &labels, &args.template, &device)?;
        let model = Arc::new(model);
        let preparing = model.clone();
        let prepare = move |source: &Source| preparing.images().prepare(source);
        let score = |samples: &[_]| model.scores(samples);
        classify(images, args, &labels, &mut progress, prepare, score)?
    };
    match common.json {
        true => screen::json(&serde_json::json!({ "results": answers })),
        false => screen::text(&table(&answers)),
    }
}

fn misuse(what: &str) -> anyhow::Error {
    Misuse(what.to_owned()).into()
}

fn labels(args: &ClassifyArgs) -> anyhow::Result<Vec<String>> {
    let labels: Vec<String> = args.labels.iter().map(|l| l.trim().to_owned()).collect();
    if labels.iter().any(String::is_empty) {
        return Err(misuse("--labels: a label is empty"));
    }
    if !args.template.contains("{}") {
        let problem = format!("--template {:?}: has no {{}} for the label", args.template);
        return Err(misuse(&problem));
    }
    Ok(labels)
}

fn classify<S: Send + 'static>(
    inputs: Vec<Input>,
    args: &ClassifyArgs,
    labels: &[String],
    progress: &mut Progress,
    prepare: impl Fn(&Source) -> Result<S, sensorium_models::Error> + Send + Sync + 'static,
    score: impl Fn(&[S]) -> Tensor<2>,
) -> anyhow::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    jobs::run(inputs, &args.jobs, progress, prepare, |inputs, samples| {
        for (input, row) in inputs.iter().zip(jobs::rows(score(samples))?) {
            let named = labels.iter().zip(row);
            let mut scores: Vec<Score> = named
                .map(|(label, score)| Score {
                    label: label.clone(),
                    score,
                })
                .collect();
            scores.sort_by(|a, b| b.score.total_cmp(&a.score));
            scores.truncate(args.top_k.max(1));
            answers.push(Answer {
                input: input.name.clone(),
                scores,
            });
        }
        Ok(())
    })?;
    Ok(answers)
}

/// An input a line, best labels behind it.
fn table(answers: &[Answer]) -> String {
    let wide = |answer: &Answer| answer.input.chars().count();
    let width = answers.iter().map(wide).max().unwrap_or(0).min(60);
    let line = |answer: &Answer| {
        let scores = answer.scores.iter();
        let scores: Vec<String> = scores
            .map(|s| format!("{} {:.1}%", s.label, 100.0 * s.score))
            .collect();
        format!("{:<width$}  {}", answer.input, scores.join("  "))
    };
    let lines: Vec<String> = answers.iter().map(line).collect();
    lines.join("\n")
}
