//! `sensorium chat`: a talk with a language model.

use std::io::{BufRead, IsTerminal};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use sensorium_decode::{Chat, Content, Generation, Message};
use sensorium_models::ready::Writer;
use serde_json::json;

use super::generate::shown;
use crate::args::{ChatArgs, Common};
use crate::{Misuse, models, screen};

/// Whether an answer is being given, which Ctrl-C stops; elsewhere it leaves.
static ANSWERING: AtomicBool = AtomicBool::new(false);
static STOPPED: AtomicBool = AtomicBool::new(false);

/// As a shell knows a program that was interrupted.
const INTERRUPTED: i32 = 130;

const HELP: &str = "\
/system TEXT   tell the model something before the talk; without a text, nothing
/clear         begin anew
/help          this
/quit          leave, as Ctrl-D does; Ctrl-C stops an answer
Anything else is said to the model. A line that ends in \\ goes on in the next.";

/// Commands, for the nearest to what was meant.
const COMMANDS: [&str; 4] = ["/system", "/clear", "/help", "/quit"];

/// Talks until there is nothing more to say.
pub fn run(args: &ChatArgs, common: &Common) -> anyhow::Result<()> {
    let checkpoint = models::open(&args.model, common)?;
    let opened = sensorium_runtime::choose(common.backend)?;
    let writer = Writer::open(&checkpoint, &opened.device)?;
    if !writer.talks() {
        let problem = format!(
            "{}: has no chat template, so that it cannot talk; sensorium generate goes on with texts",
            args.model
        );
        return Err(Misuse(problem).into());
    }
    ctrlc::set_handler(|| match ANSWERING.load(Ordering::SeqCst) {
        true => STOPPED.store(true, Ordering::SeqCst),
        false => std::process::exit(INTERRUPTED),
    })
    .context("Ctrl-C cannot be listened for")?;
    let how = args.how.over(writer.generation());
    how.validate().map_err(sensorium_models::Error::from)?;
    let mut talk = Talk {
        writer: &writer,
        how,
        seed: args.how.seed,
        system: args.system.clone(),
        turns: Vec::new(),
        prints: !common.json,
    };
    let mut lines = Lines::new()?;
    if lines.is_terminal() && !common.quiet {
        eprintln!("{}; /help says what can be done", checkpoint.name());
    }
    while let Some(line) = lines.next()? {
        match talk.take(line.trim()) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => break,
            // What was said is taken back; the talk goes on.
            Err(error) if lines.is_terminal() => eprintln!("{}", crate::one_line(&error)),
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
    writer: &'a Writer,
    how: Generation,
    seed: u64,
    system: Option<String>,
    turns: Vec<Message>,
    prints: bool,
}

impl Talk<'_> {
    /// Does what a line asks for; says whether the talk goes on.
    fn take(&mut self, line: &str) -> anyhow::Result<ControlFlow<()>> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "" => {}
            "/quit" | "/exit" => return Ok(ControlFlow::Break(())),
            "/help" => eprintln!("{HELP}"),
            "/clear" => self.turns.clear(),
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

    /// Says something to the model, and prints its answer as it comes.
    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        self.turns.push(Message::new("user", text));
        let answered = self.answer();
        match answered {
            Ok(answer) => {
                self.turns.push(Message::new("assistant", answer));
                Ok(())
            }
            Err(error) => {
                self.turns.pop();
                Err(error)
            }
        }
    }

    fn answer(&self) -> anyhow::Result<String> {
        let system = self.system.iter().map(|text| Message::new("system", text));
        let turns: Vec<Message> = system.chain(self.turns.iter().cloned()).collect();
        let prompt = self.writer.talk(&Chat::of(&turns))?;
        let (tokens, most) = (prompt.len(), self.writer.max_tokens());
        if tokens >= most {
            anyhow::bail!(
                "the talk has {tokens} tokens, and the model reads {most} with its answer: begin anew (/clear)"
            );
        }
        ANSWERING.store(true, Ordering::SeqCst);
        STOPPED.store(false, Ordering::SeqCst);
        let mut failed = None;
        // Each answer is drawn anew, and the same talk with the same seed is the same.
        let seed = self.seed.wrapping_add(self.turns.len() as u64);
        let written = self.writer.write(&[prompt], &self.how, seed, |_, piece| {
            let printed = if self.prints { shown(piece) } else { Ok(()) };
            let stopped = STOPPED.load(Ordering::SeqCst);
            match printed {
                Ok(()) if !stopped => ControlFlow::Continue(()),
                Ok(()) => ControlFlow::Break(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        ANSWERING.store(false, Ordering::SeqCst);
        let written = written?.remove(0);
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
                Content::Parts(_) => String::new(),
            };
            json!({ "role": turn.role, "content": text })
        });
        json!({ "messages": turns.collect::<Vec<_>>() })
    }
}

/// What a person types, with a history; or what stands in a file or pipe.
enum Lines {
    Terminal(Box<DefaultEditor>),
    Piped,
}

impl Lines {
    fn new() -> anyhow::Result<Self> {
        match std::io::stdin().is_terminal() {
            true => Ok(Self::Terminal(Box::new(DefaultEditor::new()?))),
            false => Ok(Self::Piped),
        }
    }

    fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// The next, lines that end in a backslash together with those after them; nothing at the end.
    fn next(&mut self) -> anyhow::Result<Option<String>> {
        let mut all = String::new();
        loop {
            let prompt = if all.is_empty() { "> " } else { "… " };
            let Some(line) = self.one(prompt)? else {
                return Ok((!all.is_empty()).then_some(all));
            };
            match line.strip_suffix('\\') {
                Some(line) => {
                    all.push_str(line);
                    all.push('\n');
                }
                None => {
                    all.push_str(&line);
                    return Ok(Some(all));
                }
            }
        }
    }

    fn one(&mut self, prompt: &str) -> anyhow::Result<Option<String>> {
        let editor = match self {
            Self::Terminal(editor) => editor,
            Self::Piped => {
                let mut line = String::new();
                let count = std::io::stdin().lock().read_line(&mut line);
                let count = count.context("standard input cannot be read")?;
                let line = line.trim_end_matches(['\n', '\r']).to_owned();
                return Ok((count > 0).then_some(line));
            }
        };
        loop {
            match editor.readline(prompt) {
                Ok(line) => {
                    if !line.trim().is_empty() {
                        editor.add_history_entry(&line)?;
                    }
                    return Ok(Some(line));
                }
                Err(ReadlineError::Interrupted) => eprintln!("/quit or Ctrl-D leaves"),
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
