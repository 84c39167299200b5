//! How long a large data set takes to open, and how much memory its rows take: a manifest of a million rows, and the same rows in a
//! hundred shards.
//!
//! ```text
//! cargo run --release -p sensorium-data --example million_rows -- make DIR [ROWS] [SHARDS]
//! cargo run --release -p sensorium-data --example million_rows -- open DIR/rows.jsonl
//! cargo run --release -p sensorium-data --example million_rows -- open DIR/shards
//! ```

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use sensorium_data::{Columns, OnError, open, order};

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: usize| args.get(i).map_or(Ok(default), |n| n.parse());
    match (args.first().map(String::as_str), args.get(1)) {
        (Some("make"), Some(dir)) => make(Path::new(dir), number(2, 1_000_000)?, number(3, 100)?),
        (Some("open"), Some(path)) => measure(Path::new(path)),
        _ => Err("say: make DIR [ROWS] [SHARDS], or: open PATH".into()),
    }
}

/// What a row says: a text, one of ten classes, one of a thousand speakers, and two more columns.
fn row(i: usize) -> serde_json::Value {
    serde_json::json!({
        "label": format!("class-{}", i % 10),
        "group": format!("speaker-{:03}", i * 7 % 1000),
        "language": (["de", "en", "fr"][i % 3]),
        "seconds": ((i % 977) as f64 / 100.0),
    })
}

fn text(i: usize) -> String {
    format!("row {i} says that {} is not {}", i * 31 % 10_007, i % 13)
}

fn make(dir: &Path, rows: usize, shards: usize) -> Result<(), Failed> {
    std::fs::create_dir_all(dir.join("shards"))?;
    let mut manifest = BufWriter::new(File::create(dir.join("rows.jsonl"))?);
    for i in 0..rows {
        let mut line = row(i);
        line["id"] = format!("{i:08}").into();
        line["text"] = text(i).into();
        writeln!(manifest, "{line}")?;
    }
    manifest.flush()?;
    let each = rows.div_ceil(shards.max(1));
    for shard in 0..rows.div_ceil(each) {
        let path = dir.join("shards").join(format!("{shard:05}.tar"));
        let mut tar = tar::Builder::new(BufWriter::new(File::create(path)?));
        let mut put = |name: String, content: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, content)
        };
        for i in shard * each..rows.min((shard + 1) * each) {
            put(format!("{i:08}.txt"), text(i).as_bytes())?;
            // As large as a small icon: what is passed over, and not read.
            put(format!("{i:08}.png"), &[i as u8; 600])?;
            put(format!("{i:08}.json"), row(i).to_string().as_bytes())?;
        }
        tar.into_inner()?.flush()?;
    }
    Ok(())
}

fn measure(path: &Path) -> Result<(), Failed> {
    let columns = Columns::default().for_modalities(["text", "image"].into_iter());
    let (clock, before) = (Instant::now(), resident("VmRSS:"));
    let table = open(path, &columns, OnError::Fail)?.table;
    let (opened, rows) = (clock.elapsed(), table.rows.len());
    let clock = Instant::now();
    let first = order(7, 0, rows)[0];
    let mib = |kib: u64| kib / 1024;
    println!(
        "{rows} rows opened in {:.2} s and put in order in {:.3} s (the first is {}): {} MiB, {} bytes a row; {} MiB at most",
        opened.as_secs_f64(),
        clock.elapsed().as_secs_f64(),
        table.rows.at(first).id(),
        mib(resident("VmRSS:")),
        (resident("VmRSS:") - before) * 1024 / rows as u64,
        mib(resident("VmHWM:")),
    );
    Ok(())
}

/// This process's memory, as Linux counts it, in KiB; 0 elsewhere.
fn resident(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    number.unwrap_or(0)
}
