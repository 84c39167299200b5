//! The file operations that checkpoints and logs are made of, in one place so that each can be made to fail in a test.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::Error;

/// What is done to files and folders.
pub(crate) trait Files: Send + Sync {
    /// Makes a folder and those above it.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Writes a whole file and waits until it is on the disk.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Writes to the end of a file.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Waits until a file is on the disk.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Waits until the names in a folder are on the disk.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Renames a file or folder in one go.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder and all in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Reads a whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The names in a folder.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
}

/// The real thing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disk;

impl Files for Disk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)?
            .write_all(bytes)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new().append(true).open(path)?.sync_all()
    }

    #[cfg(unix)]
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    // Elsewhere a folder cannot be opened as a file, and renaming is the system's to make durable.
    #[cfg(not(unix))]
    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }
}

/// Nothing is kept and nothing is there: for a rank whose part is not to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nowhere;

impl Files for Nowhere {
    fn create_dir_all(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, _path: &Path, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn append(&self, _path: &Path, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_file(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_dir_all(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _path: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// Writes a file that appears whole or not at all, whatever happens on the way.
pub(crate) fn write_atomically(files: &dyn Files, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let aside = folder.join(format!(".{name}.writing-{}", std::process::id()));
    let written = files
        .write(&aside, bytes)
        .map_err(Error::io("write", path))
        .and_then(|()| files.rename(&aside, path).map_err(Error::io("write", path)));
    if written.is_err() {
        // The first error is the one to tell; a leftover that cannot be removed either adds nothing to it.
        let _ = files.remove_file(&aside);
    }
    written?;
    files.sync_dir(folder).map_err(Error::io("sync", folder))
}

/// Writes a file that appears whole or not at all, and is on the disk once this returns.
///
/// # Errors
/// [`Error::Io`] if it cannot be written; the file is then what it was before.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_atomically(&Disk, path, bytes)
}

/// Puts a folder, which was filled beside it, in the place of another, once all in it is on the disk.
///
/// # Errors
/// [`Error::Io`] if it cannot be synced or moved.
pub fn move_folder(from: &Path, to: &Path) -> Result<(), Error> {
    sync_all_in(from)?;
    if to.exists() {
        Disk.remove_dir_all(to).map_err(Error::io("replace", to))?;
    }
    Disk.rename(from, to).map_err(Error::io("write", to))?;
    let parent = to.parent().filter(|parent| *parent != Path::new(""));
    let parent = parent.unwrap_or(Path::new("."));
    Disk.sync_dir(parent).map_err(Error::io("sync", parent))
}

fn sync_all_in(folder: &Path) -> Result<(), Error> {
    for name in Disk.list(folder).map_err(Error::io("list", folder))? {
        let path = folder.join(name);
        match path.is_dir() {
            true => sync_all_in(&path)?,
            false => Disk.sync(&path).map_err(Error::io("sync", &path))?,
        }
    }
    Disk.sync_dir(folder).map_err(Error::io("sync", folder))
}

/// Files that fail at a chosen operation.
#[cfg(test)]
pub(crate) mod faulty {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// What happens at the chosen operation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Fault {
        /// It alone fails.
        Once,
        /// It and all that follow fail, as on a full disk.
        ForGood,
        /// The process dies in its middle.
        Death,
    }

    /// The real thing until operation `at`, counted from 0, at which it fails half done. It does not wait for the
    /// disk, which no test could see and would take most of the time.
    #[derive(Debug)]
    pub(crate) struct Faulty {
        pub(crate) at: usize,
        pub(crate) fault: Fault,
        pub(crate) calls: AtomicUsize,
    }

    impl Faulty {
        pub(crate) fn new(at: usize, fault: Fault) -> Self {
            Self {
                at,
                fault,
                calls: AtomicUsize::new(0),
            }
        }

        /// Files that never fail.
        pub(crate) fn never() -> Self {
            Self::new(usize::MAX, Fault::Once)
        }

        fn fails(&self) -> bool {
            let call = self.calls.fetch_add(1, Ordering::SeqCst);
            call == self.at || (call > self.at && self.fault != Fault::Once)
        }

        fn fail<T>(&self) -> io::Result<T> {
            assert!(self.fault != Fault::Death, "death at operation {}", self.at);
            Err(io::Error::new(io::ErrorKind::StorageFull, "injected"))
        }

        fn or_fail<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
            if self.fails() { self.fail() } else { act() }
        }
    }

    impl Files for Faulty {
        fn create_dir_all(&self, path: &Path) -> io::Result<()> {
            self.or_fail(|| Disk.create_dir_all(path))
        }
        fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            if self.fails() {
                fs::write(path, &bytes[..bytes.len() / 2])?;
                return self.fail();
            }
            fs::write(path, bytes)
        }
        fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            if self.fails() {
                Disk.append(path, &bytes[..bytes.len() / 2])?;
                return self.fail();
            }
            Disk.append(path, bytes)
        }
        fn sync(&self, path: &Path) -> io::Result<()> {
            self.or_fail(|| fs::metadata(path).map(drop))
        }
        fn sync_dir(&self, path: &Path) -> io::Result<()> {
            self.or_fail(|| fs::metadata(path).map(drop))
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.or_fail(|| Disk.rename(from, to))
        }
        fn remove_file(&self, path: &Path) -> io::Result<()> {
            self.or_fail(|| Disk.remove_file(path))
        }
        fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
            if self.fails() {
                // A part of the folder is gone already.
                let first = Disk.list(path)?.into_iter().min();
                if let Some(name) = first {
                    Disk.remove_file(&path.join(name))?;
                }
                return self.fail();
            }
            Disk.remove_dir_all(path)
        }
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            self.or_fail(|| Disk.read(path))
        }
        fn list(&self, path: &Path) -> io::Result<Vec<String>> {
            self.or_fail(|| Disk.list(path))
        }
    }

    #[test]
    fn an_atomic_write_leaves_the_old_file_or_the_new_one() {
        for fault in [Fault::Once, Fault::ForGood] {
            for at in 0..3 {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("file");
                fs::write(&path, "old").unwrap();
                let result = write_atomically(&Faulty::new(at, fault), &path, b"new content");
                assert!(matches!(result, Err(Error::Io { .. })), "{at}");
                let content = fs::read_to_string(&path).unwrap();
                assert!(
                    content == "old" || content == "new content",
                    "{at}: {content}"
                );
                if fault == Fault::Once {
                    assert_eq!(Disk.list(folder.path()).unwrap(), ["file"]);
                }
            }
        }
    }

    #[test]
    fn a_folder_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (
            folder.path().join("model.part"),
            folder.path().join("model"),
        );
        for round in ["first", "second"] {
            fs::create_dir_all(from.join("image")).unwrap();
            fs::write(from.join("image/config.json"), round).unwrap();
            move_folder(&from, &to).unwrap();
            assert_eq!(
                fs::read_to_string(to.join("image/config.json")).unwrap(),
                round
            );
            assert!(!from.exists());
        }
        assert!(matches!(move_folder(&from, &to), Err(Error::Io { .. })));
        assert!(to.exists(), "what was there stays");
    }
}
