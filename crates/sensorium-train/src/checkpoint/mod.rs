//! Checkpoints on disk that survive a kill, a full disk and a flipped bit.
//!
//! A checkpoint is a folder `step-00000042`. It is written under another name, every file synced, the manifest with
//! the hashes of all files last; then the folder is renamed and the folder above it synced. Only then do older ones go.
//! So a folder with the right name is whole unless the disk lies, and the hashes tell when it does.

pub(crate) mod files;
mod manifest;
mod state;

pub(crate) use manifest::hexadecimal;
pub(crate) use state::{Snapshot, State};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Error;
use files::Files;
use manifest::Manifest;

/// The files of a checkpoint by name.
pub(crate) type Parts = BTreeMap<String, Vec<u8>>;

/// Marks folders that are being written or removed. They are nothing, and go at the next start.
const UNFINISHED: &str = ".unfinished-";

/// The folder of a run's checkpoints.
pub(crate) struct Store {
    root: PathBuf,
    files: Arc<dyn Files>,
    keep: usize,
}

impl Store {
    pub(crate) fn new(root: PathBuf, files: Arc<dyn Files>, keep: usize) -> Self {
        Self { root, files, keep }
    }

    /// Where the checkpoint of a step is.
    pub(crate) fn path(&self, step: usize) -> PathBuf {
        self.root.join(format!("step-{step:08}"))
    }

    /// Makes the folder and removes what was left unfinished. Only with the run's lock held.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        let files = &self.files;
        files
            .create_dir_all(&self.root)
            .map_err(Error::io("create", &self.root))?;
        for name in self.list()? {
            if name.starts_with(UNFINISHED) {
                let path = self.root.join(name);
                files
                    .remove_dir_all(&path)
                    .map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// The steps of which there are checkpoints, whole or not, the oldest first.
    pub(crate) fn steps(&self) -> Result<Vec<usize>, Error> {
        let step = |name: &String| name.strip_prefix("step-")?.parse().ok();
        let mut steps: Vec<usize> = self.list()?.iter().filter_map(step).collect();
        steps.sort_unstable();
        Ok(steps)
    }

    /// Writes a checkpoint, then removes all but the newest few and the best.
    pub(crate) fn save(
        &self,
        step: usize,
        parts: &Parts,
        best: Option<usize>,
    ) -> Result<PathBuf, Error> {
        let path = self.path(step);
        let aside = self.unfinished(&path);
        if let Err(error) = self.write(parts, &aside, &path) {
            // On a full disk what was written so far must go; if that fails too, the next start does it.
            let _ = self.files.remove_dir_all(&aside);
            return Err(error);
        }
        self.prune(best)?;
        Ok(path)
    }

    fn write(&self, parts: &Parts, aside: &Path, path: &Path) -> Result<(), Error> {
        let files = &self.files;
        files
            .create_dir_all(aside)
            .map_err(Error::io("create", aside))?;
        for (name, content) in parts {
            let file = aside.join(name);
            files
                .write(&file, content)
                .map_err(Error::io("write", &file))?;
        }
        let manifest = Manifest::of(
            parts
                .iter()
                .map(|(name, content)| (name.as_str(), content.as_slice())),
        );
        let file = aside.join(manifest::NAME);
        files
            .write(&file, &manifest.to_json())
            .map_err(Error::io("write", &file))?;
        files.sync_dir(aside).map_err(Error::io("sync", aside))?;
        files
            .rename(aside, path)
            .map_err(Error::io("rename", aside))?;
        files
            .sync_dir(&self.root)
            .map_err(Error::io("sync", &self.root))
    }

    fn prune(&self, best: Option<usize>) -> Result<(), Error> {
        let steps = self.steps()?;
        let old = steps.len().saturating_sub(self.keep);
        for step in &steps[..old] {
            if Some(*step) == best {
                continue;
            }
            let path = self.path(*step);
            let aside = self.unfinished(&path);
            // Renamed first: a folder half removed must not look like a checkpoint.
            self.files
                .rename(&path, &aside)
                .map_err(Error::io("remove", &path))?;
            self.files
                .remove_dir_all(&aside)
                .map_err(Error::io("remove", &aside))?;
        }
        Ok(())
    }

    /// Reads the checkpoint of a step, if all of it is as it was written.
    ///
    /// # Errors
    /// [`Error::Broken`] if it is not, [`Error::Io`] if it cannot be read.
    pub(crate) fn load(&self, step: usize) -> Result<Parts, Error> {
        let folder = self.path(step);
        let broken = |reason| Error::Broken {
            path: folder.clone(),
            reason,
        };
        let read = |name: &str| {
            let path = folder.join(name);
            self.files.read(&path).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => broken(format!("{name} is missing")),
                _ => Error::io("read", &path)(error),
            })
        };
        let manifest = Manifest::from_json(&read(manifest::NAME)?).map_err(broken)?;
        let mut parts = Parts::new();
        for entry in &manifest.files {
            let content = read(&entry.name)?;
            entry.check(&content).map_err(broken)?;
            parts.insert(entry.name.clone(), content);
        }
        Ok(parts)
    }

