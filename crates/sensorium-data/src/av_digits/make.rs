//! The data set out of recordings of people, as files.

use std::fmt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sensorium_core::{Source, seed};
use serde::Serialize;

use super::{ATTRIBUTION, ROWS, glyphs, specs, speech, table};
use crate::written::refuse_taken;
use crate::{Error, RowRef, Split, Table, write_table};

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
    /// How many rows a data set has of each part.
    pub fn of(table: &Table) -> Self {
        let count = |split| {
            let of = |row: &RowRef<'_>| row.split() == Some(split);
            table.rows.refs().filter(of).count()
        };
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
/// Writes it as [`write_table`] does, whole or not at all.
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
    let table = table(&specs);
    write_table(&table, ATTRIBUTION, out, progress)?;
    Ok(Summary {
        valid_speaker: Some(valid_speaker),
        test_speaker: Some(test_speaker),
        ..Summary::of(&table)
    })
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
