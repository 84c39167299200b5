//! `sensorium transcribe`: recordings to what is said in them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sensorium_core::Source;
use sensorium_models::ready::{Listener, PreparedSpeech, Speech, SpeechToText};
use sensorium_models::whisper::generate::{Fallback, Task, Transcribe};
use sensorium_recipe::Observer;

use crate::args::{Common, OnErrorArg, TaskArg, TranscribeArgs};
use crate::inputs::{Input, Inputs};
use crate::jobs::{self, Done};
use crate::models;
use crate::progress::Progress;
use crate::references::References;
use crate::scores::Scores;
use crate::transcripts::Transcripts;

/// Recordings that are made ready while others are heard.
const AHEAD: usize = 1;

/// Writes down every recording, in order.
pub fn run(args: &TranscribeArgs, common: &Common) -> anyhow::Result<()> {
    let mut inputs = Inputs::new("audio", &args.files);
    let references = references(args, inputs.total())?;
    let how = how(args);
    let checkpoint = models::open(&args.model, common)?;
    let scores = references.map(|some| Scores::new(some, args.normalise, &checkpoint));
    let results = Transcripts::new(args, common, inputs.total(), scores.transpose()?)?;
    let opened = sensorium_runtime::choose(common.backend)?;
    let model = Arc::new(SpeechToText::open(&checkpoint, &opened.device)?);
    let mut hearing = Hearing {
        args,
        listener: model.listen(&how)?,
        progress: Progress::new(common.quiet),
        results,
        done: Done::default(),
        begun: BTreeMap::new(),
        count: 0,
        heard_s: 0.0,
    };
    let heard = hearing.all(&mut inputs, &model);
    hearing.progress.phase_end();
    heard?;
    hearing.done.need_some()?;
    hearing.results.finish(&hearing.done)
}

/// What should be heard, if that is asked for. What misses is told before anything is heard, as far as recordings are known.
fn references(args: &TranscribeArgs, total: Option<usize>) -> anyhow::Result<Option<References>> {
    let Some(path) = &args.reference else {
        return Ok(None);
    };
    let references = References::open(path, total)?;
    if args.on_error == OnErrorArg::Fail {
        let known = args.files.iter().filter(|name| *name != "-");
        known
            .map(|name| references.of(name))
            .try_for_each(|text| text.map(drop))?;
    }
    Ok(Some(references))
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
        beams: args.beam.or_else(|| args.greedy.then_some(1)),
        fallback: match args.greedy {
            true => Fallback::none(),
            false => Fallback::default(),
        },
        seed: args.seed,
    }
}

/// Recordings that are heard side by side, and put away in their order.
struct Hearing<'a> {
    args: &'a TranscribeArgs,
    listener: Listener<'a, PreparedSpeech>,
    progress: Progress,
    results: Transcripts<'a>,
    done: Done,
    /// Those that are not put away yet, by their numbers.
    begun: BTreeMap<usize, Begun>,
    count: usize,
    /// Seconds of those that are put away.
    heard_s: f64,
}

/// A recording that is heard, or waits for one before it.
struct Begun {
    input: Input,
    seconds: f64,
    heard_s: f64,
    outcome: Option<anyhow::Result<Speech>>,
}

impl Hearing<'_> {
    fn all(&mut self, inputs: &mut Inputs, model: &Arc<SpeechToText>) -> anyhow::Result<()> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(2); // a whole recording is much to hold
        'all: loop {
            let chunk: Arc<[Input]> = inputs.chunk()?.into();
            if chunk.is_empty() {
                break;
            }
            let preparing = model.clone();
            let prepare = move |source: &Source| preparing.prepare(source);
            let prepared = jobs::prepared(&chunk, threads, AHEAD, prepare);
            for (input, prepared) in chunk.iter().zip(prepared) {
                let is_bad = self.begin(input, prepared)?;
                if is_bad && self.args.on_error == OnErrorArg::Fail {
                    break 'all; // what was begun before it is still put away
                }
                while self.listener.len() >= self.args.batch {
                    self.round()?;
                }
            }
        }
        while !self.listener.is_empty() {
            self.round()?;
        }
        Ok(())
    }

    /// Begins to hear a recording; says whether it cannot be heard.
    fn begin(
        &mut self,
        input: &Input,
        prepared: anyhow::Result<PreparedSpeech>,
    ) -> anyhow::Result<bool> {
        let number = self.count;
        self.count += 1;
        let mut seconds = 0.0;
        let begun = prepared.and_then(|speech| {
            self.results.expect(input)?;
            seconds = speech.seconds();
            Ok(self.listener.add(number, speech)?)
        });
        let is_bad = begun.is_err();
        if !is_bad {
            self.progress.listen(seconds);
        }
        let begun = Begun {
            input: input.clone(),
            seconds,
            heard_s: 0.0,
            outcome: begun.err().map(Err),
        };
        self.begun.insert(number, begun);
        self.put_away()?;
        Ok(is_bad)
    }

    /// Hears half a minute more of each.
    fn round(&mut self) -> anyhow::Result<()> {
        let Self {
            listener,
            begun,
            progress,
            heard_s,
            ..
        } = self;
        let done = listener.round(|number, said, seconds| {
            let Some(one) = begun.get_mut(&number) else {
                return;
            };
            one.heard_s = seconds;
            // The file alone: what is said has to stand on the line too.
            let name = Path::new(&one.input.name).file_name();
            let name = name.unwrap_or_default().to_string_lossy().into_owned();
            let all_s: f64 = begun.values().map(|begun| begun.heard_s).sum();
            progress.heard(&name, *heard_s + all_s, &said.text);
        })?;
        for heard in done {
            if let Some(begun) = self.begun.get_mut(&heard.number) {
                begun.heard_s = begun.seconds;
                begun.outcome = Some(heard.speech.map_err(Into::into));
            }
        }
        self.put_away()
    }

    /// Puts away what is done and waits for none before it.
    fn put_away(&mut self) -> anyhow::Result<()> {
        while let Some(mut entry) = self.begun.first_entry() {
            let Some(outcome) = entry.get_mut().outcome.take() else {
                break;
            };
            let Begun { input, seconds, .. } = entry.remove();
            self.heard_s += seconds;
            match outcome {
                Ok(speech) => {
                    let results = &mut self.results;
                    self.progress.aside(|| results.put(&input, &speech))?;
                    self.done.answered += 1;
                }
                Err(error) if self.args.on_error == OnErrorArg::Skip => {
                    self.done.skip(&input, &error, &self.progress);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
