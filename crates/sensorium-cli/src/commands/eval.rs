//! `sensorium eval`: a trained model on a part of its data, or on other data.

use burn::tensor::Device;
use sensorium_recipe::{Part, RunEmbedder, RunFolder, SavedModel};

use crate::args::{Common, EvalArgs, SplitArg};
use crate::progress::Progress;
use crate::{Misuse, screen};

/// Measures a model and prints its numbers.
pub fn run(args: &EvalArgs, common: &Common) -> anyhow::Result<()> {
    let recipe = RunFolder::open(&args.run)?.recipe()?;
    let device = sensorium_runtime::open(common.backend)?;
    let mut progress = Progress::new(common.quiet);
    match recipe.objective.kind.has_classes() {
        true => answers(args, common, &device, &mut progress),
        false => unlabelled(args, common, &device, &mut progress),
    }
}

/// Of a model that answers.
fn answers(
    args: &EvalArgs,
    common: &Common,
    device: &Device,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    let model = SavedModel::open(&args.run, device)?;
    let measured = model.measure(
        args.data.as_deref(),
        args.split.map(part),
        &args.drop,
        args.on_error.map(Into::into),
        progress,
    )?;
    if common.json {
        return screen::json(&measured);
    }
    let text = screen::measured(
        measured.test.as_ref(),
        measured.multi_label.as_ref(),
        measured.regression.as_ref(),
        measured.text.as_ref(),
        Some(&measured.ablation),
    );
    screen::text(&with_skipped(text, measured.skipped_rows))
}

/// Of one that learned without labels.
fn unlabelled(
    args: &EvalArgs,
    common: &Common,
    device: &Device,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    if let Some(name) = args.drop.first() {
        let problem = format!("--drop {name} has no effect: the run learned without labels");
        return Err(Misuse(problem).into());
    }
    let model = RunEmbedder::open(&args.run, device)?;
    let measured = model.measure(
        args.data.as_deref(),
        args.split.map(part),
        args.on_error.map(Into::into),
        progress,
    )?;
    if common.json {
        return screen::json(&measured);
    }
    let text = screen::unlabelled(&measured.scores, &measured.search, &measured.told);
    screen::text(&with_skipped(text, measured.skipped_rows))
}

fn with_skipped(mut text: String, rows: usize) -> String {
    if rows > 0 {
        text.push_str(&format!("\n{rows} rows left out (--json lists them)"));
    }
    text
}

fn part(split: SplitArg) -> Part {
    match split {
        SplitArg::Train => Part::Train,
        SplitArg::Valid => Part::Valid,
        SplitArg::Test => Part::Test,
        SplitArg::All => Part::All,
    }
}
