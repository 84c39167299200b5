//! Numbers that are said become numbers that are written: "two hundred and one dollars" is `$201`.
//!
//! Words are read from left to right, and what has been read of a number waits until a word comes that it cannot take
//! in. Digits said one after the other are put side by side, as in a telephone number or a year.

use std::sync::LazyLock;

use regex::Regex;

use super::amount::Amount;
use super::clean::{pattern, replace};
use super::vocabulary::Word;
use crate::python::{digit, is_boundary, split};

/// Symbols that a number may be written with.
const CURRENCIES: &str = "£€$¢+-";

/// The text with its numbers written out, words parted by single spaces.
pub(super) fn normalise(text: &str) -> String {
    let text = with_suffixes_attached(&with_halves(text));
    let words: Vec<&str> = split(&text).collect();
    let mut reader = Reader::default();
    let mut i = 0;
    while i < words.len() {
        let previous = i.checked_sub(1).map(|i| words[i]);
        i += reader.read(previous, words[i], words.get(i + 1).copied());
    }
    reader.finish();
    with_readable_ones(&with_cents_joined(&reader.written.join(" ")))
}

#[derive(Default)]
struct Reader {
    written: Vec<String>,
    /// A sign or currency that goes before the next thing written.
    prefix: Option<char>,
    amount: Option<Amount>,
}

impl Reader {
    /// Reads a word, and perhaps the next: says how many.
    fn read(&mut self, previous: Option<&str>, word: &str, next: Option<&str>) -> usize {
        let symbol = word.chars().next().filter(|&c| CURRENCIES.contains(c));
        let number = &word[symbol.map_or(0, char::len_utf8)..];
        if is_numeric(number) {
            self.written_number(word, symbol, number);
            return 1;
        }
        let Some(meaning) = Word::of(word) else {
            self.finish();
            self.write(word);
            return 1;
        };
        let previous = previous.and_then(Word::of);
        match meaning {
            Word::Zero => self.amount = Some(Amount::then(self.amount.as_ref(), "0", true)),
            Word::Ones(value) => self.amount = Some(self.with_ones(value, previous)),
            Word::Tens(value) => self.amount = Some(self.with_tens(value)),
            Word::Power(power) => self.multiply(power),
            Word::OnesEnd(value, suffix) => {
                self.amount = Some(self.with_ones(value, previous));
                self.end(suffix);
            }
            Word::TensEnd(value, suffix) => {
                self.amount = Some(self.with_tens(value));
                self.end(suffix);
            }
            Word::PowerEnd(power, suffix) => {
                self.multiply(power);
                self.end(suffix);
            }
            _ => return self.read_around(meaning, previous, word, next),
        }
        1
    }

    /// Reads a word that numbers stand beside, and perhaps the next: says how many.
    fn read_around(
        &mut self,
        meaning: Word,
        previous: Option<Word>,
        word: &str,
        next: Option<&str>,
    ) -> usize {
        let next_meaning = next.and_then(Word::of);
        let digits = next.is_some_and(is_numeric);
        let numeric = digits || next_meaning.is_some();
        match meaning {
            Word::Sign(sign) if numeric => {
                self.finish();
                self.prefix = Some(sign);
            }
            Word::Currency(symbol) if self.amount.is_some() => {
                self.prefix = Some(symbol);
                self.finish();
            }
            Word::Percent if self.amount.is_some() => self.end("%"),
            Word::Per if self.amount.is_some() && next == Some("cent") => {
                self.end("%");
                return 2;
            }
            // "two hundred and one" is one number, "two and one" are two.
            Word::And if numeric && matches!(previous, Some(Word::Power(_))) => {}
            Word::Repeat(times) if self.repeat(times, next_meaning) => return 2,
            Word::Point if digits || next_meaning.is_some_and(Word::is_decimal) => {
                self.amount = Some(Amount::then(self.amount.as_ref(), ".", true));
            }
            // As in the reference, a point before a word that belongs to numbers but cannot follow it is dropped.
            Word::Point if numeric => {}
            _ => {
                self.finish();
                self.write(word);
            }
        }
        1
    }

    /// A number in digits.
    fn written_number(&mut self, word: &str, symbol: Option<char>, number: &str) {
        match &mut self.amount {
            // What follows a point: decimals, or the next part of an address.
            Some(Amount::Said(said)) if said.ends_with('.') => said.push_str(word),
            _ => {
                self.finish();
                self.prefix = symbol.or(self.prefix);
                self.amount = Some(Amount::written(number));
            }
        }
    }

    fn with_ones(&self, value: u8, previous: Option<Word>) -> Amount {
        let Some(amount) = &self.amount else {
            return Amount::whole(value);
        };
        let after_ones = matches!(previous, Some(Word::Ones(_)));
        if amount.is_said() && value < 10 && matches!(previous, Some(Word::Tens(_))) {
            // "nineteen eighty" has become 1980: the four of "eighty four" takes the zero's place.
            let digits = amount.digits();
            let kept = &digits[..digits.len() - 1];
            Amount::Said(format!("{kept}{value}"))
        } else if amount.is_said() || after_ones {
            Amount::then(Some(amount), &value.to_string(), false)
        } else {
            amount.plus(value, if value < 10 { 1 } else { 2 })
        }
    }

