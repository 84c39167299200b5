//! `scenes` and what is made of them: coloured handwritten digits on a dark canvas, told in a caption, spoken, asked about,
//! or alone.
//!
//! A scene has one to three digits, each with a colour and a place. Which colour, digit and place stand together in validation
//! or testing is never seen in training, and neither is who writes or speaks there: what has only learned combinations by heart
//! fails. All is drawn from a seed out of the handwriting and voices that come with the program.

mod draw;
mod questions;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rayon::prelude::*;
use sensorium_core::{SampleRng, Source, seed};

use crate::av_digits::glyphs::Glyph;
use crate::av_digits::speech::Clip;
use crate::av_digits::{embedded_parts, part_of};
use crate::{Error, Named, Place, Row, Split, Table};
use questions::ask;
pub(crate) use words::DIGITS;
use words::{COLOURS, PLACES, caption, listing, sentence};

/// What everything drawn derives from: the data set is the same everywhere.
const SEED: u64 = 0x5CE7_E500;

/// Scenes of each part.
const SCENES: [(Split, &str, usize); 3] = [
    (Split::Train, "train", 4000),
    (Split::Valid, "valid", 400),
    (Split::Test, "test", 800),
];
/// Scenes beyond these from which writing a text is learned.
const MORE: usize = 8000;
/// How often each combination stands alone.
const TIMES_ALONE: usize = 12;
/// The most digits of a scene; one place stays free.
const MOST_THINGS: usize = 3;
/// Combinations of colour, digit and place that only validation, and only testing, sees, of all 240.
const VALID_COMBINATIONS: usize = 32;
const TEST_COMBINATIONS: usize = 48;

/// A colour, a digit and a place: indices into their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Combination {
    place: usize,
    colour: usize,
    digit: usize,
}

/// A digit of a scene.
#[derive(Clone, Debug)]
struct Thing<'a> {
    is: Combination,
    glyph: &'a Glyph,
}

/// A scene, and who says its digits.
#[derive(Clone, Debug)]
struct Scene<'a> {
    id: String,
    split: Split,
    /// In reading order.
    things: Vec<Thing<'a>>,
    /// The digits, spoken by one voice.
    spoken: Vec<&'a Clip>,
}

/// Pictures with captions and the digits spoken in reading order: `image`, `text`, `audio`. No two scenes of a part have the same
/// things, so that each caption is of one picture alone. Rows have no label.
///
/// # Errors
/// If the embedded files are broken, which a test rules out.
pub fn captions() -> Result<Table, Error> {
    let (glyphs, clips) = embedded_parts()?;
    let scenes = scenes(&glyphs, &clips);
    let rows = scenes.par_iter().enumerate().map(|(i, scene)| {
        let mut rng = scene.rng("captions");
        let audio = draw::spoken(&scene.spoken, &mut rng);
        let mut inputs = scene.picture();
        inputs.insert("text", Source::text(caption(&scene.all(), &mut rng)));
        let name = format!("{}.wav", scene.id);
        inputs.insert("audio", Source::bytes(name, audio));
        scene.row("scenes", i, inputs, None)
    });
    Ok(table("scenes", rows.collect()))
}

/// Pictures with a question and its answer: `image`, `text`, and the answer as the label. The `kind` of a question is in the row's
/// notes: `colour`, `digit-there`, `digit-coloured`, `place`, `count` and `presence`, whose answers are yes as often as no. There
/// are 8,000 more scenes for training than in [`captions`].
///
/// # Errors
/// As [`captions`].
pub fn questions() -> Result<Table, Error> {
    let (glyphs, clips) = embedded_parts()?;
    let scenes = with_more(&glyphs, &clips);
    let rows = scenes.par_iter().enumerate().map(|(i, scene)| {
        let asked = ask(&scene.all(), &mut scene.rng("questions"));
        let mut inputs = scene.picture();
        inputs.insert("text", Source::text(asked.question));
        let mut row = scene.row("scenes-qa", i, inputs, Some(asked.answer));
        row.meta.insert("kind", asked.kind);
        row
    });
    Ok(table("scenes-qa", rows.collect()))
}

