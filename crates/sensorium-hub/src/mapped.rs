//! Files mapped into memory: the one place of the workspace that needs code the compiler cannot check.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::Mmap;

use crate::Error;

/// What a checkpoint's bytes are: a file mapped into memory, or bytes that somebody holds.
pub(crate) struct Mapped {
    bytes: Bytes,
    file: Option<Arc<Mmap>>,
}

/// A map that is shared between all that look into it.
struct Owner(Arc<Mmap>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Bytes> for Mapped {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, file: None }
    }
}

impl Mapped {
    /// A file's bytes, read when they are looked at. It must not change while they live.
    #[allow(unsafe_code)]
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let io = |error| Error::io(path, error);
        let file = File::open(path).map_err(io)?;
        // A folder can be opened on some systems, and a device or pipe would never end.
        if !file.metadata().map_err(io)?.is_file() {
            return Err(Error::broken(path, "is not a file"));
        }
        // SAFETY: the map is read-only, and `Weights` asks that the file is left alone while it lives. Reading gigabytes into
        // memory instead would hold every model twice.
        let map = Arc::new(unsafe { Mmap::map(&file) }.map_err(io)?);
        Ok(Self {
            bytes: Bytes::from_owner(Owner(map.clone())),
            file: Some(map),
        })
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Lets the system take back the memory of `part`, which has been copied; whoever looks again reads the file again.
    #[allow(unsafe_code)]
    pub(crate) fn release(&self, part: &[u8]) {
        #[cfg(unix)]
        if let Some(map) = &self.file {
            let offset = part.as_ptr().addr() - map.as_ptr().addr();
            // SAFETY: of a read-only map of a file, the same bytes come back. An advice not taken costs memory alone.
            let _ = unsafe {
                map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, part.len())
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_released_can_be_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers");
        let written: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &written).unwrap();
        let map = Mapped::open(&path).unwrap();
        let part = &map.bytes()[5_001..60_007];
        assert_eq!(part, &written[5_001..60_007]);
        map.release(part);
        map.release(&map.bytes()[7..7]);
        assert_eq!(map.bytes().as_ref(), written);
    }
}
