//! Which contents are nearly the same: pictures by which way their brightness falls, texts by the words they share.

use std::collections::{BTreeMap, HashMap};

use sensorium_core::seed;
use sensorium_vision::Picture;

/// Pictures are nearly the same if at most so many of their 128 bits differ.
const BITS: u32 = 6;

/// Texts are nearly the same if about so much of what occurs in either occurs in both.
const SHARED: f64 = 0.8;

/// Texts of fewer words are nearly the same only if they have the same words.
const FEWEST_WORDS: usize = 8;

/// How many numbers stand for a text, and how many of them a band has.
const NUMBERS: usize = 32;
const BAND: usize = 4;

/// What stands for a text.
pub(super) type Numbers = Box<[u32; NUMBERS]>;

/// The most candidates that one is held against: where very many look alike, not all pairs are looked at.
const MOST: usize = 64;

/// 128 bits of a picture: of a grid of 9 by 9 means of brightness, which of two that stand beside or below each other is the
/// brighter (dHash, in both directions). The same picture in another size or format has nearly the same bits. A picture of
/// one colour has none that mean anything.
pub(super) fn picture_bits(picture: &Picture) -> Option<u128> {
    let (width, height) = (picture.width(), picture.height());
    let mean = |x: usize, y: usize| {
        let range = |i: usize, size: usize| {
            let from = i * size / 9;
            from..((i + 1) * size / 9).max(from + 1).min(size.max(1))
        };
        let (mut sum, mut count) = (0u64, 0u64);
        for y in range(y, height) {
            for x in range(x, width) {
                sum += match picture.pixel(x, y) {
                    [r, g, b, ..] => {
                        299 * u64::from(*r) + 587 * u64::from(*g) + 114 * u64::from(*b)
                    }
                    grey => grey
                        .iter()
                        .take(1)
                        .map(|grey| 1000 * u64::from(*grey))
                        .sum(),
                };
                count += 1;
            }
        }
        sum / count.max(1)
    };
    let grid: Vec<u64> = (0..81).map(|i| mean(i % 9, i / 9)).collect();
    let (least, most) = (grid.iter().min()?, grid.iter().max()?);
    // Of brightness in thousandths: below four steps of 255 there is nothing but noise.
    if most - least < 4000 {
        return None;
    }
    let mut bits = 0u128;
    for i in 0..64 {
        let (x, y) = (i % 8, i / 8);
        let at = 9 * y + x;
        bits |= u128::from(grid[at] > grid[at + 1]) << i;
        bits |= u128::from(grid[at] > grid[at + 9]) << (64 + i);
    }
    Some(bits)
}

/// Numbers of a text: MinHash over runs of three words, whatever their case and punctuation. Of two texts, as many of these
/// are the same as of their runs occur in both.
pub(super) fn text_numbers(text: &str) -> Option<Numbers> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let run = match words.len() {
        0 => return None,
        n if n < FEWEST_WORDS => n,
        _ => 3,
    };
    let mut least = Box::new([u32::MAX; NUMBERS]);
    for words in words.windows(run) {
        let number = seed::of_name(&words.join(" "));
        for (i, least) in least.iter_mut().enumerate() {
            *least = (*least).min((seed::derive(number, &[i as u64]) >> 32) as u32);
        }
    }
    Some(least)
}

/// Pairs of pictures that are nearly the same, by their places in the list.
pub(super) fn near_pictures(bits: &[(usize, u128)]) -> Vec<(usize, usize)> {
    // Two that differ in seven bits at most share one of eight bands.
    let bands = |bits: &u128| {
        (0..8)
            .map(|band| (band, (bits >> (16 * band)) as u16 as u64))
            .collect()
    };
    let near = |a: &u128, b: &u128| (a ^ b).count_ones() <= BITS;
    near_pairs(bits, bands, near)
}

/// Pairs of texts that are nearly the same.
pub(super) fn near_texts(numbers: &[(usize, Numbers)]) -> Vec<(usize, usize)> {
    let bands = |numbers: &Numbers| {
        let bands = numbers.chunks(BAND).enumerate();
        let number =
            |band: &[u32]| seed::derive(0, &band.iter().map(|n| u64::from(*n)).collect::<Vec<_>>());
        bands.map(|(i, band)| (i as u32, number(band))).collect()
    };
    let near = |a: &Numbers, b: &Numbers| {
        let same = a.iter().zip(b.iter()).filter(|(a, b)| a == b).count();
        same as f64 >= SHARED * NUMBERS as f64
    };
    near_pairs(numbers, bands, near)
}

/// Each that is near one before it, with the first of these: those that share a band are compared.
fn near_pairs<T>(
    all: &[(usize, T)],
    bands: impl Fn(&T) -> Vec<(u32, u64)>,
    near: impl Fn(&T, &T) -> bool,
) -> Vec<(usize, usize)> {
    let mut shelves = HashMap::<(u32, u64), Vec<usize>>::new();
    let mut pairs = BTreeMap::new();
    for (i, (row, own)) in all.iter().enumerate() {
        let mut first: Option<usize> = None;
        for band in bands(own) {
            let shelf = shelves.entry(band).or_default();
            let found = shelf.iter().find(|other| near(&all[**other].1, own));
            first = [first, found.copied()].into_iter().flatten().min();
            if shelf.len() < MOST {
                shelf.push(i);
            }
        }
        if let Some(first) = first {
            pairs.insert(*row, all[first].0);
        }
    }
    pairs.into_iter().map(|(row, first)| (first, row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of soft shapes that differ by number, in any size.
    fn picture(number: u32, side: usize) -> Picture {
        let pixel = |i: usize| {
            let (x, y) = (
                (i % side) as f64 / side as f64,
                (i / side) as f64 / side as f64,
            );
            let n = f64::from(number);
            let wave =
                (7.0 * x * (1.0 + n % 3.0) + n).sin() + (5.0 * y * (1.0 + n % 5.0) + 2.0 * n).cos();
            [(128.0 + 60.0 * wave) as u8; 3]
        };
        let rgb: Vec<u8> = (0..side * side).flat_map(pixel).collect();
        Picture::new(side, side, 3, rgb)
    }

    #[test]
    fn a_picture_in_another_size_is_near_and_others_are_not() {
        let mut all: Vec<(usize, u128)> = (0..30)
            .map(|n| (n, picture_bits(&picture(n as u32, 90)).unwrap()))
            .collect();
        assert_eq!(near_pictures(&all), []);
        all.push((30, picture_bits(&picture(7, 63)).unwrap()));
        assert_eq!(near_pictures(&all), [(7, 30)]);
        let flat = Picture::new(20, 20, 3, vec![9; 1200]);
        assert_eq!(picture_bits(&flat), None);
    }

    #[test]
    fn texts_that_share_most_of_their_words_are_near() {
        let long = "the quick brown fox jumps over the lazy dog while the cat sleeps under the old oak tree by the river and nobody minds it";
        let texts = [
            long.to_owned(),
            long.to_uppercase().replace(" nobody", ", nobody") + "!",
            long.replace("minds it", "minds it at all"),
            "another text entirely of many words that has nothing in common with the first one at all".to_owned(),
            "Short one.".to_owned(),
            "short one".to_owned(),
            "short two".to_owned(),
        ];
        let all = texts
            .iter()
            .enumerate()
            .map(|(i, text)| (i, text_numbers(text).unwrap()));
        assert_eq!(
            near_texts(&all.collect::<Vec<_>>()),
            [(0, 1), (0, 2), (4, 5)]
        );
        assert_eq!(text_numbers(" ,. "), None);
    }
}
