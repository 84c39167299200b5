//! `sensorium chat`: a talk with a language model.

mod lines;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use sensorium_core::Source;
use sensorium_decode::{Chat, Content, Generation, Message, Part};
use sensorium_models::ready::{LanguageModel, Memory};
use sensorium_models::vision_language::PreparedImage;
use serde_json::json;

use self::lines::Lines;
use super::generate::{said, shown};
use crate::args::{ChatArgs, Common};
use crate::{Misuse, models, screen};

/// As a shell knows a program that was interrupted.
const INTERRUPTED: i32 = 130;

const HELP: &str = "\
/image FILE    show a picture with what is said next
/system TEXT   tell the model something before the talk; without a text, nothing
/clear         begin anew
/help          this
/quit          leave, as Ctrl-D does; Ctrl-C stops an answer, and leaves where there is none
Anything else is said to the model. A line that ends in \\ goes on in the next.";

/// Commands, for the nearest to what was meant.
const COMMANDS: [&str; 5] = ["/image", "/system", "/clear", "/help", "/quit"];

/// Talks until there is nothing more to say.
pub fn run(args: &ChatArgs, common: &Common) -> anyhow::Result<()> {
    let checkpoint = models::open(&args.model, common)?;
    let opened = sensorium_runtime::choose(common.backend)?;
    let writer = LanguageModel::open(&checkpoint, &opened.device)?;
    if !writer.talks() {
        let problem = format!(
            "{}: has no chat template, so that it cannot talk; sensorium generate goes on with texts",
            args.model
        );
        return Err(Misuse(problem).into());
    }
    let how = args.how.over(writer.generation());
    how.validate().map_err(sensorium_models::Error::from)?;
    let mut talk = Talk {
        writer: &writer,
        how,
        seed: args.how.seed,
        system: args.system.clone(),
        turns: Vec::new(),
        pictures: Vec::new(),
        shown_next: 0,
        memory: Memory::default(),
        prints: !common.json,
        interruption: Interruption::listen().context("Ctrl-C cannot be listened for")?,
    };
    for path in &args.image {
        talk.show(path.as_ref())?;
    }
    let mut lines = Lines::open(&COMMANDS)?;
    let terminal = lines.asks();
    if terminal && !common.quiet {
        eprintln!("{}; /help says what can be done", checkpoint.name());
    }
    while let Some(line) = lines.next()? {
        match talk.take(line.trim()) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => break,
            // What was said is taken back; the talk goes on.
            Err(error) if terminal => eprintln!("{}", crate::one_line(&error)),
            Err(error) => return Err(error),
        }
    }
    match common.json {
        true => screen::json(&talk.document()),
        false => Ok(()),
    }
}

/// A talk so far.
struct Talk<'a> {
    writer: &'a LanguageModel,
    how: Generation,
    seed: u64,
    system: Option<String>,
    turns: Vec<Message>,
    /// All that were shown, in their order.
    pictures: Vec<PreparedImage>,
    /// How many of them go with what is said next.
    shown_next: usize,
    /// Of what has been said, so that it is not read again.
    memory: Memory,
    prints: bool,
    interruption: Interruption,
}

/// What Ctrl-C does: it stops an answer, and where none is given, it leaves.
struct Interruption {
    idle: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
}

impl Interruption {
    fn listen() -> std::io::Result<Self> {
        use signal_hook::consts::SIGINT;
        use signal_hook::flag;
        let (idle, stopped) = (Arc::new(AtomicBool::new(true)), Arc::default());
        flag::register_conditional_shutdown(SIGINT, INTERRUPTED, Arc::clone(&idle))?;
        flag::register(SIGINT, Arc::clone(&stopped))?;
        Ok(Self { idle, stopped })
    }

    /// Does something that asks whether it was stopped.
    fn stops<R>(&self, job: impl FnOnce(&AtomicBool) -> R) -> R {
        self.stopped.store(false, Ordering::SeqCst);
        self.idle.store(false, Ordering::SeqCst);
        let done = job(&self.stopped);
        self.idle.store(true, Ordering::SeqCst);
        done
    }
}

