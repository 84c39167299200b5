//! Many files that make up one data set: read side by side, and joined in their order.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cells::no_column;
use super::{Found, MOST_ROWS, PartFile, left_aside};
use crate::{Columns, Error, Row, Rows};

/// Reads every file with `read`, a thread for each core.
pub(super) fn read(
    given: &Path,
    parts: &[PartFile],
    columns: &Columns,
    read: impl Fn(&PartFile) -> Found + Sync,
) -> Result<Found, Error> {
    let found = side_by_side(parts, read);
    let rows: u64 = found.iter().map(|found| found.rows.len() as u64).sum();
    if rows > MOST_ROWS {
        return Err(Error::NotData {
            path: given.to_owned(),
            reason: format!("has more than {MOST_ROWS} rows"),
        });
    }
    let (mut all, mut rows) = (Found::default(), Vec::with_capacity(found.len()));
    let shared = share_ids(&found);
    for (part, mut found) in parts.iter().zip(found) {
        all.broken.append(&mut found.broken);
        rows.push(match shared {
            true => named(found.rows, &found.unnamed, &part.name),
            false => found.rows,
        });
        all.bad.append(&mut found.bad);
        all.seen.append(&mut found.seen);
        all.notes.append(&mut found.notes);
        for (extension, count) in found.other {
            *all.other.entry(extension).or_default() += count;
        }
    }
    all.rows = Rows::joined(rows);
    if shared {
        all.leave_out_twins(columns);
    }
    let name = given.display().to_string();
    if all.rows.is_empty() && all.broken.is_empty() {
        let mut seen = all.seen.clone();
        let extensions = all.other.keys().filter(|extension| !extension.is_empty());
        seen.extend(extensions.cloned());
        if !seen.is_empty() && all.bad.iter().all(|bad| bad.column.is_empty()) {
            return Err(no_column(&name, columns, &seen));
        }
    }
    let note = left_aside(&name, "member", &all.other, columns);
    all.notes.extend(note);
    Ok(all)
}

/// The rows, of which those without an id of their own are named by their file as well.
fn named(rows: Rows, unnamed: &[usize], file: &str) -> Rows {
    let mut unnamed = unnamed.iter().copied().peekable();
    let each = rows
        .iter()
        .enumerate()
        .map(|(i, row)| match unnamed.next_if_eq(&i) {
            Some(_) => Row {
                id: format!("{file}/{}", row.id),
                ..row
            },
            None => row,
        });
    each.collect()
}

fn side_by_side(parts: &[PartFile], read: impl Fn(&PartFile) -> Found + Sync) -> Vec<Found> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(parts.len());
    let next = AtomicUsize::new(0);
    let found = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(part) = parts.get(i) else { return };
                    let read = read(part);
                    found
                        .lock()
                        .unwrap_or_else(|p| p.into_inner())
                        .insert(i, read);
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(|p| p.into_inner());
    found.into_values().collect()
}

/// Whether rows of two files have the same id, so that those that were not told are to be named by their files.
fn share_ids(found: &[Found]) -> bool {
    let mut known = HashSet::new();
    let mut rows = found.iter().flat_map(|found| found.rows.refs());
    found.len() > 1 && rows.any(|row| !known.insert(row.id()))
}
