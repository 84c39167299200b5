//! `sensorium transcribe`: recordings to what is said in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use sensorium_core::Source;
use sensorium_models::ready::{PreparedSpeech, Speech, SpeechToText};
use sensorium_models::whisper::generate::{Fallback, Task, Transcribe};
use sensorium_recipe::Observer;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::{Common, FormatArg, OnErrorArg, TaskArg, TranscribeArgs};
use crate::inputs::{Input, Inputs};
use crate::jobs::{self, Done};
use crate::progress::Progress;
use crate::{Misuse, models, screen, subtitles};

/// Recordings that are made ready while another is heard.
const AHEAD: usize = 1;

/// Writes down every recording, in order.
pub fn run(args: &TranscribeArgs, common: &Common) -> anyhow::Result<()> {
    let mut inputs = Inputs::new("audio", &args.files);
    let mut results = Results::new(args, common, inputs.total())?;
    let how = how(args);
    let checkpoint = models::open(&args.model, common)?;
    let opened = sensorium_runtime::choose(common.backend)?;
    let model = Arc::new(SpeechToText::open(&checkpoint, &opened.device)?);
    model.accepts(&how)?;
    let mut progress = Progress::new(common.quiet);
    let mut done = Done::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(2); // a whole recording is much to hold
    loop {
        let chunk: Arc<[Input]> = inputs.chunk()?.into();
        if chunk.is_empty() {
            break;
        }
        let preparing = model.clone();
        let prepare = move |source: &Source| preparing.prepare(source);
        let prepared = jobs::prepared(&chunk, threads, AHEAD, prepare);
        for (input, prepared) in chunk.iter().zip(prepared) {
            match prepared.and_then(|speech| hear(input, &speech, &model, &how, &mut progress)) {
                Ok(speech) => {
                    results.put(input, &speech)?;
                    done.answered += 1;
                }
                Err(error) if args.on_error == OnErrorArg::Skip => {
                    done.skip(input, &error, &progress);
                }
                Err(error) => return Err(error),
            }
        }
    }
    done.need_some()?;
    results.finish(&done)
}

fn how(args: &TranscribeArgs) -> Transcribe {
    Transcribe {
        language: args.language.clone(),
        task: match args.task {
            TaskArg::Transcribe => Task::Transcribe,
            TaskArg::Translate => Task::Translate,
        },
        timestamps: true,
        on_previous: args.on_previous,
        beams: args.beam,
        fallback: match args.greedy {
            true => Fallback::none(),
            false => Fallback::default(),
        },
        seed: args.seed,
    }
}

fn hear(
    input: &Input,
    speech: &PreparedSpeech,
    model: &SpeechToText,
    how: &Transcribe,
    progress: &mut Progress,
) -> anyhow::Result<Speech> {
    // The file alone: what is said has to stand on the line too.
    let name = Path::new(&input.name).file_name();
    let name = name.unwrap_or_default().to_string_lossy();
    progress.listen(&name, speech.seconds());
    let said = model.transcribe(speech, how, |said, seconds| {
        progress.heard(seconds, &said.text);
    });
    progress.phase_end(); // before anything is printed where the bar stands
    Ok(said?)
}

/// Where transcripts go.
struct Results<'a> {
    args: &'a TranscribeArgs,
    json: bool,
    /// Whether one of several.
    named: bool,
    files: BTreeSet<PathBuf>,
    documents: Vec<Value>,
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

impl<'a> Results<'a> {
    fn new(
        args: &'a TranscribeArgs,
        common: &Common,
        total: Option<usize>,
    ) -> anyhow::Result<Self> {
        let named = total != Some(1);
        if named && args.format != FormatArg::Txt && args.out.is_none() && !common.json {
            let problem = "subtitles of several recordings need a folder: give --out DIR";
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
        })
    }

    fn put(&mut self, input: &Input, speech: &Speech) -> anyhow::Result<()> {
        let text = subtitles::written(speech, self.args.format, self.args.times);
        let file = match &self.args.out {
            Some(folder) => Some(self.write(folder, &input.name, &text)?),
            None => None,
        };
        if self.json {
            self.documents
                .push(document(input, speech, file.as_deref()));
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

    fn finish(self, done: &Done) -> anyhow::Result<()> {
        match self.json {
            true => screen::json(&json!({
                "transcripts": self.documents,
                "skipped": done.skipped,
            })),
            false => Ok(()),
        }
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
