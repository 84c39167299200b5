//! The folder of a new run: nobody else's from its first moment on, and gone again if nothing comes of it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sensorium_train::RunLock;

use crate::{Error, RunFolder};

/// A folder that is made and locked, for a run that may still fail to begin. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Claim {
    root: PathBuf,
    lock: RunLock,
    /// The folders that were not there before, the outermost first.
    made: Vec<PathBuf>,
    kept: bool,
}

impl Claim {
    /// Claims `out`, or `runs/NAME` with a number if that is taken.
    ///
    /// # Errors
    /// If it holds something, another process works in it, or it cannot be made or written.
    pub(crate) fn new(out: Option<&Path>, name: &str) -> Result<Self, Error> {
        let Some(out) = out else {
            return Self::numbered(Path::new("runs"), name);
        };
        Self::at(out)?.ok_or_else(|| {
            Error::folder(
                out,
                "exists and is not empty: choose another --out, or go on with --resume",
            )
        })
    }

    fn numbered(runs: &Path, name: &str) -> Result<Self, Error> {
        let mut n = 1u64;
        loop {
            let root = match n {
                1 => runs.join(name),
                n => runs.join(format!("{name}-{n}")),
            };
            match Self::at(&root) {
                Ok(Some(claim)) => return Ok(claim),
                Ok(None) | Err(Error::Train(sensorium_train::Error::Locked { .. })) => n += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Claims this folder, unless it holds something.
    fn at(root: &Path) -> Result<Option<Self>, Error> {
        if is_taken(root) {
            return Ok(None);
        }
        let made = make(root)?;
        let lock = RunLock::acquire(root).inspect_err(|_| remove(&made))?;
        let mut claim = Self {
            root: root.to_owned(),
            lock,
            made,
            kept: false,
        };
        // Another may have begun and ended here before the lock was had.
        if is_taken(root) {
            claim.kept = true;
            return Ok(None);
        }
        Ok(Some(claim))
    }

    /// The folder that is claimed.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes it a run's folder by writing the recipe into it. The lock holds while it lives.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub(crate) fn begin(mut self, recipe_toml: &str) -> Result<(RunFolder, RunLock), Error> {
        let folder = RunFolder::begin(&self.root, recipe_toml)?;
        self.kept = true;
        Ok((folder, self.lock.clone()))
    }

    /// Makes it a folder that begins with another file. The lock holds while it lives.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub(crate) fn begin_with(
        mut self,
        name: &str,
        text: &[u8],
    ) -> Result<(PathBuf, RunLock), Error> {
        sensorium_train::write_file(&self.root.join(name), text)?;
        self.kept = true;
        Ok((self.root.clone(), self.lock.clone()))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // What cannot be removed is in nobody's way: another start takes such a folder as if it were empty.
        for entry in std::fs::read_dir(&self.root)
            .into_iter()
            .flatten()
            .flatten()
        {
            if is_left_over(&entry.file_name()) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        remove(&self.made);
    }
}

/// Makes a folder and those above it; returns those that were not there.
fn make(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let missing: Vec<&Path> = root
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .collect();
    let mut made = Vec::new();
    for path in missing.into_iter().rev() {
        match std::fs::create_dir(path) {
            Ok(()) => made.push(path.to_owned()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                remove(&made);
                return Err(Error::folder(root, error));
            }
        }
    }
    Ok(made)
}

/// Removes folders that are empty, the last first.
fn remove(made: &[PathBuf]) {
    for path in made.iter().rev() {
        let _ = std::fs::remove_dir(path);
    }
}

/// Whether a folder holds more than a start that was killed leaves, or is a file.
fn is_taken(root: &Path) -> bool {
    match std::fs::read_dir(root) {
        Ok(entries) => entries
            .flatten()
            .any(|entry| !is_left_over(&entry.file_name())),
        Err(_) => root.is_file(),
    }
}

/// Whether a file is what a start that was killed leaves: its lock, or what was being written aside.
fn is_left_over(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    name == RunLock::FILE || (name.starts_with('.') && name.contains(".writing-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::Barrier;

    #[test]
    fn runs_that_begin_at_once_never_share_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path().join("runs");
        let barrier = Barrier::new(8);
        let claims: Vec<Claim> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        Claim::numbered(&runs, "a").unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let roots: BTreeSet<&PathBuf> = claims.iter().map(|claim| &claim.root).collect();
        assert_eq!(roots.len(), 8);
        assert!(matches!(
            Claim::new(Some(&claims[0].root), "a"),
            Err(Error::Train(sensorium_train::Error::Locked { .. }))
        ));
    }

    #[test]
    fn what_comes_to_nothing_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("deep/run");
        drop(Claim::new(Some(&out), "a").unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

        // A folder that was there stays, and so does a run.
        std::fs::create_dir_all(&out).unwrap();
        drop(Claim::new(Some(&out), "a").unwrap());
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
        drop(Claim::new(Some(&out), "a").unwrap().begin("").unwrap());
        assert!(out.join("recipe.toml").is_file());
        let taken = Claim::new(Some(&out), "a").unwrap_err().to_string();
        assert!(taken.contains("exists and is not empty"), "{taken}");
    }

    #[test]
    fn what_a_killed_start_left_is_taken_as_empty() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".lock", ".recipe.toml.writing-12"] {
            std::fs::write(dir.path().join(name), "12").unwrap();
        }
        Claim::new(Some(dir.path()), "a").unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(Claim::new(Some(&file), "a").is_err());
        assert!(Claim::new(Some(&file.join("run")), "a").is_err());
        assert!(file.is_file());
    }
}
