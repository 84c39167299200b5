//! The data set as files: the embedded one, or the same out of recordings of people.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sensorium_core::{Source, seed};
use serde::Serialize;

use super::{ATTRIBUTION, Made, ROWS, Spec, glyphs, specs, speech};
use crate::{Error, Split};

/// The largest recording that is read, in bytes.
const LARGEST: u64 = 16 << 20;

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows to learn from.
    pub train: usize,
    /// Rows to choose by.
    pub valid: usize,
    /// Rows never seen.
    pub test: usize,
    /// Who is heard in validation only; not said of the embedded data, whose parts have many voices each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_speaker: Option<String>,
    /// Who is heard in testing only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_speaker: Option<String>,
}

impl Summary {
    fn of(specs: &[Spec<'_>]) -> Self {
        let count = |split| specs.iter().filter(|s| s.split == split).count();
        Self {
            train: count(Split::Train),
            valid: count(Split::Valid),
            test: count(Split::Test),
            valid_speaker: None,
            test_speaker: None,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alone = |speaker: &Option<String>| match speaker {
            Some(speaker) => format!(" ({speaker}'s voice alone)"),
            None => String::new(),
        };
        write!(
            f,
            "{} rows to train on, {} to validate on{}, {} to test on{}",
            self.train,
            self.valid,
            alone(&self.valid_speaker),
            self.test,
            alone(&self.test_speaker)
        )
    }
}

/// Builds the data set from handwriting (64 values 0..16 and the digit a line, plain or gzipped) and a folder
/// of recordings `DIGIT_SPEAKER_INDEX.wav` (8 kHz, mono). One speaker is kept for testing and one for validation.
/// Writes `manifest.jsonl`, `images/`, `audio/` and `ATTRIBUTION.md`, whole or not at all.
///
/// # Errors
/// If the raw files are broken, there are fewer than three speakers, or `out` exists and is not empty.
pub fn make(
    digits: &Path,
    speech: &Path,
    out: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Summary, Error> {
    make_rows(digits, speech, out, &ROWS, progress)
}

/// The same with other numbers of rows.
///
/// # Errors
/// As [`make`].
pub fn make_rows(
    digits: &Path,
    speech: &Path,
    out: &Path,
    rows: &[(Split, usize)],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Summary, Error> {
    refuse_taken(out)?;
    let bytes = std::fs::read(digits).map_err(|error| Error::io(digits, "read", error))?;
    let glyphs = glyphs::read(digits, &bytes)?;
    let (clips, [valid_speaker, test_speaker]) = recordings(speech)?;
    let specs = specs(speech, &glyphs, &clips, rows)?;
    write_whole(&specs, out, progress)?;
    Ok(Summary {
        valid_speaker: Some(valid_speaker),
        test_speaker: Some(test_speaker),
        ..Summary::of(&specs)
    })
}

/// Writes the embedded data set as the same files, to look at or to read with other programs.
///
/// # Errors
/// If `out` exists and is not empty, or cannot be written.
pub fn write_embedded(
    out: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Summary, Error> {
    refuse_taken(out)?;
    let (glyphs, clips) = super::embedded_parts()?;
    let specs = specs(Path::new("av-digits"), &glyphs, &clips, &ROWS)?;
    write_whole(&specs, out, progress)?;
    Ok(Summary::of(&specs))
}

/// Nothing that is there already is written over.
fn refuse_taken(out: &Path) -> Result<(), Error> {
    let taken = std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    match taken || out.is_file() {
        true => Err(Error::broken(
            out,
            None,
            "exists and is not empty: choose another --out",
        )),
        false => Ok(()),
    }
}

/// Writes the rows into `out`, or nothing.
fn write_whole(
    specs: &[Spec<'_>],
    out: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), Error> {
    let aside = aside(out)?;
    let written = write_all(specs, &aside, progress).and_then(|()| {
        if out.is_dir() {
            std::fs::remove_dir(out).map_err(|error| Error::io(out, "replace", error))?;
        }
        std::fs::rename(&aside, out).map_err(|error| Error::io(out, "write", error))
    });
    if written.is_err() {
        let _ = std::fs::remove_dir_all(&aside);
    }
    written
}

/// An empty folder beside `out`.
fn aside(out: &Path) -> Result<PathBuf, Error> {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let aside = out.with_file_name(format!(".{name}.part-{}", std::process::id()));
    let io = |error| Error::io(out, "write", error);
    if aside.exists() {
        std::fs::remove_dir_all(&aside).map_err(io)?;
    }
    for folder in ["images", "audio"] {
        std::fs::create_dir_all(aside.join(folder)).map_err(io)?;
    }
    Ok(aside)
}

fn write_all(
    specs: &[Spec<'_>],
    dir: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), Error> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error| Error::io(&path, "write", error)
    };
    let mut manifest = Vec::new();
    progress(0, specs.len());
    for (n, chunk) in specs.chunks(64).enumerate() {
        let made: Vec<Made> = chunk.par_iter().map(Spec::make).collect();
        for (spec, made) in chunk.iter().zip(made) {
            let (image, audio) = (
                format!("images/{}.png", spec.id),
                format!("audio/{}.wav", spec.id),
            );
            std::fs::write(dir.join(&image), made.png).map_err(io(dir))?;
            std::fs::write(dir.join(&audio), made.wav).map_err(io(dir))?;
            let mut line = serde_json::json!({
                "id": spec.id,
                "label": spec.glyph.digit.to_string(),
                "split": spec.split,
                "group": spec.clip.voice,
                "text": made.hint,
                "image": image,
                "audio": audio,
            });
            for (key, value) in made.meta {
                line[key] = value.into();
            }
            writeln!(manifest, "{line}").map_err(io(dir))?;
        }
        progress((n * 64 + chunk.len()).min(specs.len()), specs.len());
    }
    std::fs::write(dir.join("ATTRIBUTION.md"), ATTRIBUTION).map_err(io(dir))?;
    std::fs::write(dir.join("manifest.jsonl"), manifest).map_err(io(dir))
}

/// The recordings of a folder, and who is heard in validation and in testing only.
fn recordings(dir: &Path) -> Result<(Vec<speech::Clip>, [String; 2]), Error> {
    let io = |error| Error::io(dir, "list", error);
    let mut files: Vec<(PathBuf, u8, String)> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let stem = path
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or_default();
        let parts: Vec<&str> = stem.split('_').collect();
        if let ([digit, speaker, _], Some("wav")) =
            (parts.as_slice(), path.extension().and_then(|e| e.to_str()))
            && let Ok(digit @ 0..=9) = digit.parse()
        {
            let speaker = (*speaker).to_owned();
            files.push((path, digit, speaker));
        }
    }
    files.sort();
    let mut speakers: Vec<String> = files
        .iter()
        .map(|(_, _, speaker)| speaker.clone())
        .collect();
    speakers.sort();
    speakers.dedup();
    if speakers.len() < 3 {
        return Err(Error::broken(
            dir,
            None,
            format!(
                "has recordings DIGIT_SPEAKER_INDEX.wav of {} speakers; three are needed, to keep one for validation and one for testing",
                speakers.len()
            ),
        ));
    }
    // Drawn, so that the order of the alphabet decides nothing.
    speakers.sort_by_key(|speaker| seed::derive(super::SEED, &[seed::of_name(speaker)]));
    let held = [speakers[0].clone(), speakers[1].clone()];
    let clips = files
        .into_par_iter()
        .map(|(path, digit, voice)| {
            let bytes = Source::path(&path)
                .read(LARGEST)
                .map_err(|error| Error::broken(&path, None, error.to_string()))?;
            let split = match () {
                () if voice == held[0] => Split::Valid,
                () if voice == held[1] => Split::Test,
                () => Split::Train,
            };
            let samples = speech::read_wav(&path, &bytes)?;
            Ok(speech::Clip {
                digit,
                voice,
                split,
                samples,
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    Ok((clips, held))
}
