//! The longest common subsequence: how long it is, and which one rouge_score finds.

/// Its length, in memory for one row.
pub(super) fn length<T: PartialEq>(reference: &[T], text: &[T]) -> usize {
    let mut row = vec![0_u32; text.len() + 1];
    for unit in reference {
        advance(&mut row, unit, text);
    }
    row[text.len()] as usize
}

/// The positions in `reference` of one, rising.
///
/// Of equally long ones it is what is found from the end of both texts: equal units are taken, else the text is shortened where that
/// loses less than shortening the reference does. Of the table every so many rows are kept, as many as there are between two of them,
/// and the others computed again: a text of 10,000 words takes 8 MB and not 400.
pub(super) fn positions<T: PartialEq>(reference: &[T], text: &[T]) -> Vec<usize> {
    let apart = reference.len().isqrt().max(1);
    let mut row = vec![0_u32; text.len() + 1];
    let mut kept = Vec::new();
    for (i, unit) in reference.iter().enumerate() {
        if i % apart == 0 {
            kept.push(row.clone());
        }
        advance(&mut row, unit, text);
    }
    let (mut found, mut j) = (Vec::new(), text.len());
    for (block, first) in kept.into_iter().enumerate().rev() {
        let begin = block * apart;
        let end = (begin + apart).min(reference.len());
        // Row `i` of the table stands at `i - begin`.
        let mut rows = vec![first];
        for unit in &reference[begin..end] {
            let mut row = rows[rows.len() - 1].clone();
            advance(&mut row, unit, text);
            rows.push(row);
        }
        let mut i = end;
        while i > begin && j > 0 {
            if reference[i - 1] == text[j - 1] {
                (i, j) = (i - 1, j - 1);
                found.push(i);
            } else if rows[i - begin][j - 1] > rows[i - begin - 1][j] {
                j -= 1;
            } else {
                i -= 1;
            }
        }
    }
    found.reverse();
    found
}

/// From one row of the table, the lengths for each beginning of the text, to the next.
fn advance<T: PartialEq>(row: &mut [u32], unit: &T, text: &[T]) {
    let mut diagonal = 0;
    for (j, other) in text.iter().enumerate() {
        let above = row[j + 1];
        row[j + 1] = if unit == other {
            diagonal + 1
        } else {
            above.max(row[j])
        };
        diagonal = above;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// With the whole table.
    fn plainly(reference: &[u8], text: &[u8]) -> Vec<usize> {
        let mut table = vec![vec![0; text.len() + 1]];
        for unit in reference {
            let mut row = table[table.len() - 1].clone();
            advance(&mut row, unit, text);
            table.push(row);
        }
        let (mut i, mut j, mut found) = (reference.len(), text.len(), Vec::new());
        while i > 0 && j > 0 {
            if reference[i - 1] == text[j - 1] {
                (i, j) = (i - 1, j - 1);
                found.insert(0, i);
            } else if table[i][j - 1] > table[i - 1][j] {
                j -= 1;
            } else {
                i -= 1;
            }
        }
        found
    }

    proptest! {
        #[test]
        fn rows_computed_again_find_the_same(
            reference in proptest::collection::vec(0_u8..5, 0..60),
            text in proptest::collection::vec(0_u8..5, 0..60),
        ) {
            let found = positions(&reference, &text);
            prop_assert_eq!(&found, &plainly(&reference, &text));
            prop_assert_eq!(found.len(), length(&reference, &text));
            // It is a subsequence of both.
            let mut rest = text.iter();
            prop_assert!(found.iter().all(|&i| rest.any(|unit| *unit == reference[i])));
            prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
