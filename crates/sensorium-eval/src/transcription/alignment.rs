//! Two texts beside each other: what of the one became what of the other.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{EditCounts, levenshtein};
use crate::python::is_space;

/// What becomes of a run of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// They are the same in both.
    Equal,
    /// Each is another in the hypothesis.
    Substitute,
    /// They are in the reference alone.
    Delete,
    /// They are in the hypothesis alone.
    Insert,
}

/// A run of units with one fate: where it stands in the reference and in the hypothesis, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// What becomes of it.
    pub edit: Edit,
    /// The units of the reference; empty for an insertion.
    pub reference: Range<usize>,
    /// The units of the hypothesis; empty for a deletion.
    pub hypothesis: Range<usize>,
}

/// A cheapest alignment of two texts, by words or by characters. Of equally cheap ones it is the one that jiwer finds.
///
/// Printed, the texts stand one above the other, gaps filled with stars, and the errors are marked below:
///
/// ```
/// let alignment = sensorium_eval::align_words("short one here", "shoe order one");
/// let lines = [
///     "REF: **** short one here",
///     "HYP: shoe order one ****",
///     "        I     S        D",
/// ];
/// assert_eq!(alignment.to_string(), lines.join("\n") + "\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alignment<'a> {
    reference: Vec<&'a str>,
    hypothesis: Vec<&'a str>,
    chunks: Vec<Chunk>,
    separator: &'static str,
}

/// Aligns two texts word by word. Words are parted as jiwer parts them: by a space, or by white space of any kind that
/// is more than one character long; at the ends all of it is dropped. Nothing else is prepared: see
/// [`normalise`](crate::normalise) for case, punctuation and spelling.
///
/// Memory grows with the texts, at most 4 MiB and 150 bytes a word, never with their product; time grows with the
/// product, 64 words of the reference at once: 20,000 words against 20,000 others take a fraction of a second.
pub fn align_words<'a>(reference: &'a str, hypothesis: &'a str) -> Alignment<'a> {
    Alignment::new(words(reference), words(hypothesis), " ")
}

/// Aligns two texts character by character: Unicode scalar values, spaces between words among them as they stand. White
/// space at the ends is dropped. Time and memory are as for [`align_words`].
pub fn align_characters<'a>(reference: &'a str, hypothesis: &'a str) -> Alignment<'a> {
    Alignment::new(characters(reference), characters(hypothesis), "")
}

impl<'a> Alignment<'a> {
    fn new(reference: Vec<&'a str>, hypothesis: Vec<&'a str>, separator: &'static str) -> Self {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut number = |unit: &&'a str| {
            let next = u32::try_from(numbers.len()).expect("fewer than 2^32 different words");
            *numbers.entry(unit).or_insert(next)
        };
        let ours: Vec<u32> = reference.iter().map(&mut number).collect();
        let theirs: Vec<u32> = hypothesis.iter().map(&mut number).collect();
        drop(numbers);
        Self {
            chunks: levenshtein::chunks(&ours, &theirs),
            reference,
            hypothesis,
            separator,
        }
    }

    /// The units of the reference.
    pub fn reference(&self) -> &[&'a str] {
        &self.reference
    }

    /// The units of the hypothesis.
    pub fn hypothesis(&self) -> &[&'a str] {
        &self.hypothesis
    }

    /// What becomes of what, in order and without gaps; neighbours differ in their edit.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// How many units there are of each fate.
    pub fn counts(&self) -> EditCounts {
        EditCounts::of(&self.chunks)
    }

    /// The texts one above the other in lines of at most `width` characters, where no unit is longer than that; blocks
    /// of three lines are parted by an empty one.
    pub fn wrapped(&self, width: usize) -> String {
        self.text(width)
    }

