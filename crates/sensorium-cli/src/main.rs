//! The `sensorium` command: reads the command line, runs one command, and turns what went wrong into
//! one line and an exit code. Results go to standard output, everything else to standard error.

mod args;
mod commands;
mod inputs;
mod jobs;
mod models;
mod progress;
mod references;
mod scores;
mod screen;
mod sink;
mod subtitles;
mod together;
mod trained;
mod transcripts;
mod tree;

use std::process::ExitCode;

use clap::Parser;

use args::data::{DataCommand, MakeCommand};
use args::{Cli, Command};

/// Used wrongly: what was asked for makes no sense, whatever is on the disk.
const MISUSED: u8 = 2;

/// What was asked for makes no sense: exit code 2 rather than 1.
#[derive(Debug)]
struct Misuse(String);

impl std::fmt::Display for Misuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let common = &cli.common;
    let done = match cli.command {
        Command::Train(args) => commands::train::run(&args, common),
        Command::Sweep(args) => commands::sweep::run(&args, common),
        Command::Eval(args) => commands::eval::run(&args, common),
        Command::Predict(args) => commands::predict::run(&args, common),
        Command::Runs(args) => commands::runs::run(&args, common),
        Command::Embed(args) => commands::embed::run(&args, common),
        Command::Classify(args) => commands::classify::run(&args, common),
        Command::Transcribe(args) => commands::transcribe::run(&args, common),
        Command::Generate(args) => commands::generate::run(&args, common),
        Command::Chat(args) => commands::chat::run(&args, common),
        Command::Merge(args) => commands::merge::run(&args, common),
        Command::Inspect(args) => commands::inspect::run(&args, common),
        Command::Data(DataCommand::Make(MakeCommand::AvDigits(args))) => {
            commands::data::make_av_digits(&args, common)
        }
        Command::Data(DataCommand::Make(MakeCommand::Scenes(args))) => {
            commands::data::make_drawn("scenes", &args.out, common)
        }
        Command::Data(DataCommand::Make(MakeCommand::ScenesQa(args))) => {
            commands::data::make_drawn("scenes-qa", &args.out, common)
        }
        Command::Data(DataCommand::Make(MakeCommand::ScenesDigits(args))) => {
            commands::data::make_drawn("scenes-digits", &args.out, common)
        }
        Command::Data(DataCommand::Make(MakeCommand::Riddles(args))) => {
            commands::data::make_drawn("riddles", &args.out, common)
        }
        Command::Data(DataCommand::Manifest(args)) => commands::data::manifest(&args, common),
        Command::Data(DataCommand::Check(args)) => commands::check::run(&args, common),
        Command::Data(DataCommand::Convert(args)) => commands::convert::run(&args, common),
        Command::Devices => commands::devices::run(common),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of a pipe has gone (`sensorium … | head`): nobody is left to tell.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", one_line(&error));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// The whole chain of causes in one line.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = joined(&cause.to_string());
        // Transparent wrappers repeat their cause.
        if line.ends_with(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line
}

/// A list of several lines in one.
fn joined(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join("; ").replace(":; ", ": ")
}

fn exit_code(error: &anyhow::Error) -> u8 {
    use sensorium_recipe::Error as Recipe;
    let misused = error.chain().any(|cause| {
        cause.is::<Misuse>()
            || cause.is::<sensorium_runtime::Error>()
            || matches!(
                cause.downcast_ref::<sensorium_models::Error>(),
                Some(sensorium_models::Error::Unfit { .. })
            )
            || matches!(
                cause.downcast_ref::<Recipe>(),
                Some(Recipe::Recipe { .. } | Recipe::NoSuchRecipe { .. } | Recipe::NotTaken { .. })
            )
    });
    if misused { MISUSED } else { 1 }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
