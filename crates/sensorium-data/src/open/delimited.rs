//! Comma- and tab-separated values with a line of names.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::io::Read;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::cells::{Cells, Collector, Found};
use super::{LONGEST_LINE, MOST_ROWS};
use crate::{Columns, Error};

/// Reads a manifest record by record.
pub(super) fn read(path: &Path, delimiter: u8, columns: &Columns) -> Result<Found, Error> {
    let file = std::fs::File::open(path).map_err(|error| Error::io(path, "read", error))?;
    let lines = Rc::new(RefCell::new(Lines::default()));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(Bounded {
            inner: file,
            lines: Rc::clone(&lines),
        });
    let whole = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::io(path, "read", error),
        _ => Error::NotData {
            path: path.to_owned(),
            reason: "its first line, which names the columns, is not UTF-8".to_owned(),
        },
    };
    let mut names: Vec<String> = reader
        .headers()
        .map_err(whole)?
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
        .collect();
    names.iter_mut().enumerate().for_each(|(i, name)| {
        if name.is_empty() {
            *name = format!("column-{}", i + 1);
        }
    });
    let mut known = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !known.insert(name.as_str())) {
        return Err(Error::NotData {
            path: path.to_owned(),
            reason: format!("has two columns {twice:?}: rename or remove one"),
        });
    }
    let mut rows = Collector::new(path, columns);
    let names: Vec<Arc<str>> = names.into_iter().map(Arc::from).collect();
    let mut record = csv::ByteRecord::new();
    for count in 1.. {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(whole(error)),
        }
        let row = lines.borrow_mut().of(&record, reader.position().byte());
        if count > MOST_ROWS {
            return Err(Error::NotData {
                path: path.to_owned(),
                reason: format!("has more than {MOST_ROWS} rows"),
            });
        }
        if record.len() != names.len() {
            rows.bad(
                row,
                "",
                format!(
                    "has {} cells, but there are {} columns",
                    record.len(),
                    names.len()
                ),
            );
            continue;
        }
        let cells: Result<Cells, &Arc<str>> = names
            .iter()
            .zip(record.iter())
            .map(|(name, cell)| match std::str::from_utf8(cell) {
                Ok(cell) => Ok((Arc::clone(name), Some(cell.to_owned()))),
                Err(_) => Err(name),
            })
            .collect();
        match cells {
            Ok(cells) => rows.take(row, cells),
            Err(name) => {
                rows.bad(row, name, "is not UTF-8; save the file as UTF-8");
            }
        }
    }
    rows.finish()
}

/// Refuses a record that does not end: an unclosed quote would swallow the rest of the file, whatever
/// its size.
struct Bounded<R> {
    inner: R,
    /// Shared with the loop that takes records.
    lines: Rc<RefCell<Lines>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let mut lines = self.lines.borrow_mut();
        lines.read(&buffer[..count]);
        if lines.unfinished > LONGEST_LINE {
            return Err(std::io::Error::other(format!(
                "a row is longer than {LONGEST_LINE} bytes; is a quote not closed?"
            )));
        }
        Ok(count)
    }
}

/// Where lines end. The reader's own count is off where lines end in CRLF and behind blank lines.
#[derive(Default)]
struct Lines {
    /// Bytes read so far.
    bytes: u64,
    /// Bytes read since the last whole record.
    unfinished: usize,
    /// Ends of lines that no record has reached yet: the byte that ends them, counted from 0.
    ends: VecDeque<u64>,
    /// How many ends of lines records have reached.
    passed: u64,
    /// The last of these.
    last: Option<u64>,
    /// The last byte read was a CR, which ends a line unless LF follows.
    carriage_return: bool,
}

impl Lines {
    /// Takes note of what is read.
    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.carriage_return && *byte != b'\n' {
                self.ends.push_back(self.bytes - 1);
            }
            if *byte == b'\n' {
                self.ends.push_back(self.bytes);
            }
            self.carriage_return = *byte == b'\r';
            self.bytes += 1;
        }
        self.unfinished += bytes.len();
    }

    /// The line, counted from 1, that a record begins in which has just been read up to the byte `end`.
    fn of(&mut self, record: &csv::ByteRecord, end: u64) -> u64 {
        self.unfinished = 0;
        while let Some(at) = self.ends.front().filter(|at| **at < end) {
            self.last = Some(*at);
            self.passed += 1;
            self.ends.pop_front();
        }
        let within: usize = record.iter().map(breaks).sum();
        // The end of the record's own line, if it has been reached.
        let own = self.last.is_some_and(|last| last + 1 == end);
        (1 + self.passed).saturating_sub(within as u64 + u64::from(own))
    }
}

/// How many ends of lines stand in a cell.
fn breaks(cell: &[u8]) -> usize {
    let follows = |i: usize| cell.get(i + 1) == Some(&b'\n');
    let ends = |(i, byte): &(usize, &u8)| **byte == b'\n' || (**byte == b'\r' && !follows(*i));
    cell.iter().enumerate().filter(ends).count()
}
