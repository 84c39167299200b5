//! What can be written after `sensorium data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sensorium_data::NamePattern;

use super::OnErrorArg;

/// `sensorium data`
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Build a data set out of raw material.
    #[command(subcommand)]
    Make(MakeCommand),
    /// Write a manifest of files whose names say what they are.
    #[command(after_help = "Examples:
  sensorium data manifest recordings --pattern \"{label}_{speaker}_{take}.wav\" --out recordings.csv
  sensorium data manifest photos --pattern \"{place}/{label}/{}.jpg\" --out photos.jsonl --on-error skip
  sensorium data manifest heat --pattern \"{label}-{group}.npy\" --column thermal --out heat.tsv")]
    Manifest(ManifestArgs),
    /// Look at a whole data set: broken files, classes, sizes, duplicates, and what is in training and testing alike.
    #[command(after_help = "Examples:
  sensorium data check pets.csv
  sensorium data check birds --json
  sensorium data check \"shards/set-{000..099}.tar\" --column label=species --column image=jpg
  sensorium data check hub-data --recipe my-recipe.toml     # its columns, its split, its preparation

Near duplicates: pictures whose 128-bit dHash differs in 6 bits at most, texts that share about 80 % of their runs of three
words (MinHash). The exit code is 1 if anything is broken.")]
    Check(CheckArgs),
    /// Write a data set in another layout: a manifest, class folders, tar shards or Parquet.
    #[command(after_help = "Examples:
  sensorium data convert pets.csv pets --to shards --shard-size 500MB
  sensorium data convert \"shards/set-{000..099}.tar\" pets.parquet
  sensorium data convert hub-data pets.jsonl --column image=img
  sensorium data convert av-digits digits --to parquet")]
    Convert(ConvertArgs),
}

/// Which column holds what.
#[derive(Clone, Debug, Args)]
pub struct ColumnArgs {
    /// A column, or a member's extension, of another name: id=, label=, split=, group=, or a modality's, such as image=photo. May
    /// be given more than once.
    #[arg(long, value_name = "WHAT=NAME", value_parser = column)]
    pub column: Vec<(String, String)>,
}

fn column(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((what, name)) if !what.is_empty() && !name.is_empty() => {
            Ok((what.to_owned(), name.to_owned()))
        }
        _ => Err("is not like image=photo".to_owned()),
    }
}

/// `sensorium data check`
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// A manifest, a folder of one or of classes, or shards (.tar, .parquet): a file, a folder, or a pattern.
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// Look at it as this recipe would: its columns, its split, its preparation.
    #[arg(long, value_name = "R", conflicts_with = "column")]
    pub recipe: Option<String>,
    #[command(flatten)]
    pub columns: ColumnArgs,
}

/// `sensorium data convert`
#[derive(Clone, Debug, Args)]
pub struct ConvertArgs {
    /// A manifest, a folder of one or of classes, shards (.tar, .parquet), or a data set that comes with the program.
    #[arg(value_name = "IN")]
    pub from: PathBuf,
    /// What is written; must not exist. A name that ends in .jsonl, .csv, .tsv, .tar or .parquet is a file, any other a folder.
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// What the folder is to hold.
    #[arg(long, value_enum, value_name = "manifest|folders|shards|parquet")]
    pub to: Option<TargetArg>,
    /// About how large a shard or Parquet file in a folder gets, such as 500MB.
    #[arg(long, value_name = "SIZE", default_value = "1GB", value_parser = size)]
    pub shard_size: u64,
    /// Whether a bad row ends the command (fail) or is named and left out (skip).
    #[arg(long, default_value = "fail", value_name = "fail|skip")]
    pub on_error: OnErrorArg,
    #[command(flatten)]
    pub columns: ColumnArgs,
}

/// `--to`
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TargetArg {
    /// `manifest.jsonl` and files.
    Manifest,
    /// A folder for each class.
    Folders,
    /// Tar shards.
    Shards,
    /// Parquet files.
    Parquet,
}

fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("KB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("", 1),
    ];
    let found = UNITS.iter().find_map(|(unit, bytes)| {
        let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*bytes)
    });
    found
        .filter(|size| *size > 0)
        .ok_or_else(|| "is no size such as 500MB".to_owned())
}

/// `sensorium data make`
#[derive(Debug, Subcommand)]
pub enum MakeCommand {
    /// Spoken and handwritten digits as files: the embedded ones, or out of human recordings.
    #[command(after_help = "Examples:
  sensorium data make av-digits --out av-digits
  sensorium data make av-digits --digits digits.csv.gz --speech recordings --out my-digits
  sensorium train av-digits --data my-digits")]
    AvDigits(MakeAvDigits),
    /// Coloured digits on a canvas, with captions and the digits spoken.
    #[command(after_help = "Examples:
  sensorium data make scenes --out scenes")]
    Scenes(MakeDrawn),
    /// The same pictures, each with one sentence that says all there is.
    #[command(after_help = "Examples:
  sensorium data make scenes-captions --out scenes-captions")]
    ScenesCaptions(MakeDrawn),
    /// The same pictures, with questions and answers.
    #[command(after_help = "Examples:
  sensorium data make scenes-qa --out scenes-qa")]
    ScenesQa(MakeDrawn),
    /// Scenes of one digit, labelled.
    #[command(after_help = "Examples:
  sensorium data make scenes-digits --out scenes-digits")]
    ScenesDigits(MakeDrawn),
    /// Riddles, with the digit they are about.
    #[command(after_help = "Examples:
  sensorium data make riddles --out riddles")]
    Riddles(MakeDrawn),
    /// Phrases, and what each says in another language or notation.
    #[command(after_help = "Examples:
  sensorium data make phrases --out phrases")]
    Phrases(MakeDrawn),
}

/// `sensorium data make scenes` and its kin
#[derive(Clone, Debug, Args)]
pub struct MakeDrawn {
    /// The data set's folder; must not exist, or be empty.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `sensorium data manifest`
#[derive(Clone, Debug, Args)]
pub struct ManifestArgs {
    /// The folder that holds the files.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Where in a path below the folder columns stand: {NAME} is a column, {} anything, the rest itself. The class is {label}.
    #[arg(long, value_name = "P")]
    pub pattern: NamePattern,
    /// The manifest: .csv, .tsv or .jsonl; must not exist. Paths in it are relative to it if the files lie beside or below.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The column of the files' paths [default: image or audio, by a file's extension].
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Whether a file that does not fit ends the command (fail) or is named and left out (skip).
    #[arg(long, default_value = "fail", value_name = "fail|skip")]
    pub on_error: OnErrorArg,
}

/// `sensorium data make av-digits`
#[derive(Clone, Debug, Args)]
pub struct MakeAvDigits {
    /// Handwritten digits: CSV of 64 values 0..16 and the class, plain or gzipped [default: the embedded data].
    #[arg(long, value_name = "F", requires = "speech")]
    pub digits: Option<PathBuf>,
    /// A folder of recordings named DIGIT_SPEAKER_INDEX.wav.
    #[arg(long, value_name = "DIR", requires = "digits")]
    pub speech: Option<PathBuf>,
    /// The data set's folder; must not exist, or be empty.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
