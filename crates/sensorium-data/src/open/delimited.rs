//! Comma- and tab-separated values with a line of names.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use super::cells::Collector;
use super::{LONGEST_LINE, MOST_ROWS};
use crate::{BadRow, Columns, Error, Row};

/// Reads a manifest record by record.
pub(super) fn read(
    path: &Path,
    delimiter: u8,
    columns: &Columns,
) -> Result<(Vec<Row>, Vec<BadRow>), Error> {
    let file = std::fs::File::open(path).map_err(|error| Error::io(path, "read", error))?;
    let unfinished = Rc::new(Cell::new(0));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(Bounded {
            inner: file,
            unfinished: Rc::clone(&unfinished),
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
    let mut rows = Collector::new(path, columns);
    let mut record = csv::ByteRecord::new();
    // Records are counted rather than lines: the reader's lines are off by one where lines end in CRLF.
    for row in 2.. {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(whole(error)),
        }
        unfinished.set(0);
        if row > MOST_ROWS {
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
        let cells: Result<BTreeMap<String, String>, &String> = names
            .iter()
            .zip(record.iter())
            .map(|(name, cell)| match std::str::from_utf8(cell) {
                Ok(cell) => Ok((name.clone(), cell.to_owned())),
                Err(_) => Err(name),
            })
            .collect();
        match cells {
            Ok(cells) => rows.take(row, cells),
            Err(name) => {
                let name = name.clone();
                rows.bad(row, &name, "is not UTF-8; save the file as UTF-8");
            }
        }
    }
    rows.finish()
}

/// Refuses a record that does not end: an unclosed quote would swallow the rest of the file, whatever
/// its size.
struct Bounded<R> {
    inner: R,
    /// Bytes read since the last whole record; shared with the loop that takes records.
    unfinished: Rc<Cell<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.unfinished.set(self.unfinished.get() + count);
        if self.unfinished.get() > LONGEST_LINE {
            return Err(std::io::Error::other(format!(
                "a row is longer than {LONGEST_LINE} bytes; is a quote not closed?"
            )));
        }
        Ok(count)
    }
}
