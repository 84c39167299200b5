//! What a model is asked about, off the command line or line by line off standard input, however many lines there are.

use std::collections::VecDeque;
use std::io::{BufRead, Read};

use anyhow::Context;
use sensorium_core::Source;
use sensorium_data::LONGEST_LINE;

use crate::Misuse;

/// The most inputs that are held before they are worked on: enough to keep every thread busy.
const CHUNK: usize = 1024;
/// The most bytes of their names, for texts can be long.
const CHUNK_BYTES: usize = 8 << 20;

/// What a model is asked about.
#[derive(Clone, Debug)]
pub struct Input {
    /// `text`, `image` or `audio`.
    pub modality: &'static str,
    /// The text, or the file's path.
    pub name: String,
    /// Why it cannot be one, whatever the model.
    problem: Option<String>,
}

impl Input {
    /// A sample, or what is wrong with the input.
    pub fn prepare<S, E: std::error::Error + Send + Sync + 'static>(
        &self,
        prepare: &impl Fn(&Source) -> Result<S, E>,
    ) -> anyhow::Result<S> {
        if let Some(problem) = &self.problem {
            anyhow::bail!("{problem}");
        }
        Ok(prepare(&self.source())?)
    }

    /// What is read for it.
    pub fn source(&self) -> Source {
        match self.modality {
            "text" => Source::text(self.name.as_str()),
            _ => Source::path(&self.name),
        }
    }
}

/// Inputs of one kind, in order; `-` stands for the lines of standard input.
pub struct Inputs {
    modality: &'static str,
    given: VecDeque<String>,
    count: usize,
    has_stdin: bool,
    /// While standard input is read: its lines so far.
    line: Option<usize>,
}

/// Inputs of each kind as the options named after them give them.
pub fn each<const N: usize>(given: [(&'static str, &[String]); N]) -> anyhow::Result<[Inputs; N]> {
    let options = given.map(|(modality, _)| format!("--{modality}"));
    let options = match options.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => options.concat(),
    };
    if given.iter().all(|(_, names)| names.is_empty()) {
        return Err(Misuse(format!("nothing to work on: give {options}")).into());
    }
    let names = given.iter().flat_map(|(_, names)| *names);
    if names.filter(|name| *name == "-").count() > 1 {
        let problem = format!("standard input can be read once: give one `-` to {options}");
        return Err(Misuse(problem).into());
    }
    Ok(given.map(|(modality, names)| Inputs::new(modality, names)))
}

impl Inputs {
    /// Inputs of one kind.
    pub fn new(modality: &'static str, given: &[String]) -> Self {
        Self {
            modality,
            count: given.len(),
            has_stdin: given.iter().any(|name| name == "-"),
            given: given.iter().cloned().collect(),
            line: None,
        }
    }

    /// `text`, `image` or `audio`.
    pub fn modality(&self) -> &'static str {
        self.modality
    }

    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What is opened for them, if there are any.
    pub fn any<M, E>(&self, open: impl FnOnce() -> Result<M, E>) -> Result<Option<M>, E> {
        match self.is_empty() {
            true => Ok(None),
            false => open().map(Some),
        }
    }

    /// How many there are, unless that is yet to be read.
    pub fn total(&self) -> Option<usize> {
        (!self.has_stdin).then_some(self.count)
    }

    /// The next ones, as many as are to be held at once; none at the end.
    pub fn chunk(&mut self) -> anyhow::Result<Vec<Input>> {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        while chunk.len() < CHUNK && bytes < CHUNK_BYTES {
            let Some(input) = self.next()? else { break };
            bytes += input.name.len();
            chunk.push(input);
        }
        Ok(chunk)
    }

    fn next(&mut self) -> anyhow::Result<Option<Input>> {
        if let Some(line) = &mut self.line {
            *line += 1;
            let read = read_line(&mut std::io::stdin().lock())
                .with_context(|| format!("standard input: line {line} cannot be read"))?;
            if let Some(read) = read {
                return Ok(Some(of_line(self.modality, *line, read)));
            }
            self.line = None;
        }
        match self.given.pop_front() {
            Some(name) if name == "-" => {
                self.line = Some(0);
                self.next()
            }
            given => Ok(given.map(|name| Input {
                modality: self.modality,
                name,
                problem: None,
            })),
        }
    }
}

/// A line of standard input. An empty one is an empty text, so that rows of results stay at their places; but no path.
fn of_line(modality: &'static str, number: usize, line: Line) -> Input {
    let (name, problem) = match line {
        Line::Whole(bytes) => match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let shown = String::from_utf8_lossy(error.as_bytes()).into_owned();
                (shown, Some("is not UTF-8".to_owned()))
            }
        },
        Line::TooLong => {
            let problem = format!("is longer than {LONGEST_LINE} bytes");
            (String::new(), Some(problem))
        }
    };
    let blank = modality != "text" && name.trim().is_empty();
    let problem = problem.or_else(|| blank.then(|| format!("is empty, and names no {modality}")));
    Input {
        modality,
        name,
        problem: problem.map(|problem| format!("standard input: line {number} {problem}")),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole(Vec<u8>),
    /// Read over, for a line without an end would fill the memory.
    TooLong,
}

/// The next line without its end; `None` where there is none.
fn read_line(from: &mut impl BufRead) -> std::io::Result<Option<Line>> {
    let mut line = Vec::new();
    let most = LONGEST_LINE as u64 + 1;
    from.by_ref().take(most).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() as u64 == most && line.last() != Some(&b'\n') {
        from.skip_until(b'\n')?;
        return Ok(Some(Line::TooLong));
    }
    for end in [b'\n', b'\r'] {
        if line.last() == Some(&end) {
            line.pop();
        }
    }
    Ok(Some(Line::Whole(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(modality: &'static str, mut from: &[u8]) -> Vec<(String, Option<String>)> {
        let mut found = Vec::new();
        while let Some(line) = read_line(&mut from).unwrap() {
            let input = of_line(modality, found.len() + 1, line);
            found.push((input.name, input.problem));
        }
        found
    }

    #[test]
    fn an_empty_line_is_a_text_but_no_path() {
        let lines = b"a\n\nb c \r\nd";
        let plain = |name: &str| (name.to_owned(), None);
        let texts = ["a", "", "b c ", "d"].map(plain);
        assert_eq!(read("text", lines), texts);
        let paths = read("image", lines);
        let problem = "standard input: line 2 is empty, and names no image";
        assert_eq!(paths[1], (String::new(), Some(problem.to_owned())));
        assert!(paths[0] == texts[0] && paths[2..] == texts[2..]);
        assert!(read("text", b"").is_empty());
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named_and_the_next_one_read() {
        let mut lines = vec![b'x'; LONGEST_LINE + 2];
        lines.extend(b"\n\xff\nnext\n");
        let found = read("text", &lines);
        let problems: Vec<Option<&str>> = found.iter().map(|f| f.1.as_deref()).collect();
        let too_long = format!("standard input: line 1 is longer than {LONGEST_LINE} bytes");
        let not_utf8 = "standard input: line 2 is not UTF-8";
        assert_eq!(problems, [Some(too_long.as_str()), Some(not_utf8), None]);
        assert_eq!(found[2].0, "next");
    }
}
