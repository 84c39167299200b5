//! A packed row where it stands.

use std::sync::Arc;

use sensorium_core::Source;

use super::pack::{GROUP, LABEL, PART, Reader};
use crate::{Place, Row, Split};

/// A row of [`Rows`](crate::Rows), of which only what is asked for is unpacked.
#[derive(Clone, Copy)]
pub struct RowRef<'a> {
    id: &'a str,
    bits: u8,
    /// What follows.
    rest: Reader<'a>,
}

impl<'a> RowRef<'a> {
    pub(super) fn new(mut rest: Reader<'a>) -> Self {
        Self {
            id: rest.text(),
            bits: rest.byte(),
            rest,
        }
    }

    /// The whole row.
    pub fn row(self) -> Row {
        let mut rest = self.rest;
        let mut word = |bit: u8| self.has(bit).then(|| rest.word().to_owned());
        let (label, group) = (word(LABEL), word(GROUP));
        let place = place(&mut rest);
        let inputs = (0..rest.number()).map(|_| (rest.name().shared(), rest.source()));
        let inputs = inputs.collect();
        let meta = (0..rest.number()).map(|_| (rest.name().shared(), Arc::from(rest.word())));
        Row {
            id: self.id.to_owned(),
            label,
            split: self.split(),
            group,
            inputs,
            meta: meta.collect(),
            place,
        }
    }

    /// Its id.
    pub fn id(self) -> &'a str {
        self.id
    }

    /// Which part it belongs to, if the data says.
    pub fn split(self) -> Option<Split> {
        match self.bits & PART {
            1 => Some(Split::Train),
            2 => Some(Split::Valid),
            3 => Some(Split::Test),
            _ => None,
        }
    }

    /// What its label cell says, if it has one.
    pub fn label(self) -> Option<&'a str> {
        let mut rest = self.rest;
        self.has(LABEL).then(|| rest.word())
    }

    /// What it shares with others that must not stand on another side.
    pub fn group(self) -> Option<&'a str> {
        let mut rest = self.rest;
        if self.has(LABEL) {
            rest.word();
        }
        self.has(GROUP).then(|| rest.word())
    }

    /// Where it stands.
    pub fn place(self) -> Place {
        place(&mut self.at_place())
    }

    /// The content of a column, if it has one.
    pub fn input(self, column: &str) -> Option<Source> {
        let mut rest = self.at_inputs();
        for _ in 0..rest.number() {
            if rest.name().is(column) {
                return Some(rest.source());
            }
            rest.skip_source();
        }
        None
    }

    /// Whether it has a content in a column.
    pub fn has_input(self, column: &str) -> bool {
        let mut rest = self.at_inputs();
        (0..rest.number()).any(|_| {
            let is = rest.name().is(column);
            rest.skip_source();
            is
        })
    }

    /// What a column holds, if that is a text.
    pub fn text(self, column: &str) -> Option<&'a str> {
        let mut rest = self.at_inputs();
        (0..rest.number()).find_map(|_| {
            let is = rest.name().is(column);
            rest.text_or_skip().filter(|_| is)
        })
    }

    /// What else the manifest says in a column.
    pub fn meta(self, column: &str) -> Option<&'a str> {
        let mut rest = self.at_inputs();
        for _ in 0..rest.number() {
            rest.name();
            rest.skip_source();
        }
        (0..rest.number()).find_map(|_| {
            let is = rest.name().is(column);
            let cell = rest.word();
            is.then_some(cell)
        })
    }

    fn has(self, bit: u8) -> bool {
        self.bits & bit != 0
    }

    fn at_place(self) -> Reader<'a> {
        let mut rest = self.rest;
        for bit in [LABEL, GROUP] {
            if self.has(bit) {
                rest.word();
            }
        }
        rest
    }

    fn at_inputs(self) -> Reader<'a> {
        let mut rest = self.at_place();
        rest.name();
        rest.number();
        rest
    }
}

fn place(rest: &mut Reader<'_>) -> Place {
    Place {
        file: rest.name().shared(),
        row: rest.number(),
    }
}
