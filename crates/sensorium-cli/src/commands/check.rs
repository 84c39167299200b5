//! `sensorium data check`: what a data set holds, and what is wrong with it.

use std::fmt::Write;

use sensorium_recipe::{Alike, PartSummary, Recipe, Survey, survey};

use super::convert::columns;
use crate::args::Common;
use crate::args::data::CheckArgs;
use crate::progress::Progress;
use crate::screen;

/// How many broken inputs and labels are shown; `--json` has all.
const SHOWN: usize = 20;

pub fn run(args: &CheckArgs, common: &Common) -> anyhow::Result<()> {
    let recipe = args.recipe.as_deref().map(|name| Recipe::open(name, &[]));
    let recipe = recipe.transpose()?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut progress = Progress::new(common.quiet);
    let columns = columns(&args.columns);
    let found = survey(
        &args.data,
        &columns,
        recipe.as_ref(),
        threads,
        &mut progress,
    )?;
    match common.json {
        true => screen::json(&found)?,
        false => screen::text(&told(&found))?,
    }
    match found.broken.len() {
        0 => Ok(()),
        1 => anyhow::bail!("{}: 1 row or file is broken", found.data),
        n => anyhow::bail!("{}: {n} rows or files are broken", found.data),
    }
}

fn told(found: &Survey) -> String {
    let mut text = format!("{}: {} good rows\n", found.data, found.rows);
    for note in &found.notes {
        let _ = writeln!(text, "note: {note}");
    }
    for set in &found.data_sets {
        let weight = set
            .weight
            .map(|weight| format!(", drawn with weight {weight}"));
        let (name, rows) = (&set.name, set.rows);
        let _ = writeln!(text, "of {name}: {rows} rows{}", weight.unwrap_or_default());
    }
    text.push('\n');
    for part in &found.parts {
        let _ = writeln!(text, "{}", part_line(part));
    }
    for (modality, input) in &found.inputs {
        let _ = write!(text, "\n{modality}: {}", input.count);
        for (what, spread) in &input.sizes {
            let what = what.replace('_', " ");
            let [min, median, max] = [spread.min, spread.median, spread.max].map(number);
            let _ = write!(
                text,
                "\n  {what:<10} {min} least, {median} in the middle, {max} most"
            );
        }
        text.push('\n');
    }
    text.push('\n');
    let _ = writeln!(text, "{}", alike_line("duplicates", &found.duplicates));
    if found.differently_labelled > 0 {
        let _ = writeln!(
            text,
            "  of these with different labels: {}",
            found.differently_labelled
        );
    }
    for (modality, alike) in &found.near {
        let _ = writeln!(
            text,
            "{}",
            alike_line(&format!("nearly the same {modality}"), alike)
        );
    }
    for leak in &found.leaks {
        let what = format!("in {} and in training, {}", leak.part, leak.what);
        let _ = writeln!(text, "{}", alike_line(&what, &leak.alike));
    }
    let _ = writeln!(text, "broken: {}", found.broken.len());
    for bad in found.broken.iter().take(SHOWN) {
        let _ = writeln!(text, "  {}", bad.to_string().replace(char::is_control, " "));
    }
    if found.broken.len() > SHOWN {
        text.push_str("  … (all of them with --json)\n");
    }
    text
}

/// A part with its labels, the most frequent first.
fn part_line(part: &PartSummary) -> String {
    let mut labels: Vec<(&String, &usize)> = part.labels.iter().collect();
    labels.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let shown = labels
        .iter()
        .take(SHOWN)
        .map(|(label, n)| format!("{label} {n}"));
    let mut shown: Vec<String> = shown.collect();
    if labels.len() > SHOWN {
        shown.push(format!("… of {} labels", labels.len()));
    }
    if part.unlabelled > 0 {
        shown.push(format!("without a label {}", part.unlabelled));
    }
    let shown = shown.join(", ").replace(char::is_control, " ");
    format!("{:<6} {} rows: {shown}", part.name, part.rows)
}

fn alike_line(what: &str, alike: &Alike) -> String {
    let first = alike
        .first
        .iter()
        .map(|[one, other]| format!("{one} and {other}"));
    let first: Vec<String> = first.take(3).collect();
    let shown = match (first.is_empty(), alike.rows > first.len()) {
        (true, _) => String::new(),
        (_, more) => format!(" ({}{})", first.join("; "), if more { "; …" } else { "" }),
    };
    format!(
        "{what}: {}{}",
        alike.rows,
        shown.replace(char::is_control, " ")
    )
}

fn number(value: f64) -> String {
    match value.fract() == 0.0 {
        true => format!("{value}"),
        false => format!("{value:.2}"),
    }
}
