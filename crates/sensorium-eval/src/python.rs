//! Classes of characters as Python draws them, where Rust's differ.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// `str.isspace`, and `\s` of its regular expressions: Unicode's white space, and the four separators of ASCII.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// `\w` of its regular expressions: letters, numbers of all kinds and `_`, but no combining marks and no joiners.
pub(crate) fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let group = c.general_category_group();
    matches!(
        group,
        GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number
    )
}

/// `str.split()`: the words between white space.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// `\b` of its regular expressions: whether a word begins or ends at this byte.
pub(crate) fn is_boundary(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back().is_some_and(is_word);
    let after = text[at..].chars().next().is_some_and(is_word);
    before != after
}

/// `\d` of its regular expressions, with its value: a decimal digit of any script.
pub(crate) fn digit(c: char) -> Option<u8> {
    let is_digit = |c: char| c.general_category() == GeneralCategory::DecimalNumber;
    if let Some(value) = c.to_digit(10) {
        return u8::try_from(value).ok();
    }
    if c.is_ascii() || !is_digit(c) {
        return None;
    }
    // Digits of a script stand in a row from zero on; rows that touch are whole, so that tens do not count.
    let before = (1..=u32::from(c)).map_while(|back| char::from_u32(u32::from(c) - back));
    u8::try_from(before.take_while(|&c| is_digit(c)).count() % 10).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_all_scripts_have_their_values() {
        let values = |text: &str| text.chars().map(digit).collect::<Vec<_>>();
        assert_eq!(values("0৩9"), [Some(0), Some(3), Some(9)]);
        assert_eq!(values("٠٩𝟎𝟗𝟘𝟟"), [0, 9, 0, 9, 0, 7].map(Some));
        assert_eq!(values("a½②Ⅷ五"), [None; 5]);
    }

    #[test]
    fn marks_and_joiners_are_no_part_of_a_word() {
        assert!("aé_9٣½五".chars().all(is_word));
        assert!(!"-\u{301}\u{200d}ि‿".chars().any(is_word));
        assert!(is_boundary("a-", 1) && is_boundary("a", 0) && !is_boundary("ab", 1));
        assert!(!is_boundary("", 0) && !is_boundary("--", 1));
    }
}
