//! The normaliser for any language: lower case, and neither remarks nor symbols.

use unicode_segmentation::UnicodeSegmentation;

use super::clean::{with_single_spaces, without_brackets, without_diacritics, without_symbols};

/// Lower case, without what stands in brackets, with spaces for symbols and punctuation, and single spaces (Radford et
/// al., 2022, appendix C). White space at the ends is shortened to one space, not dropped.
///
/// Scripts that write vowels as marks suffer from the rule, as in the reference: marks become spaces and words fall into
/// pieces, so that word error rates of Hindi or Thai are not those of its words.
///
/// ```
/// use sensorium_eval::normalise::BasicNormalizer;
///
/// let text = "[noise] ¡Hola, Señor!";
/// assert_eq!(BasicNormalizer::new().normalise(text), " hola señor ");
/// let plain = BasicNormalizer::new().with_remove_diacritics(true);
/// assert_eq!(plain.normalise(text), " hola senor ");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BasicNormalizer {
    remove_diacritics: bool,
    split_letters: bool,
}

impl BasicNormalizer {
    /// Keeps diacritics, and words whole.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether `é` counts as `e`, and `ß` as `ss`.
    #[must_use]
    pub fn with_remove_diacritics(self, remove_diacritics: bool) -> Self {
        Self {
            remove_diacritics,
            ..self
        }
    }

    /// Whether every letter (grapheme cluster, Unicode's annex 29) is a word of its own: for languages written without
    /// spaces, where the word error rate becomes that of characters.
    #[must_use]
    pub fn with_split_letters(self, split_letters: bool) -> Self {
        Self {
            split_letters,
            ..self
        }
    }

    /// The text in the form to compare.
    pub fn normalise(&self, text: &str) -> String {
        let text = without_brackets(&text.to_lowercase());
        let text = if self.remove_diacritics {
            without_diacritics(&text, "")
        } else {
            without_symbols(&text)
        };
        let text = text.to_lowercase();
        if self.split_letters {
            let letters: Vec<&str> = text.graphemes(true).collect();
            with_single_spaces(&letters.join(" "))
        } else {
            with_single_spaces(&text)
        }
    }
}
