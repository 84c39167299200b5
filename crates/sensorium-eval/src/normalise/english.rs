//! The normaliser for English: contractions, titles, spelling and numbers in one form.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::clean::{pattern, with_single_spaces, without_brackets, without_diacritics};
use super::numbers;
use crate::Error;
use crate::python::{is_boundary, is_word, split};

/// Sounds that are no words.
const FILLERS: [&str; 6] = ["hmm", "mm", "mhm", "mmm", "uh", "um"];

/// Replaced one after the other, where they end a word; those that begin with a letter must begin one too.
const CONTRACTIONS: [(&str, &str); 14] = [
    ("won't", "will not"),
    ("can't", "can not"),
    ("let's", "let us"),
    ("ain't", "aint"),
    ("y'all", "you all"),
    ("wanna", "want to"),
    ("gotta", "got to"),
    ("gonna", "going to"),
    ("i'ma", "i am going to"),
    ("imma", "i am going to"),
    ("woulda", "would have"),
    ("coulda", "could have"),
    ("shoulda", "should have"),
    ("ma'am", "madam"),
];
const TITLES: [(&str, &str); 21] = [
    ("mr", "mister "),
    ("mrs", "missus "),
    ("st", "saint "),
    ("dr", "doctor "),
    ("prof", "professor "),
    ("capt", "captain "),
    ("gov", "governor "),
    ("ald", "alderman "),
    ("gen", "general "),
    ("sen", "senator "),
    ("rep", "representative "),
    ("pres", "president "),
    ("rev", "reverend "),
    ("hon", "honorable "),
    ("asst", "assistant "),
    ("assoc", "associate "),
    ("lt", "lieutenant "),
    ("col", "colonel "),
    ("jr", "junior "),
    ("sr", "senior "),
    ("esq", "esquire "),
];
const ENDINGS: [(&str, &str); 14] = [
    ("'d been", " had been"),
    ("'s been", " has been"),
    ("'d gone", " had gone"),
    ("'s gone", " has gone"),
    ("'d done", " had done"),
    ("'s got", " has got"),
    ("n't", " not"),
    ("'re", " are"),
    ("'s", " is"),
    ("'d", " would"),
    ("'ll", " will"),
    ("'t", " not"),
    ("'ve", " have"),
    ("'m", " am"),
];

/// Symbols that numbers are written with.
const KEPT: &str = ".%$¢€£";

/// Brings English into one form (Radford et al., 2022, appendix C): lower case; without remarks in brackets, fillers,
/// punctuation and diacritics; contractions and titles written out; numbers, currencies and percentages in digits; and
/// British spellings as American ones, by a table that comes with every published Whisper as `normalizer.json`.
///
/// Oddities are the reference's: "ninth" stays a word though "eighth" is `8th`, `'s` is always "is", "st" a saint, and
/// `1` alone is "one".
///
/// ```
/// use sensorium_eval::normalise::EnglishNormalizer;
///
/// let normalizer = EnglishNormalizer::from_json(r#"{"colour": "color"}"#)?;
/// let text = normalizer.normalise("Dr. Grey won't pay two hundred and one dollars, um, for [cough] colour!");
/// assert_eq!(text, "doctor grey will not pay $201 for color");
/// # Ok::<(), sensorium_eval::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnglishNormalizer {
    spelling: HashMap<String, String>,
}

impl EnglishNormalizer {
    /// With a table of spellings, from a word to the one that is put in its place; both in lower case. Without one,
    /// [`default`](Self::default), British words stay as they are.
    pub fn new(spelling: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            spelling: spelling.into_iter().collect(),
        }
    }

    /// With the table of a checkpoint: the text of its `normalizer.json`.
    ///
    /// # Errors
    /// [`Error::Spelling`] where it is no JSON object of words to words.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let spelling = serde_json::from_str(json).map_err(|error| Error::Spelling {
            reason: error.to_string(),
        })?;
        Ok(Self { spelling })
    }

    /// The text in the form to compare.
    pub fn normalise(&self, text: &str) -> String {
        let text = without_brackets(&text.to_lowercase());
        let text = with_words_in_full(without_fillers(text));
        let text = numbers::normalise(&with_numbers_bare(&text));
        let words: Vec<&str> = split(&text).map(|word| self.american(word)).collect();
        without_stray_symbols(&words.join(" "))
    }

    fn american<'a>(&'a self, word: &'a str) -> &'a str {
        self.spelling.get(word).map_or(word, String::as_str)
    }
}

fn without_fillers(mut text: String) -> String {
    for filler in FILLERS {
        text = replace(text, filler, "");
    }
    text
}

fn with_words_in_full(text: String) -> String {
    static APOSTROPHE: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\s\x1c-\x1f]+'"));
    let mut text = APOSTROPHE.replace_all(&text, "'").into_owned();
    for (short, full) in CONTRACTIONS.into_iter().chain(TITLES).chain(ENDINGS) {
        text = replace(text, short, full);
    }
    text
}

/// Replaces a word, or an ending that begins with an apostrophe or is `n't`.
fn replace(text: String, from: &str, to: &str) -> String {
    if !text.contains(from) {
        return text;
    }
    let begins = from.starts_with(is_word) && from != "n't";
    let (mut replaced, mut copied, mut at) = (String::with_capacity(text.len()), 0, 0);
    while let Some(found) = text[at..].find(from) {
        let (start, end) = (at + found, at + found + from.len());
        at = end;
        if is_boundary(&text, end) && (!begins || is_boundary(&text, start)) {
            replaced += &text[copied..start];
            replaced += to;
            copied = end;
        } else {
            // What is looked for is ASCII: its first character is one byte.
            at = start + 1;
        }
    }
    replaced + &text[copied..]
}

/// Without commas between digits, without full stops elsewhere, and without symbols that no number has.
fn with_numbers_bare(text: &str) -> String {
    static COMMA: LazyLock<Regex> = LazyLock::new(|| pattern(r"(\d),(\d)"));
    static STOP: LazyLock<Regex> = LazyLock::new(|| pattern(r"\.([^0-9]|$)"));
    let text = COMMA.replace_all(text, "$1$2");
    let text = STOP.replace_all(&text, " $1");
    without_diacritics(&text, KEPT)
}

/// Without symbols that no number follows or, for a percentage, precedes; with single spaces.
fn without_stray_symbols(text: &str) -> String {
    static BEFORE: LazyLock<Regex> = LazyLock::new(|| pattern(r"[.$¢€£]([^0-9])"));
    static AFTER: LazyLock<Regex> = LazyLock::new(|| pattern("([^0-9])%"));
    let text = BEFORE.replace_all(text, " $1");
    with_single_spaces(&AFTER.replace_all(&text, "$1 "))
}
