//! The table of distances between two sequences, row by row, as bits.
//!
//! Neighbouring cells differ by one at most: the differences of 64 cells fit two machine words, and a few operations on
//! these make the next row (Hyyrö, "A note on bit-parallel alignment computation", 2004). Only cells that an alignment
//! of a known cost can visit are looked at (Ukkonen, 1985).

use std::collections::HashMap;
use std::ops::Range;

/// How 64 neighbouring cells of a row differ, each from the one to its left: one more, one less, or not at all.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    more: u64,
    less: u64,
}

impl Steps {
    /// Whether the cell of this column is one more than the one to its left; columns count from 0 in the block.
    pub(super) fn is_more(self, column: usize) -> bool {
        self.more >> column & 1 == 1
    }

    /// Whether it is one less.
    pub(super) fn is_less(self, column: usize) -> bool {
        self.less >> column & 1 == 1
    }
}

/// The table's rows, one a symbol of the hypothesis; a column is one of the reference. Only blocks of 64 columns that
/// hold a cell of the band are computed. Cells outside count as too dear, never as too cheap, so that every cell which
/// a cheapest alignment visits is right.
pub(super) struct Sweep {
    /// Where in the reference a symbol stands: blocks in order, and the bits there.
    places: HashMap<u32, Vec<(usize, u64)>>,
    blocks: Vec<Steps>,
    width: usize,
    /// The band: an alignment this cheap is never more than so many deletions or insertions ahead.
    deletions: usize,
    insertions: usize,
    row: usize,
    first: usize,
    /// The cell to the left of the first block.
    left: usize,
}

impl Sweep {
    pub(super) fn new(
        reference: impl ExactSizeIterator<Item = u32>,
        height: usize,
        most: usize,
    ) -> Self {
        let width = reference.len();
        let mut places: HashMap<u32, Vec<(usize, u64)>> = HashMap::new();
        for (column, symbol) in reference.enumerate() {
            let (block, bit) = (column / 64, 1 << (column % 64));
            let places = places.entry(symbol).or_default();
            match places.last_mut().filter(|last| last.0 == block) {
                Some(last) => last.1 |= bit,
                None => places.push((block, bit)),
            }
        }
        Self {
            places,
            blocks: vec![Steps { more: !0, less: 0 }; width.div_ceil(64)],
            width,
            deletions: (most + width).saturating_sub(height) / 2,
            insertions: (most + height).saturating_sub(width) / 2,
            row: 0,
            first: 0,
            left: 0,
        }
    }

    /// Goes on to the next row, and says which blocks of it were computed.
    pub(super) fn next(&mut self, symbol: u32) -> Range<usize> {
        self.row += 1;
        self.left += 1;
        let first = self.row.saturating_sub(self.insertions).max(1);
        let first = ((first - 1) / 64).min(self.blocks.len() - 1);
        for Steps { more, less } in &self.blocks[self.first..first] {
            self.left += more.count_ones() as usize;
            self.left -= less.count_ones() as usize;
        }
        self.first = first;
        let last = (self.row + self.deletions).min(self.width);
        let range = first..(last.max(1) - 1) / 64 + 1;
        let places = self.places.get(&symbol).map_or(&[][..], Vec::as_slice);
        let from = places.partition_point(|place| place.0 < first);
        advance(&mut self.blocks[range.clone()], first, &places[from..]);
        range
    }

    /// The steps of the last row, in these blocks.
    pub(super) fn steps(&self, blocks: Range<usize>) -> &[Steps] {
        &self.blocks[blocks]
    }

    /// The cells of the last row, from column 0 on; those outside the band are `usize::MAX`.
    pub(super) fn cells(&self, last: usize) -> Vec<usize> {
        let mut cells = vec![usize::MAX; self.width + 1];
        let mut cell = self.left;
        cells[self.first * 64] = cell;
        for column in self.first * 64..(last * 64).min(self.width) {
            let steps = self.blocks[column / 64];
            cell += usize::from(steps.is_more(column % 64));
            cell -= usize::from(steps.is_less(column % 64));
            cells[column + 1] = cell;
        }
        cells
    }
}

/// One row further: `places` are the bits where the row's symbol stands, from block `first` on.
fn advance(blocks: &mut [Steps], first: usize, places: &[(usize, u64)]) {
    // The cell to the left of the first block is one more than the one above it.
    let (mut up, mut down) = (1, 0);
    let mut places = places.iter().peekable();
    for (index, block) in blocks.iter_mut().enumerate() {
        let here = places.next_if(|place| place.0 == first + index);
        let Steps { more, less } = *block;
        let equal = here.map_or(0, |place| place.1) | down;
        // Cells that are as cheap as the one diagonally before them.
        let free = ((equal & more).wrapping_add(more) ^ more) | equal | less;
        let (rises, falls) = (less | !(free | more), free & more);
        let (rises_in, falls_in) = (rises << 1 | up, falls << 1 | down);
        (up, down) = (rises >> 63, falls >> 63);
        *block = Steps {
            more: falls_in | !(free | rises_in),
            less: rises_in & free,
        };
    }
}
