//! Contents that stand in a column, read when they are needed.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result as Parquet};
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use sensorium_core::{SourceError, Store, quietly};

use super::cache::{Block, Cache};
use super::schema::Embedded;
use super::told;

/// About how much is read at once, in bytes: a page of most writers.
const BLOCK: i64 = 1 << 20;

/// A file that is opened for each read: nothing is held open, and threads do not share where they stand.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
}

impl Disk {
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let metadata = File::open(path)?.metadata()?;
        Ok(Self {
            path: path.to_owned(),
            size: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

impl Length for Disk {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Disk {
    type T = BufReader<File>;

    fn get_read(&self, start: u64) -> Parquet<Self::T> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        if (metadata.len(), metadata.modified().ok()) != (self.size, self.modified) {
            return Err(ParquetError::General(
                "the file has changed since it was opened".to_owned(),
            ));
        }
        file.seek(SeekFrom::Start(start))?;
        Ok(BufReader::new(file))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Parquet<Bytes> {
        // What a damaged file asks for is not taken from memory before it is known to be there.
        if start
            .checked_add(length as u64)
            .is_none_or(|end| end > self.size)
        {
            return Err(ParquetError::EOF(format!(
                "{length} bytes from {start} on are more than there are"
            )));
        }
        let mut bytes = vec![0; length];
        self.get_read(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// A row group: its first row, and how many are read at once.
#[derive(Debug)]
struct Group {
    first: u64,
    rows: u64,
    block: u64,
}

/// One column's contents.
pub(super) struct Held {
    path: PathBuf,
    column: String,
    leaf: usize,
    reader: Arc<SerializedFileReader<Disk>>,
    cache: Arc<Cache>,
    groups: Vec<Group>,
    /// Which rows have a content; nothing where all do.
    there: Option<Vec<bool>>,
    /// The paths that rows without a content name, by row.
    paths: std::collections::BTreeMap<u64, String>,
    /// Extensions of the names, and of each row which.
    extensions: Vec<String>,
    extension: Vec<u8>,
}

impl Held {
    /// # Errors
    /// If it cannot be known which rows have a content.
    pub(super) fn new(
        path: &Path,
        reader: Arc<SerializedFileReader<Disk>>,
        embedded: &Embedded,
        cache: Arc<Cache>,
    ) -> Result<Self, String> {
        let mut held = Self {
            path: path.to_owned(),
            column: embedded.column.clone(),
            leaf: embedded.leaf,
            reader,
            cache,
            groups: Vec::new(),
            there: None,
            paths: Default::default(),
            extensions: vec![String::new()],
            extension: Vec::new(),
        };
        held.look()?;
        Ok(held)
    }

    /// Takes note of the row groups, and of which rows have a content.
    fn look(&mut self) -> Result<(), String> {
        let reader = Arc::clone(&self.reader);
        let (mut first, mut there, mut all) = (0u64, Vec::new(), true);
        for (i, group) in reader.metadata().row_groups().iter().enumerate() {
            let rows =
                u64::try_from(group.num_rows()).map_err(|_| "has a group of fewer than no rows")?;
            if first + rows > crate::MOST_ROWS {
                return Err(format!("has more than {} rows", crate::MOST_ROWS));
            }
            let column = group.column(self.leaf);
            let each = (column.uncompressed_size().max(1) / rows.max(1) as i64).max(1);
            let block = u64::try_from(BLOCK / each)
                .unwrap_or(1)
                .clamp(1, rows.max(1));
            self.groups.push(Group { first, rows, block });
            let nulls = column
                .statistics()
                .and_then(|statistics| statistics.null_count_opt());
            let optional = column.column_descr().max_def_level() > 0;
            match nulls {
                _ if !optional => there.resize((first + rows) as usize, true),
                Some(0) => there.resize((first + rows) as usize, true),
                Some(n) if n == rows => {
                    there.resize((first + rows) as usize, false);
                    all = rows == 0 && all;
                }
                // Not told: only reading tells.
                _ => {
                    for from in (0..rows).step_by(block as usize) {
                        let found = self.read_block(i, from).map_err(|error| told(&error))?;
                        there.extend(found.iter().map(Option::is_some));
                    }
                    all = false;
                }
            }
            first += rows;
        }
        self.there = (!all).then_some(there);
        Ok(())
    }

    /// Takes the next row's path, for its extension, or for where it lies if it is not embedded.
    pub(super) fn name(&mut self, path: Option<&str>) {
        let row = self.extension.len() as u64;
        let extension = path.and_then(|path| Path::new(path).extension()?.to_str());
        let extension = extension.unwrap_or_default().to_ascii_lowercase();
        let known = self.extensions.iter().position(|known| *known == extension);
        let known = known.or_else(|| {
            // There are few; of more than a byte counts, none is remembered.
            (self.extensions.len() < 256).then(|| {
                self.extensions.push(extension);
                self.extensions.len() - 1
            })
        });
        self.extension.push(known.unwrap_or(0) as u8);
        if let Some(path) = path.filter(|_| !self.has(row)) {
            self.paths.insert(row, path.to_owned());
        }
    }

    /// Whether a row has a content.
    pub(super) fn has(&self, row: u64) -> bool {
        let there = self.there.as_ref();
        there.is_none_or(|there| there.get(row as usize) == Some(&true))
    }

    /// The path of a row without a content.
    pub(super) fn path(&self, row: u64) -> Option<&str> {
        self.paths.get(&row).map(String::as_str)
    }

    fn content(&self, row: u64) -> Parquet<Option<ByteArray>> {
        let after = self.groups.partition_point(|group| group.first <= row);
        let group = after
            .checked_sub(1)
            .and_then(|i| Some((i, self.groups.get(i)?)));
        let Some((i, group)) = group.filter(|(_, group)| row - group.first < group.rows) else {
            return Ok(None);
        };
        let within = row - group.first;
        let from = within - within % group.block;
        let key = (std::ptr::from_ref(self) as usize, group.first + from);
        let block = self.cache.get(key, || self.read_block(i, from))?;
        Ok(block.get((within - from) as usize).cloned().flatten())
    }

    /// Contents of one block, from a row of a group on.
    fn read_block(&self, group: usize, from: u64) -> Parquet<Block> {
        let Group { rows, block, .. } = self.groups[group];
        let count = block.min(rows - from) as usize;
        let read = quietly(|| -> Parquet<Block> {
            let group = self.reader.get_row_group(group)?;
            let ColumnReader::ByteArrayColumnReader(mut column) =
                group.get_column_reader(self.leaf)?
            else {
                return Err(ParquetError::General(
                    "the column holds no bytes".to_owned(),
                ));
            };
            let most = group
                .metadata()
                .column(self.leaf)
                .column_descr()
                .max_def_level();
            let skipped = column.skip_records(from as usize)?;
            let (mut levels, mut values) = (Vec::new(), Vec::new());
            let (records, ..) = column.read_records(count, Some(&mut levels), None, &mut values)?;
            if (skipped as u64, records) != (from, count) {
                return Err(ParquetError::EOF(
                    "the column has fewer rows than its group".to_owned(),
                ));
            }
            let mut values = values.into_iter();
            let all = match most {
                0 => values.map(Some).collect(),
                most => levels
                    .iter()
                    .map(|level| (*level == most).then(|| values.next()).flatten())
                    .collect(),
            };
            Ok(all)
        });
        read.unwrap_or_else(|_| Err(ParquetError::General("the reader gave up on it".to_owned())))
    }
}

impl Store for Held {
    fn describe(&self, at: u64) -> String {
        format!("{}:{} {}", self.path.display(), at + 1, self.column)
    }

    fn extension(&self, at: u64) -> Option<String> {
        let own = self.extension.get(at as usize)?;
        self.extensions
            .get(usize::from(*own))
            .filter(|e| !e.is_empty())
            .cloned()
    }

    fn size(&self, _at: u64) -> Option<u64> {
        None
    }

    fn read(&self, at: u64, limit: u64) -> Result<Arc<[u8]>, SourceError> {
        let failed = |reason: String| SourceError::Read {
            name: self.describe(at),
            error: std::io::Error::other(reason),
        };
        let content = self.content(at).map_err(|error| failed(told(&error)))?;
        let content = content.ok_or_else(|| failed("the row has no content".to_owned()))?;
        match content.len() as u64 {
            size if size > limit => Err(SourceError::TooLarge {
                name: self.describe(at),
                size,
                limit,
            }),
            _ => Ok(content.data().into()),
        }
    }
}
