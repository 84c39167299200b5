//! Tar shards as WebDataset lays them out: the members of a sample follow each other and share their name up to the first dot.
//!
//! A shard is never unpacked: its headers are read once, and a content is a range of the file until it is needed.

mod sample;
mod tar;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod tests_hostile;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sensorium_core::{SourceError, Store};

use crate::open::{Found, PartFile};
use crate::{Columns, Error};

use sample::Samples;
use tar::{Entry, Headers};

/// Reads one shard's headers: its samples, and what is wrong with some of them.
pub(crate) fn read(part: &PartFile, columns: &Columns) -> Found {
    let mut samples = Samples::new(part, columns);
    let mut shard = Shard::new(&part.path);
    let broken = fill(&mut shard, &mut samples).err();
    samples.finish(shard, broken)
}

fn fill(shard: &mut Shard, samples: &mut Samples<'_>) -> Result<(), Error> {
    let path = shard.path.clone();
    let file = File::open(&path).map_err(|error| Error::io(&path, "open", error))?;
    let metadata = file.metadata();
    let metadata = metadata.map_err(|error| Error::io(&path, "open", error))?;
    (shard.size, shard.modified) = (metadata.len(), metadata.modified().ok());
    let broken = |reason: String| Error::broken(&path, None, reason);
    let mut headers = Headers::new(file, shard.size);
    while let Some(entry) = headers.entry().map_err(broken)? {
        match entry {
            Entry::Refused(name, reason) => samples.refuse(&name, &reason),
            Entry::File(member) => {
                let text = match samples.wants_text(&member) {
                    true => Some(headers.content(&member).map_err(broken)?),
                    false => None,
                };
                samples.take(member, text, shard)?;
            }
        }
    }
    Ok(())
}

/// A shard whose members are known.
#[derive(Debug)]
pub(crate) struct Shard {
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
    /// The names of all members, one behind the other.
    names: String,
    members: Vec<Kept>,
}

/// Where a member stands.
#[derive(Debug)]
struct Kept {
    at: u64,
    size: u64,
    name: Range<u32>,
}

impl Shard {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            size: 0,
            modified: None,
            names: String::new(),
            members: Vec::new(),
        }
    }

    /// Keeps a member's place; gives its number, or nothing if there are too many.
    fn keep(&mut self, member: &tar::Member) -> Option<u64> {
        let start = u32::try_from(self.names.len()).ok()?;
        let end = u32::try_from(self.names.len() + member.name.len()).ok()?;
        self.names.push_str(&member.name);
        self.members.push(Kept {
            at: member.at,
            size: member.size,
            name: start..end,
        });
        Some(self.members.len() as u64 - 1)
    }

    fn member(&self, at: u64) -> Option<&Kept> {
        self.members.get(usize::try_from(at).ok()?)
    }

    fn name(&self, at: u64) -> &str {
        let range = self.member(at).map_or(0..0, |kept| kept.name.clone());
        &self.names[range.start as usize..range.end as usize]
    }

    fn range(&self, kept: &Kept) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        if (metadata.len(), metadata.modified().ok()) != (self.size, self.modified) {
            return Err(std::io::Error::other(
                "the shard has changed since it was opened",
            ));
        }
        file.seek(SeekFrom::Start(kept.at))?;
        let size = usize::try_from(kept.size).map_err(std::io::Error::other)?;
        let mut bytes = vec![0; size];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Store for Shard {
    fn describe(&self, at: u64) -> String {
        format!("{}: {}", self.path.display(), self.name(at))
    }

    fn extension(&self, at: u64) -> Option<String> {
        let path = Path::new(self.name(at));
        Some(path.extension()?.to_str()?.to_ascii_lowercase())
    }

    fn size(&self, at: u64) -> Option<u64> {
        Some(self.member(at)?.size)
    }

    fn read(&self, at: u64, limit: u64) -> Result<Arc<[u8]>, SourceError> {
        let name = || self.describe(at);
        let kept = self.member(at).ok_or_else(|| SourceError::Read {
            name: name(),
            error: std::io::Error::other("the shard has no such member"),
        })?;
        if kept.size > limit {
            return Err(SourceError::TooLarge {
                name: name(),
                size: kept.size,
                limit,
            });
        }
        let bytes = self.range(kept);
        let bytes = bytes.map_err(|error| SourceError::Read {
            name: name(),
            error,
        });
        bytes.map(Arc::from)
    }
}
