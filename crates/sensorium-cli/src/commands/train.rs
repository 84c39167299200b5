//! `sensorium train`: a run from its recipe, or the rest of one that was stopped.

use std::fmt::Write;
use std::path::Path;

use sensorium_data::OnError;
use sensorium_eval::{Metric, group_table};
use sensorium_recipe::{
    Finished, LeftOut, Recipe, RunMetrics, holds_left_out, leave_out, resume, resume_left_out,
};

use crate::args::{Common, OnErrorArg, TrainArgs};
use crate::commands::dry_run;
use crate::progress::Progress;
use crate::screen;
use crate::together::Others;

/// Trains, evaluates, and says where the report is.
pub fn run(args: &TrainArgs, common: &Common) -> anyhow::Result<()> {
    let others = Others::find()?;
    let done = train(args, common, &others);
    others.done(done)
}

fn train(args: &TrainArgs, common: &Common, others: &Others) -> anyhow::Result<()> {
    let mut progress = Progress::new(common.quiet || !others.tells());
    let recipe = match &args.resume {
        None => {
            let data = args.data.as_deref();
            Some(recipe(&args.recipe, &args.set, data, args.on_error)?)
        }
        Some(_) => None,
    };
    let opened = others.open(common.backend)?;
    let options = others.options(&opened);
    progress.line(&format!("{} on {}", what(args), others.place(&opened)));
    if let (Some(recipe), true) = (&recipe, args.dry_run) {
        return dry_run::run(recipe.clone(), &options, &mut progress, common);
    }
    // The folder may be on the first process's machine alone.
    let left_out = options.ranks.once(|| {
        let run = args.resume.as_deref();
        Ok::<_, sensorium_recipe::Error>(run.is_some_and(holds_left_out))
    })?;
    let done = match (recipe, &args.leave_out, &args.resume) {
        (Some(recipe), Some(column), _) => {
            let out = args.out.as_deref();
            Done::Many(leave_out(recipe, column, out, &options, &mut progress)?)
        }
        (Some(recipe), None, _) => {
            let out = args.out.as_deref();
            let finished = sensorium_recipe::train(recipe, out, &options, &mut progress)?;
            Done::One(Box::new(finished))
        }
        (None, _, Some(run)) if left_out => {
            Done::Many(resume_left_out(run, &options, &mut progress)?)
        }
        (None, _, Some(run)) => Done::One(Box::new(resume(run, &options, &mut progress)?)),
        (None, _, None) => unreachable!("a run is either new or resumed"),
    };
    if !others.tells() {
        return Ok(());
    }
    match (done, common.json) {
        (Done::One(finished), true) => screen::json(&serde_json::json!({
            "run": finished.folder.path(),
            "report": finished.folder.report_path(),
            "metrics": finished.metrics,
        })),
        (Done::One(finished), false) => screen::text(&describe(&finished)),
        (Done::Many(left_out), true) => {
            let mut summary = left_out.summary();
            summary["run"] = serde_json::json!(left_out.root);
            screen::json(&summary)
        }
        (Done::Many(left_out), false) => screen::text(&describe_all(&left_out)),
    }
}

/// What a command ends in: a run, or one for each group that was left out.
enum Done {
    One(Box<Finished>),
    Many(LeftOut),
}

fn what(args: &TrainArgs) -> String {
    match &args.resume {
        Some(run) => format!("going on with {}", run.display()),
        None if args.dry_run => format!("trying out {}", args.recipe),
        None => format!("training {}", args.recipe),
    }
}

/// The recipe with what the command line changes in it.
pub(super) fn recipe(
    name: &str,
    sets: &[String],
    data: Option<&Path>,
    on_error: Option<OnErrorArg>,
) -> anyhow::Result<Recipe> {
    let mut recipe = Recipe::open(name, sets)?;
    if let Some(path) = data {
        recipe.data.set = None;
        recipe.data.path = Some(path.to_owned());
    }
    if let Some(on_error) = on_error {
        recipe.data.on_error = on_error.into();
    }
    Ok(recipe)
}

impl From<OnErrorArg> for OnError {
    fn from(arg: OnErrorArg) -> Self {
        match arg {
            OnErrorArg::Fail => Self::Fail,
            OnErrorArg::Skip => Self::Skip,
        }
    }
}

fn describe(finished: &Finished) -> String {
    let metrics = &finished.metrics;
    let ablation = metrics.ablation.as_ref();
    let mut text = screen::measured(
        metrics.test.as_ref(),
        metrics.multi_label.as_ref(),
        metrics.regression.as_ref(),
        metrics.text.as_ref(),
        ablation,
    );
    text.truncate(text.trim_end().len());
    for part in [
        screen::unlabelled(&metrics.scores, &metrics.search, &metrics.told),
        beside(metrics),
    ] {
        if !part.is_empty() {
            text.push_str(if text.is_empty() { "" } else { "\n\n" });
            text.push_str(part.trim_end());
        }
    }
    let _ = write!(
        text,
        "\n\n{} parameters, {} steps in {} on {}",
        metrics.parameters,
        metrics.steps,
        screen::seconds(metrics.train_seconds),
        metrics.backend
    );
    if metrics.skipped_rows > 0 {
        let _ = write!(
            text,
            "\n{} bad rows left out: {}",
            metrics.skipped_rows,
            finished.folder.path().join("skipped.jsonl").display()
        );
    }
    let _ = write!(
        text,
        "\nreport  {}",
        finished.folder.report_path().display()
    );
    let _ = write!(text, "\nmodel   {}", finished.folder.model_path().display());
    text
}

/// What the recipe's variations came to, and how far the run itself is from each.
fn beside(metrics: &RunMetrics) -> String {
    let widest = metrics.beside.iter().map(|other| other.name.len()).max();
    let mut text = String::new();
    for other in &metrics.beside {
        let width = widest.unwrap_or(0);
        let own = metrics.summary().unwrap_or_default();
        let (Some(value), Some(found)) = (own.value, other.value(own.metric)) else {
            continue;
        };
        let (name, apart) = (own.metric.name(), value - found);
        let _ = match own.metric {
            Metric::R2 => writeln!(
                text,
                "beside  {:width$}  {name} {found:.3}, this run {apart:+.3}",
                other.name
            ),
            _ => writeln!(
                text,
                "beside  {:width$}  {name} {:5.1} %, this run {:+.1} points",
                other.name,
                100.0 * found,
                100.0 * apart
            ),
        };
    }
    text
}

fn describe_all(left_out: &LeftOut) -> String {
    let runs = left_out.runs.iter();
    let groups: Vec<_> = runs
        .map(|run| (run.left_out.as_str(), run.metrics.test.as_ref()))
        .filter_map(|(name, test)| Some((name, test?)))
        .collect();
    let seconds = left_out.runs.iter().map(|run| run.metrics.train_seconds);
    format!(
        "{}\n{} runs, trained in {}: {}",
        group_table(&left_out.column, &groups),
        groups.len(),
        screen::seconds(seconds.sum()),
        left_out.root.display()
    )
}
