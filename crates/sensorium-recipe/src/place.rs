//! Where in a recipe the key stands that a message speaks of.

use toml::de::{DeTable, DeValue};

/// `FILE:LINE`, or the `--set` that set the key, or the file alone if the message names no key that stands there.
///
/// Messages begin with the key they are about, such as `encoders.text: d_model: 15 must …`.
pub(crate) fn place(origin: &str, text: &str, sets: &[String], message: &str) -> String {
    let keys = keys_of(message);
    let set_here = |set: &&String| {
        let path = set.split('=').next().unwrap_or_default().trim();
        let path: Vec<&str> = path.split('.').collect();
        path.len() > 1 && keys.starts_with(&path)
    };
    if let Some(set) = sets.iter().rev().find(set_here) {
        return format!("--set {set}");
    }
    match offset(text, &keys) {
        Some(offset) => format!("{origin}:{}", line_of(text, offset)),
        None => origin.to_owned(),
    }
}

/// The path of keys that a message begins with.
fn keys_of(message: &str) -> Vec<&str> {
    let mut keys = Vec::new();
    for piece in message.split(": ") {
        let word = piece.split(' ').next().unwrap_or_default();
        let is_key = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if word.is_empty() || !word.chars().all(is_key) {
            break;
        }
        keys.extend(word.split('.'));
        if word.len() < piece.len() {
            break;
        }
    }
    keys
}

/// Where the last of the keys that stands in the text begins.
fn offset(text: &str, keys: &[&str]) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut table = table.get_ref();
    let mut found = None;
    for key in keys {
        let Some((name, value)) = table
            .iter()
            .find(|(name, _)| name.get_ref().as_ref() == *key)
        else {
            break;
        };
        found = Some(name.span().start);
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found
}

/// The line, counted from 1, that a byte stands in.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())]
        .iter()
        .filter(|b| **b == b'\n')
        .count()
        + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_placed_by_its_key() {
        let text = "name = \"x\"\n[encoders.text]\nmax_tokens = 8\nd_model = 15\n[data]\nsplit.valid = 2\n";
        let check = |sets: &[&str], message: &str, expected: &str| {
            let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
            assert_eq!(place("r.toml", text, &sets, message), expected);
        };
        check(
            &[],
            "encoders.text: d_model: 15 must be a multiple",
            "r.toml:4",
        );
        check(&[], "encoders.text: n_heads: 0 must be", "r.toml:2");
        check(&[], "data.split.valid: 2 must be", "r.toml:6");
        check(&[], "name = \"\" becomes a folder's name", "r.toml:1");
        check(&[], "no [encoders.NAME] table", "r.toml");
        let set = "encoders.text.d_model=14";
        check(
            &[set],
            "encoders.text: d_model: 14 must",
            &format!("--set {set}"),
        );
        check(&[set], "data.split.valid: 2 must be", "r.toml:6");
    }
}
