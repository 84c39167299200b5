//! One `[inputs, d]` array of single precision, as NumPy saves it; the inputs' names are not in it.

use std::io::{Seek, SeekFrom, Write};

use super::{Aside, Embedding, Sink};
use crate::jobs::Done;

/// Room for any shape, so that the header can be written again when the rows are counted.
const HEADER: usize = 128;

pub struct Npy {
    file: Aside,
    rows: usize,
    width: Option<usize>,
}

impl Npy {
    pub(super) fn new(file: Aside) -> Self {
        Self {
            file,
            rows: 0,
            width: None,
        }
    }

    /// The format's first version: magic, length, and a Python dictionary padded with spaces.
    fn header(&self) -> Vec<u8> {
        let mut header = b"\x93NUMPY\x01\x00".to_vec();
        header.extend(((HEADER - 10) as u16).to_le_bytes());
        let shape = (self.rows, self.width.unwrap_or(0));
        let text = format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
            shape.0, shape.1
        );
        header.extend(text.as_bytes());
        header.resize(HEADER - 1, b' ');
        header.push(b'\n');
        header
    }
}

impl Sink for Npy {
    fn put(&mut self, embedding: Embedding<'_>) -> anyhow::Result<()> {
        if self.width.is_none() {
            self.width = Some(embedding.vector.len());
            let header = self.header();
            self.file.file().write_all(&header)?;
        }
        let width = embedding.vector.len();
        anyhow::ensure!(
            self.width == Some(width),
            "vectors of different widths do not fit one .npy; use .jsonl or .parquet"
        );
        let bytes: Vec<u8> = embedding
            .vector
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        self.file.file().write_all(&bytes)?;
        self.rows += 1;
        Ok(())
    }

    fn finish(mut self: Box<Self>, _done: &Done) -> anyhow::Result<()> {
        let header = self.header();
        self.file.file().seek(SeekFrom::Start(0))?;
        self.file.file().write_all(&header)?;
        self.file.finish()
    }
}
