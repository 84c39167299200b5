//! Files that appear whole or not at all.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;

/// Makes a file: `fill` writes it beside its place, and it is moved there once it is on the disk. So a reader never finds
/// half of it, and what it is made of may be the file itself.
///
/// # Errors
/// [`Error::Write`] with what `fill` or the system said; what was there stays as it was.
pub fn write_whole(path: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), Error> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.part", std::process::id()));
    let aside = PathBuf::from(aside);
    let written = fill(&aside)
        .and_then(|()| File::open(&aside)?.sync_all())
        .and_then(|()| std::fs::rename(&aside, path));
    written.map_err(|source| {
        // It may not even have been begun.
        let _ = std::fs::remove_file(&aside);
        Error::Write {
            path: path.to_owned(),
            source,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_half_way_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_whole(&path, |aside| std::fs::write(aside, "first")).unwrap();
        let error = write_whole(&path, |aside| {
            std::fs::write(aside, "half")?;
            Err(io::Error::other("the disk is full"))
        });
        let expected = format!("{}: cannot be written: the disk is full", path.display());
        assert_eq!(error.unwrap_err().to_string(), expected);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        // Made of itself.
        write_whole(&path, |aside| std::fs::copy(&path, aside).map(drop)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
    }
}