    /// The newest whole checkpoint. Broken ones that are newer are renamed to `broken-step-…` and reported.
    pub(crate) fn newest(
        &self,
        mut on_broken: impl FnMut(PathBuf, String),
    ) -> Result<Option<(usize, Parts)>, Error> {
        for step in self.steps()?.into_iter().rev() {
            match self.load(step) {
                Ok(parts) => return Ok(Some((step, parts))),
                Err(Error::Broken { path, reason }) => {
                    self.set_aside(&path)?;
                    on_broken(path, reason);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Renames a broken checkpoint, so that one of the same step can be written and a person can still look at it.
    fn set_aside(&self, path: &Path) -> Result<(), Error> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let taken = self.list()?;
        let free = (1..)
            .map(|copy| format!("broken-{name}-{copy}"))
            .find(|name| !taken.contains(name))
            .unwrap_or_default();
        self.files
            .rename(path, &self.root.join(free))
            .map_err(Error::io("rename", path))
    }

    fn list(&self) -> Result<Vec<String>, Error> {
        self.files
            .list(&self.root)
            .map_err(Error::io("list", &self.root))
    }

    fn unfinished(&self, path: &Path) -> PathBuf {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.root.join(format!("{UNFINISHED}{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::files::Disk;
    use super::files::faulty::{Fault, Faulty};
    use super::*;
    use std::sync::atomic::Ordering;

    fn store(root: &Path, files: Arc<dyn Files>) -> Store {
        Store::new(root.join("checkpoints"), files, 2)
    }

    fn parts(step: usize) -> Parts {
        let weights = (0..64u8)
            .map(|byte| byte.wrapping_mul(7 + step as u8))
            .collect();
        Parts::from([
            (
                "state.json".to_owned(),
                format!("{{\"step\":{step}}}").into_bytes(),
            ),
            ("weights.safetensors".to_owned(), weights),
        ])
    }

    fn whole(store: &Store) -> Option<(usize, Parts)> {
        store
            .newest(|path, reason| panic!("{}: {reason}", path.display()))
            .unwrap()
    }

    #[test]
    fn the_newest_and_the_best_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), Arc::new(Disk));
        store.prepare().unwrap();
        assert!(whole(&store).is_none());
        for step in [1, 5, 10, 20, 123_456_789] {
            store.save(step, &parts(step), Some(5)).unwrap();
        }
        assert_eq!(store.steps().unwrap(), [5, 20, 123_456_789]);
        assert_eq!(whole(&store), Some((123_456_789, parts(123_456_789))));
        assert_eq!(store.load(5).unwrap(), parts(5));
    }

    #[test]
    fn every_flipped_bit_missing_file_and_cut_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), Arc::new(Disk));
        store.prepare().unwrap();
        store.save(1, &parts(1), None).unwrap();
        store.save(2, &parts(2), None).unwrap();
        let newest = store.path(2);
        for name in ["manifest.json", "state.json", "weights.safetensors"] {
            let file = newest.join(name);
            let content = std::fs::read(&file).unwrap();
            let mut damaged: Vec<Option<Vec<u8>>> = vec![None];
            damaged.extend((0..content.len()).map(|cut| Some(content[..cut].to_vec())));
            damaged.extend((0..content.len() * 8).map(|bit| {
                let mut flipped = content.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                Some(flipped)
            }));
            for damage in damaged {
                match &damage {
                    Some(bytes) => std::fs::write(&file, bytes).unwrap(),
                    None => std::fs::remove_file(&file).unwrap(),
                }
                match store.load(2) {
                    Err(Error::Broken { .. }) => {}
                    // A manifest may change in its white space alone.
                    Ok(loaded) => assert!(name == "manifest.json" && loaded == parts(2)),
                    Err(error) => panic!("{error}"),
                }
                std::fs::write(&file, &content).unwrap();
            }
        }
    }

