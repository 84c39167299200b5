//! Captions in one form before they are compared.

use crate::python::is_word;

/// What parts from the end of a word.
const ENDINGS: [&str; 7] = ["n't", "'s", "'re", "'ve", "'ll", "'d", "'m"];

/// The words of a caption with one space between, as captions are usually parted before [`Cider`](crate::Cider): in small letters, without
/// punctuation, "don't" as "do n't", "dog's" as "dog 's" and "cannot" as "can not"; hyphens in a word and points and commas in a number
/// stay.
///
/// pycocoevalcap asks a Java program, the PTB tokenizer of Stanford CoreNLP. Of sentences as people write them under pictures this gives
/// the same; it has none of that program's rules for abbreviations, prices, addresses and quotations. To be sure of the last digit of a
/// published number, hand over the tokens of the Java program.
///
/// ```
/// assert_eq!(sensorium_eval::caption_words("A man's well-fed dog doesn't run."), "a man 's well-fed dog does n't run");
/// ```
pub fn caption_words(text: &str) -> String {
    let text = text.to_lowercase().replace('\u{2019}', "'");
    let mut words = Vec::new();
    let characters: Vec<char> = text.chars().collect();
    let mut word = String::new();
    for (i, &c) in characters.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| characters[i]);
        let after = characters.get(i + 1).copied();
        let between = |inside: fn(char) -> bool| {
            before.is_some_and(inside) && after.is_some_and(inside) && !word.is_empty()
        };
        let stays = match c {
            '-' | '\'' => between(is_word),
            '.' | ',' => between(|c| c.is_ascii_digit()),
            c => is_word(c) || is_mark(c),
        };
        match stays {
            true => word.push(c),
            false => finish(&mut word, &mut words),
        }
    }
    finish(&mut word, &mut words);
    words.join(" ")
}

/// A mark that belongs to the letter before it, as in Hindi.
fn is_mark(c: char) -> bool {
    use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
    c.general_category_group() == GeneralCategoryGroup::Mark
}

fn finish(word: &mut String, words: &mut Vec<String>) {
    let word = std::mem::take(word);
    if word == "cannot" {
        words.extend(["can", "not"].map(String::from));
        return;
    }
    let ending = ENDINGS.iter().find(|ending| word.ends_with(**ending));
    let (stem, ending) = word.split_at(word.len() - ending.map_or(0, |ending| ending.len()));
    let parts = [stem, ending].into_iter().filter(|part| !part.is_empty());
    words.extend(parts.map(String::from));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_goes_and_words_part() {
        let cases = [
            ("", ""),
            ("...", ""),
            ("Two dogs, one frisbee!", "two dogs one frisbee"),
            (
                "It\u{2019}s the dogs' 3.5 ft. bed",
                "it 's the dogs 3.5 ft bed",
            ),
            (
                "I can't; you cannot - they'll",
                "i ca n't you can not they 'll",
            ),
            (
                "at 5 o'clock 1,000 t-shirts-",
                "at 5 o'clock 1,000 t-shirts",
            ),
            ("हिन्दी में", "हिन्दी में"),
            ("'quoted' \"words\"", "quoted words"),
        ];
        for (text, words) in cases {
            assert_eq!(caption_words(text), words);
        }
    }
}
