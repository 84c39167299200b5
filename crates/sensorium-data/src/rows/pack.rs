//! One piece of packed rows, and how a row is laid in it.
//!
//! A row is, one behind the other:
//!
//! - its id: a text;
//! - a byte: the part in its lowest two bits (0 for none), then whether there is a label, and a group;
//! - label and group, as far as there are: words;
//! - its place: the file, a name, and the row, a number;
//! - how many inputs there are, and of each its column, a name, a byte for what it is, and what that needs;
//! - how many other cells there are, and of each its column, a name, and what it says, a word.
//!
//! A number is seven bits a byte, the lowest first. A text is its length in bytes and then they. A word and a name are either a text, whose
//! length is doubled, or the place of one that is held once for the piece, doubled and one more.

use std::sync::Arc;

use sensorium_core::{Source, Store};

use super::RowRef;

/// The bits of a row's byte.
pub(super) const PART: u8 = 0b11;
pub(super) const LABEL: u8 = 0b100;
pub(super) const GROUP: u8 = 0b1000;

/// What an input's byte says it is: a text; a file, as the word of its folder and a text; a store and a number; a content that is held
/// as it is.
pub(super) const TEXT: u8 = 0;
pub(super) const FILE: u8 = 1;
pub(super) const STORED: u8 = 2;
pub(super) const HELD: u8 = 3;

/// Packed rows.
pub(super) struct Pack {
    pub(super) bytes: Box<[u8]>,
    /// Where each row begins.
    pub(super) starts: Box<[u32]>,
    /// Names of columns and files, handed out shared.
    pub(super) names: Box<[Arc<str>]>,
    /// Labels, groups, cells and folders that come again and again, one behind the other, and where each ends.
    pub(super) words: Box<str>,
    pub(super) ends: Box<[u32]>,
    pub(super) stores: Box<[Arc<dyn Store>]>,
    /// Contents in memory, and files whose names are no text.
    pub(super) held: Box<[Source]>,
}

impl Pack {
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn at(&self, row: usize) -> RowRef<'_> {
        let end = self.starts.get(row + 1).map(|end| *end as usize);
        let start = self.starts[row] as usize;
        let bytes = &self.bytes[start..end.unwrap_or(self.bytes.len())];
        RowRef::new(Reader { pack: self, bytes })
    }

    fn word(&self, word: usize) -> &str {
        let start = word.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.words[start as usize..self.ends[word] as usize]
    }

    pub(super) fn host_bytes(&self) -> usize {
        let names = self
            .names
            .iter()
            .map(|name| 2 * size_of::<usize>() + name.len());
        size_of::<Self>()
            + self.bytes.len()
            + size_of_val(&*self.starts)
            + size_of_val(&*self.names)
            + names.sum::<usize>()
            + self.words.len()
            + size_of_val(&*self.ends)
            + size_of_val(&*self.stores)
            + size_of_val(&*self.held)
    }
}

/// A name as it stands: held once, or in the row.
pub(super) enum Name<'a> {
    Shared(&'a Arc<str>),
    Own(&'a str),
}

impl Name<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        match self {
            Self::Shared(own) => &***own == name,
            Self::Own(own) => *own == name,
        }
    }

    pub(super) fn shared(&self) -> Arc<str> {
        match self {
            Self::Shared(name) => Arc::clone(name),
            Self::Own(name) => Arc::from(*name),
        }
    }
}

/// Reads what a packer wrote, from its begin on.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pack: &'a Pack,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> u8 {
        let (byte, rest) = self.bytes.split_first().expect("a row was packed whole");
        self.bytes = rest;
        *byte
    }

    pub(super) fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    fn text_of(&mut self, length: u64) -> &'a str {
        let (text, rest) = self.bytes.split_at(length as usize);
        self.bytes = rest;
        std::str::from_utf8(text).expect("a text was packed")
    }

    pub(super) fn text(&mut self) -> &'a str {
        let length = self.number();
        self.text_of(length)
    }

    pub(super) fn word(&mut self) -> &'a str {
        match self.number() {
            place if place & 1 == 1 => self.pack.word((place >> 1) as usize),
            length => self.text_of(length >> 1),
        }
    }

    pub(super) fn name(&mut self) -> Name<'a> {
        match self.number() {
            place if place & 1 == 1 => Name::Shared(&self.pack.names[(place >> 1) as usize]),
            length => Name::Own(self.text_of(length >> 1)),
        }
    }

    pub(super) fn source(&mut self) -> Source {
        match self.byte() {
            TEXT => Source::text(self.text()),
            FILE => Source::path([self.word(), self.text()].concat()),
            STORED => Source::Stored {
                store: Arc::clone(&self.pack.stores[self.number() as usize]),
                at: self.number(),
            },
            _ => self.pack.held[self.number() as usize].clone(),
        }
    }

    /// What an input says, if it is a text; passes over it.
    pub(super) fn text_or_skip(&mut self) -> Option<&'a str> {
        let mut told = *self;
        self.skip_source();
        (told.byte() == TEXT).then(|| told.text())
    }

    /// Passes over an input.
    pub(super) fn skip_source(&mut self) {
        match self.byte() {
            TEXT => drop(self.text()),
            FILE => drop((self.word(), self.text())),
            STORED => drop((self.number(), self.number())),
            _ => drop(self.number()),
        }
    }
}
