//! Files mapped into memory: the one place of the workspace that needs code the compiler cannot check.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use crate::Error;

/// Maps a file for reading. It must not change while the map lives.
#[allow(unsafe_code)]
pub(crate) fn map(path: &Path) -> Result<Mmap, Error> {
    let io = |error| Error::io(path, error);
    let file = File::open(path).map_err(io)?;
    // A folder can be opened on some systems, and a device or pipe would never end.
    if !file.metadata().map_err(io)?.is_file() {
        return Err(Error::broken(path, "is not a file"));
    }
    // SAFETY: the map is read-only, and `Weights` asks that the file is left alone while it lives. Reading gigabytes into
    // memory instead would hold every model twice.
    unsafe { Mmap::map(&file) }.map_err(io)
}
