//! `sensorium classify`: by labels in words, or by a model's own classes.

use std::sync::Arc;

use burn::tensor::Tensor;
use sensorium_core::{Modality, Source};
use sensorium_models::ready::{Classifier, Prepared, Scoring, ZeroShot};
use sensorium_recipe::RunEmbedder;
use serde::Serialize;

use crate::args::{ClassifyArgs, Common};
use crate::inputs::{self, Input, Inputs};
use crate::jobs::{self, Answers, Done};
use crate::progress::Progress;
use crate::trained::{self, Trained};
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

/// How many of a model's own classes are printed if nothing is said: there can be thousands.
const OWN_CLASSES: usize = 5;

/// Classifies all inputs and prints the best labels of each.
pub fn run(args: &ClassifyArgs, common: &Common) -> anyhow::Result<()> {
    let [texts, images, sounds] = inputs::each([
        ("text", &args.text),
        ("image", &args.image),
        ("audio", &args.audio),
    ])?;
    let (labels, template) = (labels(args)?, template(args, &sounds)?);
    if !labels.is_empty() && !texts.is_empty() {
        return Err(misuse(
            "--labels are chosen for an --image or an --audio, not for a --text",
        ));
    }
    let opened = sensorium_runtime::choose(common.backend)?;
    let device = &opened.device;
    let how = |labels| How {
        args,
        labels,
        side_by_side: opened.side_by_side(),
    };
    let mut progress = Progress::new(common.quiet);
    let (scoring, (answers, done)) = if let Some(run) = trained::run(&args.model, device) {
        let run = run?;
        by_run(&run, [texts, images, sounds], &how(&labels), &mut progress)?
    } else if labels.is_empty() {
        let checkpoint = models::open(&args.model, common)?;
        let model = Arc::new(Classifier::open(&checkpoint, device)?);
        let inputs = only([texts, images, sounds], model.takes())?;
        let answered = classify(inputs, &how(model.labels()), &mut progress, &model)?;
        (model.scoring(), answered)
    } else {
        let checkpoint = models::open(&args.model, common)?;
        let model = ZeroShot::open(&checkpoint, &labels, template, device)?;
        let model = Arc::new(model);
        let inputs = only([images, sounds], model.takes())?;
        let answered = classify(inputs, &how(&labels), &mut progress, &model)?;
        (model.scoring(), answered)
    };
    done.need_some()?;
    match common.json {
        true => screen::json(&serde_json::json!({
            "results": answers,
            "skipped": done.skipped,
        })),
        false => screen::text(&table(&answers, scoring)),
    }
}

/// By labels in words, of a run that brought words and others into one space.
fn by_run(
    run: &Arc<RunEmbedder>,
    given: [Inputs; 3],
    how: &How,
    progress: &mut Progress,
) -> anyhow::Result<(Scoring, (Vec<Answer>, Done))> {
    if how.labels.is_empty() {
        return Err(misuse(
            &match run.config.recipe.objective.kind.has_classes() {
                true => format!(
                    "a run answers with its own classes to `sensorium predict {}`",
                    how.args.model
                ),
                false => "the run learned without labels: give --labels to choose from".to_owned(),
            },
        ));
    }
    let labels = Arc::new(run.describe(how.labels, how.args.template.as_deref())?);
    let models = given
        .iter()
        .map(|inputs| Trained::of(run, inputs, Some(&labels)))
        .collect::<Result<Vec<_>, _>>()?;
    let (mut answers, mut done) = (Vec::new(), Done::default());
    for (inputs, model) in given.into_iter().zip(models) {
        let Some(model) = model else { continue };
        let (own, more) = classify(inputs, how, progress, &Arc::new(model))?;
        answers.extend(own);
        done = done.and(more);
    }
    let scoring = match run.each_alone() {
        true => Scoring::Sigmoid,
        false => Scoring::Softmax,
    };
    Ok((scoring, (answers, done)))
}

