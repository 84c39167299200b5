//! `sensorium train --dry-run`: what a run would train and take, told without it.

use std::fmt::Write;

use sensorium_recipe::{Options, Recipe, Rehearsed, rehearse};
use sensorium_train::{ParameterPlan, Rehearsal};

use crate::args::Common;
use crate::progress::Progress;
use crate::screen;

/// Parameters that lie together and are trained alike.
struct Part {
    /// Where they are.
    name: String,
    how: String,
    all: usize,
    trainable: usize,
    bytes: usize,
}

/// Tries a recipe out, and prints what came of it.
pub fn run(
    recipe: Recipe,
    options: &Options<'_>,
    progress: &mut Progress,
    common: &Common,
) -> anyhow::Result<()> {
    let tried = rehearse(recipe, options, progress)?;
    match common.json {
        true => screen::json(&tried),
        false => screen::text(&in_order(&tried)),
    }
}

/// What comes before, and then the run itself.
fn in_order(tried: &Rehearsed) -> String {
    if tried.before.is_empty() {
        return describe(tried);
    }
    let mut text = String::new();
    for before in &tried.before {
        let (name, objective) = (&before.name, &before.run.objective);
        let _ = write!(
            text,
            "before: {name}, by {objective}\n{}\n\n",
            in_order(&before.run)
        );
    }
    let seconds = |run: &Rehearsed| run.training.seconds();
    let all: f64 = tried.before.iter().map(|before| seconds(&before.run)).sum();
    let _ = write!(
        text,
        "then: {}, by {}\n{}\n        {} with what comes before",
        tried.recipe,
        tried.objective,
        describe(tried),
        screen::seconds(all + seconds(tried))
    );
    text
}

/// What a person reads.
fn describe(tried: &Rehearsed) -> String {
    let training = &tried.training;
    let mut text = table(&parts(training));
    let all = training.sum(ParameterPlan::numbers);
    let trainable = training.sum(trainable);
    let share = 100.0 * trainable as f64 / all.max(1) as f64;
    let bytes = |of: fn(&ParameterPlan) -> usize| screen::bytes(training.sum(of) as u64);
    let [train, valid, test] = tried.rows;
    let _ = write!(
        text,
        "\n\n{all} parameters, of which {share:.1} % train\n\
         rows    {train} to learn from, {valid} to validate, {test} to test, prepared in {}\n\
         memory  {} parameters, {} gradients, {} optimizer",
        screen::seconds(tried.prepare_seconds),
        bytes(|plan| plan.bytes),
        bytes(|plan| plan.gradient_bytes),
        bytes(|plan| plan.optimizer_bytes),
    );
    if training.copies_bytes > 0 {
        let (copies, name) = (training.copies_bytes as u64, training.precision.name());
        let _ = write!(text, ", {} copies in {name}", screen::bytes(copies));
    }
    if training.average_bytes > 0 {
        let average = screen::bytes(training.average_bytes as u64);
        let _ = write!(text, ", {average} average");
    }
    if let Some(peak) = tried.peak_bytes {
        let _ = write!(
            text,
            "; {} at most in this process, rows and program included",
            screen::bytes(peak)
        );
    }
    let _ = write!(
        text,
        "\nsteps   {}, of which {} an epoch; the first, of {} samples, has a loss of {:.3}\n\
         time    {} a step, {} in all, without validating and testing",
        training.total_steps,
        training.steps_per_epoch,
        training.samples,
        training.loss,
        a_step(training.step_seconds),
        screen::seconds(training.seconds()),
    );
    if tried.skipped_rows > 0 {
        let _ = write!(text, "\n{} bad rows would be left out", tried.skipped_rows);
    }
    text
}

fn a_step(seconds: f64) -> String {
    match seconds < 0.95 {
        true => format!("{:.0} ms", 1000.0 * seconds),
        false => screen::seconds(seconds),
    }
}

/// How many of a parameter's numbers train at some time.
fn trainable(plan: &ParameterPlan) -> usize {
    match plan.trains_from {
        Some(_) => plan.numbers(),
        None => 0,
    }
}

/// The first two names of a path, without the parameter's own.
fn place(path: &str) -> String {
    let names: Vec<&str> = path.split('.').collect();
    let above = names.len().saturating_sub(1).clamp(1, 2);
    names[..above.min(names.len())].join(".")
}

fn how(plan: &ParameterPlan) -> String {
    let mut words = Vec::new();
    match plan.trains_from {
        None => words.push("frozen".to_owned()),
        Some(0) => {}
        Some(step) => words.push(format!("from step {}", step + 1)),
    }
    if let Some(group) = plan.group {
        words.push(format!("group {}", group + 1));
    }
    words.join(", ")
}

/// Parameters put together by place and way.
fn parts(training: &Rehearsal) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for plan in &training.parameters {
        let (name, how) = (place(&plan.path), how(plan));
        let at = parts
            .iter()
            .position(|part| part.name == name && part.how == how);
        let at = at.unwrap_or_else(|| {
            parts.push(Part {
                name,
                how,
                all: 0,
                trainable: 0,
                bytes: 0,
            });
            parts.len() - 1
        });
        let part = &mut parts[at];
        part.all += plan.numbers();
        part.trainable += trainable(plan);
        part.bytes += plan.bytes + plan.gradient_bytes + plan.optimizer_bytes;
    }
    parts
}

fn table(parts: &[Part]) -> String {
    let mut rows = vec![["part", "parameters", "trainable", "memory", ""].map(str::to_owned)];
    rows.extend(parts.iter().map(|part| {
        [
            part.name.clone(),
            part.all.to_string(),
            part.trainable.to_string(),
            screen::bytes(part.bytes as u64),
            part.how.clone(),
        ]
    }));
    let wide = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let [name, all, trainable, memory] = [wide(0), wide(1), wide(2), wide(3)];
    let lines = rows.iter().map(|row| {
        let line = format!(
            "{:<name$}  {:>all$}  {:>trainable$}  {:>memory$}  {}",
            row[0], row[1], row[2], row[3], row[4]
        );
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_two_names_and_never_the_parameters_own() {
        for (path, expected) in [
            ("encoders.image.norm.gamma", "encoders.image"),
            ("head.weight", "head"),
            ("fusion.gates.0.weight", "fusion.gates"),
            ("weight", "weight"),
        ] {
            assert_eq!(place(path), expected);
        }
    }
}
