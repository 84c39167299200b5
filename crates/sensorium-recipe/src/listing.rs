//! The runs below a folder, each at a glance: what a person looks for among many.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sensorium_eval::Metric;
use sensorium_train::RunLock;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::folder::{LARGEST_METRICS, RunFolder, read_json};
use crate::session::{BESIDE, PRETRAIN, STAGES};
use crate::{Error, RunMetrics};

/// How deep below a folder runs are looked for.
const DEEPEST: usize = 6;

/// How much of the end of a log is read.
const TAIL: u64 = 1 << 18;

/// A run at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct RunGlance {
    /// Its folder.
    pub path: PathBuf,
    /// What its recipe is called; nothing, if that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// How far it is.
    pub state: RunState,
    /// Steps taken, as far as is known.
    pub steps: u64,
    /// What it came to: on rows never seen if it is complete, else the best validation so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// When it last wrote what it came to.
    #[serde(skip)]
    pub changed: Option<SystemTime>,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// To its end.
    Complete,
    /// A trainer is at work.
    Running,
    /// It can be gone on with.
    Stopped,
    /// A model that was merged of a run's and additions to it: nothing was trained here.
    Merged,
    /// Something in it cannot be read: what, and why.
    Broken(String),
}

/// A number by its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Such as `accuracy`.
    pub name: String,
    /// The number.
    pub value: f64,
    /// As a person reads it.
    pub spelled: String,
}

/// All runs below `root`, or `root` itself, those that were changed last first. What a run has inside of it (`pretrain`,
/// `beside`) is listed `with_inner` alone.
///
/// # Errors
/// If `root` is no folder, or cannot be read.
pub fn runs_below(root: &Path, with_inner: bool) -> Result<Vec<RunGlance>, Error> {
    if !root.is_dir() {
        return Err(Error::folder(
            root,
            "is not a folder: runs are made by `sensorium train`",
        ));
    }
    let mut found = Vec::new();
    look(root, DEEPEST, with_inner, &mut found).map_err(|error| Error::folder(root, error))?;
    found.sort_by(|a, b| b.changed.cmp(&a.changed).then_with(|| a.path.cmp(&b.path)));
    Ok(found)
}

fn look(
    folder: &Path,
    deepest: usize,
    with_inner: bool,
    found: &mut Vec<RunGlance>,
) -> std::io::Result<()> {
    let is_run = folder.join("recipe.toml").is_file();
    if is_run {
        found.push(RunGlance::of(folder));
    }
    if deepest == 0 || (is_run && !with_inner) {
        return Ok(());
    }
    let inner = |path: &Path| {
        [PRETRAIN, STAGES, BESIDE]
            .iter()
            .any(|kept| path.ends_with(kept))
    };
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Not through links: they may lead round in circles.
        if entry.file_type()?.is_dir() && (!is_run || inner(&entry.path())) {
            // A folder that is gone or closed hides its own runs, and no others.
            let _ = look(&entry.path(), deepest - 1, with_inner, found);
        }
    }
    Ok(())
}

impl RunGlance {
    pub(crate) fn of(path: &Path) -> Self {
        let (metrics, log) = (path.join("metrics.json"), path.join("metrics.jsonl"));
        let is_complete = metrics.is_file();
        let newest = if is_complete { &metrics } else { &log };
        let folder = RunFolder::open(path).and_then(|folder| folder.recipe());
        let mut glance = Self {
            path: path.to_owned(),
            recipe: folder.as_ref().ok().map(|recipe| recipe.name.clone()),
            state: RunState::Stopped,
            steps: 0,
            score: None,
            changed: std::fs::metadata(newest)
                .or_else(|_| std::fs::metadata(path))
                .and_then(|of| of.modified())
                .ok(),
        };
        if let Err(error) = folder {
            glance.state = RunState::Broken(error.to_string());
        } else if is_complete {
            match read_json::<RunMetrics>(&metrics, LARGEST_METRICS) {
                Ok(metrics) => glance.complete(&metrics),
                Err(error) => glance.state = RunState::Broken(error.to_string()),
            }
        } else {
            if RunLock::is_held(path) {
                glance.state = RunState::Running;
            } else if RunFolder::is_merged(path) {
                glance.state = RunState::Merged;
            }
            glance.so_far(&tail(&log).unwrap_or_default());
        }
        glance
    }

    fn complete(&mut self, metrics: &RunMetrics) {
        self.state = RunState::Complete;
        self.steps = metrics.steps as u64;
        self.score = match metrics.summary() {
            Some(summary) => summary.value.map(|value| Score {
                name: summary.metric.name().to_owned(),
                value,
                spelled: summary.metric.spelled(value),
            }),
            None => {
                let loss = metrics.scores.get("loss");
                loss.map(|loss| Score::plain("loss", *loss))
            }
        };
    }

    /// What the end of the log says.
    fn so_far(&mut self, log: &str) {
        // A first line that was cut, or a last one that is being written, is no JSON.
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for line in lines {
            self.steps = line["step"].as_u64().unwrap_or(self.steps);
            if let Some(score) = best(&line) {
                self.score = Some(score);
            }
        }
    }
}

/// The best validation so far, in a line that tells one.
fn best(line: &Value) -> Option<Score> {
    let best = line.get("best")?;
    // Written as text, since it may be no number.
    let value = best.get("value")?.as_str()?.parse().ok()?;
    let name = best.get("metric")?.as_str()?;
    Some(Score::named(name, value))
}

impl Score {
    /// A validation's score, as a person reads one of its name.
    pub(crate) fn named(name: &str, value: f64) -> Self {
        match name {
            "exact_match" => Self {
                spelled: Metric::ExactMatch.spelled(value),
                ..Self::plain(name, value)
            },
            "accuracy" => Self {
                spelled: Metric::Accuracy.spelled(value),
                ..Self::plain(name, value)
            },
            _ => Self::plain(name, value),
        }
    }

    fn plain(name: &str, value: f64) -> Self {
        Self {
            name: name.to_owned(),
            value,
            spelled: format!("{value:.3}"),
        }
    }
}

/// The end of a log.
pub(crate) fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
