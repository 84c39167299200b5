//! The cheapest edits between two sequences, in memory that grows with their length and not with its square.
//!
//! Where the table of distances would not fit a mebibyte, as [bits](super::bits), it is halved as Hirschberg does (1975).
//!
//! Several alignments are equally cheap. Which one is found, and so how the errors part into kinds, hangs on the order
//! in which the traceback tries them and on where the table is halved; both are those of RapidFuzz, which jiwer asks.

use super::bits::{Steps, Sweep};
use super::{Chunk, Edit};

/// From this many bytes of bits on a table is halved: RapidFuzz's, for where it is halved decides among equals.
const MOST_TABLE_BYTES: usize = 1 << 20;
/// Tables narrower or lower than this are never halved, as in RapidFuzz.
const LEAST_HALVED: (usize, usize) = (65, 10);

/// The chunks that turn `reference` into `hypothesis`, in order and without gaps.
pub(super) fn chunks(reference: &[u32], hypothesis: &[u32]) -> Vec<Chunk> {
    let mut chunks = Chunks::default();
    let most = reference.len().max(hypothesis.len());
    align(
        reference,
        hypothesis,
        most,
        MOST_TABLE_BYTES,
        LEAST_HALVED,
        &mut chunks,
    );
    chunks.0
}

/// Chunks as they grow.
#[derive(Default)]
struct Chunks(Vec<Chunk>);

impl Chunks {
    fn push(&mut self, edit: Edit, count: usize) {
        if count == 0 {
            return;
        }
        let (reference, hypothesis) = match edit {
            Edit::Equal | Edit::Substitute => (count, count),
            Edit::Delete => (count, 0),
            Edit::Insert => (0, count),
        };
        let ends = self
            .0
            .last()
            .map_or((0, 0), |last| (last.reference.end, last.hypothesis.end));
        match self.0.last_mut().filter(|last| last.edit == edit) {
            Some(last) => {
                last.reference.end += reference;
                last.hypothesis.end += hypothesis;
            }
            None => self.0.push(Chunk {
                edit,
                reference: ends.0..ends.0 + reference,
                hypothesis: ends.1..ends.1 + hypothesis,
            }),
        }
    }
}

/// Aligns two sequences whose distance is at most `most`.
fn align(
    mut reference: &[u32],
    mut hypothesis: &[u32],
    most: usize,
    table_bytes: usize,
    least: (usize, usize),
    chunks: &mut Chunks,
) {
    let same = |(a, b): &(&u32, &u32)| a == b;
    let prefix = reference.iter().zip(hypothesis).take_while(same).count();
    (reference, hypothesis) = (&reference[prefix..], &hypothesis[prefix..]);
    let ends = reference.iter().rev().zip(hypothesis.iter().rev());
    let suffix = ends.take_while(same).count();
    reference = &reference[..reference.len() - suffix];
    hypothesis = &hypothesis[..hypothesis.len() - suffix];

    let most = most.min(reference.len().max(hypothesis.len()));
    let band = reference.len().min(2 * most + 1);
    let small = 2 * band * hypothesis.len() / 8 < table_bytes;
    chunks.push(Edit::Equal, prefix);
    if small || reference.len() < least.0 || hypothesis.len() < least.1 {
        trace(reference, hypothesis, most, chunks);
    } else {
        let (at, mid) = (halve(reference, hypothesis, most), hypothesis.len() / 2);
        let halves = [
            (&reference[..at.column], &hypothesis[..mid], at.before),
            (&reference[at.column..], &hypothesis[mid..], at.after),
        ];
        for (reference, hypothesis, cost) in halves {
            align(reference, hypothesis, cost, table_bytes, least, chunks);
        }
    }
    chunks.push(Edit::Equal, suffix);
}

/// Where a cheapest alignment crosses the middle row, and its cost on either side.
struct Crossing {
    column: usize,
    before: usize,
    after: usize,
}

fn halve(reference: &[u32], hypothesis: &[u32], most: usize) -> Crossing {
    let (height, mid) = (hypothesis.len(), hypothesis.len() / 2);
    let mut forward = Sweep::new(reference.iter().copied(), height, most);
    let mut ends = 0;
    for &symbol in &hypothesis[..mid] {
        ends = forward.next(symbol).end;
    }
    let before = forward.cells(ends);
    drop(forward);
    let mut backward = Sweep::new(reference.iter().rev().copied(), height, most);
    for &symbol in hypothesis[mid..].iter().rev() {
        ends = backward.next(symbol).end;
    }
    let after = backward.cells(ends);
    let crossings = before.iter().zip(after.iter().rev()).enumerate();
    // The first of equally cheap ones.
    let best = crossings.min_by_key(|(_, (before, after))| before.saturating_add(**after));
    let (column, (&before, &after)) = best.expect("there is a column 0");
    Crossing {
        column,
        before,
        after,
    }
}

