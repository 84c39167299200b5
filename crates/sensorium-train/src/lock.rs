//! One trainer a run folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::Error;

/// The lock's file in the run folder.
const NAME: &str = ".lock";

/// Keeps other trainers out of a run folder while it lives.
///
/// The system holds the lock, not the file: when a process dies, however it does, its lock is gone.
#[derive(Debug)]
pub struct RunLock {
    // Held for its lock, which closing the file releases.
    _file: File,
}

impl RunLock {
    /// Takes the lock of a run folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`Error::Locked`] if another trainer holds it, in this process or another; [`Error::Io`] if the folder or
    /// the lock cannot be made.
    pub fn acquire(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let path = folder.join(NAME);
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
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(Error::io("write", &path))?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_trainer_is_refused_and_told_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let lock = RunLock::acquire(folder.path()).unwrap();
        match RunLock::acquire(folder.path()) {
            Err(Error::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        drop(lock);
        RunLock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn the_file_of_a_dead_process_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "4194305\n").unwrap();
        RunLock::acquire(folder.path()).unwrap();
    }
}
