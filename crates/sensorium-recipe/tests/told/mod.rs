//! Texts, and what is true of them: labels of every kind.

use std::path::{Path, PathBuf};

const WORDS: [&str; 6] = ["none", "one", "two", "three", "four", "five"];
const SKY: [&str; 4] = ["sun", "rain", "wind", "fog"];

/// A text and what is true of it.
pub type Told = (String, String);

/// Two numbers said in three ways, and what `label` makes of them.
pub fn sums(label: impl Fn(usize, usize) -> String) -> Vec<Told> {
    let told = |i: usize| {
        let (a, b, between) = (i / 18, i / 3 % 6, ["and", "with", "plus"][i % 3]);
        (format!("{} {between} {}", WORDS[a], WORDS[b]), label(a, b))
    };
    (0..108).map(told).collect()
}

/// What stands in the sky, and its names with `;` between.
pub fn skies() -> Vec<Told> {
    let told = |i: usize| {
        let there = (0..4)
            .filter(|word| i >> word & 1 == 1)
            .map(|word| SKY[word]);
        let there: Vec<&str> = there.collect();
        let place = ["here", "there", "far"][i / 16];
        let text = format!("{place} {}", there.join(" "));
        (text.trim().to_owned(), there.join(";"))
    };
    (0..48).map(told).collect()
}

/// A manifest of comma-separated values.
pub fn manifest(dir: &Path, rows: &[Told]) -> PathBuf {
    let mut text = "text,label,split\n".to_owned();
    for (i, (said, label)) in rows.iter().enumerate() {
        // Spread over the rows, whatever their period.
        let split = ["train", "train", "valid", "train", "test"][i * 3 / 2 % 5];
        text.push_str(&format!("{said},\"{label}\",{split}\n"));
    }
    let path = dir.join("m.csv");
    std::fs::write(&path, text).unwrap();
    path
}
