//! What a person says, line by line: edited in a terminal, or read from a pipe as it is.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::Context as _;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::INTERRUPTED;

/// Where lines come from.
pub(super) enum Lines {
    /// A terminal, where they can be edited, taken from what was said before, and completed.
    Edited(Box<Editor<Complete, MemHistory>>),
    /// Anything else; whether somebody has to be asked for them.
    Read { asks: bool },
}

impl Lines {
    /// Those of standard input; in a terminal, these words and the files behind them are completed.
    pub(super) fn open(commands: &'static [&'static str]) -> anyhow::Result<Self> {
        let asks = std::io::stdin().is_terminal();
        if !asks || !std::io::stdout().is_terminal() {
            return Ok(Self::Read { asks });
        }
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .auto_add_history(false)
            .build();
        // What was said is nobody else's to read: it is kept for this talk alone.
        let editor = Editor::with_history(config, MemHistory::new());
        let mut editor = editor.context("the terminal cannot be used")?;
        editor.set_helper(Some(Complete { commands }));
        Ok(Self::Edited(Box::new(editor)))
    }

    /// Whether a person is at the other end.
    pub(super) fn asks(&self) -> bool {
        match self {
            Self::Edited(_) => true,
            Self::Read { asks } => *asks,
        }
    }

    /// The next line, those that end in a backslash together with those after them; nothing at the end.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<String>> {
        let mut all = String::new();
        loop {
            let prompt = if all.is_empty() { "> " } else { "… " };
            let Some(line) = self.one(prompt)? else {
                return Ok((!all.is_empty()).then_some(all));
            };
            let line = line.trim_end_matches(['\n', '\r']);
            match line.strip_suffix('\\') {
                Some(line) => {
                    all.push_str(line);
                    all.push('\n');
                }
                None => {
                    all.push_str(line);
                    return Ok(Some(all));
                }
            }
        }
    }

    fn one(&mut self, prompt: &str) -> anyhow::Result<Option<String>> {
        const UNREAD: &str = "standard input cannot be read";
        match self {
            Self::Edited(editor) => match editor.readline(prompt) {
                Ok(line) => {
                    editor.add_history_entry(line.as_str()).context(UNREAD)?;
                    Ok(Some(line))
                }
                Err(ReadlineError::Eof) => Ok(None),
                // As the signal would, which the terminal does not send while a line is edited.
                Err(ReadlineError::Interrupted) => std::process::exit(INTERRUPTED),
                Err(error) => Err(error).context(UNREAD),
            },
            Self::Read { asks } => {
                if *asks {
                    eprint!("{prompt}");
                    std::io::stderr().flush()?;
                }
                let mut line = String::new();
                let count = std::io::stdin().lock().read_line(&mut line);
                Ok((count.context(UNREAD)? > 0).then_some(line))
            }
        }
    }
}

/// Completes commands, and the paths of files behind them.
pub(super) struct Complete {
    commands: &'static [&'static str],
}

impl Completer for Complete {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let begun = &line[..at];
        if let Some(path) = begun.strip_prefix("/image ") {
            return Ok((at - path.len() + folder_of(path).len(), files(path)));
        }
        let commands = commands(self.commands, begun).unwrap_or_default();
        Ok((0, commands.into_iter().map(pair).collect()))
    }
}

impl Hinter for Complete {
    type Hint = String;
}
impl Highlighter for Complete {}
impl Validator for Complete {}
impl Helper for Complete {}

/// The commands that begin like this, while one is being written.
fn commands(all: &[&'static str], begun: &str) -> Option<Vec<&'static str>> {
    if !begun.starts_with('/') || begun.contains(char::is_whitespace) {
        return None;
    }
    let alike = all.iter().filter(|command| command.starts_with(begun));
    Some(alike.copied().collect())
}

fn pair(command: &str) -> Pair {
    Pair {
        display: command.to_owned(),
        replacement: format!("{command} "),
    }
}

/// What of a path is its folder, with the slash behind it.
fn folder_of(path: &str) -> &str {
    let end = path.rfind(std::path::is_separator);
    &path[..end.map_or(0, |at| at + 1)]
}

/// Names in a path's folder that begin as it ends, with spaces as they are: a command takes the rest of its line.
fn files(path: &str) -> Vec<Pair> {
    let folder = folder_of(path);
    let begun = &path[folder.len()..];
    let inside = match folder {
        "" => std::fs::read_dir("."),
        folder => std::fs::read_dir(folder),
    };
    let named = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let mut name = entry.file_name().into_string().ok()?;
        let hidden = name.starts_with('.') && !begun.starts_with('.');
        if hidden || !name.starts_with(begun) {
            return None;
        }
        if entry.path().is_dir() {
            name.push(std::path::MAIN_SEPARATOR);
        }
        Some(Pair {
            display: name.clone(),
            replacement: name,
        })
    };
    let mut found: Vec<Pair> = inside.into_iter().flatten().filter_map(named).collect();
    found.sort_by(|a, b| a.display.cmp(&b.display));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_completed_and_what_is_said_is_not() {
        let all = &["/image", "/system", "/clear"];
        assert_eq!(commands(all, "/i"), Some(vec!["/image"]));
        assert_eq!(commands(all, "/").map(|found| found.len()), Some(3));
        assert_eq!(commands(all, "/x"), Some(Vec::new()));
        assert_eq!(commands(all, "/image p"), None);
        assert_eq!(commands(all, "hello"), None);
    }

    #[test]
    fn files_are_completed_behind_their_folder() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["my cat.png", "my dog.png", "other.png", ".my own.png"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        std::fs::create_dir(dir.path().join("my trip")).unwrap();
        let names = |begun: &str| {
            let path = format!("{}/{begun}", dir.path().display());
            let found = files(&path).into_iter();
            found.map(|pair| pair.replacement).collect::<Vec<_>>()
        };
        assert_eq!(names("my"), ["my cat.png", "my dog.png", "my trip/"]);
        assert_eq!(names(".m"), [".my own.png"]);
        assert_eq!(names("none/x"), [""; 0]);
        assert_eq!((folder_of("a/b c"), folder_of("b")), ("a/", ""));
    }
}
