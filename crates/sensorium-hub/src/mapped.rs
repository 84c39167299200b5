//! Files mapped into memory: the one place of the workspace that needs code the compiler cannot check.

use std::fs::File;
use std::path::Path;

use bytes::Bytes;
use memmap2::Mmap;

use crate::Error;

/// A file's bytes, read when they are looked at. It must not change while they live.
#[allow(unsafe_code)]
pub(crate) fn map(path: &Path) -> Result<Bytes, Error> {
    let io = |error| Error::io(path, error);
    let file = File::open(path).map_err(io)?;
    // A folder can be opened on some systems, and a device or pipe would never end.
    if !file.metadata().map_err(io)?.is_file() {
        return Err(Error::broken(path, "is not a file"));
    }
    // SAFETY: the map is read-only, and `Weights` asks that the file is left alone while it lives. Reading gigabytes into
    // memory instead would hold every model twice.
    let map = unsafe { Mmap::map(&file) }.map_err(io)?;
    Ok(Bytes::from_owner(map))
}
