//! The rows of a data set, packed: a million of them take about as much memory as the text of their manifest.
//!
//! A row is bytes in one of few large pieces, and is unpacked when it is asked for; what is taken of a data set, such as a part of it, is
//! a list of numbers over the same pieces.

mod pack;
mod packer;
mod seen;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use pack::Pack;
pub(crate) use packer::Packer;
pub use seen::RowRef;

use crate::Row;

/// Rows in an order of theirs. Cheap to clone; threads may share them.
///
/// ```
/// # use sensorium_data::{Row, Rows};
/// # let row = |id: &str| Row { id: id.into(), label: Some(format!("like {id}")), split: None, group: None,
/// #     inputs: Default::default(), meta: Default::default(), place: Default::default() };
/// let rows: Rows = ["a", "b", "c"].map(row).into_iter().collect();
/// assert_eq!(rows.get(2).label.as_deref(), Some("like c"));
/// let some = rows.select([2, 0]);
/// assert_eq!(some.iter().map(|row| row.id).collect::<Vec<_>>(), ["c", "a"]);
/// // What needs no whole row is looked at where it stands.
/// assert!(some.refs().all(|row| row.id() != "b"));
/// ```
#[derive(Clone, Default)]
pub struct Rows {
    packs: Arc<Packs>,
    /// Which rows, by their numbers in all packs; all of them where there is no list.
    chosen: Option<Arc<[u32]>>,
}

/// Pieces one behind the other.
#[derive(Default)]
struct Packs {
    all: Vec<Arc<Pack>>,
    /// How many rows each and those before it have.
    ends: Vec<u32>,
}

impl Packs {
    /// # Panics
    /// If there are more than 2³² rows.
    fn of(all: Vec<Arc<Pack>>) -> Self {
        let mut rows = 0;
        let ends = all.iter().map(|pack| {
            rows += pack.len();
            number(rows)
        });
        Self {
            ends: ends.collect(),
            all,
        }
    }

    fn len(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }

    fn at(&self, row: u32) -> RowRef<'_> {
        let pack = self.ends.partition_point(|end| *end <= row);
        let before = pack.checked_sub(1).map_or(0, |last| self.ends[last]);
        self.all[pack].at((row - before) as usize)
    }
}

/// The number of a row.
fn number(row: usize) -> u32 {
    u32::try_from(row).expect("there are fewer rows than 2³²")
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.chosen {
            Some(chosen) => chosen.len(),
            None => self.packs.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A row.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn get(&self, row: usize) -> Row {
        self.at(row).row()
    }

    /// A row where it stands, to look at some of it.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn at(&self, row: usize) -> RowRef<'_> {
        self.packs.at(self.number(row))
    }

    fn number(&self, row: usize) -> u32 {
        match &self.chosen {
            Some(chosen) => chosen[row],
            None => {
                assert!(row < self.len(), "row {row} of {}", self.len());
                number(row)
            }
        }
    }

    /// All rows, each unpacked in its turn.
    pub fn iter(&self) -> Iter {
        self.clone().into_iter()
    }

    /// All rows where they stand.
    pub fn refs(&self) -> impl ExactSizeIterator<Item = RowRef<'_>> + Clone {
        (0..self.len()).map(|row| self.at(row))
    }

    /// These rows in this order; a row may come twice.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn select(&self, rows: impl IntoIterator<Item = usize>) -> Self {
        let chosen = rows.into_iter().map(|row| self.number(row));
        Self {
            packs: Arc::clone(&self.packs),
            chosen: Some(chosen.collect()),
        }
    }

    /// Those rows that are wanted, in their order.
    pub fn filter(&self, mut wanted: impl FnMut(RowRef<'_>) -> bool) -> Self {
        self.select((0..self.len()).filter(|row| wanted(self.at(*row))))
    }

    /// The rows of all of these, one behind the other.
    pub fn joined(all: impl IntoIterator<Item = Self>) -> Self {
        let mut all: Vec<Self> = all.into_iter().filter(|rows| !rows.is_empty()).collect();
        if all.len() < 2 {
            return all.pop().unwrap_or_default();
        }
        let whole = all.iter().all(|rows| rows.chosen.is_none());
        let chosen = (!whole).then(|| {
            let mut chosen = Vec::with_capacity(all.iter().map(Self::len).sum());
            let mut before = 0;
            for rows in &all {
                let own = (0..rows.len()).map(|row| number(before + rows.number(row) as usize));
                chosen.extend(own);
                before += rows.packs.len();
            }
            chosen.into()
        });
        let packs = all.iter().flat_map(|rows| rows.packs.all.iter().cloned());
        Self {
            packs: Arc::new(Packs::of(packs.collect())),
            chosen,
        }
    }

    /// How many bytes of memory these rows take; what is shared with others of one data set is counted in full, and contents that stand
    /// in stores, or in memory by themselves, are not.
    pub fn host_bytes(&self) -> usize {
        let packs: usize = self.packs.all.iter().map(|pack| pack.host_bytes()).sum();
        let list = size_of::<(Arc<Pack>, u32)>() * self.packs.all.len();
        packs + list + self.chosen.as_deref().map_or(0, size_of_val)
    }
}

impl FromIterator<Row> for Rows {
    fn from_iter<I: IntoIterator<Item = Row>>(rows: I) -> Self {
        let mut packer = Packer::default();
        rows.into_iter().for_each(|row| packer.push(&row));
        packer.finish()
    }
}

impl From<Vec<Row>> for Rows {
    fn from(rows: Vec<Row>) -> Self {
        rows.into_iter().collect()
    }
}

/// Goes through rows and unpacks them.
#[derive(Clone)]
pub struct Iter {
    rows: Rows,
    next: usize,
}

impl Iterator for Iter {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        self.nth(0)
    }

    /// What is passed over is not unpacked.
    fn nth(&mut self, n: usize) -> Option<Row> {
        let row = self.next.saturating_add(n);
        self.next = row.saturating_add(1).min(self.rows.len());
        (row < self.rows.len()).then(|| self.rows.get(row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rows.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter {}

impl IntoIterator for Rows {
    type Item = Row;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        Iter {
            rows: self,
            next: 0,
        }
    }
}

impl IntoIterator for &Rows {
    type Item = Row;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}
