//! Parquet files as hubs hold data sets: contents embedded, everything else as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type};
use sensorium_core::Source;
use serde_json::{Value, json};

use super::{Aside, Converted, Job, cells, content, part};
use crate::{Error, Row, Rows};

/// What a group of rows has at most, in bytes and in rows.
const GROUP: usize = 32 << 20;
const ROWS: usize = 1000;

pub(super) fn write(mut job: Job<'_>) -> Result<Converted, Error> {
    let out = job.out;
    let one = super::Target::of(out).is_some();
    let layout = Arc::new(Layout::of(&job.table.rows, one));
    let aside = match one {
        true => Aside::of(out),
        false => Aside::folder(out)?,
    };
    let most = if one { u64::MAX } else { job.shard_size };
    let mut open = BTreeMap::<&str, Writer>::new();
    let mut done = BTreeMap::<&str, Vec<PathBuf>>::new();
    job.each(|row, name| {
        let part = if one { "data" } else { part(row) };
        if open.get(part).is_some_and(|writer| writer.size >= most)
            && let Some(writer) = open.remove(part)
        {
            writer.finish()?;
        }
        if !open.contains_key(part) {
            let own = done.entry(part).or_default();
            let path = match one {
                true => aside.path().to_owned(),
                false => aside.path().join(format!("{part}-{:05}", own.len())),
            };
            own.push(path.clone());
            open.insert(part, Writer::create(path, &layout)?);
        }
        let writer = open
            .get_mut(part)
            .expect("one was opened where there was none");
        writer.put(row, name)
    })?;
    for writer in open.into_values() {
        writer.finish()?;
    }
    let files = done.values().map(Vec::len).sum();
    if !one {
        // How many there are is known at the end.
        for (_, own) in done {
            for path in &own {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let named = path.with_file_name(format!("{name}-of-{:05}.parquet", own.len()));
                std::fs::rename(path, &named).map_err(|error| Error::io(out, "write", error))?;
            }
        }
    }
    aside.finish()?;
    Ok(job.done(files))
}

/// Which columns there are.
struct Layout {
    texts: Vec<String>,
    contents: Vec<String>,
}

impl Layout {
    fn of(rows: &Rows, split: bool) -> Self {
        let (mut texts, mut contents) = (BTreeSet::<String>::new(), BTreeSet::<String>::new());
        for row in rows {
            for (modality, source) in &row.inputs {
                let is_text = &**modality == "text" || matches!(source, Source::Text(_));
                let to = if is_text { &mut texts } else { &mut contents };
                if !to.contains(&**modality) {
                    to.insert(modality.to_string());
                }
            }
            for key in row
                .meta
                .keys()
                .filter(|key| !texts.contains(&***key))
                .collect::<Vec<_>>()
            {
                texts.insert(key.to_string());
            }
        }
        let mut own = vec!["id", "label", "group"];
        if split || rows.refs().any(|row| row.split().is_none()) {
            own.push("split");
        }
        let own = own.into_iter().map(str::to_owned);
        // What is a file in one row is one in all.
        texts.retain(|name| !contents.contains(name));
        Self {
            texts: own.chain(texts).collect(),
            contents: contents.into_iter().collect(),
        }
    }

    fn schema(&self) -> Result<Type, ParquetError> {
        let text = |name: &str| {
            Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(Some(LogicalType::String))
                .with_converted_type(ConvertedType::UTF8)
                .build()
        };
        let mut fields = Vec::new();
        for name in &self.texts {
            fields.push(Arc::new(text(name)?));
        }
        for name in &self.contents {
            let bytes = Type::primitive_type_builder("bytes", Physical::BYTE_ARRAY)
                .with_repetition(Repetition::OPTIONAL);
            let inside = vec![Arc::new(bytes.build()?), Arc::new(text("path")?)];
            let group = Type::group_type_builder(name)
                .with_repetition(Repetition::OPTIONAL)
                .with_fields(inside);
            fields.push(Arc::new(group.build()?));
        }
        Type::group_type_builder("schema")
            .with_fields(fields)
            .build()
    }

    /// What the library that hubs use wants to know.
    fn features(&self) -> Value {
        let texts = self
            .texts
            .iter()
            .map(|name| (name.clone(), json!({"dtype": "string", "_type": "Value"})));
        let contents = self.contents.iter().map(|name| {
            let feature = match name.as_str() {
                "image" => json!({"_type": "Image"}),
                "audio" => json!({"_type": "Audio"}),
                _ => json!({"bytes": {"dtype": "binary", "_type": "Value"}, "path": {"dtype": "string", "_type": "Value"}}),
            };
            (name.clone(), feature)
        });
        let features: serde_json::Map<String, Value> = texts.chain(contents).collect();
        json!({"info": {"features": features}})
    }
}

