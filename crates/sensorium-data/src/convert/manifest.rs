//! A manifest, and a folder of files beside it.

use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::path::Path;

use sensorium_core::Source;
use serde_json::{Map, Value};

use super::{Aside, Converted, Job, cells, content};
use crate::open::LONGEST_LINE;
use crate::{Error, Row, Rows};

pub(super) fn write(mut job: Job<'_>) -> Result<Converted, Error> {
    let whole = super::Target::of(job.out).is_none();
    // A folder holds both; else files lie in a folder named after the manifest.
    let folder = match whole {
        true => job.out.to_owned(),
        false => job.out.with_extension("files"),
    };
    if !whole && folder.exists() {
        let reason = "it is where the files go, and exists".to_owned();
        return Err(Error::NotWritten {
            path: folder,
            reason,
        });
    }
    let files = Aside::folder(&folder)?;
    let manifest = match whole {
        true => Aside::of(&files.path().join("manifest.jsonl")),
        false => Aside::of(job.out),
    };
    let before = match whole {
        true => String::new(),
        false => format!(
            "{}/",
            folder.file_name().unwrap_or_default().to_string_lossy()
        ),
    };
    let out = job.out;
    let io = |error| Error::io(out, "write", error);
    let file = BufWriter::new(std::fs::File::create(manifest.path()).map_err(io)?);
    let mut lines = Lines::new(file, out, &job.table.rows)?;
    let mut count = 1;
    job.each(|row, name| {
        let mut line: Map<String, Value> = cells(row)?
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.into()))
            .collect();
        for (modality, source) in &row.inputs {
            let cell = match (source, &**modality) {
                (Source::Text(_), _) | (_, "text") => content::text(row, source)?,
                _ => {
                    count += 1;
                    let bytes = content::read(row, source)?;
                    let path = format!("{modality}/{name}.{}", content::extension(source, &bytes));
                    let to = files.path().join(&path);
                    std::fs::create_dir_all(to.parent().unwrap_or(files.path())).map_err(io)?;
                    std::fs::write(to, &bytes[..]).map_err(io)?;
                    format!("{before}{path}")
                }
            };
            line.insert(modality.to_string(), cell.into());
        }
        lines.put(row, line)
    })?;
    lines.finish()?;
    if whole {
        manifest.finish()?;
        files.finish()?;
    } else {
        files.finish()?;
        // Last, for the manifest says that all is there.
        manifest
            .finish()
            .inspect_err(|_| drop(std::fs::remove_dir_all(&folder)))?;
        if count == 1 {
            // Texts alone need no folder.
            let _ = std::fs::remove_dir(&folder);
        }
    }
    Ok(job.done(count))
}

/// Rows in one of the forms of a manifest.
enum Lines<'a> {
    Objects(BufWriter<std::fs::File>, &'a Path),
    Cells(
        Box<csv::Writer<BufWriter<std::fs::File>>>,
        Vec<String>,
        &'a Path,
    ),
}

impl<'a> Lines<'a> {
    fn new(file: BufWriter<std::fs::File>, out: &'a Path, rows: &Rows) -> Result<Self, Error> {
        let delimiter = match out.extension().and_then(|e| e.to_str()) {
            Some("csv") => b',',
            Some("tsv") => b'\t',
            _ => return Ok(Self::Objects(file, out)),
        };
        let mut names = BTreeSet::<String>::new();
        for row in rows {
            for key in row.inputs.keys().chain(row.meta.keys()) {
                if !names.contains(&**key) {
                    names.insert(key.to_string());
                }
            }
        }
        let own = ["id", "split", "label", "group"].map(str::to_owned);
        let names: Vec<String> = own.into_iter().chain(names).collect();
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .from_writer(file);
        writer
            .write_record(&names)
            .map_err(|error| Error::io(out, "write", error.into()))?;
        Ok(Self::Cells(Box::new(writer), names, out))
    }

    fn put(&mut self, row: &Row, line: Map<String, Value>) -> Result<(), Error> {
        let size: usize = line.values().filter_map(Value::as_str).map(str::len).sum();
        if size > LONGEST_LINE / 2 {
            let reason = "is too long for a line of a manifest: write shards or Parquet";
            return Err(Error::broken(
                Path::new(&row.place.to_string()),
                None,
                reason,
            ));
        }
        match self {
            Self::Objects(file, out) => {
                let io = |error| Error::io(out, "write", error);
                serde_json::to_writer(&mut *file, &line).map_err(|error| io(error.into()))?;
                file.write_all(b"\n").map_err(io)
            }
            Self::Cells(writer, names, out) => {
                let cell =
                    |name: &String| line.get(name).and_then(Value::as_str).unwrap_or_default();
                let written = writer.write_record(names.iter().map(cell));
                written.map_err(|error| Error::io(out, "write", error.into()))
            }
        }
    }

    fn finish(self) -> Result<(), Error> {
        match self {
            Self::Objects(mut file, out) => {
                file.flush().map_err(|error| Error::io(out, "write", error))
            }
            Self::Cells(mut writer, _, out) => writer
                .flush()
                .map_err(|error| Error::io(out, "write", error)),
        }
    }
}
