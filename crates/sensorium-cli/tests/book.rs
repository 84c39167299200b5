//! The book's and the README's commands run, and their links lead somewhere: what a page promises is tried.
//!
//! In a page, a block ```` ```console ```` holds commands behind `$ `, and `<!-- file: NAME -->` above any other block says
//! that it is a file of this name. A page's commands run in its order, in one empty folder.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a page asks for.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// A file to write: name and content.
    File(String, String),
    /// A command to run.
    Run(String),
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every page, the README first.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = std::fs::read_dir(root().join("docs/src"))
        .expect("the book has pages")
        .map(|entry| entry.expect("a page can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    let readme = root().join("README.md");
    if readme.is_file() {
        pages.insert(0, readme);
    }
    pages
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
            }
        }
    }
    assert!(ran >= 3, "only {ran} commands were found");
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
    let page = "Text\n\n<!-- file: a.csv -->\n```csv\nx\n```\n\n```sh\n$ no\n```\n\n```console\n$ sensorium a \"b c\"\nout\n```\n";
    assert_eq!(
        steps(page),
        [
            Step::File("a.csv".into(), "x\n".into()),
            Step::Run("sensorium a \"b c\"".into())
        ]
    );
    assert_eq!(
        words("sensorium a \"b c\" d"),
        ["sensorium", "a", "b c", "d"]
    );
}
