//! Classes of characters as Python draws them, where Rust's differ.

/// `str.isspace`, and `\s` of its regular expressions: Unicode's white space, and the four separators of ASCII.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}