/// Fills the whole table and walks it from its end: a deletion where there is one, else an insertion, else both go on.
fn trace(reference: &[u32], hypothesis: &[u32], most: usize, chunks: &mut Chunks) {
    let (mut column, mut row) = (reference.len(), hypothesis.len());
    if column == 0 || row == 0 {
        chunks.push(Edit::Delete, column);
        chunks.push(Edit::Insert, row);
        return;
    }
    let mut sweep = Sweep::new(reference.iter().copied(), row, most);
    let (mut rows, mut kept) = (Vec::with_capacity(row), Vec::new());
    for &symbol in hypothesis {
        let range = sweep.next(symbol);
        rows.push((range.clone(), kept.len()));
        kept.extend_from_slice(sweep.steps(range));
    }
    let steps = |row: usize, column: usize| {
        let (range, at) = &rows[row - 1];
        let block = (column - 1) / 64;
        let inside = range.contains(&block);
        inside.then(|| kept[at + block - range.start])
    };
    let is_more = |row, column| {
        let steps = steps(row, column);
        steps.is_some_and(|steps: Steps| steps.is_more((column - 1) % 64))
    };
    let is_less = |row, column| {
        let steps = steps(row, column);
        steps.is_some_and(|steps: Steps| steps.is_less((column - 1) % 64))
    };
    let mut backwards: Vec<(Edit, usize)> = Vec::new();
    let mut push = |edit, count| match backwards.last_mut().filter(|last| last.0 == edit) {
        Some(last) => last.1 += count,
        None => backwards.push((edit, count)),
    };
    while column > 0 && row > 0 {
        if is_more(row, column) {
            column -= 1;
            push(Edit::Delete, 1);
            continue;
        }
        row -= 1;
        if row > 0 && is_less(row, column) {
            push(Edit::Insert, 1);
            continue;
        }
        column -= 1;
        let equal = reference[column] == hypothesis[row];
        push(if equal { Edit::Equal } else { Edit::Substitute }, 1);
    }
    push(Edit::Delete, column);
    push(Edit::Insert, row);
    for (edit, count) in backwards.into_iter().rev() {
        chunks.push(edit, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The whole table in plain numbers, walked in the same order.
    fn plainly(reference: &[u32], hypothesis: &[u32]) -> (usize, Vec<Edit>) {
        let (width, height) = (reference.len(), hypothesis.len());
        let mut table = vec![vec![0; width + 1]; height + 1];
        for row in 0..=height {
            for column in 0..=width {
                table[row][column] = if row == 0 || column == 0 {
                    row + column
                } else {
                    let differ = usize::from(reference[column - 1] != hypothesis[row - 1]);
                    (table[row - 1][column - 1] + differ)
                        .min(table[row - 1][column] + 1)
                        .min(table[row][column - 1] + 1)
                };
            }
        }
        let (mut column, mut row, mut edits) = (width, height, Vec::new());
        while column > 0 || row > 0 {
            let here = table[row][column];
            if column > 0 && (row == 0 || here == table[row][column - 1] + 1) {
                column -= 1;
                edits.push(Edit::Delete);
            } else if column == 0
                || (row > 1 && table[row - 1][column] + 1 == table[row - 1][column - 1])
            {
                row -= 1;
                edits.push(Edit::Insert);
            } else {
                (column, row) = (column - 1, row - 1);
                let equal = reference[column] == hypothesis[row];
                edits.push(if equal { Edit::Equal } else { Edit::Substitute });
            }
        }
        edits.reverse();
        (table[height][width], edits)
    }

    fn unrolled(chunks: &[Chunk]) -> Vec<Edit> {
        let length = |chunk: &Chunk| chunk.reference.len().max(chunk.hypothesis.len());
        chunks
            .iter()
            .flat_map(|chunk| vec![chunk.edit; length(chunk)])
            .collect()
    }

    fn errors(edits: &[Edit]) -> usize {
        edits.iter().filter(|edit| **edit != Edit::Equal).count()
    }

    /// Two texts, the second being the first with mistakes or a text of its own.
    fn texts() -> impl Strategy<Value = (Vec<u32>, Vec<u32>)> {
        let text = |letters: u32, most: usize| proptest::collection::vec(0..letters, 0..most);
        let own = (1_u32..5).prop_flat_map(move |n| (text(n, 200), text(n, 200)));
        let noisy = (
            text(6, 300),
            proptest::collection::vec((0_usize..300, 0_u32..7), 0..12),
        )
            .prop_map(|(text, mistakes)| {
                let mut other = text.clone();
                for (at, symbol) in mistakes {
                    match (at.checked_rem(other.len()), symbol) {
                        (Some(at), 0..2) => drop(other.remove(at)),
                        (Some(at), 2..4) => other.insert(at, symbol),
                        (Some(at), _) => other[at] = symbol,
                        (None, _) => other.push(symbol),
                    }
                }
                (text, other)
            });
        prop_oneof![own, noisy]
    }

    proptest! {
        #[test]
        fn a_table_of_bits_walks_as_one_of_numbers((reference, hypothesis) in texts()) {
            let (distance, edits) = plainly(&reference, &hypothesis);
            let wide = reference.len().max(hypothesis.len());
            // The band as narrow as it may be, and wider.
            for most in [distance, distance + 1, distance + 40, wide.max(distance)] {
                let mut chunks = Chunks::default();
                trace(&reference, &hypothesis, most, &mut chunks);
                prop_assert_eq!(&unrolled(&chunks.0), &edits);
            }
        }

        #[test]
        fn halving_finds_an_alignment_as_cheap((reference, hypothesis) in texts()) {
            let (distance, _) = plainly(&reference, &hypothesis);
            let mut chunks = Chunks::default();
            let most = reference.len().max(hypothesis.len());
            align(&reference, &hypothesis, most, 64, (2, 2), &mut chunks);
            let edits = unrolled(&chunks.0);
            prop_assert_eq!(errors(&edits), distance);
            let (mut ours, mut theirs) = (reference.iter(), hypothesis.iter());
            for edit in edits {
                match edit {
                    Edit::Equal => prop_assert_eq!(ours.next().unwrap(), theirs.next().unwrap()),
                    Edit::Substitute => prop_assert_ne!(ours.next().unwrap(), theirs.next().unwrap()),
                    Edit::Delete => prop_assert!(ours.next().is_some()),
                    Edit::Insert => prop_assert!(theirs.next().is_some()),
                }
            }
            prop_assert!(ours.next().is_none() && theirs.next().is_none());
        }
    }
}