/// Pictures, and as the label a sentence that says all that is in them, in reading order: `image`, and as `text` the question that
/// it answers. There are 8,000 more scenes for training than in [`captions`].
///
/// # Errors
/// As [`captions`].
pub fn sentences() -> Result<Table, Error> {
    let (glyphs, clips) = embedded_parts()?;
    let scenes = with_more(&glyphs, &clips);
    let rows = scenes.par_iter().enumerate().map(|(i, scene)| {
        let told = sentence(&scene.all());
        let mut inputs = scene.picture();
        inputs.insert("text", Source::text("what is there?"));
        scene.row("scenes-captions", i, inputs, Some(told))
    });
    Ok(table("scenes-captions", rows.collect()))
}

/// Scenes of one digit each, written by several and spoken: `image`, `audio`, and the digit's name as the label. Nobody who writes or
/// speaks here, and no combination, is in a part of [`captions`] of another name.
///
/// # Errors
/// As [`captions`].
pub fn digits() -> Result<Table, Error> {
    let (glyphs, clips) = embedded_parts()?;
    let scenes = alone(&glyphs, &clips);
    let rows = scenes.par_iter().enumerate().map(|(i, scene)| {
        let audio = draw::spoken(&scene.spoken, &mut scene.rng("digits"));
        let mut inputs = scene.picture();
        let name = format!("{}.wav", scene.id);
        inputs.insert("audio", Source::bytes(name, audio));
        let label = scene
            .things
            .first()
            .map(|thing| thing.is.digit().to_owned());
        scene.row("scenes-digits", i, inputs, label)
    });
    Ok(table("scenes-digits", rows.collect()))
}

fn table(name: &str, rows: Vec<Row>) -> Table {
    Table {
        name: name.to_owned(),
        rows: rows.into(),
    }
}

impl Scene<'_> {
    /// A generator of its own for one purpose: what one draws changes nothing for another.
    fn rng(&self, purpose: &str) -> SampleRng {
        seed::rng(SEED, &[seed::of_name(&self.id), seed::of_name(purpose)])
    }

    fn all(&self) -> Vec<Combination> {
        self.things.iter().map(|thing| thing.is).collect()
    }

    /// The picture, the same for every purpose.
    fn picture(&self) -> Named<Source> {
        let png = draw::picture(&self.things, &mut self.rng("picture"));
        let source = Source::bytes(format!("{}.png", self.id), png);
        [("image", source)].into()
    }

    fn row(&self, set: &str, index: usize, inputs: Named<Source>, label: Option<String>) -> Row {
        let voice = self.spoken.first().map(|clip| clip.voice.clone());
        let notes = [
            ("things", Some(listing(&self.all()))),
            ("voice", voice.clone()),
        ];
        Row {
            id: self.id.clone(),
            label,
            split: Some(self.split),
            group: voice,
            inputs,
            meta: notes
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?)))
                .collect(),
            place: Place {
                file: set.into(),
                row: index as u64 + 1,
            },
        }
    }
}

/// All combinations, the ones of each part shuffled and apart.
fn combinations(split: Split) -> Vec<Combination> {
    let mut all: Vec<Combination> = (0..PLACES.len())
        .flat_map(|place| (0..COLOURS.len()).map(move |colour| (place, colour)))
        .flat_map(|(place, colour)| {
            (0..10).map(move |digit| Combination {
                place,
                colour,
                digit,
            })
        })
        .collect();
    all.shuffle(&mut seed::rng(SEED, &[seed::of_name("combinations")]));
    match split {
        Split::Test => all[..TEST_COMBINATIONS].to_vec(),
        Split::Valid => all[TEST_COMBINATIONS..][..VALID_COMBINATIONS].to_vec(),
        Split::Train => all[TEST_COMBINATIONS + VALID_COMBINATIONS..].to_vec(),
    }
}

/// The scenes of all parts.
fn scenes<'a>(glyphs: &'a [Glyph], clips: &'a [Clip]) -> Vec<Scene<'a>> {
    let mut rng = seed::rng(SEED, &[seed::of_name("scenes")]);
    let by_digit = written(glyphs, &mut rng);
    let mut scenes = Vec::new();
    for part in SCENES {
        scenes.extend(drawn(part, BTreeSet::new(), &by_digit, clips, &mut rng));
    }
    scenes
}

