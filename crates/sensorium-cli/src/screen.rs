//! Standard output: one JSON document, or text for a person.

use std::collections::BTreeMap;
use std::io::{Seek, Write};

use sensorium_eval::{
    Ablation, ClassificationReport, MultiLabelReport, NumbersReport, Search, Told, WrittenReport,
    labels_table, numbers_table, search_table, text_table, told_table, written_table,
};
use serde::Serialize;
use tempfile::SpooledTempFile;

/// What a document may have before it waits in a temporary file, in bytes.
const IN_MEMORY: usize = 8 << 20;

/// A document that is printed when it is whole: of one that fails half-way, nothing reaches standard output. However long
/// it is, no more than a part of it is in memory.
pub struct Spool(SpooledTempFile);

impl Spool {
    pub fn new() -> Self {
        Self(SpooledTempFile::new(IN_MEMORY))
    }

    /// Prints it.
    pub fn print(mut self) -> anyhow::Result<()> {
        self.0.rewind()?;
        let mut out = std::io::stdout().lock();
        std::io::copy(&mut self.0, &mut out)?;
        out.flush()?;
        Ok(())
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Writes a JSON document.
pub fn json(document: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, document)?;
    writeln!(out)?;
    Ok(())
}

/// Writes a text and ends its last line.
pub fn text(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.trim_end().as_bytes())?;
    writeln!(out)?;
    Ok(())
}

/// What a model came to, whatever it answers with.
pub fn measured(
    classes: Option<&ClassificationReport>,
    labels: Option<&MultiLabelReport>,
    numbers: Option<&NumbersReport>,
    texts: Option<&WrittenReport>,
    ablation: Option<&Ablation>,
) -> String {
    match (labels, numbers, texts) {
        (Some(report), ..) => labels_table(report, ablation),
        (_, Some(report), _) => numbers_table(report, ablation),
        (.., Some(report)) => written_table(report, ablation),
        _ => text_table(classes, ablation),
    }
}

/// What is measured of a model that answers with no class.
pub fn unlabelled(scores: &BTreeMap<String, f64>, search: &[Search], told: &[Told]) -> String {
    let scores = scores
        .iter()
        .map(|(name, value)| format!("{} {value:.3}", name.replace('_', " ")));
    let scores = scores.collect::<Vec<_>>().join(", ");
    let parts = [search_table(search), told_table(told), scores];
    let parts = parts.iter().map(|part| part.trim_end());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}

/// Bytes as a person reads them: `23.5 GiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Seconds as a person reads them: `0.8 s`, `42 s`, `3 min 05 s`.
pub fn seconds(seconds: f64) -> String {
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 99.5 {
        format!("{seconds:.0} s")
    } else {
        let whole = seconds.round() as u64;
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}
