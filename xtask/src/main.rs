//! Project tasks: `cargo xtask train`, `test`, `check`, `setup`, `new-modality` and the rest.
//!
//! A task only builds and runs things with the right features and variables; it never computes anything itself, and
//! depends on no `sensorium-*` crate, so that it still runs when those do not build.

mod backend;
mod bench;
mod cargo;
mod check;
mod cli;
mod examples;
mod kills;
mod modality;
mod parity;
mod prove;
mod ranks;
mod run;
mod setup;
mod suite;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let done = match cli::Cli::parse().task {
        cli::Task::Train { args } => run::train(args),
        cli::Task::Eval { args } => run::eval(args),
        cli::Task::Run { args } => run::any(args),
        cli::Task::Test { backend, args } => test::run(backend, &args),
        cli::Task::Prove => prove::run(),
        cli::Task::Ranks(options) => ranks::run(&options),
        cli::Task::Kills(options) => kills::run(&options),
        cli::Task::Check { steps } => check::run(&steps),
        cli::Task::Setup { what, cuda } => setup::run(what, cuda),
        cli::Task::NewModality(args) => modality::run(&args),
        cli::Task::Parity(options) => parity::run(&options),
        cli::Task::Suite(options) => suite::run(&options),
        cli::Task::Bench { backend, args } => bench::run(backend, &args),
        cli::Task::Docs { open } => check::docs(open),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
