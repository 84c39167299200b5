//! Leaving one group out at a time: a run for each group, which learns from all others and is tested on that one. Who is never
//! heard in training is how a model of speakers, patients or places has to be judged.
//!
//! The folder holds `folds.json` (what is left out where, and the recipe), a run's folder for each group, and in the end
//! `metrics.json`. Several processes train one run after another together, as they train any: rank 0 has the folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sensorium_data::Take;
use sensorium_eval::mean;
use sensorium_train::RunLock;
use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::dataset::Dataset;
use crate::folder::{LARGEST, json_text, read_json};
use crate::labels::LabelKind;
use crate::{Error, Observer, Options, Recipe, RunFolder, RunMetrics, session};

/// Says which groups are left out in which folder.
const FOLDS: &str = "folds.json";

/// `folds.json`
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Folds {
    column: String,
    folds: Vec<Fold>,
    /// What all runs have in common.
    recipe: Recipe,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fold {
    left_out: String,
    folder: String,
}

/// Runs that each were tested on one group.
#[derive(Debug)]
pub struct LeftOut {
    /// The folder that holds them all.
    pub root: PathBuf,
    /// The column that groups are told by.
    pub column: String,
    /// A run for each group.
    pub runs: Vec<LeftOutRun>,
}

/// A run that was tested on one group.
#[derive(Debug)]
pub struct LeftOutRun {
    /// The group that it never saw in training.
    pub left_out: String,
    /// Its folder.
    pub folder: RunFolder,
    /// Its numbers.
    pub metrics: RunMetrics,
}

impl LeftOut {
    /// The mean of the groups' accuracies, in which each group counts alike.
    pub fn mean_accuracy(&self) -> Option<f64> {
        mean(self.runs.iter().map(|run| run.metrics.accuracy()))
    }

    /// The mean of the groups' macro F1.
    pub fn mean_macro_f1(&self) -> Option<f64> {
        mean(self.runs.iter().map(|run| run.metrics.macro_f1()))
    }

    /// What stands in `metrics.json`.
    pub fn summary(&self) -> serde_json::Value {
        let of = |run: &LeftOutRun| {
            serde_json::json!({
                "left_out": run.left_out,
                "run": run.folder.path(),
                "n": run.metrics.test.as_ref().map(|test| test.n),
                "accuracy": run.metrics.accuracy(),
                "macro_f1": run.metrics.macro_f1(),
            })
        };
        serde_json::json!({
            "column": self.column,
            "mean_accuracy": self.mean_accuracy(),
            "mean_macro_f1": self.mean_macro_f1(),
            "groups": self.runs.iter().map(of).collect::<Vec<_>>(),
        })
    }

    /// Writes `metrics.json`: last, because its presence says that all is complete.
    fn write(&self) -> Result<(), Error> {
        let path = self.root.join("metrics.json");
        let text = json_text(&self.root, &self.summary())?;
        Ok(sensorium_train::write_file(&path, &text)?)
    }
}

/// Trains once for each value of a column, on all rows of other values, and tests on those of this one. `data.split.valid` parts
/// what is left.
///
/// # Errors
/// As [`train`](crate::train), or if the column has fewer than two values or is missing somewhere.
pub fn leave_out(
    mut recipe: Recipe,
    column: &str,
    out: Option<&Path>,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<LeftOut, Error> {
    session::make_absolute(&mut recipe);
    recipe.data.split.by = Some(column.to_owned());
    let refuse = |message: &str| Error::Recipe {
        place: format!("--leave-out {column}"),
        message: message.to_owned(),
    };
    if !recipe
        .objective
        .kind
        .labels()
        .is_some_and(LabelKind::is_class)
    {
        return Err(refuse(&format!(
            "compares shares of right answers, and objective.kind = {:?} has none: name one group at a time in data.split.test",
            recipe.objective.kind.name()
        )));
    }
    if matches!(recipe.data.split.valid, Take::Groups(_)) {
        let message = "data.split.valid names groups, each of which is to be tested on: make it a share, such as 0";
        return Err(refuse(message));
    }
    let ranks = &options.ranks;
    session::check_together(&recipe, ranks)?;
    let mut claim = None;
    let (root, groups) = ranks.once(|| {
        let claim = claim.insert(Claim::new(out, &recipe.name)?);
        let data = Dataset::open(&recipe, None, None)?;
        let groups = recipe.data.split().groups(&data.table.rows)?;
        match groups.len() {
            0 | 1 => Err(refuse(
                "there is one group alone, and nothing left to learn from",
            )),
            _ => Ok::<_, Error>((claim.root().to_owned(), groups)),
        }
    })?;
    let folders = folder_names(&groups);
    let pairs = groups.into_iter().zip(folders);
    let folds = Folds {
        column: column.to_owned(),
        folds: pairs
            .map(|(left_out, folder)| Fold { left_out, folder })
            .collect(),
        recipe,
    };
    let mut lock = None;
    ranks.once(|| {
        let Some(claim) = claim else { return Ok(()) };
        lock = Some(claim.begin_with(FOLDS, &json_text(FOLDS, &folds)?)?.1);
        Ok::<_, Error>(())
    })?;
    run(folds, &root, lock, options, observer)
}

/// Goes on with runs that were stopped: those that are complete stay, the others are gone on with or begun.
///
/// # Errors
/// If the folder holds none, all are complete, or as [`resume`](crate::resume).
pub fn resume_left_out(
    root: &Path,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<LeftOut, Error> {
    let mut lock = None;
    let folds = options.ranks.once_json(|| {
        let (folds, locked) = begun(root)?;
        lock = Some(locked);
        Ok::<_, Error>(folds)
    })?;
    run(folds, root, lock, options, observer)
}

/// What was begun in a folder, which is this process's from now on.
fn begun(root: &Path) -> Result<(Folds, RunLock), Error> {
    let path = root.join(FOLDS);
    let folds: Folds = read_json(&path, LARGEST)?;
    let lock = RunLock::acquire(root)?;
    if root.join("metrics.json").is_file() {
        return Err(Error::folder(
            root,
            "is complete: there is nothing to resume (see the report.html of its runs)",
        ));
    }
    // The file may have been written by anyone.
    let names: Vec<String> = folds
        .folds
        .iter()
        .map(|fold| fold.left_out.clone())
        .collect();
    let expected = folder_names(&names);
    if names.len() < 2 || folds.folds.iter().map(|fold| &fold.folder).ne(&expected) {
        return Err(Error::folder(
            path,
            "folders are not named after their groups",
        ));
    }
    let recipe = folds.recipe.validate();
    recipe.map_err(|message| Error::folder(path, format!("recipe: {message}")))?;
    Ok((folds, lock))
}

/// Whether a folder holds runs that leave out a group each.
pub fn holds_left_out(root: &Path) -> bool {
    root.join(FOLDS).is_file()
}

fn run(
    folds: Folds,
    root: &Path,
    _lock: Option<RunLock>,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<LeftOut, Error> {
    let count = folds.folds.len();
    let mut runs = Vec::with_capacity(count);
    for (n, Fold { left_out, folder }) in folds.folds.into_iter().enumerate() {
        let column = &folds.column;
        observer.note(&format!(
            "{} of {count}: without {column} {left_out}",
            n + 1
        ));
        let path = root.join(folder);
        let recipe = || {
            let mut recipe = folds.recipe.clone();
            recipe.data.split.test = Take::Groups(vec![left_out.clone()]);
            Ok(recipe)
        };
        let metrics = session::run_within(&path, recipe, options, observer)?;
        runs.push(LeftOutRun {
            left_out,
            folder: match options.ranks.writes() {
                true => RunFolder::open(&path)?,
                false => RunFolder::followed(&path),
            },
            metrics,
        });
    }
    let done = LeftOut {
        root: root.to_owned(),
        column: folds.column,
        runs,
    };
    options.ranks.once(|| done.write())?;
    Ok(done)
}

/// A folder's name for each group: its own, with what no folder may be called replaced, and a number where two would be one.
fn folder_names(groups: &[String]) -> Vec<String> {
    let mut taken = BTreeSet::from([FOLDS.to_owned(), "metrics.json".to_owned()]);
    let mut name_of = |group: &String| {
        let safe = |c: char| {
            if c.is_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        };
        let name: String = group.chars().map(safe).take(60).collect();
        // `.` and `..` are other folders, and hidden ones are overlooked.
        let name = match name.trim_start_matches('.') {
            "" => "_",
            name => name,
        };
        let mut free = name.to_owned();
        let mut n = 1;
        // File systems may take large letters for small ones.
        while !taken.insert(free.to_lowercase()) {
            n += 1;
            free = format!("{name}-{n}");
        }
        free
    };
    groups.iter().map(&mut name_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_has_a_folder_of_its_own() {
        let groups = ["theo", "Theo", "a/b", "a b", "..", ".", "", "ä", "theo-2"];
        let groups = groups.map(str::to_owned);
        let expected = [
            "theo", "Theo-2", "a_b", "a_b-2", "_", "_-2", "_-3", "ä", "theo-2-2",
        ];
        assert_eq!(folder_names(&groups), expected);
        let long = folder_names(&["x".repeat(500), "x".repeat(501)]);
        assert_eq!(long, ["x".repeat(60), "x".repeat(60) + "-2"]);
        let reserved = folder_names(&["metrics.json".to_owned(), "folds.json".to_owned()]);
        assert!(
            reserved
                .iter()
                .all(|name| !["metrics.json", FOLDS].contains(&name.as_str()))
        );
    }
}
