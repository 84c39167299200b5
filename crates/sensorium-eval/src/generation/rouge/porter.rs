//! Porter's stemmer (1980) with the changes that NLTK made to it, for words of the letters a to z and digits.

/// What is looked up instead.
const IRREGULAR: [(&str, &str); 16] = [
    ("sky", "sky"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("innings", "inning"),
    ("inning", "inning"),
    ("outings", "outing"),
    ("outing", "outing"),
    ("cannings", "canning"),
    ("canning", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];
/// Of steps 2 to 4: a word's ending and what takes its place. The first that the word has decides.
const STEP_2: [(&str, &str); 22] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
    ("logi", "log"),
];
const STEP_3: [(&str, &str); 7] = [
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];
const STEP_4: [(&str, &str); 19] = [
    ("al", ""),
    ("ance", ""),
    ("ence", ""),
    ("er", ""),
    ("ic", ""),
    ("able", ""),
    ("ible", ""),
    ("ant", ""),
    ("ement", ""),
    ("ment", ""),
    ("ent", ""),
    ("ion", ""),
    ("ou", ""),
    ("ism", ""),
    ("ate", ""),
    ("iti", ""),
    ("ous", ""),
    ("ive", ""),
    ("ize", ""),
];

/// The stem of a word of the letters a to z and digits.
pub(super) fn stem(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(irregular, _)| *irregular == word) {
        return (*stem).to_owned();
    }
    if word.len() <= 2 {
        return word.to_owned();
    }
    let word = final_y(&past_or_gerund(&plural(word)));
    let word = replaced(&second(&word), &STEP_3, |stem, _| measure(stem) > 0);
    let word = replaced(&word, &STEP_4, |stem, ending| {
        measure(stem) > 1 && (ending != "ion" || stem.ends_with(['s', 't']))
    });
    final_ll(&final_e(&word))
}

/// The word with its ending replaced, if `when` allows it for what stands before the ending.
fn replaced(word: &str, rules: &[(&str, &str)], when: impl Fn(&str, &str) -> bool) -> String {
    let mut matching = rules
        .iter()
        .filter_map(|(ending, new)| Some((word.strip_suffix(ending)?, *ending, *new)));
    match matching.next() {
        Some((stem, ending, new)) if when(stem, ending) => format!("{stem}{new}"),
        _ => word.to_owned(),
    }
}

/// Step 1a.
fn plural(word: &str) -> String {
    if word.len() == 4 && word.ends_with("ies") {
        return word[..3].to_owned();
    }
    let rules = [("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")];
    replaced(word, &rules, |_, _| true)
}

/// Step 1b.
fn past_or_gerund(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("ied") {
        return format!("{stem}{}", if word.len() == 4 { "ie" } else { "i" });
    }
    if word.ends_with("eed") {
        return replaced(word, &[("eed", "ee")], |stem, _| measure(stem) > 0);
    }
    let stems = ["ed", "ing"].map(|ending| word.strip_suffix(ending));
    let Some(stem) = stems.into_iter().flatten().find(|stem| has_vowel(stem)) else {
        return word.to_owned();
    };
    if stem.ends_with("at") || stem.ends_with("bl") || stem.ends_with("iz") {
        return format!("{stem}e");
    }
    if ends_in_double_consonant(stem) {
        let kept = stem.ends_with(['l', 's', 'z']);
        return stem[..stem.len() - usize::from(!kept)].to_owned();
    }
    match measure(stem) == 1 && ends_short(stem) {
        true => format!("{stem}e"),
        false => stem.to_owned(),
    }
}

/// Step 1c.
fn final_y(word: &str) -> String {
    let after_consonant = |stem: &str| stem.len() > 1 && consonants(stem).last() == Some(&true);
    replaced(word, &[("y", "i")], |stem, _| after_consonant(stem))
}

/// Step 2, before which "alli" becomes "al".
fn second(word: &str) -> String {
    let before = word.strip_suffix("alli");
    let word = match before.is_some_and(|stem| measure(stem) > 0) {
        true => &word[..word.len() - 2],
        false => word,
    };
    replaced(word, &STEP_2, |stem, ending| match ending {
        // Its l counts as the stem's, so that "theology" is taken as "archaeology" is.
        "logi" => measure(&word[..stem.len() + 1]) > 0,
        _ => measure(stem) > 0,
    })
}

/// Step 5a.
fn final_e(word: &str) -> String {
    replaced(word, &[("e", "")], |stem, _| match measure(stem) {
        0 => false,
        1 => !ends_short(stem),
        _ => true,
    })
}

/// Step 5b.
fn final_ll(word: &str) -> String {
    replaced(word, &[("ll", "l")], |stem, _| {
        measure(&word[..=stem.len()]) > 1
    })
}

/// Of each letter whether it is a consonant: a y is one at the beginning and after a vowel.
fn consonants(word: &str) -> Vec<bool> {
    let mut consonants: Vec<bool> = Vec::with_capacity(word.len());
    for letter in word.bytes() {
        let before = consonants.last();
        let is_one = match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => before.is_none_or(|before| !before),
            _ => true,
        };
        consonants.push(is_one);
    }
    consonants
}

/// How often a consonant follows a vowel: Porter's m.
fn measure(stem: &str) -> usize {
    let pairs = consonants(stem);
    let follows = |pair: &&[bool]| !pair[0] && pair[1];
    pairs.windows(2).filter(follows).count()
}

fn has_vowel(stem: &str) -> bool {
    consonants(stem).contains(&false)
}

fn ends_in_double_consonant(word: &str) -> bool {
    let letters = word.as_bytes();
    let double = letters.len() >= 2 && letters[letters.len() - 1] == letters[letters.len() - 2];
    double && consonants(word).last() == Some(&true)
}

/// Porter's *o, consonant, vowel and a consonant other than w, x and y; or a word of a vowel and a consonant.
fn ends_short(word: &str) -> bool {
    match consonants(word)[..] {
        [.., true, false, true] => !word.ends_with(['w', 'x', 'y']),
        [false, true] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_nltks() {
        let fixture = include_str!("../../../tests/fixtures/generation.json");
        let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
        let cases = fixture["stems"].as_array().unwrap();
        assert!(cases.len() > 700);
        for case in cases {
            let [word, expected] = [0, 1].map(|i| case[i].as_str().unwrap());
            assert_eq!(stem(word), expected, "{word}");
        }
    }
}
