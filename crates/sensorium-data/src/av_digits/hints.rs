//! Short true statements about a digit, none of which gives it away.

use rand::RngExt;
use sensorium_core::SampleRng;

/// A statement and the digits it is true of.
pub(super) const HINTS: [(&str, &[u8]); 26] = [
    ("it is a digit", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ("no hint this time", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ("it is even", &[0, 2, 4, 6, 8]),
    ("it is odd", &[1, 3, 5, 7, 9]),
    ("it is less than five", &[0, 1, 2, 3, 4]),
    ("it is five or more", &[5, 6, 7, 8, 9]),
    ("it is a prime number", &[2, 3, 5, 7]),
    ("it can be divided by three", &[0, 3, 6, 9]),
    ("it cannot be divided by three", &[1, 2, 4, 5, 7, 8]),
    ("it is a square number", &[0, 1, 4, 9]),
    ("it is a power of two", &[1, 2, 4, 8]),
    ("its figure has a closed loop", &[0, 6, 8, 9]),
    ("its figure has no closed loop", &[1, 2, 3, 5, 7]),
    ("its figure is all straight lines", &[1, 4, 7]),
    ("its figure has a round stroke", &[0, 2, 3, 5, 6, 8, 9]),
    ("its word has three letters", &[1, 2, 6]),
    ("its word has four letters", &[0, 4, 5, 9]),
    ("its word has five letters", &[3, 7, 8]),
    ("its word has the letter o", &[0, 1, 2, 4]),
    ("its word has the letter i", &[5, 6, 8, 9]),
    ("its word has the letter v", &[5, 7]),
    ("its word has the letter t", &[2, 3, 8]),
    ("its word ends in e", &[1, 3, 5, 9]),
    (
        "it is the number of fingers of a hand, or more",
        &[5, 6, 7, 8, 9],
    ),
    ("it stands between two and seven", &[3, 4, 5, 6]),
    ("upside down it is a digit too", &[0, 1, 6, 8, 9]),
];

/// How many digits a hint of two statements leaves open at least: it narrows, and never gives the digit away.
const OPEN: usize = 3;

/// A statement that is true of the digit, or two joined where the first alone leaves more open than need be.
pub(super) fn draw(digit: u8, rng: &mut SampleRng) -> String {
    let fit: Vec<&(&str, &[u8])> = HINTS.iter().filter(|(_, of)| of.contains(&digit)).collect();
    let (first, of) = fit[rng.random_range(0..fit.len())];
    // What says nothing is left alone: a sample without a usable hint is a normal case.
    let vague = of.len() == 10;
    let narrower: Vec<&str> = fit
        .iter()
        .filter(|(_, other)| {
            let both = of.iter().filter(|d| other.contains(d)).count();
            (OPEN..of.len()).contains(&both)
        })
        .map(|(second, _)| *second)
        .collect();
    if vague || narrower.is_empty() {
        return (*first).to_owned();
    }
    let second = narrower[rng.random_range(0..narrower.len())];
    format!("{first}, and {second}")
}