/// The scenes of all parts and more for training, of the same hands, voices and combinations.
fn with_more<'a>(glyphs: &'a [Glyph], clips: &'a [Clip]) -> Vec<Scene<'a>> {
    let mut scenes = scenes(glyphs, clips);
    let by_digit = written(glyphs, &mut seed::rng(SEED, &[seed::of_name("scenes")]));
    let trained = |scene: &&Scene<'_>| scene.split == Split::Train;
    let seen = scenes.iter().filter(trained).map(Scene::all).collect();
    let mut rng = seed::rng(SEED, &[seed::of_name("more")]);
    let part = (Split::Train, "train", MORE);
    scenes.extend(drawn(part, seen, &by_digit, clips, &mut rng));
    scenes
}

/// So many scenes of a part, none of which is one of those that are `seen`.
fn drawn<'a>(
    (split, name, count): (Split, &str, usize),
    mut seen: BTreeSet<Vec<Combination>>,
    by_digit: &[Vec<&'a Glyph>],
    clips: &'a [Clip],
    rng: &mut SampleRng,
) -> Vec<Scene<'a>> {
    let known = combinations(split);
    let voices: BTreeSet<&str> = clips
        .iter()
        .filter(|clip| clip.split == split)
        .map(|clip| clip.voice.as_str())
        .collect();
    let voices: Vec<&str> = voices.into_iter().collect();
    let mut scenes = Vec::with_capacity(count);
    while scenes.len() < count {
        let mut drawn = draw_things(&known, rng);
        drawn.sort();
        if !seen.insert(drawn.clone()) {
            continue;
        }
        let voice = voices.choose(rng);
        let says = |digit: usize| {
            let is = |clip: &&Clip| {
                usize::from(clip.digit) == digit && Some(&clip.voice.as_str()) == voice
            };
            clips.iter().find(is)
        };
        let spoken = drawn.iter().filter_map(|is| says(is.digit)).collect();
        let mut thing = |is: Combination| {
            let written = part_of(&by_digit[is.digit], split);
            let glyph = written[rng.random_range(0..written.len())];
            Thing { is, glyph }
        };
        scenes.push(Scene {
            id: format!("{name}-{:04}", seen.len() - 1),
            split,
            things: drawn.into_iter().map(&mut thing).collect(),
            spoken,
        });
    }
    scenes
}

/// Each combination as a scene of its own, several times.
fn alone<'a>(glyphs: &'a [Glyph], clips: &'a [Clip]) -> Vec<Scene<'a>> {
    let mut rng = seed::rng(SEED, &[seed::of_name("alone")]);
    // The same people write for each part as in all other scenes.
    let by_digit = written(glyphs, &mut seed::rng(SEED, &[seed::of_name("scenes")]));
    let mut scenes = Vec::new();
    for (split, name, _) in SCENES {
        let mut known = combinations(split);
        known.sort();
        let mut clips: Vec<&Clip> = clips.iter().filter(|clip| clip.split == split).collect();
        clips.shuffle(&mut rng);
        for (n, is) in known.iter().flat_map(|is| [is; TIMES_ALONE]).enumerate() {
            let own = part_of(&by_digit[is.digit], split);
            let glyph = own[rng.random_range(0..own.len())];
            let says = |clip: &&&Clip| usize::from(clip.digit) == is.digit;
            let spoken: Vec<&&Clip> = clips.iter().filter(says).collect();
            scenes.push(Scene {
                id: format!("{name}-digit-{n:04}"),
                split,
                things: vec![Thing { is: *is, glyph }],
                spoken: spoken
                    .choose(&mut rng)
                    .map(|clip| **clip)
                    .into_iter()
                    .collect(),
            });
        }
    }
    scenes
}

/// What is written of each digit, in an order of its own, of which each part has its share.
fn written<'a>(glyphs: &'a [Glyph], rng: &mut SampleRng) -> Vec<Vec<&'a Glyph>> {
    let mut by_digit: Vec<Vec<&Glyph>> = vec![Vec::new(); 10];
    for glyph in glyphs {
        by_digit[usize::from(glyph.digit)].push(glyph);
    }
    by_digit.iter_mut().for_each(|own| own.shuffle(rng));
    by_digit
}

/// One to three of them, each at a place of its own.
fn draw_things(known: &[Combination], rng: &mut SampleRng) -> Vec<Combination> {
    let count = rng.random_range(1..=MOST_THINGS);
    let mut things: Vec<Combination> = Vec::with_capacity(count);
    while things.len() < count {
        let next = known[rng.random_range(0..known.len())];
        if things.iter().all(|thing| thing.place != next.place) {
            things.push(next);
        }
    }
    things
}
