//! The book's and the README's commands run, and their links lead somewhere: what a page promises is tried. What cannot run
//! here, for it needs a file or a network, is at least parsed, and so are the examples of every `--help`.
//!
//! In a page, a block ```` ```console ```` holds commands behind `$ `, and `<!-- file: NAME -->` above any other block says
//! that it is a file of this name. A page's commands run in its order, in one empty folder.

#[path = "../src/args/mod.rs"]
#[allow(dead_code, reason = "it is parsed into, and not read")]
mod args;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{CommandFactory, Parser};

/// What a page asks for.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// A file to write: name and content.
    File(String, String),
    /// A command to run.
    Run(String),
    /// A line of shell that is not run.
    Show(String),
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a folder holds.
fn listed(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).expect("a folder can be listed");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a page can be listed").path())
        .collect();
    paths.sort();
    paths
}

/// Every page, the README first, those of crates last.
fn pages() -> Vec<PathBuf> {
    let book = listed("docs/src").into_iter();
    let crates = listed("crates").into_iter().map(|c| c.join("README.md"));
    let is_page = |path: &PathBuf| path.is_file() && path.extension().is_some_and(|e| e == "md");
    [root().join("README.md"), root().join("CONTRIBUTING.md")]
        .into_iter()
        .chain(book.filter(is_page))
        .chain(crates.filter(is_page))
        .collect()
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut file, mut open): (Option<String>, Option<(String, String)>) = (None, None);
    for line in page.lines() {
        if let Some((language, content)) = &mut open {
            if line != "```" {
                content.push_str(line);
                content.push('\n');
                continue;
            }
            match file.take() {
                Some(name) => steps.push(Step::File(name, content.clone())),
                None if language == "console" => {
                    steps.extend(content.lines().filter_map(command).map(Step::Run));
                }
                None if language == "sh" => {
                    steps.extend(content.lines().map(|line| Step::Show(line.to_owned())));
                }
                None => {}
            }
            open = None;
        } else if let Some(language) = line.strip_prefix("```") {
            open = Some((language.trim().to_owned(), String::new()));
        } else if let Some(name) = line.strip_prefix("<!-- file: ") {
            file = name.strip_suffix(" -->").map(str::to_owned);
        }
    }
    steps
}

fn command(line: &str) -> Option<String> {
    line.strip_prefix("$ ").map(str::to_owned)
}

/// The words of a command, of which those in double quotes may hold spaces.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    parts
        .flat_map(|(i, part)| match i % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

/// The command of ours in a line of shell, whatever is piped into it and remarked behind it.
fn ours(line: &str) -> Option<Vec<String>> {
    let line = line.split(" # ").next()?;
    let words = words(line.rsplit(" | ").next()?);
    let (first, rest) = words.split_first()?;
    match (first.as_str(), rest.get(..2).map(|w| [&*w[0], &*w[1]])) {
        ("sensorium", _) => Some(words),
        // These hand on what follows.
        ("cargo", Some(["xtask", "run"])) => Some(words[2..].to_vec()),
        ("cargo", Some(["xtask", "train" | "eval"])) => Some(words[1..].to_vec()),
        _ => None,
    }
}

fn must_parse(place: &str, words: &[String]) {
    if let Err(error) = args::Cli::try_parse_from(words) {
        panic!("{place}: {words:?}: {error}");
    }
}

#[test]
fn every_command_shown_is_one_the_program_takes() {
    let mut shown = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page can be read");
        for step in steps(&text) {
            let Step::Show(line) = step else { continue };
            if let Some(words) = ours(&line) {
                must_parse(&page.display().to_string(), &words);
                shown += 1;
            }
        }
    }
    assert_eq!(
        shown, 64,
        "lines of ```sh: update the number with the pages"
    );
}

#[test]
fn every_example_of_help_is_one_the_program_takes() {
    fn examples(command: &clap::Command, found: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let own = help.lines().filter(|line| line.starts_with("  "));
        found.extend(own.map(str::to_owned));
        // A group of commands has those of its own.
        let is_asked = !command.has_subcommands();
        assert!(
            !is_asked || !help.is_empty(),
            "{} shows none",
            command.get_name()
        );
        for below in command.get_subcommands() {
            examples(below, found);
        }
    }
    let mut found = Vec::new();
    examples(&args::Cli::command(), &mut found);
    for line in &found {
        must_parse(
            "--help",
            &ours(line).unwrap_or_else(|| panic!("{line}: no command")),
        );
    }
    assert_eq!(found.len(), 74, "update the number with the examples");
}

/// What the README's commands are given here: a recipe over all three modalities and data for it, photos, and weights.
fn what_the_readme_speaks_of(folder: &Path) {
    let photo = root().join("crates/sensorium-vision/tests/fixtures/rgb.jpg");
    let weights = root().join("recipes/tiny-clip/model.safetensors");
    let copy = |from: &Path, to: &str| {
        std::fs::copy(from, folder.join(to)).expect("a file can be copied");
    };
    std::fs::create_dir(folder.join("photos")).expect("a folder can be made");
    for name in ["cat.jpg", "photos/a.jpg", "photos/b.jpg"] {
        copy(&photo, name);
    }
    copy(&weights, "model.safetensors");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(folder.join("a.wav"), spec).expect("a sound");
    for i in 0..800 {
        wav.write_sample((i % 50) as i16 * 100).expect("a sample");
    }
    wav.finalize().expect("a sound");
    let size = "d_model = 16\nn_layers = 1\nn_heads = 2\n";
    let encoder = |name| format!("[encoders.{name}]\n{size}");
    let encoders = ["text", "image", "audio"].map(encoder).concat();
    let recipe = format!("name = \"my-recipe\"\n{encoders}[train]\nepochs = 1\n");
    let row = |i: usize| match i % 2 {
        0 => format!("{i},it purrs,cat.jpg,a.wav,cat\n"),
        _ => format!("{i},it barks,cat.jpg,,dog\n"),
    };
    let rows: String = (0..40).map(row).collect();
    for (name, content) in [
        ("my-recipe.toml", recipe),
        ("photos.csv", format!("id,text,image,audio,label\n{rows}")),
    ] {
        std::fs::write(folder.join(name), content).expect("a file can be written");
    }
}

