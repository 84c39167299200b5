//! One trainer a run folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use crate::Error;

/// Keeps other trainers out of a run folder while it, or a clone of it, lives.
///
/// The system holds the lock, not the file: when a process dies, however it does, its lock is gone.
#[derive(Clone, Debug)]
pub struct RunLock {
    // Held for its lock, which closing the file releases.
    _file: Arc<File>,
}

impl RunLock {
    /// The lock's file in the run folder.
    pub const FILE: &str = ".lock";

    /// Takes the lock of a run folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`Error::Locked`] if another trainer holds it, in this process or another; [`Error::Io`] if the folder or
    /// the lock cannot be made.
    pub fn acquire(folder: &Path) -> Result<Self, Error> {
        loop {
            if let Some(lock) = Self::try_acquire(folder)? {
                return Ok(lock);
            }
        }
    }

    /// Whether a trainer holds the lock of this folder. Nothing is made, and nobody is kept out by asking for longer than it takes.
    pub fn is_held(folder: &Path) -> bool {
        let Ok(file) = File::open(folder.join(Self::FILE)) else {
            return false;
        };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// The lock, unless who held it before has removed its file in the meantime.
    fn try_acquire(folder: &Path) -> Result<Option<Self>, Error> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let path = folder.join(Self::FILE);
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // The number is only for the message; without it the message is shorter.
                let mut text = String::new();
                let _ = file.take(20).read_to_string(&mut text);
                return Err(Error::Locked {
                    path: folder.to_owned(),
                    pid: text.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        if !stands_at(&file, &path) {
            return Ok(None);
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(Error::io("write", &path))?;
        Ok(Some(Self {
            _file: Arc::new(file),
        }))
    }
}

/// Whether this path still leads to this file.
#[cfg(unix)]
fn stands_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn stands_at(_file: &File, _path: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_trainer_is_refused_and_told_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!RunLock::is_held(folder.path()));
        let lock = RunLock::acquire(folder.path()).unwrap();
        assert!(RunLock::is_held(folder.path()));
        match RunLock::acquire(folder.path()) {
            Err(Error::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        let clone = lock.clone();
        drop(lock);
        RunLock::acquire(folder.path()).unwrap_err();
        drop(clone);
        assert!(!RunLock::is_held(folder.path()));
        RunLock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn a_file_that_was_removed_locks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(RunLock::FILE);
        let file = File::create(&path).unwrap();
        assert!(stands_at(&file, &path));
        std::fs::remove_file(&path).unwrap();
        assert!(!stands_at(&file, &path));
        File::create(&path).unwrap();
        assert!(!stands_at(&file, &path));
    }

    #[test]
    fn the_file_of_a_dead_process_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(RunLock::FILE), "4194305\n").unwrap();
        RunLock::acquire(folder.path()).unwrap();
    }
}
