//! Transcripts beside what should have been heard: word and character error rates.

use std::fmt::Write;

use sensorium_eval::normalise::{BasicNormalizer, EnglishNormalizer};
use sensorium_eval::{EditCounts, PairCounts, Transcription};
use sensorium_hub::Checkpoint;
use serde_json::{Value, json};

use crate::args::NormaliseArg;
use crate::references::References;

/// Where a published Whisper keeps the American spellings of words.
const SPELLINGS: &str = "normalizer.json";

/// Counts the errors of transcripts, recording by recording.
pub struct Scores {
    references: References,
    form: Form,
    counts: Transcription,
    rows: Vec<(String, PairCounts)>,
}

/// The form that both texts are brought into.
enum Form {
    Own,
    Basic(BasicNormalizer),
    English(EnglishNormalizer),
}

impl Form {
    fn of(arg: NormaliseArg, checkpoint: &Checkpoint) -> anyhow::Result<Self> {
        Ok(match arg {
            NormaliseArg::None => Self::Own,
            NormaliseArg::Basic => Self::Basic(BasicNormalizer::new()),
            NormaliseArg::English => Self::English(match checkpoint.text(SPELLINGS)? {
                Some(json) => EnglishNormalizer::from_json(&json)?,
                None => EnglishNormalizer::default(),
            }),
        })
    }

    fn apply(&self, text: &str) -> String {
        match self {
            Self::Own => text.to_owned(),
            Self::Basic(normalizer) => normalizer.normalise(text),
            Self::English(normalizer) => normalizer.normalise(text),
        }
    }
}

impl Scores {
    /// Compares with `references`; the table of English spellings is the checkpoint's.
    pub fn new(
        references: References,
        normalise: NormaliseArg,
        checkpoint: &Checkpoint,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            references,
            form: Form::of(normalise, checkpoint)?,
            counts: Transcription::new(),
            rows: Vec::new(),
        })
    }

    /// What should be heard in a recording.
    pub fn reference(&self, name: &str) -> anyhow::Result<String> {
        self.references.of(name)
    }

    /// Counts what is wrong in a transcript; says it for the recording's document.
    pub fn add(&mut self, name: &str, heard: &str) -> anyhow::Result<Value> {
        let reference = self.reference(name)?;
        let pair = self
            .counts
            .add(&self.form.apply(&reference), &self.form.apply(heard));
        self.rows.push((name.to_owned(), pair));
        Ok(json!({
            "reference": reference,
            "wer": pair.words.error_rate(),
            "cer": pair.characters.error_rate(),
            "words": pair.words,
            "characters": pair.characters,
        }))
    }

    /// All metrics of all recordings together.
    pub fn all(&self) -> Value {
        json!(self.counts.finish())
    }

    /// A line for each recording, and one for all of them.
    pub fn table(&self) -> String {
        let all = self.counts.finish();
        let mut rows = vec![["", "words", "errors", "WER", "CER"].map(str::to_owned)];
        rows.extend(
            self.rows
                .iter()
                .map(|(name, pair)| row(name, pair.words, pair.characters)),
        );
        if self.rows.len() > 1 {
            rows.push(row("all", all.words, all.characters));
        }
        let width = |column: usize| {
            let widths = rows.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or_default()
        };
        let widths = [0, 1, 2, 3, 4].map(width);
        rows.iter()
            .fold(String::new(), |mut table, [name, numbers @ ..]| {
                let _ = write!(table, "{name:<0$}", widths[0]);
                for (number, width) in numbers.iter().zip(&widths[1..]) {
                    let _ = write!(table, "  {number:>width$}");
                }
                table.push('\n');
                table
            })
    }
}

fn row(name: &str, words: EditCounts, characters: EditCounts) -> [String; 5] {
    // Without a word that should be heard there is no rate.
    let rate = |counts: EditCounts| match counts.reference_len() {
        0 => "-".to_owned(),
        _ => format!("{:.2} %", 100.0 * counts.error_rate()),
    };
    [
        // A file's name may hold anything: what a terminal would obey is not printed.
        name.chars().filter(|letter| !letter.is_control()).collect(),
        words.reference_len().to_string(),
        words.errors().to_string(),
        rate(words),
        rate(characters),
    ]
}
