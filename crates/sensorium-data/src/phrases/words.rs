//! Numbers in words: in English, and in German, where units stand before tens.

/// One to nineteen, at their places; nothing at 0, which is nowhere said.
const ENGLISH: [&str; 20] = [
    "",
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
const ENGLISH_TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const GERMAN: [&str; 20] = [
    "",
    "ein",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
];
const GERMAN_TENS: [&str; 10] = [
    "", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig",
];

/// The largest number that is told in words.
pub(super) const LARGEST: usize = 999_999;

/// `forty-two thousand three hundred and five`, of 1 to [`LARGEST`].
pub(super) fn english(number: usize) -> String {
    if number >= 1000 {
        let (thousands, rest) = (english(number / 1000), number % 1000);
        return match rest {
            0 => format!("{thousands} thousand"),
            1..100 => format!("{thousands} thousand and {}", english(rest)),
            _ => format!("{thousands} thousand {}", english(rest)),
        };
    }
    match (number / 100, number % 100) {
        (0, rest @ 0..20) => ENGLISH[rest].to_owned(),
        (0, rest) if rest % 10 == 0 => ENGLISH_TENS[rest / 10].to_owned(),
        (0, rest) => format!("{}-{}", ENGLISH_TENS[rest / 10], ENGLISH[rest % 10]),
        (hundreds, 0) => format!("{} hundred", ENGLISH[hundreds]),
        (hundreds, rest) => format!("{} hundred and {}", ENGLISH[hundreds], english(rest)),
    }
}

/// `zweiundvierzigtausenddreihundertfünf`, of 1 to [`LARGEST`].
pub(super) fn german(number: usize) -> String {
    let words = german_before(number);
    match number % 100 {
        1 => words + "s",
        _ => words,
    }
}

/// The same before what is counted: `ein`, not `eins`.
pub(super) fn german_before(number: usize) -> String {
    if number >= 1000 {
        let rest = german_before(number % 1000);
        return format!("{}tausend{rest}", german_before(number / 1000));
    }
    match (number / 100, number % 100) {
        (0, rest @ 0..20) => GERMAN[rest].to_owned(),
        (0, rest) if rest % 10 == 0 => GERMAN_TENS[rest / 10].to_owned(),
        (0, rest) => format!("{}und{}", GERMAN[rest % 10], GERMAN_TENS[rest / 10]),
        (hundreds, rest) => format!("{}hundert{}", GERMAN[hundreds], german_before(rest)),
    }
}

/// `third`, `twenty-first`, of the days of a month.
pub(super) fn ordinal(day: usize) -> String {
    match day {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        5 => "fifth".to_owned(),
        8 => "eighth".to_owned(),
        9 => "ninth".to_owned(),
        12 => "twelfth".to_owned(),
        20 => "twentieth".to_owned(),
        30 => "thirtieth".to_owned(),
        21.. => format!("{}-{}", ENGLISH_TENS[day / 10], ordinal(day % 10)),
        _ => format!("{}th", ENGLISH[day]),
    }
}

/// Digits with a sign between each three.
pub(super) fn grouped(number: usize, sign: char) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(sign);
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_as_people_tell_them() {
        for (number, in_english, in_german) in [
            (1, "one", "eins"),
            (16, "sixteen", "sechzehn"),
            (21, "twenty-one", "einundzwanzig"),
            (84, "eighty-four", "vierundachtzig"),
            (100, "one hundred", "einhundert"),
            (101, "one hundred and one", "einhunderteins"),
            (730, "seven hundred and thirty", "siebenhundertdreißig"),
            (1000, "one thousand", "eintausend"),
            (1001, "one thousand and one", "eintausendeins"),
            (
                42_305,
                "forty-two thousand three hundred and five",
                "zweiundvierzigtausenddreihundertfünf",
            ),
            (
                101_000,
                "one hundred and one thousand",
                "einhunderteintausend",
            ),
            (
                999_999,
                "nine hundred and ninety-nine thousand nine hundred and ninety-nine",
                "neunhundertneunundneunzigtausendneunhundertneunundneunzig",
            ),
        ] {
            assert_eq!(english(number), in_english);
            assert_eq!(german(number), in_german);
        }
        assert_eq!(german_before(1), "ein");
        assert_eq!(
            [1, 12, 20, 23, 31].map(ordinal),
            [
                "first",
                "twelfth",
                "twentieth",
                "twenty-third",
                "thirty-first"
            ]
        );
        assert_eq!(
            [7, 1042, 999_999].map(|n| grouped(n, '.')),
            ["7", "1.042", "999.999"]
        );
    }

    #[test]
    fn every_number_has_words_of_its_own() {
        let numbers = || (1..=LARGEST).step_by(37).chain(1..3000);
        let unique: std::collections::BTreeSet<usize> = numbers().collect();
        for tell in [english as fn(usize) -> String, german] {
            let told: std::collections::BTreeSet<String> = numbers().map(tell).collect();
            assert_eq!(told.len(), unique.len());
        }
    }
}
