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
