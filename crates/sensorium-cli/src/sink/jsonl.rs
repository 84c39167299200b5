//! A JSON object a line.

use std::io::Write;

use super::{Aside, Embedding, Sink};
use crate::jobs::Done;

pub struct Jsonl(Aside);

impl Jsonl {
    pub(super) fn new(file: Aside) -> Self {
        Self(file)
    }
}

impl Sink for Jsonl {
    fn put(&mut self, embedding: Embedding<'_>) -> anyhow::Result<()> {
        let file = self.0.file();
        serde_json::to_writer(&mut *file, &embedding)?;
        writeln!(file)?;
        Ok(())
    }

    fn finish(self: Box<Self>, _done: &Done) -> anyhow::Result<()> {
        self.0.finish()
    }
}