    fn with_tens(&self, value: u8) -> Amount {
        let amount = self.amount.as_ref();
        amount.map_or_else(|| Amount::whole(value), |amount| amount.plus(value, 2))
    }

    fn multiply(&mut self, power: u8) {
        let product = match &self.amount {
            None => Some(Amount::power(power)),
            Some(amount) => amount.times(power),
        };
        if product.is_none() {
            self.finish();
        }
        self.amount = Some(product.unwrap_or_else(|| Amount::power(power)));
    }

    /// Digits that are said once and meant twice; false where none follow.
    fn repeat(&mut self, times: u8, next: Option<Word>) -> bool {
        let value = match next {
            Some(Word::Zero) => 0,
            Some(Word::Ones(value)) => value,
            _ => return false,
        };
        let digits = value.to_string().repeat(times.into());
        self.amount = Some(Amount::then(self.amount.as_ref(), &digits, true));
        true
    }

    /// Writes what has been read of a number, with this behind it.
    fn end(&mut self, suffix: &str) {
        if let Some(amount) = self.amount.take() {
            self.write(&format!("{}{suffix}", amount.digits()));
        }
    }

    /// Writes what has been read of a number.
    fn finish(&mut self) {
        self.end("");
    }

    fn write(&mut self, word: &str) {
        let prefix = self.prefix.take().map_or_else(String::new, String::from);
        self.written.push(prefix + word);
    }
}

/// Digits, perhaps with a point between them.
fn is_numeric(word: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.chars().all(|c| digit(c).is_some());
    match word.split_once('.') {
        Some((whole, decimals)) => digits(whole) && digits(decimals),
        None => digits(word),
    }
}

/// "Two and a half" as "two point five".
fn with_halves(text: &str) -> String {
    static HALF: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"and[\s\x1c-\x1f]+a[\s\x1c-\x1f]+half"));
    let bounded = |found: &regex::Match<'_>| {
        is_boundary(text, found.start()) && is_boundary(text, found.end())
    };
    let (mut parts, mut from) = (Vec::new(), 0);
    for found in HALF.find_iter(text).filter(bounded) {
        let part = &text[from..found.start()];
        from = found.end();
        // As in the reference, a half that follows nothing is dropped.
        let Some(last) = split(part).last() else {
            continue;
        };
        let meaning = Word::of(last);
        let number =
            meaning.is_some_and(|word| word.is_decimal() || matches!(word, Word::Power(_)));
        parts.extend([part, if number { "point five" } else { "and a half" }]);
    }
    parts.extend(Some(&text[from..]).filter(|rest| split(rest).next().is_some()));
    parts.join(" ")
}

/// A space between digits and letters, but none before what may be a suffix: "b 2 b", "1960s", "2nd".
fn with_suffixes_attached(text: &str) -> String {
    static SUFFIX: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"([0-9])[\s\x1c-\x1f]+(st|nd|rd|th|s)"));
    let mut parted = String::with_capacity(text.len());
    let mut last = ' ';
    for c in text.chars() {
        let apart = last.is_ascii_lowercase() && c.is_ascii_digit()
            || last.is_ascii_digit() && c.is_ascii_lowercase();
        if apart {
            parted.push(' ');
        }
        parted.push(c);
        last = c;
    }
    replace(&parted, &SUFFIX, |found| {
        is_boundary(&parted, found.get_match().end()).then(|| [&found[1], &found[2]].concat())
    })
}

/// `$2 and ¢7` as `$2.07`, `$0.07` as `¢7`.
fn with_cents_joined(text: &str) -> String {
    static JOINED: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"([€£$])([0-9]+) (?:and )?¢([0-9]{1,2})"));
    // The point of the reference's pattern stands for any character.
    static ALONE: LazyLock<Regex> = LazyLock::new(|| pattern(r"[€£$]0.([0-9]{1,2})"));
    let text = replace(text, &JOINED, |found| {
        let ends = is_boundary(text, found.get_match().end());
        ends.then(|| format!("{}{}.{:0>2}", &found[1], &found[2], &found[3]))
    });
    replace(&text, &ALONE, |found| {
        let cents = found[1].trim_start_matches('0');
        let cents = if cents.is_empty() { "0" } else { cents };
        is_boundary(&text, found.get_match().end()).then(|| format!("¢{cents}"))
    })
}

/// `1` and `1s` as words.
fn with_readable_ones(text: &str) -> String {
    static ONE: LazyLock<Regex> = LazyLock::new(|| pattern("1s?"));
    replace(text, &ONE, |found| {
        let found = found.get_match();
        let whole = is_boundary(text, found.start()) && is_boundary(text, found.end());
        whole.then(|| format!("one{}", &found.as_str()[1..]))
    })
}
