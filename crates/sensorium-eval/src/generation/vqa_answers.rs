//! Answers to visual questions in one form, as the challenge's evaluation code brings them into it.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::python::{digit, is_space, split};

/// What is taken out, or made a space.
const PUNCTUATION: [char; 21] = [
    ';', '/', '[', ']', '"', '{', '}', '(', ')', '=', '+', '\\', '_', '-', '>', '<', '@', '`', ',',
    '?', '!',
];
/// The reference hands a flag over as the most points to take out, and its value is this.
const MOST_POINTS: usize = 32;
const NUMBERS: [(&str, &str); 12] = [
    ("none", "0"),
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
];
const ARTICLES: [&str; 3] = ["a", "an", "the"];
/// Contractions that get back an apostrophe where one of theirs was left out.
const CONTRACTIONS: &str = "
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's how'd how'll
    how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock oughtn't 'ow's'at shan't
    she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll someone's
    something'd something'd've something'll that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas
    wasn't we'd've we've weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll
    why're why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've";

/// An answer as VQA accuracy compares it: without punctuation and articles, numbers up to ten in digits, in small letters, and with the
/// apostrophes of contractions.
///
/// Equal to the published evaluation code in its second version, oddities included: a comma between digits takes all punctuation out
/// where else it becomes a space, and "none" is 0.
///
/// ```
/// assert_eq!(sensorium_eval::vqa_answer("The two dogs dont run!"), "2 dogs don't run");
/// ```
pub fn vqa_answer(text: &str) -> String {
    let text = without_points(&without_punctuation(&trimmed(text))).to_lowercase();
    let words = split(&text).map(|word| {
        let number = NUMBERS.iter().find(|(spelled, _)| *spelled == word);
        number.map_or(word, |(_, digits)| digits)
    });
    let words = words.filter(|word| !ARTICLES.contains(word));
    words.map(whole).collect::<Vec<_>>().join(" ")
}

/// In one line, without white space at its ends.
pub(super) fn trimmed(text: &str) -> String {
    let text = text.replace(['\n', '\t'], " ");
    text.trim_matches(is_space).to_owned()
}

fn without_punctuation(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let is_digit = |c: char| digit(c).is_some();
    let thousands = characters
        .windows(3)
        .any(|three| is_digit(three[0]) && three[1] == ',' && is_digit(three[2]));
    let at_space = |c: char| {
        let pairs = characters.windows(2);
        thousands
            || pairs
                .into_iter()
                .any(|pair| pair == [c, ' '] || pair == [' ', c])
    };
    let dropped = PUNCTUATION.map(at_space);
    let mut cleaned = String::with_capacity(text.len());
    for &c in &characters {
        match PUNCTUATION.iter().position(|mark| *mark == c) {
            None => cleaned.push(c),
            Some(mark) if dropped[mark] => {}
            Some(_) => cleaned.push(' '),
        }
    }
    cleaned
}

/// Without points that no digit follows.
fn without_points(text: &str) -> String {
    let (mut kept, mut taken) = (String::with_capacity(text.len()), 0);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let before_digit = characters.peek().is_some_and(|&c| digit(c).is_some());
        if c == '.' && !before_digit && taken < MOST_POINTS {
            taken += 1;
        } else {
            kept.push(c);
        }
    }
    kept
}

/// A contraction with all its apostrophes, and any other word as it is.
fn whole(word: &str) -> &str {
    static WHOLE: LazyLock<HashMap<String, &str>> = LazyLock::new(|| {
        // This one the reference has the other way round.
        let mut whole = HashMap::from([("somebody'd".to_owned(), "somebodyd")]);
        for contraction in CONTRACTIONS.split_whitespace() {
            for (at, apostrophe) in contraction.match_indices('\'') {
                let (before, after) = contraction.split_at(at);
                let without = format!("{before}{}", &after[apostrophe.len()..]);
                whole.insert(without, contraction);
            }
        }
        whole
    });
    WHOLE.get(word).copied().unwrap_or(word)
}
