//! `sensorium runs`: the runs below a folder, how far each is, and what it came to.

use std::path::Path;
use std::time::SystemTime;

use sensorium_recipe::{RunGlance, RunState, runs_below};

use crate::args::{Common, RunsArgs};
use crate::screen;

/// Lists runs, those that were changed last first.
pub fn run(args: &RunsArgs, common: &Common) -> anyhow::Result<()> {
    let runs = runs_below(&args.folder, args.all)?;
    if common.json {
        return screen::json(&serde_json::json!({ "runs": runs }));
    }
    if runs.is_empty() {
        let folder = args.folder.display();
        return screen::text(&format!(
            "no runs below {folder}: `sensorium train` makes one"
        ));
    }
    screen::text(&table(&runs, SystemTime::now()))
}

fn table(runs: &[RunGlance], now: SystemTime) -> String {
    let mut rows = vec![["run", "recipe", "state", "steps", "score", "changed"].map(str::to_owned)];
    rows.extend(runs.iter().map(|run| row(run, now)));
    let wide = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..6).map(wide).collect();
    let mut lines: Vec<String> = rows
        .iter()
        .map(|[path, recipe, state, steps, score, changed]| {
            let line = format!(
                "{path:<0$}  {recipe:<1$}  {state:<2$}  {steps:>3$}  {score:<4$}  {changed}",
                widths[0], widths[1], widths[2], widths[3], widths[4]
            );
            line.trim_end().to_owned()
        })
        .collect();
    let stopped = runs.iter().find(|run| run.state == RunState::Stopped);
    if let Some(run) = stopped {
        let path = run.path.display();
        lines.push(format!(
            "\ngo on with a stopped one by `sensorium train --resume {path}`"
        ));
    }
    for run in runs {
        if let RunState::Broken(why) = &run.state {
            lines.push(format!("\nbroken: {why}"));
        }
    }
    lines.join("\n")
}

fn row(run: &RunGlance, now: SystemTime) -> [String; 6] {
    let state = match run.state {
        RunState::Complete => "complete",
        RunState::Running => "running",
        RunState::Stopped => "stopped",
        RunState::Merged => "merged",
        RunState::Broken(_) => "broken",
    };
    let best = match run.state {
        RunState::Complete => "",
        _ => "best ",
    };
    let score = run.score.as_ref();
    [
        shown(&run.path),
        run.recipe.clone().unwrap_or_default(),
        state.to_owned(),
        run.steps.to_string(),
        score.map_or(String::new(), |score| {
            format!("{best}{} {}", score.name, score.spelled)
        }),
        run.changed.map_or(String::new(), |then| ago(then, now)),
    ]
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// How long ago, in its largest unit.
fn ago(then: SystemTime, now: SystemTime) -> String {
    let seconds = now.duration_since(then).map_or(0, |apart| apart.as_secs());
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    match count {
        1 => format!("1 {unit} ago"),
        n => format!("{n} {unit}s ago"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_told_in_their_largest_unit() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000_000);
        for (seconds, told) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (7_199, "1 hour ago"),
            (7_200, "2 hours ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(ago(now - Duration::from_secs(seconds), now), told);
        }
        assert_eq!(ago(now + Duration::from_secs(5), now), "just now");
    }
}