impl Talk<'_> {
    /// Does what a line asks for; says whether the talk goes on.
    fn take(&mut self, line: &str) -> anyhow::Result<ControlFlow<()>> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "" => {}
            "/quit" | "/exit" => return Ok(ControlFlow::Break(())),
            "/help" => eprintln!("{HELP}"),
            "/clear" => {
                self.turns.clear();
                self.pictures.clear();
                // What was kept of the talk takes more than all else of it.
                self.memory = Memory::default();
                self.shown_next = 0;
            }
            "/image" => self.show(Path::new(rest.trim()))?,
            "/system" => {
                let text = rest.trim();
                self.system = (!text.is_empty()).then(|| text.to_owned());
            }
            // A path, or whatever else begins so, is said if there is more to it.
            command if command.starts_with('/') && !command[1..].contains('/') => {
                let near = sensorium_recipe::nearest(command, &COMMANDS);
                let near = near.map_or(String::new(), |near| format!(", did you mean {near}?"));
                eprintln!("{command} is no command{near} /help lists them");
            }
            _ => self.say(line)?,
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Shows a picture with what is said next.
    fn show(&mut self, path: &Path) -> anyhow::Result<()> {
        self.pictures
            .push(self.writer.picture(&Source::path(path))?);
        self.shown_next += 1;
        Ok(())
    }

    /// Says something to the model, and prints its answer as it comes.
    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        self.turns.push(said(text, self.shown_next));
        let answered = self.answer();
        match answered {
            Ok(answer) => {
                self.turns.push(Message::new("assistant", answer));
                self.shown_next = 0;
                Ok(())
            }
            Err(error) => {
                self.turns.pop();
                Err(error)
            }
        }
    }

    fn answer(&mut self) -> anyhow::Result<String> {
        let system = self.system.iter().map(|text| Message::new("system", text));
        let turns: Vec<Message> = system.chain(self.turns.iter().cloned()).collect();
        let prompt = self.writer.talk(&Chat::of(&turns), self.pictures.clone())?;
        let (tokens, most) = (prompt.tokens.len(), self.writer.max_tokens());
        if tokens >= most {
            anyhow::bail!(
                "the talk has {tokens} tokens, and the model reads {most} with its answer: begin anew (/clear)"
            );
        }
        let mut failed = None;
        // Each answer is drawn anew, and the same talk with the same seed is the same.
        let seed = self.seed.wrapping_add(self.turns.len() as u64);
        let (writer, how, prints) = (self.writer, &self.how, self.prints);
        let memory = &mut self.memory;
        let written = self.interruption.stops(|stopped| {
            writer.write_on(memory, prompt, how, seed, |piece| {
                let printed = if prints { shown(piece) } else { Ok(()) };
                match printed {
                    Ok(()) if !stopped.load(Ordering::SeqCst) => ControlFlow::Continue(()),
                    Ok(()) => ControlFlow::Break(()),
                    Err(error) => {
                        failed = Some(error);
                        ControlFlow::Break(())
                    }
                }
            })
        });
        let written = written?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        if self.prints {
            shown("\n")?;
        }
        Ok(written.text)
    }

    fn document(&self) -> serde_json::Value {
        let system = self.system.iter().map(|text| Message::new("system", text));
        let turns = system.chain(self.turns.iter().cloned()).map(|turn| {
            let text = match turn.content {
                Content::Text(text) => text,
                Content::Parts(parts) => parts.into_iter().filter_map(words).collect(),
            };
            json!({ "role": turn.role, "content": text })
        });
        json!({ "messages": turns.collect::<Vec<_>>() })
    }
}

/// What a part says in words.
fn words(part: Part) -> Option<String> {
    match part {
        Part::Text(text) => Some(text),
        _ => None,
    }
}