    fn text(&self, width: usize) -> String {
        let (mut text, mut lines) = (String::new(), Lines::new());
        for (reference, hypothesis, mark) in self.columns() {
            let length = |unit: Option<&str>| unit.map_or(1, |unit| unit.chars().count());
            let wide = length(reference).max(length(hypothesis));
            if lines.used > 0 && lines.used + wide + 5 > width {
                text += &lines.end(self.separator);
                text.push('\n');
            }
            lines.push(reference, hypothesis, mark, wide, self.separator);
        }
        text + &lines.end(self.separator)
    }

    /// One entry a column of the printed alignment.
    fn columns(&self) -> impl Iterator<Item = (Option<&'a str>, Option<&'a str>, char)> + '_ {
        self.chunks.iter().flat_map(|chunk| {
            let mark = match chunk.edit {
                Edit::Equal => ' ',
                Edit::Substitute => 'S',
                Edit::Delete => 'D',
                Edit::Insert => 'I',
            };
            let reference = &self.reference[chunk.reference.clone()];
            let hypothesis = &self.hypothesis[chunk.hypothesis.clone()];
            (0..reference.len().max(hypothesis.len()))
                .map(move |i| (reference.get(i).copied(), hypothesis.get(i).copied(), mark))
        })
    }
}

impl fmt::Display for Alignment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(usize::MAX))
    }
}

/// Three lines as they grow.
struct Lines {
    lines: [String; 3],
    /// Characters in each, their headings aside.
    used: usize,
}

impl Lines {
    fn new() -> Self {
        Self {
            lines: ["REF: ", "HYP: ", "     "].map(String::from),
            used: 0,
        }
    }

    fn push(
        &mut self,
        reference: Option<&str>,
        hypothesis: Option<&str>,
        mark: char,
        wide: usize,
        separator: &str,
    ) {
        let gap = "*".repeat(wide);
        let [above, below, marks] = &mut self.lines;
        *above += &format!("{:>wide$}{separator}", reference.unwrap_or(&gap));
        *below += &format!("{:>wide$}{separator}", hypothesis.unwrap_or(&gap));
        *marks += &format!("{mark:>wide$}{separator}");
        self.used += wide + separator.len();
    }

    /// The lines so far; new ones begin.
    fn end(&mut self, separator: &str) -> String {
        let Self { lines, .. } = std::mem::replace(self, Self::new());
        lines
            .iter()
            .map(|line| format!("{}\n", &line[..line.len() - separator.len()]))
            .collect()
    }
}

/// As Python's `re.sub(r"\s\s+", " ", text).strip().split(" ")` without the empty ones.
fn words(text: &str) -> Vec<&str> {
    let text = text.trim_matches(is_space);
    let (mut words, mut start) = (Vec::new(), 0);
    let mut push = |word: &'_ Range<usize>| {
        if !word.is_empty() {
            words.push(&text[word.clone()]);
        }
    };
    let mut at = 0;
    while let Some(found) = text[at..].find(is_space) {
        let space = at + found;
        let rest = text[space..].trim_start_matches(is_space);
        let end = text.len() - rest.len();
        // A tab or a line break that stands alone is part of a word.
        if end - space > text[space..].chars().next().map_or(0, char::len_utf8)
            || text[space..].starts_with(' ')
        {
            push(&(start..space));
            start = end;
        }
        at = end;
    }
    push(&(start..text.len()));
    words
}

fn characters(text: &str) -> Vec<&str> {
    let text = text.trim_matches(is_space);
    let end = |(start, character): (usize, char)| &text[start..start + character.len_utf8()];
    text.char_indices().map(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parted_by_a_space_or_by_two_of_any_white_space() {
        assert_eq!(words("  a  b c "), ["a", "b", "c"]);
        assert_eq!(
            words("\ta\tb \tc\n\nd\u{a0}e\u{1f}\u{1f}f\n"),
            ["a\tb", "c", "d\u{a0}e", "f"]
        );
        assert_eq!(words(" \t "), [""; 0]);
        assert_eq!(words(""), [""; 0]);
    }

    #[test]
    fn characters_are_unicode_scalar_values() {
        assert_eq!(
            characters(" e\u{301}ß 🙂\n"),
            ["e", "\u{301}", "ß", " ", "🙂"]
        );
    }
}
