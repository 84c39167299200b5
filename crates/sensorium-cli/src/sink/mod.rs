//! Where embeddings go: standard output, or a file that is written as they come. Either shows them when all are there.

mod jsonl;
mod npy;
mod parquet;
mod screen;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::Misuse;
use crate::jobs::Done;

/// One input's vector.
#[derive(Clone, Debug, Serialize)]
pub struct Embedding<'a> {
    /// `text` or `image`.
    pub modality: &'static str,
    /// The text, or the file's path.
    pub input: &'a str,
    /// Its numbers.
    pub vector: Vec<f32>,
}

/// Takes embeddings in order.
pub trait Sink {
    /// Writes one.
    fn put(&mut self, embedding: Embedding<'_>) -> anyhow::Result<()>;

    /// Ends the document; without it, nothing is printed, and nothing left of a file.
    fn finish(self: Box<Self>, done: &Done) -> anyhow::Result<()>;
}

/// The sink for a file by its extension, or for standard output.
pub fn open(out: Option<&Path>, json: bool) -> anyhow::Result<Box<dyn Sink>> {
    let Some(path) = out else {
        return Ok(match json {
            true => Box::new(screen::Json::new()),
            false => Box::new(screen::Table::new()),
        });
    };
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    Ok(match extension {
        "jsonl" => Box::new(jsonl::Jsonl::new(Aside::create(path)?)),
        "parquet" => Box::new(parquet::Parquet::new(Aside::create(path)?)?),
        "npy" => Box::new(npy::Npy::new(Aside::create(path)?)),
        _ => {
            let problem = format!(
                "--out {}: the extension says how it is written; use .parquet, .jsonl or .npy",
                path.display()
            );
            return Err(Misuse(problem).into());
        }
    })
}

/// A file that is written beside its name and renamed to it when it is whole.
struct Aside {
    file: Option<BufWriter<File>>,
    /// Whether it was renamed.
    whole: bool,
    part: PathBuf,
    path: PathBuf,
}

impl Aside {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = path.with_file_name(name);
        let file = File::create(&part)
            .with_context(|| format!("{}: cannot be written", part.display()))?;
        Ok(Self {
            file: Some(BufWriter::new(file)),
            whole: false,
            part,
            path: path.to_owned(),
        })
    }

    fn file(&mut self) -> &mut BufWriter<File> {
        self.file.as_mut().expect("it is not taken")
    }

    /// For a writer that wants the file for itself, and is to put it back.
    fn take(&mut self) -> BufWriter<File> {
        self.file.take().expect("it is taken once")
    }

    fn put_back(&mut self, file: BufWriter<File>) {
        self.file = Some(file);
    }

    fn finish(mut self) -> anyhow::Result<()> {
        let file = self.take();
        let failed = || format!("{}: cannot be written", self.path.display());
        let file = file.into_inner().map_err(|error| error.into_error());
        let file = file.with_context(failed)?;
        file.sync_all().with_context(failed)?;
        std::fs::rename(&self.part, &self.path).with_context(failed)?;
        self.whole = true;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.whole {
            // Left behind at worst, under a name that says so.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}
