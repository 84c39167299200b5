//! How BLEU parts a text into words, as sacreBLEU does.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::python::{is_space, split};

/// What BLEU counts as a word. Scores by different ones cannot be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BleuTokens {
    /// As `mteval-v13a` of the WMT evaluations: punctuation stands apart, but for points and commas in numbers. For languages that
    /// put spaces between words, and what is reported where nothing else is said.
    #[default]
    #[serde(rename = "13a")]
    Mteval13a,
    /// Each character: for Chinese, Japanese, Thai and others without spaces.
    #[serde(rename = "char")]
    Characters,
    /// What stands between white space: for texts that are tokens already.
    #[serde(rename = "none")]
    Spaces,
}

impl BleuTokens {
    /// As it stands in a signature.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mteval13a => "13a",
            Self::Characters => "char",
            Self::Spaces => "none",
        }
    }

    /// The words of a text, one space between each two and the next.
    pub(super) fn part(self, text: &str) -> String {
        let text = text.trim_end_matches(is_space);
        match self {
            Self::Mteval13a => mteval_13a(text),
            Self::Characters => text.chars().flat_map(|c| [c, ' ']).collect(),
            Self::Spaces => text.to_owned(),
        }
    }
}

fn mteval_13a(text: &str) -> String {
    /// What is replaced, one after the other: punctuation but for `'`, `-`, `.` and `,`; points and commas after what is no digit,
    /// then before; a dash after a digit.
    static APART: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
        let pattern = |text| Regex::new(text).expect("a pattern of ours compiles");
        [
            (pattern(r"([ -&(-+/:-@\[-`{-~])"), " $1 "),
            (pattern(r"([^0-9])([.,])"), "$1 $2 "),
            (pattern(r"([.,])([^0-9])"), " $1 $2"),
            (pattern(r"([0-9])(-)"), "$1 $2 "),
        ]
    });
    let mut text = text.replace("<skipped>", "").replace("-\n", "");
    text = text.replace('\n', " ");
    for (entity, character) in [
        ("&quot;", "\""),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ] {
        text = text.replace(entity, character);
    }
    text = format!(" {text} ");
    for (pattern, replacement) in APART.iter() {
        if let Cow::Owned(replaced) = pattern.replace_all(&text, *replacement) {
            text = replaced;
        }
    }
    split(&text).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_whole_and_punctuation_does_not() {
        let cases = [
            ("Hello, world!", "Hello , world !"),
            ("1,000.5 and 3-4.", "1,000.5 and 3 - 4 ."),
            (
                "it's a well-known &quot;fact&quot;\n",
                "it's a well-known \" fact \"",
            ),
            ("broken-\nword <skipped>", "brokenword"),
            ("", ""),
        ];
        for (text, words) in cases {
            assert_eq!(BleuTokens::Mteval13a.part(text), words);
        }
    }
}
