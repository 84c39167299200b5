//! Where transcripts go: to standard output, into files that are named as the recordings, or into one document.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sensorium_models::ready::Speech;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::{Common, FormatArg, TranscribeArgs};
use crate::inputs::Input;
use crate::jobs::Done;
use crate::scores::Scores;
use crate::{Misuse, screen, subtitles};

/// Puts transcripts where they are wanted.
pub struct Transcripts<'a> {
    args: &'a TranscribeArgs,
    json: bool,
    /// Whether one of several.
    named: bool,
    files: BTreeSet<PathBuf>,
    documents: Vec<Value>,
    scores: Option<Scores>,
}

/// A part of a recording.
#[derive(Serialize)]
struct Part<'a> {
    start_s: f64,
    end_s: f64,
    text: &'a str,
    log_probability: f32,
    no_speech: Option<f32>,
    temperature: f32,
}

impl<'a> Transcripts<'a> {
    /// Of so many recordings, if that is known; with `scores`, they are compared with what should have been heard.
    pub fn new(
        args: &'a TranscribeArgs,
        common: &Common,
        total: Option<usize>,
        scores: Option<Scores>,
    ) -> anyhow::Result<Self> {
        let named = total != Some(1);
        let alone = args.out.is_none() && !common.json;
        if args.format != FormatArg::Txt && alone && (named || scores.is_some()) {
            let problem = match named {
                true => "subtitles of several recordings need a folder: give --out DIR",
                false => "subtitles and scores do not go together: give --out DIR or --json",
            };
            return Err(Misuse(problem.to_owned()).into());
        }
        if let Some(folder) = &args.out {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{}: cannot be made", folder.display()))?;
        }
        Ok(Self {
            args,
            json: common.json,
            named,
            files: BTreeSet::new(),
            documents: Vec::new(),
            scores,
        })
    }

    /// Refuses a recording that could not be scored, before it is heard.
    pub fn expect(&self, input: &Input) -> anyhow::Result<()> {
        match &self.scores {
            Some(scores) => scores.reference(&input.name).map(drop),
            None => Ok(()),
        }
    }

    /// Takes what was said in a recording.
    pub fn put(&mut self, input: &Input, speech: &Speech) -> anyhow::Result<()> {
        let text = subtitles::written(speech, self.args.format, self.args.times);
        let file = match &self.args.out {
            Some(folder) => Some(self.write(folder, &input.name, &text)?),
            None => None,
        };
        let scored = match &mut self.scores {
            Some(scores) => Some(scores.add(&input.name, &speech.text)?),
            None => None,
        };
        if self.json {
            let mut document = document(input, speech, file.as_deref());
            if let Some(scored) = scored {
                document["scores"] = scored;
            }
            self.documents.push(document);
            return Ok(());
        }
        match file {
            Some(_) => Ok(()),
            None if self.named => screen::text(&format!("{}:\n{text}", input.name)),
            None => screen::text(&text),
        }
    }

    /// Writes a file that is named as the recording.
    fn write(&mut self, folder: &Path, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let stem = Path::new(name).file_stem().unwrap_or_default();
        let mut file = folder.join(stem).into_os_string();
        file.push(".");
        file.push(self.args.format.extension());
        let file = PathBuf::from(file);
        if !self.files.insert(file.clone()) {
            anyhow::bail!("{name}: {} is another recording's already", file.display());
        }
        sensorium_hub::write_whole(&file, |aside| std::fs::write(aside, text))?;
        Ok(file)
    }

    /// Prints what concerns all of them.
    pub fn finish(self, done: &Done) -> anyhow::Result<()> {
        if !self.json {
            return match &self.scores {
                Some(scores) => screen::text(&scores.table()),
                None => Ok(()),
            };
        }
        let mut document = json!({
            "transcripts": self.documents,
            "skipped": done.skipped,
        });
        if let Some(scores) = &self.scores {
            document["scores"] = scores.all();
        }
        screen::json(&document)
    }
}

fn document(input: &Input, speech: &Speech, file: Option<&Path>) -> Value {
    let parts = speech.segments.iter().map(|said| Part {
        start_s: said.segment.start_s,
        end_s: said.segment.end_s,
        text: &said.text,
        log_probability: said.segment.log_probability,
        no_speech: said.segment.no_speech,
        temperature: said.segment.temperature,
    });
    json!({
        "input": input.name,
        "language": speech.language,
        "text": speech.text,
        "segments": parts.collect::<Vec<_>>(),
        "out": file,
    })
}
