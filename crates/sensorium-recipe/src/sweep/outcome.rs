//! What came of a sweep's runs, and which did best.

use std::cmp::Ordering;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use sensorium_train::{Better, Weights};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Setting;
use crate::Error;
use crate::listing::{RunGlance, Score, tail};

/// A sweep that was done.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// Its folder.
    pub root: PathBuf,
    /// Its runs, the best validation first.
    pub runs: Vec<SweptRun>,
}

/// A run of a sweep.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SweptRun {
    /// Its folder and the keys that it sets.
    #[serde(flatten)]
    pub setting: Setting,
    /// What its weights validated at: what runs are compared by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Score>,
    /// Whether the validation is better the higher or the lower it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub better: Option<Better>,
    /// What it came to on rows never seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Score>,
    /// Steps taken.
    pub steps: u64,
    /// Why it did not come to its end, if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Whether an error is the fault of a run's own settings, so that others may fare better.
pub(super) fn is_its_own(error: &Error) -> bool {
    matches!(
        error,
        Error::Collapsed(_) | Error::Train(sensorium_train::Error::NonFinite { .. })
    )
}

impl SweptRun {
    pub(super) fn of(
        root: &Path,
        setting: &Setting,
        weights: Weights,
        error: Option<String>,
    ) -> Self {
        let folder = root.join(&setting.folder);
        let glance = RunGlance::of(&folder);
        let log = tail(&folder.join("metrics.jsonl")).unwrap_or_default();
        let judged = match error {
            None => judged(&log, weights),
            Some(_) => None,
        };
        let (validation, better) = judged.unzip();
        Self {
            setting: setting.clone(),
            validation,
            better,
            test: glance.score.filter(|_| error.is_none()),
            steps: glance.steps,
            error,
        }
    }

    /// The best validation first; runs without one last, in their own order.
    pub(super) fn better_first(&self, other: &Self) -> Ordering {
        let value = |run: &Self| {
            let sign = match run.better? {
                Better::Higher => -1.0,
                Better::Lower => 1.0,
            };
            Some(sign * run.validation.as_ref()?.value)
        };
        let by_value = match (value(self), value(other)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        by_value.then_with(|| self.setting.folder.cmp(&other.setting.folder))
    }
}

/// What the weights that a run kept validated at, by the score that it goes by.
fn judged(log: &str, weights: Weights) -> Option<(Score, Better)> {
    let lines = log.lines().rev();
    let mut lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let last = lines.find(|line| line["kind"] == "validation")?;
    let best = &last["best"];
    let name = best["metric"].as_str()?;
    let better = serde_json::from_value(best["better"].clone()).ok()?;
    let value = match weights {
        Weights::Best => best["value"].as_str()?.parse().ok()?,
        Weights::Last => {
            let mut scores = last["scores"].as_array()?.iter();
            scores.find(|score| score["name"] == name)?["value"].as_f64()?
        }
    };
    Some((Score::named(name, value), better))
}

impl Sweep {
    /// The runs as a table, the best first.
    pub fn table(&self) -> String {
        let told = |score: &Option<Score>| match score {
            Some(score) => format!("{} {}", score.name.replace('_', " "), score.spelled),
            None => "-".to_owned(),
        };
        let mut rows = vec![["run", "validation", "test", "settings"].map(str::to_owned)];
        rows.extend(self.runs.iter().map(|run| {
            let validation = match run.error {
                Some(_) => "failed".to_owned(),
                None => told(&run.validation),
            };
            let sets = run.setting.sets.join("  ");
            [
                run.setting.folder.clone(),
                validation,
                told(&run.test),
                sets,
            ]
        }));
        let wide = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let [run, validation, test] = [wide(0), wide(1), wide(2)];
        let mut text = String::new();
        for row in &rows {
            let _ = writeln!(
                text,
                "{:<run$}  {:<validation$}  {:<test$}  {}",
                row[0], row[1], row[2], row[3]
            );
        }
        for run in &self.runs {
            if let Some(error) = &run.error {
                let _ = writeln!(text, "{} failed: {error}", run.setting.folder);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"{"kind":"validation","step":2,"scores":[{"name":"accuracy","value":0.5,"better":"higher"}],"best":{"metric":"accuracy","value":"0.5","better":"higher"}}
{"kind":"validation","step":4,"scores":[{"name":"loss","value":1.5,"better":"lower"},{"name":"accuracy","value":0.25,"better":"higher"}],"best":{"metric":"accuracy","value":"0.5","better":"higher"}}
{"kind":"step","step":5}
"#;

    #[test]
    fn a_run_is_judged_by_the_weights_that_it_kept() {
        let value = |weights| judged(LOG, weights).map(|(score, better)| (score.value, better));
        assert_eq!(value(Weights::Best), Some((0.5, Better::Higher)));
        assert_eq!(value(Weights::Last), Some((0.25, Better::Higher)));
        assert!(judged("", Weights::Best).is_none());
        assert!(judged("{\"kind\":\"validation\"}", Weights::Best).is_none());
    }

    #[test]
    fn the_best_comes_first_whichever_way_is_better() {
        let run = |folder: &str, value: Option<f64>, better| SweptRun {
            setting: Setting {
                folder: folder.to_owned(),
                sets: vec![format!("a={folder}")],
            },
            validation: value.map(|value| Score::named("loss", value)),
            better: value.map(|_| better),
            test: None,
            steps: 1,
            error: value.is_none().then(|| "broke down".to_owned()),
        };
        for (better, expected) in [
            (Better::Lower, ["2", "1", "4", "3"]),
            (Better::Higher, ["4", "1", "2", "3"]),
        ] {
            let mut runs = vec![
                run("1", Some(2.0), better),
                run("2", Some(1.0), better),
                run("3", None, better),
                run("4", Some(3.0), better),
            ];
            runs.sort_by(SweptRun::better_first);
            let order: Vec<&str> = runs.iter().map(|run| run.setting.folder.as_str()).collect();
            assert_eq!(order, expected);
            let root = PathBuf::from("sweep");
            let table = Sweep { root, runs }.table();
            let last = table.lines().last().unwrap();
            assert_eq!(last, "3 failed: broke down");
        }
    }
}
