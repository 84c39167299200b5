//! The words that numbers are said with.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a word means where numbers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// "zero", "oh", "o".
    Zero,
    /// One to nineteen.
    Ones(u8),
    /// Their ordinals and plurals, which end a number: "third", "sixes". The suffix is what follows the digits.
    OnesEnd(u8, &'static str),
    /// Twenty to ninety.
    Tens(u8),
    TensEnd(u8, &'static str),
    /// Ten to this power: "hundred", "million".
    Power(u8),
    PowerEnd(u8, &'static str),
    /// "minus", "plus", before a number.
    Sign(char),
    /// "dollars", "cents", after a number.
    Currency(char),
    Percent,
    /// "per", which "cent" may follow.
    Per,
    And,
    /// "double", "triple": how often the next digit stands.
    Repeat(u8),
    Point,
}

impl Word {
    pub(super) fn of(word: &str) -> Option<Self> {
        WORDS.get(word).copied()
    }

    /// Whether it can follow "point".
    pub(super) fn is_decimal(self) -> bool {
        matches!(self, Self::Zero | Self::Ones(_) | Self::Tens(_))
    }
}

const ONES: [&str; 19] = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [(&str, u8); 8] = [
    ("twent", 20),
    ("thirt", 30),
    ("fort", 40),
    ("fift", 50),
    ("sixt", 60),
    ("sevent", 70),
    ("eight", 80),
    ("ninet", 90),
];
/// And the power of ten that each is.
const POWERS: [(&str, u8); 12] = [
    ("hundred", 2),
    ("thousand", 3),
    ("million", 6),
    ("billion", 9),
    ("trillion", 12),
    ("quadrillion", 15),
    ("quintillion", 18),
    ("sextillion", 21),
    ("septillion", 24),
    ("octillion", 27),
    ("nonillion", 30),
    ("decillion", 33),
];
const OTHERS: [(&str, Word); 24] = [
    ("zero", Word::Zero),
    ("oh", Word::Zero),
    ("o", Word::Zero),
    ("zeroth", Word::OnesEnd(0, "th")),
    ("minus", Word::Sign('-')),
    ("negative", Word::Sign('-')),
    ("plus", Word::Sign('+')),
    ("positive", Word::Sign('+')),
    ("pound", Word::Currency('£')),
    ("pounds", Word::Currency('£')),
    ("euro", Word::Currency('€')),
    ("euros", Word::Currency('€')),
    ("dollar", Word::Currency('$')),
    ("dollars", Word::Currency('$')),
    ("cent", Word::Currency('¢')),
    ("cents", Word::Currency('¢')),
    ("percent", Word::Percent),
    ("per", Word::Per),
    ("and", Word::And),
    ("double", Word::Repeat(2)),
    ("triple", Word::Repeat(3)),
    ("point", Word::Point),
    ("first", Word::OnesEnd(1, "st")),
    ("second", Word::OnesEnd(2, "nd")),
];

static WORDS: LazyLock<HashMap<String, Word>> = LazyLock::new(|| {
    let mut words: HashMap<String, Word> = OTHERS
        .into_iter()
        .map(|(word, meaning)| (word.to_owned(), meaning))
        .collect();
    for (word, value) in ONES.into_iter().zip(1..) {
        words.insert(word.to_owned(), Word::Ones(value));
        let plural = if word == "six" {
            "sixes".into()
        } else {
            format!("{word}s")
        };
        words.insert(plural, Word::OnesEnd(value, "s"));
        let ordinal = match word {
            "one" | "two" => continue,
            "three" => "third".into(),
            "five" => "fifth".into(),
            "twelve" => "twelfth".into(),
            _ if word.ends_with('t') => format!("{word}h"),
            // "nineth" is as the reference has it: "ninth" is left as a word.
            _ => format!("{word}th"),
        };
        let suffix = if value == 3 { "rd" } else { "th" };
        words.insert(ordinal, Word::OnesEnd(value, suffix));
    }
    for (stem, value) in TENS {
        words.insert(format!("{stem}y"), Word::Tens(value));
        words.insert(format!("{stem}ies"), Word::TensEnd(value, "s"));
        words.insert(format!("{stem}ieth"), Word::TensEnd(value, "th"));
    }
    for (word, power) in POWERS {
        words.insert(word.to_owned(), Word::Power(power));
        words.insert(format!("{word}s"), Word::PowerEnd(power, "s"));
        words.insert(format!("{word}th"), Word::PowerEnd(power, "th"));
    }
    words
});
