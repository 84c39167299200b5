//! What can be written after `cargo xtask`.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

use crate::backend::Backend;
use crate::check::Step;
use crate::parity::Parity;
use crate::setup::What;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Build, train, test and check Sensorium"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Build the release binary and train a recipe
    #[command(
        override_usage = "cargo xtask train [RECIPE] [--backend B] [OPTIONS OF `sensorium train`]",
        after_help = "RECIPE is a name or a TOML file; without one it is av-digits, on data that comes with the program.\n\
            B is flex (default), wgpu, libtorch, cuda or auto. All else is passed to `sensorium train`.\n\n\
            Examples:\n  cargo xtask train\n  cargo xtask train av-digits --backend libtorch --set train.epochs=3\n  \
            cargo xtask train my.toml --data manifest.csv --out runs/mine\n  cargo xtask train --resume runs/mine"
    )]
    Train {
        /// Recipe and options
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        args: Vec<OsString>,
    },
    /// Build the release binary and evaluate a run
    #[command(
        override_usage = "cargo xtask eval RUN [--backend B] [OPTIONS OF `sensorium eval`]",
        after_help = "Examples:\n  cargo xtask eval runs/mine\n  cargo xtask eval runs/mine --drop audio"
    )]
    Eval {
        /// Run and options
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        args: Vec<OsString>,
    },
    /// Build the release binary and run any command of it
    #[command(
        override_usage = "cargo xtask run [--backend B] COMMAND OF `sensorium`...",
        after_help = "Examples:\n  cargo xtask run devices\n  cargo xtask run predict runs/mine --text \"an even digit\"\n  \
            cargo xtask run devices --backend wgpu"
    )]
    Run {
        /// Command and options
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        args: Vec<OsString>,
    },
    /// Run every test this machine can run, and say what was left out
    #[command(
        after_help = "Examples:\n  cargo xtask test\n  cargo xtask test --backend all\n  cargo xtask test -- padding\n  \
            cargo xtask test --backend wgpu -- -p sensorium-core attention"
    )]
    Test {
        /// Where tensors are tested: flex, wgpu, libtorch, cuda, or all (flex, wgpu and libtorch in one build)
        #[arg(long, default_value = "flex")]
        backend: Backend,
        /// Passed to `cargo test`: `-p CRATE` and a part of a test's name; with any, examples are not run
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Before a commit: formatting, clippy, documentation, and the rules of the house
    #[command(after_help = "Examples:\n  cargo xtask check\n  cargo xtask check fmt tidy")]
    Check {
        /// Which checks; all of them where none is named
        steps: Vec<Step>,
    },
    /// Train av-digits as anyone would, and judge the result: six minutes, for CI
    #[command(after_help = "Examples:\n  cargo xtask prove")]
    Prove,
    /// Put what a backend needs on this machine
    #[command(
        after_help = "libtorch: PyTorch 2.9.0's libraries from PyPI into the user's cache folder (about 1 GB is downloaded, half\n\
            of it kept); a libtorch 2.9.0 that LIBTORCH points to is used as it is.\n\
            wgpu: Mesa's software Vulkan where there is no GPU.\n\
            mpi: Open MPI and libclang, for training by several processes (feature `mpi`).\n\n\
            Examples:\n  cargo xtask setup libtorch\n  cargo xtask setup mpi\n  cargo xtask setup all"
    )]
    Setup {
        /// What for
        what: What,
        /// With libtorch: keep the CUDA libraries too (about 6 GB)
        #[arg(long)]
        cuda: bool,
    },
    /// Add a crate for a new kind of input, out of a working template
    NewModality(NewModality),
    /// Compare published models and their preparation with the reference implementations
    Parity(Parity),
    /// Train one recipe in several ways, with several seeds, and write the table of what came of it
    Suite(crate::suite::Options),
    /// Train one recipe by one, two and four processes, compare, kill one of them, and write what telling each other costs
    Ranks(crate::ranks::Options),
    /// Kill a run at many moments, go on with each, and hold the results against an undisturbed one: bit for bit
    Kills(crate::kills::Options),
    /// Run the benchmarks
    #[command(
        after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench --backend libtorch -- train_step"
    )]
    Bench {
        /// Where tensors run
        #[arg(long, default_value = "flex")]
        backend: Backend,
        /// Passed to each benchmark
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Build the book and the API's documentation
    Docs {
        /// Show them in a browser
        #[arg(long)]
        open: bool,
    },
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask new-modality thermal\n  cargo xtask new-modality --selftest"
)]
pub(crate) struct NewModality {
    /// Its name as it will stand in recipes and manifests: lower-case letters, digits and `_`
    #[arg(required_unless_present = "selftest")]
    pub(crate) name: Option<String>,
    /// Instead: add one in a scratch copy of the workspace, and prove there that it builds, passes its tests and trains
    #[arg(long, conflicts_with = "name")]
    pub(crate) selftest: bool,
    /// With --selftest: the feature set whose builds are reused
    #[arg(long, default_value = "flex", requires = "selftest")]
    pub(crate) backend: Backend,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The task in a line of shell, if there is one.
    fn task(line: &str) -> Option<Vec<String>> {
        let line = line.trim().split(" # ").next()?.replace('"', "");
        let rest = line.strip_prefix("cargo xtask ")?.to_owned();
        let words = rest.split_whitespace().map(str::to_owned);
        Some(std::iter::once("xtask".to_owned()).chain(words).collect())
    }

    fn must_parse(place: &str, words: &[String]) {
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{place}: {words:?}: {error}");
        }
    }

    #[test]
    fn every_example_of_help_is_a_task() {
        let mut count = 0;
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            for words in help.lines().filter_map(task) {
                must_parse(command.get_name(), &words);
                count += 1;
            }
        }
        assert_eq!(count, 35, "update the number with the examples");
    }

    #[test]
    fn every_task_a_page_shows_is_one() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let book = std::fs::read_dir(root.join("docs/src")).unwrap();
        let book = book.map(|entry| entry.unwrap().path());
        let pages = ["README.md", "CONTRIBUTING.md"].map(|name| root.join(name));
        let mut count = 0;
        for page in pages.into_iter().chain(book) {
            if page.extension().is_none_or(|e| e != "md") {
                continue;
            }
            let text = std::fs::read_to_string(&page).unwrap();
            for words in text.lines().filter_map(task) {
                must_parse(&page.display().to_string(), &words);
                count += 1;
            }
        }
        assert_eq!(count, 32, "update the number with the pages");
    }
}
