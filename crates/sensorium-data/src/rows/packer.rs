//! Packs rows: what comes again is held once, and pieces are closed when they are large.

use std::collections::HashMap;
use std::sync::Arc;

use sensorium_core::{Source, Store};

use super::pack::{FILE, GROUP, HELD, LABEL, Pack, STORED, TEXT};
use super::{Packs, Rows};
use crate::{Row, Split};

/// A piece is closed once it has as many bytes: so where a row begins fits in four bytes, and growing copies little.
const FULL: usize = 16 << 20;

/// How many words, and how many names, are held once for a piece: a column in which every cell is another gains nothing by it.
const MOST_WORDS: usize = 1 << 16;
const MOST_NAMES: usize = 1 << 12;

/// The longest that are, in bytes.
const LONGEST: usize = 255;

/// A place in a piece.
fn small(place: usize) -> u32 {
    u32::try_from(place).expect("a piece is closed long before")
}

/// Rows that are being packed.
#[derive(Default)]
pub(crate) struct Packer {
    done: Vec<Arc<Pack>>,
    /// How many rows these have.
    before: usize,
    open: Open,
}

impl Packer {
    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.before + self.open.starts.len()
    }

    /// Packs a row behind the others.
    pub(crate) fn push(&mut self, row: &Row) {
        if self.open.bytes.len() >= FULL {
            self.close();
        }
        self.open.push(row);
    }

    fn close(&mut self) {
        let pack = std::mem::take(&mut self.open).pack();
        if pack.len() > 0 {
            self.before += pack.len();
            self.done.push(Arc::new(pack));
        }
    }

    /// The rows.
    pub(crate) fn finish(mut self) -> Rows {
        self.close();
        Rows {
            packs: Arc::new(Packs::of(self.done)),
            chosen: None,
        }
    }
}

/// The piece at hand.
#[derive(Default)]
struct Open {
    bytes: Vec<u8>,
    starts: Vec<u32>,
    names: Vec<Arc<str>>,
    name_places: HashMap<Arc<str>, u64>,
    words: String,
    ends: Vec<u32>,
    word_places: HashMap<Box<str>, u64>,
    stores: Vec<Arc<dyn Store>>,
    /// By where they lie in memory.
    store_places: HashMap<usize, u64>,
    held: Vec<Source>,
}

impl Open {
    fn push(&mut self, row: &Row) {
        self.starts.push(small(self.bytes.len()));
        self.text(&row.id);
        let (label, group) = (row.label.as_deref(), row.group.as_deref());
        let part = row.split.map_or(0, |split| match split {
            Split::Train => 1,
            Split::Valid => 2,
            Split::Test => 3,
        });
        let said = |is: bool, bit: u8| if is { bit } else { 0 };
        let bits = part | said(label.is_some(), LABEL) | said(group.is_some(), GROUP);
        self.bytes.push(bits);
        label.into_iter().for_each(|label| self.word(label));
        group.into_iter().for_each(|group| self.word(group));
        self.name(&row.place.file);
        self.number(row.place.row);
        self.number(row.inputs.len() as u64);
        for (column, source) in &row.inputs {
            self.name(column);
            self.source(source);
        }
        self.number(row.meta.len() as u64);
        for (column, cell) in &row.meta {
            self.name(column);
            self.word(cell);
        }
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// A text whose length is doubled, so that it is told from a place.
    fn own(&mut self, text: &str) {
        self.number(2 * text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn word(&mut self, word: &str) {
        let known = self.word_places.get(word).copied();
        let place = known.or_else(|| {
            let fits = word.len() <= LONGEST && self.ends.len() < MOST_WORDS;
            fits.then(|| {
                let place = self.ends.len() as u64;
                self.words.push_str(word);
                self.ends.push(small(self.words.len()));
                self.word_places.insert(word.into(), place);
                place
            })
        });
        match place {
            Some(place) => self.number(2 * place + 1),
            None => self.own(word),
        }
    }

    fn name(&mut self, name: &Arc<str>) {
        let known = self.name_places.get(name).copied();
        let place = known.or_else(|| {
            let fits = name.len() <= LONGEST && self.names.len() < MOST_NAMES;
            fits.then(|| {
                let place = self.names.len() as u64;
                self.names.push(Arc::clone(name));
                self.name_places.insert(Arc::clone(name), place);
                place
            })
        });
        match place {
            Some(place) => self.number(2 * place + 1),
            None => self.own(name),
        }
    }

    fn source(&mut self, source: &Source) {
        match source {
            Source::Text(text) => {
                self.bytes.push(TEXT);
                self.text(text);
            }
            Source::Path(path) => match path.to_str() {
                Some(path) => self.file(path),
                None => self.held(source),
            },
            Source::Stored { store, at } => {
                self.bytes.push(STORED);
                let own = Arc::as_ptr(store).cast::<()>() as usize;
                let stores = &mut self.stores;
                let place = *self.store_places.entry(own).or_insert_with(|| {
                    stores.push(Arc::clone(store));
                    stores.len() as u64 - 1
                });
                self.number(place);
                self.number(*at);
            }
            Source::Bytes { .. } => self.held(source),
        }
    }

    /// Files of one folder share its name.
    fn file(&mut self, path: &str) {
        self.bytes.push(FILE);
        let name = path.rfind(std::path::is_separator).map_or(0, |at| at + 1);
        let (folder, name) = path.split_at(name);
        self.word(folder);
        self.text(name);
    }

    fn held(&mut self, source: &Source) {
        self.bytes.push(HELD);
        self.number(self.held.len() as u64);
        self.held.push(source.clone());
    }

    fn pack(self) -> Pack {
        Pack {
            bytes: self.bytes.into(),
            starts: self.starts.into(),
            names: self.names.into(),
            words: self.words.into(),
            ends: self.ends.into(),
            stores: self.stores.into(),
            held: self.held.into(),
        }
    }
}
