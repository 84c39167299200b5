//! A file or folder that is written beside its name, and takes it when it is whole.

use std::path::{Path, PathBuf};

use crate::Error;

/// Dropped before it is whole, it leaves nothing behind.
pub(super) struct Aside {
    out: PathBuf,
    part: PathBuf,
    whole: bool,
}

impl Aside {
    pub(super) fn of(out: &Path) -> Self {
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        Self {
            part: out.with_file_name(format!(".{name}.part-{}", std::process::id())),
            out: out.to_owned(),
            whole: false,
        }
    }

    /// The same as an empty folder.
    pub(super) fn folder(out: &Path) -> Result<Self, Error> {
        let aside = Self::of(out);
        std::fs::create_dir_all(&aside.part).map_err(|error| Error::io(out, "write", error))?;
        Ok(aside)
    }

    pub(super) fn path(&self) -> &Path {
        &self.part
    }

    /// Gives it its name.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        let io = |error| Error::io(&self.out, "write", error);
        if self.part.is_file() {
            let file = std::fs::File::open(&self.part).map_err(io)?;
            file.sync_all().map_err(io)?;
        }
        std::fs::rename(&self.part, &self.out).map_err(io)?;
        self.whole = true;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.whole {
            let _ = match self.part.is_dir() {
                true => std::fs::remove_dir_all(&self.part),
                false => std::fs::remove_file(&self.part),
            };
        }
    }
}
