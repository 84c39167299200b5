//! A run that several processes train together: rank 0 has the folder, and the others follow.

use std::path::{Path, PathBuf};

use sensorium_train::{RunLock, Together};
use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::{Error, Recipe, RunFolder};

/// Refuses what several processes cannot do together.
pub(crate) fn check(recipe: &Recipe, ranks: &Together) -> Result<(), Error> {
    if ranks.is_alone() {
        return Ok(());
    }
    let size = ranks.size();
    let refuse = |place: &str, message: String| {
        Err(Error::Recipe {
            place: place.to_owned(),
            message,
        })
    };
    if recipe.batch.size < size {
        let message = format!(
            "batch.size = {} is shared by {size} processes: make it at least {size}, or start fewer",
            recipe.batch.size
        );
        return refuse("[batch]", message);
    }
    Ok(())
}

/// A new run's folder on all ranks: rank 0 has claimed it.
pub(super) struct Begun {
    claim: Option<Claim>,
    pub(super) folder: RunFolder,
    pub(super) lock: Option<RunLock>,
}

impl Begun {
    /// Claims `out`, or a folder of this name.
    pub(super) fn claim(out: Option<&Path>, name: &str, ranks: &Together) -> Result<Self, Error> {
        let mut claim = None;
        let root: PathBuf = ranks.once(|| {
            let claimed = claim.insert(Claim::new(out, name)?);
            Ok::<_, Error>(claimed.root().to_owned())
        })?;
        Ok(Self {
            claim,
            folder: RunFolder::followed(&root),
            lock: None,
        })
    }

    /// Makes it a run's folder.
    pub(super) fn begin(&mut self, recipe: &Recipe, ranks: &Together) -> Result<(), Error> {
        let claim = self.claim.take();
        ranks.once(|| {
            let Some(claim) = claim else { return Ok(()) };
            let (folder, lock) = claim.begin(&recipe.to_toml())?;
            (self.folder, self.lock) = (folder, Some(lock));
            Ok(())
        })
    }

    /// The folder of a run to go on with, its recipe and its lock.
    pub(super) fn open(
        root: &Path,
        ranks: &Together,
    ) -> Result<(RunFolder, Recipe, Option<RunLock>), Error> {
        let mut opened = None;
        let recipe: String = ranks.once(|| {
            let folder = RunFolder::open(root)?;
            let lock = RunLock::acquire(root)?;
            if folder.metrics_path().is_file() {
                return Err(Error::folder(
                    root,
                    "is complete: there is nothing to resume (see its report.html)",
                ));
            }
            if RunFolder::is_merged(root) {
                return Err(Error::folder(
                    root,
                    "holds a merged model and no run to go on with: begin another with `after` in its recipe",
                ));
            }
            let recipe = folder.recipe_text()?;
            opened = Some((folder, lock));
            Ok(recipe)
        })?;
        let origin = root.join("recipe.toml").display().to_string();
        let recipe = Recipe::parse(&origin, &recipe, &[])?;
        Ok(match opened {
            Some((folder, lock)) => (folder, recipe, Some(lock)),
            None => (RunFolder::followed(root), recipe, None),
        })
    }
}

/// How far a run inside of another is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum HowFar {
    Complete,
    Begun,
    Nowhere,
}

impl HowFar {
    pub(super) fn of(path: &Path) -> Self {
        if path.join("metrics.json").is_file() {
            Self::Complete
        } else if path.join("recipe.toml").is_file() {
            Self::Begun
        } else {
            Self::Nowhere
        }
    }
}
