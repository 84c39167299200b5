//! The rules of the house that neither compiler nor clippy knows, checked.
//!
//! Each rule is a function from what it looks at to what it finds wrong, tested on a right and a wrong example.

mod budget;
mod files;
mod graph;
mod unify;
mod words;

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::cargo::{self, Workspace};

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    /// Relative to the workspace.
    file: String,
    /// From 1; 0 for the file as a whole.
    line: usize,
    /// The rule, and the way out.
    rule: String,
    /// Shown, but fails nothing.
    warning: bool,
}

impl Fault {
    fn new(file: impl Into<String>, line: usize, rule: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line,
            rule: rule.into(),
            warning: false,
        }
    }

    fn warning(mut self) -> Self {
        self.warning = true;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.warning { "warning: " } else { "" };
        write!(f, "{}:{}: {word}{}", self.file, self.line.max(1), self.rule)
    }
}

/// A file under version control.
struct File {
    /// Relative to the workspace, with `/`.
    path: String,
    size: u64,
    /// `None` where it is not UTF-8.
    text: Option<String>,
}

/// Checks all rules, prints what breaks them, and says whether none is broken.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let files = list(&workspace.root)?;
    let metadata = cargo::metadata(&workspace.root, &["--no-deps"])?;
    let mut faults = Vec::new();
    for file in &files {
        faults.extend(files::check(file));
        faults.extend(words::check(file));
    }
    let packages = graph::packages(&metadata, &workspace.root);
    faults.extend(graph::check(&packages));
    faults.extend(budget::check(workspace, &packages)?);
    faults.extend(unify::check(workspace)?);
    for fault in &faults {
        println!("{fault}");
    }
    let broken = faults.iter().filter(|fault| !fault.warning).count();
    println!("tidy: {} files, {broken} faults", files.len());
    Ok(broken == 0)
}

/// The files that git tracks or would.
fn list(root: &Path) -> Result<Vec<File>> {
    let names = cargo::output(Command::new("git").current_dir(root).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ]))?;
    let mut files = Vec::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let path = root.join(name);
        // A file that git tracks may be deleted, and a link belongs to what it points to.
        let Ok(meta) = path.symlink_metadata() else {
            continue;
        };
        if !meta.is_file() {
            continue;
        }
        files.push(File {
            path: name.replace('\\', "/"),
            size: meta.len(),
            text: String::from_utf8(std::fs::read(&path)?).ok(),
        });
    }
    Ok(files)
}

#[cfg(test)]
fn rust_file(path: &str, text: &str) -> File {
    File {
        path: path.to_owned(),
        size: text.len() as u64,
        text: Some(text.to_owned()),
    }
}
