//! Many runs of one recipe with keys set to other values, to see which do best. Each is a run's folder below the sweep's.
//!
//! The folder holds `sweep.json` (what is tried where, the recipe, and what came of it), `table.txt`, and the runs. Several processes train one
//! run after another together, as they train any: rank 0 has the folder.

mod outcome;
mod space;

use std::path::{Path, PathBuf};

use sensorium_train::{RunLock, Together, Weights};
use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::folder::{LARGEST_METRICS, json_text, read_json};
use crate::{Error, Observer, Options, Recipe, session};
pub use outcome::{Sweep, SweptRun};
use space::Axis;
pub use space::Setting;

/// Says what is tried where, and what came of it.
const PLAN: &str = "sweep.json";

/// What came of them, for people.
const TABLE: &str = "table.txt";

/// What a sweep tries.
#[derive(Clone, Debug, Default)]
pub struct Space {
    /// `KEY=V1,V2,…`: every value with every other.
    pub grid: Vec<String>,
    /// `KEY=LOW..HIGH`, `KEY=log:LOW..HIGH` or `KEY=V1,V2,…`: drawn for each run.
    pub random: Vec<String>,
    /// How many runs; needed where something is drawn.
    pub runs: Option<usize>,
    /// What is drawn by.
    pub seed: u64,
}

/// `sweep.json`
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Plan {
    settings: Vec<Setting>,
    /// What all runs have in common, as TOML.
    recipe: String,
    /// What came of those that are done, the best first.
    #[serde(default)]
    runs: Vec<SweptRun>,
}

impl Space {
    /// The runs there are to do.
    ///
    /// # Errors
    /// What is not understood, or nothing to try.
    pub fn settings(&self) -> Result<Vec<Setting>, Error> {
        type Axes = Result<Vec<Axis>, Error>;
        let grid = self.grid.iter().map(|text| Axis::grid(text));
        let random = self.random.iter().map(|text| Axis::random(text));
        let (grid, random) = (grid.collect::<Axes>()?, random.collect::<Axes>()?);
        space::settings(&grid, &random, self.runs, self.seed)
    }
}

/// Trains each setting of a recipe, or those that are left of a sweep that was begun in this folder. A run whose loss
/// breaks down is told and passed over; all else that goes wrong ends the sweep, which can be gone on with.
///
/// # Errors
/// If a setting does not fit the recipe, the folder holds another sweep or anything else, or as [`train`](crate::train).
pub fn sweep(
    mut recipe: Recipe,
    space: &Space,
    out: Option<&Path>,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Sweep, Error> {
    session::make_absolute(&mut recipe);
    let settings = space.settings()?;
    // Mistakes are told before anything is trained.
    let recipes: Vec<Recipe> = settings
        .iter()
        .map(|setting| recipe.tried(&setting.sets))
        .collect::<Result<_, Error>>()?;
    let ranks = &options.ranks;
    recipes
        .iter()
        .try_for_each(|recipe| session::check_together(recipe, ranks))?;
    let root = match out {
        Some(out) => out.to_owned(),
        None => Path::new("runs").join(format!("{}-sweep", recipe.name)),
    };
    let mut plan = Plan {
        settings,
        recipe: recipe.to_toml(),
        runs: Vec::new(),
    };
    let _lock = plan.begin(&root, ranks)?;
    let count = recipes.len();
    for (at, recipe) in recipes.into_iter().enumerate() {
        let setting = &plan.settings[at];
        observer.note(&format!(
            "{} of {count}: {}",
            at + 1,
            setting.sets.join(" ")
        ));
        let path = root.join(&setting.folder);
        let weights = recipe.train.weights;
        let error = match session::run_within(&path, || Ok(recipe), options, observer) {
            Ok(_) => None,
            Err(error) if outcome::is_its_own(&error) => {
                observer.note(&format!("{}: {error}", setting.folder));
                Some(error.to_string())
            }
            Err(error) => return Err(error),
        };
        ranks.once(|| plan.tell(at, weights, error, &root))?;
    }
    let runs = ranks.once_json(|| {
        let done = Sweep {
            root: root.clone(),
            runs: plan.runs,
        };
        sensorium_train::write_file(&root.join(TABLE), done.table().as_bytes())?;
        Ok::<_, Error>(done.runs)
    })?;
    Ok(Sweep { root, runs })
}

/// Takes up a sweep that was begun, if it is this one or the beginning of it.
fn go_on(root: &Path, now: &Plan) -> Result<RunLock, Error> {
    let lock = RunLock::acquire(root)?;
    let path: PathBuf = root.join(PLAN);
    let old: Plan = read_json(&path, LARGEST_METRICS)?;
    let what = if old.recipe != now.recipe {
        "another recipe"
    } else if !now.settings.starts_with(&old.settings) {
        "other settings"
    } else {
        return Ok(lock);
    };
    Err(Error::folder(
        path,
        format!("holds a sweep of {what}: name the same ones, or another --out"),
    ))
}

impl Plan {
    /// Makes the sweep's folder, or takes it up; rank 0 alone has its lock.
    fn begin(&self, root: &Path, ranks: &Together) -> Result<Option<RunLock>, Error> {
        let mut lock = None;
        ranks.once(|| {
            lock = Some(match root.join(PLAN).is_file() {
                true => go_on(root, self)?,
                false => {
                    let claim = Claim::new(Some(root), "sweep")?;
                    claim.begin_with(PLAN, &self.text()?)?.1
                }
            });
            Ok::<_, Error>(())
        })?;
        Ok(lock)
    }

    /// Writes down what came of a run.
    fn tell(
        &mut self,
        at: usize,
        weights: Weights,
        error: Option<String>,
        root: &Path,
    ) -> Result<(), Error> {
        let run = SweptRun::of(root, &self.settings[at], weights, error);
        self.runs.push(run);
        self.runs.sort_by(SweptRun::better_first);
        Ok(sensorium_train::write_file(
            &root.join(PLAN),
            &self.text()?,
        )?)
    }

    fn text(&self) -> Result<Vec<u8>, Error> {
        json_text(PLAN, self)
    }
}