/// A file that is being written.
struct Writer {
    path: PathBuf,
    layout: Arc<Layout>,
    writer: SerializedFileWriter<File>,
    rows: Vec<BTreeMap<String, Vec<u8>>>,
    held: usize,
    size: u64,
}

impl Writer {
    fn create(path: PathBuf, layout: &Arc<Layout>) -> Result<Self, Error> {
        let file = File::create(&path).map_err(|error| Error::io(&path, "write", error))?;
        let failed = |error| failed(&path, error);
        let features = KeyValue::new("huggingface".to_owned(), layout.features().to_string());
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(vec![features]));
        for name in &layout.contents {
            // Pictures and sounds are compressed already, and no two are the same.
            let bytes = ColumnPath::new(vec![name.clone(), "bytes".to_owned()]);
            properties = properties
                .set_column_compression(bytes.clone(), Compression::UNCOMPRESSED)
                .set_column_dictionary_enabled(bytes, false);
        }
        let schema = Arc::new(layout.schema().map_err(failed)?);
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build()));
        Ok(Self {
            writer: writer.map_err(failed)?,
            layout: Arc::clone(layout),
            rows: Vec::new(),
            held: 0,
            size: 0,
            path,
        })
    }

    fn put(&mut self, row: &Row, name: &str) -> Result<(), Error> {
        let cells = cells(row)?.into_iter();
        let mut all: BTreeMap<String, Vec<u8>> = cells
            .map(|(key, cell)| (key.to_owned(), cell.into()))
            .collect();
        for (modality, source) in &row.inputs {
            if self
                .layout
                .contents
                .iter()
                .any(|known| **known == **modality)
            {
                let bytes = content::read(row, source)?;
                let path = format!("{name}.{}", content::extension(source, &bytes));
                all.insert(format!("{modality}\0path"), path.into());
                all.insert(format!("{modality}\0bytes"), bytes.to_vec());
            } else {
                all.insert(modality.to_string(), content::text(row, source)?.into());
            }
        }
        let size: usize = all.values().map(Vec::len).sum();
        self.held += size;
        self.size += size as u64;
        self.rows.push(all);
        match self.held >= GROUP || self.rows.len() >= ROWS {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let rows = std::mem::take(&mut self.rows);
        self.held = 0;
        if rows.is_empty() {
            return Ok(());
        }
        let path = &self.path;
        let write = |writer: &mut SerializedFileWriter<File>,
                     layout: &Layout|
         -> Result<(), ParquetError> {
            let mut group = writer.next_row_group()?;
            for name in &layout.texts {
                column(&mut group, &rows, name, 1, |_| 0)?;
            }
            for name in &layout.contents {
                let bytes = format!("{name}\0bytes");
                let there = |row: &BTreeMap<String, Vec<u8>>| i16::from(row.contains_key(&bytes));
                column(&mut group, &rows, &bytes, 2, there)?;
                column(&mut group, &rows, &format!("{name}\0path"), 2, there)?;
            }
            group.close()?;
            Ok(())
        };
        write(&mut self.writer, &self.layout).map_err(|error| failed(path, error))
    }

    fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        let Self { writer, path, .. } = self;
        let file = writer.into_inner().map_err(|error| failed(&path, error))?;
        file.sync_all()
            .map_err(|error| Error::io(&path, "write", error))
    }
}

/// One column of a group; `absent` is the level of a row that lacks it.
fn column(
    group: &mut SerializedRowGroupWriter<'_, File>,
    rows: &[BTreeMap<String, Vec<u8>>],
    name: &str,
    level: i16,
    absent: impl Fn(&BTreeMap<String, Vec<u8>>) -> i16,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = rows
        .iter()
        .map(|row| {
            if row.contains_key(name) {
                level
            } else {
                absent(row)
            }
        })
        .collect();
    let values: Vec<ByteArray> = rows
        .iter()
        .filter_map(|row| row.get(name))
        .map(|v| ByteArray::from(v.clone()))
        .collect();
    let mut column = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("a column too few".to_owned()))?;
    column
        .typed::<ByteArrayType>()
        .write_batch(&values, Some(&levels), None)?;
    column.close()
}

fn failed(path: &Path, error: ParquetError) -> Error {
    Error::io(path, "write", std::io::Error::other(error))
}