/// The inputs that a model takes, which must be all.
fn only<const N: usize>(given: [Inputs; N], takes: Modality) -> anyhow::Result<Inputs> {
    let mut found = None;
    for inputs in given {
        match inputs.modality() == takes.name() {
            true => found = Some(inputs),
            false if inputs.is_empty() => {}
            false => {
                let given = inputs.modality();
                return Err(misuse(&format!(
                    "the model classifies --{takes}, not --{given}"
                )));
            }
        }
    }
    Ok(found.expect("inputs of every kind that a model takes"))
}

/// How many labels of an input are printed.
fn most(args: &ClassifyArgs) -> usize {
    match (args.top_k, args.labels.len()) {
        (Some(k), _) => k,
        (None, 0) => OWN_CLASSES,
        // Who names labels wants to see them.
        (None, all) => all,
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
    Ok(labels)
}

/// What a label is put into: what is given, or as the models' own examples have it.
fn template<'a>(args: &'a ClassifyArgs, sounds: &Inputs) -> anyhow::Result<&'a str> {
    match &args.template {
        Some(given) if given.contains("{}") => Ok(given),
        Some(given) => {
            let problem = format!("--template {given:?}: has no {{}} for the label");
            Err(misuse(&problem))
        }
        None if sounds.is_empty() => Ok("a photo of a {}"),
        None => Ok("This is a sound of {}."),
    }
}

/// How inputs are classified.
struct How<'a> {
    args: &'a ClassifyArgs,
    labels: &'a [String],
    side_by_side: usize,
}

impl Answers for Classifier {
    type Sample = Prepared;
    type Error = sensorium_models::Error;

    fn length(sample: &Prepared) -> usize {
        match sample {
            Prepared::Image(_) | Prepared::Sound(_) => 0,
            Prepared::Text(text) => text.ids.len(),
        }
    }

    fn prepare(&self, input: &Source) -> Result<Prepared, Self::Error> {
        self.prepare(input)
    }

    fn answer(&self, samples: &[Prepared]) -> Tensor<2> {
        self.scores(samples)
    }
}

impl Answers for ZeroShot {
    type Sample = Prepared;
    type Error = sensorium_models::Error;

    fn prepare(&self, input: &Source) -> Result<Prepared, Self::Error> {
        self.prepare(input)
    }

    fn answer(&self, samples: &[Prepared]) -> Tensor<2> {
        self.scores(samples)
    }
}

fn classify<M: Answers>(
    inputs: Inputs,
    how: &How,
    progress: &mut Progress,
    model: &Arc<M>,
) -> anyhow::Result<(Vec<Answer>, Done)> {
    let How {
        args,
        labels,
        side_by_side,
    } = *how;
    let mut answers = Vec::new();
    let put = |input: &Input, row: Vec<f32>| {
        let mut named: Vec<(&String, f32)> = labels.iter().zip(row).collect();
        named.sort_by(|a, b| b.1.total_cmp(&a.1));
        let best = named.into_iter().take(most(args));
        let scores = best.map(|(label, score)| Score {
            label: label.clone(),
            score,
        });
        answers.push(Answer {
            input: input.name.clone(),
            scores: scores.collect(),
        });
        Ok(())
    };
    let done = jobs::run(inputs, &args.jobs, side_by_side, progress, model, put)?;
    Ok((answers, done))
}

/// An input a line, best labels behind it.
fn table(answers: &[Answer], scoring: Scoring) -> String {
    let wide = |answer: &Answer| answer.input.chars().count();
    let width = answers.iter().map(wide).max().unwrap_or(0).min(60);
    let line = |answer: &Answer| {
        let scores = answer.scores.iter();
        let scores: Vec<String> = scores
            .map(|Score { label, score }| match scoring {
                Scoring::Raw => format!("{label} {score:.4}"),
                Scoring::Softmax | Scoring::Sigmoid => format!("{label} {:.1}%", 100.0 * score),
            })
            .collect();
        format!("{:<width$}  {}", answer.input, scores.join("  "))
    };
    let lines: Vec<String> = answers.iter().map(line).collect();
    lines.join("\n")
}