    #[test]
    fn a_broken_one_is_set_aside_and_the_older_used() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), Arc::new(Disk));
        store.prepare().unwrap();
        store.save(1, &parts(1), None).unwrap();
        for copy in 1..3 {
            store.save(2, &parts(2), None).unwrap();
            std::fs::remove_file(store.path(2).join("state.json")).unwrap();
            let mut reports = Vec::new();
            let found = store
                .newest(|path, reason| reports.push((path, reason)))
                .unwrap();
            assert_eq!(found, Some((1, parts(1))));
            assert_eq!(
                reports,
                [(store.path(2), "state.json is missing".to_owned())]
            );
            assert!(
                folder
                    .path()
                    .join(format!("checkpoints/broken-step-00000002-{copy}"))
                    .is_dir()
            );
        }
    }

    /// At whichever operation saving fails, or the process dies, the newest whole checkpoint is this or the one before.
    #[test]
    fn a_failure_at_any_operation_leaves_a_whole_checkpoint() {
        for fault in [Fault::Once, Fault::ForGood, Fault::Death] {
            let mut failures = 0;
            for at in 0.. {
                let folder = tempfile::tempdir().unwrap();
                let good = store(folder.path(), Arc::new(Faulty::never()));
                good.prepare().unwrap();
                for step in 1..4 {
                    good.save(step, &parts(step), Some(1)).unwrap();
                }
                let faulty = Arc::new(Faulty::new(at, fault));
                let bad = store(folder.path(), faulty.clone());
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    bad.save(4, &parts(4), Some(1))
                }));
                if faulty.calls.load(Ordering::SeqCst) <= at {
                    assert!(result.unwrap().is_ok());
                    break;
                }
                failures += 1;
                if let Ok(saved) = result {
                    let error = saved.unwrap_err();
                    assert!(
                        error.to_string().contains("step-00000")
                            || error.to_string().contains("checkpoints"),
                        "{error}"
                    );
                    assert!(matches!(error, Error::Io { .. }));
                }
                good.prepare().unwrap();
                let (step, found) = whole(&good).unwrap();
                assert!(step == 3 || step == 4);
                assert_eq!(found, parts(step));
                assert_eq!(good.load(1).unwrap(), parts(1), "the best must stay");
                let left = Disk.list(&folder.path().join("checkpoints")).unwrap();
                assert!(
                    left.iter().all(|name| name.starts_with("step-")),
                    "{left:?}"
                );
                // Training goes on from there: the step is written once more, or the one after.
                good.save(step + 1, &parts(step + 1), Some(1)).unwrap();
                assert_eq!(whole(&good).unwrap().0, step + 1);
            }
            assert!(failures >= 8, "only {failures} operations were tried");
        }
    }
}
