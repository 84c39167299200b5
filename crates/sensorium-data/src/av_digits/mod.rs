//! `av-digits`: a digit written by hand, the digit spoken, and a hint in words; the embedded data set.
//!
//! Each part alone is honestly hard: the picture is small, covered and noisy, the voice is one never heard
//! in training and stands in noise, and the hint leaves several digits open. Together they suffice.

pub(crate) mod glyphs;
mod hints;
mod make;
pub(crate) mod picture;
pub(crate) mod speech;

#[cfg(test)]
mod tests;

pub use make::{Summary, make, make_rows};

use std::path::Path;

use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use sensorium_core::{SampleRng, Source, seed};

use crate::{Error, Place, Row, Split, Table};
use glyphs::Glyph;
use speech::Clip;

const NAME: &str = "av-digits";
const DIGITS: &[u8] = include_bytes!("../../assets/av-digits/digits.csv.gz");
const SPEECH: &[u8] = include_bytes!("../../assets/av-digits/speech.tar.gz");

/// Who made the parts, and under which terms.
pub const ATTRIBUTION: &str = include_str!("../../assets/av-digits/ATTRIBUTION.md");

/// What everything drawn derives from: the data set is the same everywhere.
const SEED: u64 = 0x0A5D_1617;

/// Rows of each part. Few enough to train on in a minute on two cores; enough test rows that one
/// per cent is eight of them.
const ROWS: [(Split, usize); 3] = [
    (Split::Train, 3600),
    (Split::Valid, 400),
    (Split::Test, 800),
];

/// The share of the handwriting that only validation, and only testing, sees.
const VALID_SHARE: f64 = 0.1;
const TEST_SHARE: f64 = 0.22;

/// What a row is made of.
struct Spec<'a> {
    id: String,
    split: Split,
    glyph: &'a Glyph,
    clip: &'a Clip,
}

/// The data set that is compiled in.
///
/// # Errors
/// If the embedded files are broken, which a test rules out.
pub fn embedded() -> Result<Table, Error> {
    let (glyphs, clips) = embedded_parts()?;
    Ok(table(&specs(Path::new(NAME), &glyphs, &clips, &ROWS)?))
}

/// All rows, drawn.
fn table(specs: &[Spec<'_>]) -> Table {
    let rows = specs.par_iter().enumerate();
    let rows: Vec<Row> = rows.map(|(i, spec)| spec.row(i)).collect();
    Table {
        name: NAME.to_owned(),
        rows: rows.into(),
    }
}

/// All handwriting and all recordings that are compiled in.
pub(crate) fn embedded_parts() -> Result<(Vec<Glyph>, Vec<Clip>), Error> {
    let glyphs = glyphs::read(Path::new("av-digits/digits.csv.gz"), DIGITS)?;
    Ok((glyphs, speech::read_archive(SPEECH)?))
}

impl Spec<'_> {
    fn row(&self, index: usize) -> Row {
        let mut rng = seed::rng(SEED, &[seed::of_name(&self.id)]);
        let (png, picture) = picture::draw(self.glyph, &mut rng);
        let (wav, sound) = speech::place(self.clip, &mut rng);
        let hint = hints::draw(self.glyph.digit, &mut rng);
        let inputs = [
            ("image", Source::bytes(format!("{}.png", self.id), png)),
            ("audio", Source::bytes(format!("{}.wav", self.id), wav)),
            ("text", Source::text(hint)),
        ];
        let meta = [
            ("writing", self.glyph.index.to_string()),
            ("voice", self.clip.voice.clone()),
            ("turn_deg", format!("{:.0}", picture.turn_deg)),
            ("snr_db", format!("{:.0}", sound.snr_db)),
        ];
        Row {
            id: self.id.clone(),
            label: Some(self.glyph.digit.to_string()),
            split: Some(self.split),
            group: Some(self.clip.voice.clone()),
            inputs: inputs.into(),
            meta: meta.into(),
            place: Place {
                file: NAME.into(),
                row: index as u64 + 1,
            },
        }
    }
}

/// What one part sees of shuffled handwriting, and no other part does.
pub(crate) fn part_of<'p, 'g>(writings: &'p [&'g Glyph], split: Split) -> &'p [&'g Glyph] {
    let share = |share: f64| (writings.len() as f64 * share).round() as usize;
    let (n_test, n_valid) = (share(TEST_SHARE), share(VALID_SHARE));
    match split {
        Split::Test => &writings[..n_test],
        Split::Valid => &writings[n_test..n_test + n_valid],
        Split::Train => &writings[n_test + n_valid..],
    }
}

/// Which handwriting meets which recording: digits in equal numbers, each writing as often as the next. `origin` names
/// the recordings in messages.
///
/// # Errors
/// If a digit that a part is to have is nowhere written, or nowhere spoken, in that part.
fn specs<'a>(
    origin: &Path,
    glyphs: &'a [Glyph],
    clips: &'a [Clip],
    rows: &[(Split, usize)],
) -> Result<Vec<Spec<'a>>, Error> {
    let mut rng = seed::rng(SEED, &[seed::of_name("specs")]);
    let mut specs = Vec::new();
    for digit in 0..10u8 {
        let mut own: Vec<&Glyph> = glyphs.iter().filter(|g| g.digit == digit).collect();
        own.shuffle(&mut rng);
        for (split, count) in rows {
            let writings = part_of(&own, *split);
            let heard = |c: &&Clip| c.digit == digit && c.split == *split;
            let voices: Vec<&Clip> = clips.iter().filter(heard).collect();
            let pairs = pair(*split, digit, writings, &voices, count / 10, &mut rng);
            specs.extend(pairs.map_err(|reason| Error::broken(origin, None, reason))?);
        }
    }
    // The rows of a part stand together, its digits mixed.
    let part = |split: Split| rows.iter().position(|(s, _)| *s == split);
    specs.shuffle(&mut rng);
    specs.sort_by_key(|spec| part(spec.split));
    Ok(specs)
}

fn pair<'a>(
    split: Split,
    digit: u8,
    writings: &[&'a Glyph],
    voices: &[&'a Clip],
    count: usize,
    rng: &mut SampleRng,
) -> Result<Vec<Spec<'a>>, String> {
    let name = match split {
        Split::Train => "train",
        Split::Valid => "valid",
        Split::Test => "test",
    };
    let lacks = |what: &str| {
        Err(format!(
            "has no {what}: the part {name} would lack that digit, add some"
        ))
    };
    match (count, writings.is_empty(), voices.is_empty()) {
        (0, ..) => return Ok(Vec::new()),
        (_, true, _) => return lacks(&format!("handwritten {digit}")),
        (_, _, true) => {
            return lacks(&format!(
                "recording of a {digit} by who is heard in that part"
            ));
        }
        _ => {}
    }
    let specs = (0..count)
        .map(|n| Spec {
            id: format!("{name}-{digit}-{n:03}"),
            split,
            glyph: writings[n % writings.len()],
            clip: voices[rng.random_range(0..voices.len())],
        })
        .collect();
    Ok(specs)
}
