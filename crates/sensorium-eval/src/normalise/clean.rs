//! What both normalisers take out of a text: remarks in brackets, symbols, diacritics, superfluous space.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::python::is_space;

/// A pattern of ours, which compiles.
pub(super) fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of ours compiles")
}

/// Without what stands in brackets of any kind: noises and remarks of the transcriber.
pub(super) fn without_brackets(text: &str) -> String {
    static SQUARE: LazyLock<Regex> = LazyLock::new(|| pattern(r"[<\[][^>\]]*[>\]]"));
    static ROUND: LazyLock<Regex> = LazyLock::new(|| pattern(r"\([^)]+\)"));
    let text = SQUARE.replace_all(text, "");
    ROUND.replace_all(&text, "").into_owned()
}

/// Marks, symbols and punctuation become spaces; characters that only look different become one (NFKC).
pub(super) fn without_symbols(text: &str) -> String {
    text.nfkc()
        .map(|c| if is_symbol(c) { ' ' } else { c })
        .collect()
}

/// As [`without_symbols`], with diacritics dropped (NFKD) and symbols among `kept` kept.
pub(super) fn without_diacritics(text: &str, kept: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.nfkd() {
        if kept.contains(c) {
            plain.push(c);
        } else if let Some(letters) = spelled_out(c) {
            plain.push_str(letters);
        } else if c.general_category() != GeneralCategory::NonspacingMark {
            plain.push(if is_symbol(c) { ' ' } else { c });
        }
    }
    plain
}

fn is_symbol(c: char) -> bool {
    use GeneralCategoryGroup::{Mark, Punctuation, Symbol};
    matches!(c.general_category_group(), Mark | Punctuation | Symbol)
}

/// Letters that Unicode does not take apart into a plain one and a diacritic.
fn spelled_out(c: char) -> Option<&'static str> {
    Some(match c {
        'æ' => "ae",
        'Æ' => "AE",
        'œ' => "oe",
        'Œ' => "OE",
        'ø' => "o",
        'Ø' => "O",
        'ł' => "l",
        'Ł' => "L",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'ß' => "ss",
        'ẞ' => "SS",
        'þ' | 'Þ' => "th",
        _ => return None,
    })
}

/// Each run of white space as one space, at the ends too.
pub(super) fn with_single_spaces(text: &str) -> String {
    let mut single = String::with_capacity(text.len());
    for c in text.chars() {
        match is_space(c) {
            true if single.ends_with(' ') => {}
            true => single.push(' '),
            false => single.push(c),
        }
    }
    single
}

/// Replaces matches of `pattern` one after the other; where `replacement` has none, the search goes on one character
/// after the match's beginning.
pub(super) fn replace(
    text: &str,
    pattern: &Regex,
    replacement: impl Fn(&Captures<'_>) -> Option<String>,
) -> String {
    let (mut replaced, mut copied, mut from) = (String::with_capacity(text.len()), 0, 0);
    while let Some(captures) = pattern.captures_at(text, from) {
        let found = captures.get_match();
        if let Some(new) = replacement(&captures) {
            replaced += &text[copied..found.start()];
            replaced += &new;
            (copied, from) = (found.end(), found.end());
        } else {
            from = found.start()
                + text[found.start()..]
                    .chars()
                    .next()
                    .map_or(1, char::len_utf8);
        }
        if from > text.len() {
            break;
        }
    }
    replaced + &text[copied..]
}
