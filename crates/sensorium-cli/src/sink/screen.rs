//! Standard output: one JSON document, or for a person, who cannot read vectors, how alike they are.

use std::io::Write;

use super::{Embedding, Sink};
use crate::jobs::Done;
use crate::screen::Spool;

/// `{"embeddings": [...], "skipped": [...]}`, an embedding a line.
pub struct Json {
    rows: usize,
    out: Spool,
}

impl Json {
    pub(super) fn new() -> Self {
        Self {
            rows: 0,
            out: Spool::new(),
        }
    }
}

impl Sink for Json {
    fn put(&mut self, embedding: Embedding<'_>) -> anyhow::Result<()> {
        let before = match self.rows {
            0 => "{\"embeddings\": [\n",
            _ => ",\n",
        };
        self.rows += 1;
        self.out.write_all(before.as_bytes())?;
        serde_json::to_writer(&mut self.out, &embedding)?;
        Ok(())
    }

    fn finish(mut self: Box<Self>, done: &Done) -> anyhow::Result<()> {
        self.out.write_all(b"\n], \"skipped\": ")?;
        serde_json::to_writer(&mut self.out, &done.skipped)?;
        self.out.write_all(b"}\n")?;
        self.out.print()
    }
}

/// The most inputs whose likenesses fit a screen.
const COMPARED: usize = 12;

/// A line an input: its name, and the first numbers; then their cosines, if they are few.
pub struct Table {
    kept: Vec<Vec<f32>>,
    count: usize,
    out: Spool,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            kept: Vec::new(),
            count: 0,
            out: Spool::new(),
        }
    }
}

impl Sink for Table {
    fn put(&mut self, embedding: Embedding<'_>) -> anyhow::Result<()> {
        self.count += 1;
        let numbers = embedding.vector.iter().take(4);
        let numbers: Vec<String> = numbers.map(|x| format!("{x:8.4}")).collect();
        writeln!(
            self.out,
            "{:>3}  {}  … {} numbers  {}",
            self.count,
            numbers.join(" "),
            embedding.vector.len(),
            shortened(embedding.input),
        )?;
        if self.count <= COMPARED {
            self.kept.push(embedding.vector);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, _done: &Done) -> anyhow::Result<()> {
        if let Some(cosines) = self.cosines() {
            writeln!(self.out, "{cosines}")?;
        }
        self.out.print()
    }
}

impl Table {
    /// How alike inputs are, if they are few and can be compared.
    fn cosines(&self) -> Option<String> {
        let width = self.kept.first().map(Vec::len);
        let alike = self.kept.iter().all(|vector| Some(vector.len()) == width);
        if self.count < 2 || self.count > COMPARED || !alike {
            return None;
        }
        let row = |(i, a): (usize, &Vec<f32>)| {
            let cosines = self.kept.iter().map(|b| format!("{:6.3}", cosine(a, b)));
            format!("{:>3} {}", i + 1, cosines.collect::<Vec<_>>().join(" "))
        };
        let heads = (1..=self.count).map(|i| format!("{i:>6}"));
        let head = format!("\ncosine\n    {}", heads.collect::<Vec<_>>().join(" "));
        let rows = self.kept.iter().enumerate().map(row);
        let lines: Vec<String> = std::iter::once(head).chain(rows).collect();
        Some(lines.join("\n"))
    }
}

fn shortened(name: &str) -> String {
    const LONGEST: usize = 60;
    match name.chars().count() {
        n if n > LONGEST => name.chars().take(LONGEST - 1).chain(['…']).collect(),
        _ => name.to_owned(),
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths == 0.0 {
        0.0
    } else {
        dot(a, b) / lengths
    }
}