/// The README's own lines in its own order, with the model that is part of the program for those on a hub.
#[cfg(unix)]
#[test]
fn the_readme_s_commands_run() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    what_the_readme_speaks_of(folder.path());
    let whisper = root().join("crates/sensorium-models/tests/fixtures/ready-whisper");
    std::fs::create_dir(folder.path().join("talks")).expect("a folder can be made");
    let clap = root().join("crates/sensorium-models/tests/fixtures/ready-clap");
    let llama = root().join("crates/sensorium-models/tests/fixtures/ready-llama");
    let llama = llama.display().to_string();
    for name in ["talks/long.wav", "clip.wav"] {
        let copied = std::fs::copy(whisper.join("long.wav"), folder.path().join(name));
        copied.expect("a recording");
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_sensorium"));
    let path = [
        binary.parent().expect("a folder"),
        Path::new("/usr/bin"),
        Path::new("/bin"),
    ];
    let path = std::env::join_paths(path).expect("paths without a colon");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let mut ran = 0;
    for step in steps(&readme) {
        let Step::Show(line) = step else { continue };
        if !line.contains("sensorium ") {
            continue;
        }
        let line = line
            .replace("openai/whisper-tiny", &whisper.display().to_string())
            .replace("HuggingFaceTB/SmolLM2-135M-Instruct", &llama)
            .replace("HuggingFaceTB/SmolLM2-135M", &llama)
            .replace("laion/clap-htsat-unfused", &clap.display().to_string())
            .replace("openai/clip-vit-base-patch32", "tiny-clip")
            .replace("sentence-transformers/all-MiniLM-L6-v2", "tiny-clip")
            .replace(
                "train clip-digits",
                "train clip-digits --set train.steps=2 --set batch.eval_size=400",
            );
        let done = Command::new("sh")
            .args(["-c", &line])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("HF_HUB_OFFLINE", "1")
            .output()
            .expect("a shell starts");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "`{line}` failed\n{said}");
        ran += 1;
    }
    assert_eq!(ran, 14, "update the number with the README");
    for made in [
        "photos.parquet",
        "subtitles/long.srt",
        "runs/my-recipe/report.html",
        "runs/clip-digits/model",
    ] {
        assert!(folder.path().join(made).exists(), "{made} is missing");
    }
}

#[test]
fn every_command_runs() {
    let mut ran = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page can be read");
        let folder = tempfile::tempdir().expect("a folder can be made");
        for step in steps(&text) {
            match step {
                Step::File(name, content) => {
                    std::fs::write(folder.path().join(name), content)
                        .expect("a file can be written");
                }
                Step::Run(command) => {
                    run(&page, folder.path(), &command);
                    ran += 1;
                }
                Step::Show(_) => {}
            }
        }
    }
    assert_eq!(ran, 11, "update the number with the pages");
}

fn run(page: &Path, folder: &Path, command: &str) {
    let words = words(command);
    assert_eq!(
        words[0],
        "sensorium",
        "{}: `{command}` is for ```sh, which is not run",
        page.display()
    );
    let output = Command::new(env!("CARGO_BIN_EXE_sensorium"))
        .args(&words[1..])
        .current_dir(folder)
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .expect("the binary starts");
    assert!(
        output.status.success(),
        "{}: `{command}` failed, {}\n{}",
        page.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_link_leads_to_a_page_of_the_book() {
    let summary = std::fs::read_to_string(root().join("docs/src/SUMMARY.md"))
        .expect("the book has a summary");
    for page in pages() {
        let name = page
            .file_name()
            .expect("a page has a name")
            .to_string_lossy()
            .into_owned();
        let in_book = page
            .parent()
            .is_some_and(|folder| folder.ends_with("docs/src"));
        assert!(
            !in_book || name == "SUMMARY.md" || summary.contains(&format!("({name})")),
            "{name} is in no list"
        );
        let text = std::fs::read_to_string(&page).expect("a page can be read");
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let target = link.split('#').next().unwrap_or_default();
            let outside = link.contains("://") || target.is_empty();
            let there = page
                .parent()
                .is_some_and(|folder| folder.join(target).exists());
            assert!(
                outside || there,
                "{}: the link to {link} leads nowhere",
                page.display()
            );
        }
    }
}

#[test]
fn steps_are_found() {
    let page = "Text\n\n<!-- file: a.csv -->\n```csv\nx\n```\n\n```sh\nyes | sensorium a  # no\n```\n\n```console\n$ sensorium a \"b c\"\nout\n```\n";
    assert_eq!(
        steps(page),
        [
            Step::File("a.csv".into(), "x\n".into()),
            Step::Show("yes | sensorium a  # no".into()),
            Step::Run("sensorium a \"b c\"".into())
        ]
    );
    assert_eq!(
        words("sensorium a \"b c\" d"),
        ["sensorium", "a", "b c", "d"]
    );
    let found = |line| ours(line).map(|words| words.join(" "));
    assert_eq!(found("yes | sensorium a  # no").unwrap(), "sensorium a");
    assert_eq!(found("cargo xtask train a").unwrap(), "xtask train a");
    assert_eq!(found("cargo xtask run eval a").unwrap(), "run eval a");
    assert_eq!(found("cargo xtask test"), None);
}
