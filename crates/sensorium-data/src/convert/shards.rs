//! Tar shards: the members of a sample one behind the other, what else is known of it in a JSON member.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Aside, Converted, Job, cells, content, part};
use crate::{Error, Row};

pub(super) fn write(mut job: Job<'_>) -> Result<Converted, Error> {
    let out = job.out;
    let one = super::Target::of(out).is_some();
    let aside = match one {
        true => Aside::of(out),
        false => Aside::folder(out)?,
    };
    let most = match one {
        true => u64::MAX,
        false => job.shard_size,
    };
    let mut open = BTreeMap::<&str, (usize, Tar)>::new();
    let mut files = 0;
    job.each(|row, name| {
        let members = members(row, name)?;
        let size: u64 = members
            .iter()
            .map(|(_, bytes)| 512 + bytes.len().next_multiple_of(512) as u64)
            .sum();
        let part = if one { "data" } else { part(row) };
        let full = open
            .get(part)
            .is_none_or(|(_, tar)| tar.size > 0 && tar.size + size > most);
        if full {
            let number = open.get(part).map_or(0, |(number, _)| number + 1);
            if let Some((_, tar)) = open.remove(part) {
                tar.finish()?;
            }
            let path = match one {
                true => aside.path().to_owned(),
                false => aside.path().join(format!("{part}-{number:06}.tar")),
            };
            open.insert(part, (number, Tar::create(path)?));
            files += 1;
        }
        let (_, tar) = open
            .get_mut(part)
            .expect("one was opened where there was none");
        members
            .iter()
            .try_for_each(|(name, bytes)| tar.put(name, bytes))
    })?;
    for (_, tar) in open.into_values() {
        tar.finish()?;
    }
    aside.finish()?;
    Ok(job.done(files))
}

/// The names and contents of a row's members.
fn members(row: &Row, key: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut members = Vec::new();
    for (modality, source) in &row.inputs {
        let bytes = content::read(row, source)?;
        let extension = content::telling(modality, source, &bytes);
        members.push((format!("{key}.{extension}"), bytes.to_vec()));
    }
    // An id that is the key needs no saying.
    let cells = cells(row)?
        .into_iter()
        .filter(|(name, cell)| *name != "id" || *cell != key);
    let cells: Map<String, Value> = cells
        .map(|(name, cell)| (name.to_owned(), cell.into()))
        .collect();
    if !cells.is_empty() {
        members.push((
            format!("{key}.json"),
            Value::Object(cells).to_string().into_bytes(),
        ));
    }
    Ok(members)
}

/// An archive that is being written, in the form of POSIX.
struct Tar {
    path: PathBuf,
    file: BufWriter<File>,
    size: u64,
}

impl Tar {
    fn create(path: PathBuf) -> Result<Self, Error> {
        let file = File::create(&path).map_err(|error| Error::io(&path, "write", error))?;
        Ok(Self {
            path,
            file: BufWriter::new(file),
            size: 0,
        })
    }

    fn put(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        let header = header(name, content.len()).ok_or_else(|| Error::NotWritten {
            path: Path::new(name).to_owned(),
            reason: "its name is too long for a shard".to_owned(),
        })?;
        let padding = content.len().next_multiple_of(512) - content.len();
        for bytes in [&header[..], content, &[0; 512][..padding]] {
            self.write(bytes)?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.size += bytes.len() as u64;
        self.file
            .write_all(bytes)
            .map_err(|error| Error::io(&self.path, "write", error))
    }

    fn finish(mut self) -> Result<(), Error> {
        self.write(&[0; 1024])?;
        let io = |error| Error::io(&self.path, "write", error);
        self.file.flush().map_err(io)?;
        self.file.get_ref().sync_all().map_err(io)
    }
}

/// A header; none if the name does not fit.
fn header(name: &str, size: usize) -> Option<[u8; 512]> {
    let mut header = [0; 512];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    if name.len() > 100 {
        return None;
    }
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    // The same rows give the same bytes, whenever they are written.
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(header)
}
