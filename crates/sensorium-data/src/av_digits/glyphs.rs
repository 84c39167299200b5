//! The handwriting: eight by eight values of ink and the digit they mean.

use std::io::Read;
use std::path::Path;

use crate::Error;

/// Values a side.
pub(crate) const SIDE: usize = 8;

/// The most ink a value can hold.
const MOST_INK: f32 = 16.0;

/// The most bytes a file of handwriting may unpack to. The real one has 260 kB.
const LARGEST: u64 = 64 << 20;

/// One handwritten digit.
#[derive(Clone, Debug)]
pub(crate) struct Glyph {
    /// Its row in the file, counted from 0.
    pub index: usize,
    /// What it means.
    pub digit: u8,
    /// Ink between 0 and 1, row by row.
    pub ink: [f32; SIDE * SIDE],
}

/// Reads lines of 64 values 0..16 and a digit, plain or gzipped; `path` stands for them in messages.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<Vec<Glyph>, Error> {
    let mut text = Vec::new();
    let unpacked = if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(bytes)
            .take(LARGEST + 1)
            .read_to_end(&mut text)
    } else {
        bytes.take(LARGEST + 1).read_to_end(&mut text)
    };
    unpacked.map_err(|error| Error::io(path, "unpack", error))?;
    if text.len() as u64 > LARGEST {
        return Err(Error::broken(
            path,
            None,
            format!("is larger than {LARGEST} bytes"),
        ));
    }
    let text = String::from_utf8(text).map_err(|_| Error::broken(path, None, "is not text"))?;
    let glyphs: Vec<Glyph> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            glyph(index, line).map_err(|reason| Error::broken(path, Some(index as u64 + 1), reason))
        })
        .collect::<Result<_, _>>()?;
    for digit in 0..10 {
        if glyphs.iter().filter(|g| g.digit == digit).count() < 10 {
            return Err(Error::broken(
                path,
                None,
                format!("has fewer than 10 examples of the digit {digit}"),
            ));
        }
    }
    Ok(glyphs)
}

fn glyph(index: usize, line: &str) -> Result<Glyph, String> {
    let values: Vec<f32> = line
        .split(',')
        .map(|v| {
            v.trim()
                .parse::<f32>()
                .map_err(|_| format!("{v:?} is not a number"))
        })
        .collect::<Result<_, _>>()?;
    let Some((digit, ink)) = values
        .split_last()
        .filter(|(_, ink)| ink.len() == SIDE * SIDE)
    else {
        return Err(format!("has {} values, not 64 and the digit", values.len()));
    };
    if ink.iter().any(|v| !(0.0..=MOST_INK).contains(v)) {
        return Err("has a value outside 0 to 16".to_owned());
    }
    if !(0.0..=9.0).contains(digit) || digit.fract() != 0.0 {
        return Err(format!("ends in {digit}, which is no digit"));
    }
    let mut own = [0.0; SIDE * SIDE];
    own.iter_mut()
        .zip(ink)
        .for_each(|(to, from)| *to = from / MOST_INK);
    Ok(Glyph {
        index,
        digit: *digit as u8,
        ink: own,
    })
}
