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
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use sensorium_core::{SourceError, Store};

use crate::open::{Found, PartFile};
use crate::{Columns, Error};

use sample::Samples;
use tar::{Entry, Headers};

/// Reads one shard's headers: its samples, and what is wrong with some of them.
pub(crate) fn read(part: &PartFile, columns: &Columns) -> Found {
    let opened = File::open(&part.path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let broken = vec![Error::io(&part.path, "open", error)];
            return Found {
                broken,
                ..Found::default()
            };
        }
    };
    let shard = Arc::new(Shard {
        path: part.path.clone(),
        size: metadata.len(),
        modified: metadata.modified().ok(),
        contents: OnceLock::new(),
    });
    let mut samples = Samples::new(part, columns, &shard);
    let broken = fill(Headers::new(file, shard.size), &shard.path, &mut samples).err();
    let (found, contents) = samples.finish(broken);
    // The first and only time.
    let _ = shard.contents.set(contents);
    found
}

fn fill(mut headers: Headers<File>, path: &Path, samples: &mut Samples<'_>) -> Result<(), Error> {
    let broken = |reason: String| Error::broken(path, None, reason);
    while let Some(entry) = headers.entry().map_err(broken)? {
        match entry {
            Entry::Refused(name, reason) => samples.refuse(&name, &reason),
            Entry::File(member) => {
                let text = match samples.wants_text(&member) {
                    true => Some(headers.content(&member).map_err(broken)?),
                    false => None,
                };
                let kept = samples.take(member, text);
                kept.ok_or_else(|| broken("has too many members".to_owned()))?;
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
    /// What it holds, once it has been read to its end.
    contents: OnceLock<Contents>,
}

/// The members that are some sample's.
#[derive(Debug, Default)]
struct Contents {
    /// Their names, one behind the other.
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

impl Contents {
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

    fn member(&self, at: u64) -> Option<(&Kept, &str)> {
        let kept = self.members.get(usize::try_from(at).ok()?)?;
        let name = kept.name.start as usize..kept.name.end as usize;
        Some((kept, &self.names[name]))
    }
}

impl Shard {
    fn member(&self, at: u64) -> Option<&Kept> {
        Some(self.contents.get()?.member(at)?.0)
    }

    fn name(&self, at: u64) -> &str {
        let member = self.contents.get().and_then(|all| all.member(at));
        member.map_or("", |(_, name)| name)
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
