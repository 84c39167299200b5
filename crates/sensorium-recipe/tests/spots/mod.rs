//! Pictures of spots, what is to be said of them, and what can be asked about them.

use std::path::{Path, PathBuf};

/// A small encoder of them.
pub const IMAGE: &str =
    "[encoders.image]\nimage_size = 8\npatch_size = 4\nd_model = 12\nn_layers = 1\nn_heads = 2\n";

const COLOURS: [(&str, [u8; 3]); 3] = [
    ("red", [0, 0, 255]),
    ("green", [0, 255, 0]),
    ("blue", [255, 0, 0]),
];

/// A spot's name of its colour and size, and its bitmap of 8 x 8 pixels.
fn spot(i: usize) -> ([&'static str; 2], Vec<u8>) {
    let ((name, colour), size) = (COLOURS[i % 3], ["small", "large"][i / 3 % 2]);
    let mut picture = b"BM".to_vec();
    for word in [246u32, 0, 54, 40, 8, 8, 24 << 16 | 1, 0, 192, 0, 0, 0, 0] {
        picture.extend(word.to_le_bytes());
    }
    for pixel in 0..64 {
        let inside = size == "large" || (2..6).contains(&(pixel % 8));
        let shade = |c: u8| match inside {
            true => c.saturating_sub(i as u8),
            false => 128,
        };
        picture.extend(colour.map(shade)); // Blue first.
    }
    ([name, size], picture)
}

/// A manifest of 48 pictures, each with a text and a label.
fn manifest(dir: &Path, told: impl Fn(usize, [&str; 2]) -> [String; 2]) -> PathBuf {
    let mut rows = "image,text,label,split\n".to_owned();
    for i in 0..48 {
        let (names, picture) = spot(i);
        std::fs::write(dir.join(format!("{i}.bmp")), picture).unwrap();
        let split = ["train", "train", "valid", "train", "test"][i / 6 % 5];
        let [text, label] = told(i, names);
        rows += &format!("{i}.bmp,{text},{label},{split}\n");
    }
    let path = dir.join("pictures.csv");
    std::fs::write(&path, rows).unwrap();
    path
}

/// With a word of the size beside, and captions.
pub fn pictures(dir: &Path) -> PathBuf {
    manifest(dir, |_, [colour, size]| {
        let told = if size == "large" { "much" } else { "little" };
        [told.to_owned(), format!("a {size} {colour} spot")]
    })
}

/// With a question about the size or the colour, and its answer.
pub fn questions(dir: &Path) -> PathBuf {
    manifest(dir, |i, [colour, size]| match i / 6 % 2 {
        0 => ["what colour?".to_owned(), colour.to_owned()],
        _ => ["how large?".to_owned(), size.to_owned()],
    })
}
