//! Sizes and headers: a file opens with why it exists and is short enough to be read once.

use super::{Fault, File};

const MOST_LINES: usize = 450;
/// An example shows one idea.
const MOST_EXAMPLE_LINES: usize = 150;
const MOST_FUNCTION_LINES: usize = 60;
const MOST_FIXTURE_BYTES: u64 = 100 * 1024;

pub(super) fn check(file: &File) -> Vec<Fault> {
    let mut faults = Vec::new();
    let is_fixture = file
        .path
        .split('/')
        .any(|part| part == "fixtures" || part == "snapshots");
    if is_fixture && file.size > MOST_FIXTURE_BYTES {
        faults.push(Fault::new(
            &file.path,
            0,
            format!(
                "a fixture of {} KB, more than 100: make its shapes smaller",
                file.size / 1024
            ),
        ));
    }
    if let (true, Some(text)) = (file.path.ends_with(".rs"), &file.text) {
        faults.extend(check_rust(&file.path, text));
    }
    faults
}

fn check_rust(path: &str, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !text.starts_with("//!") {
        faults.push(Fault::new(
            path,
            1,
            "the first line does not say why the file exists: begin it with `//!`",
        ));
    }
    let lines: Vec<&str> = text.lines().collect();
    let (most, way_out) = match path.starts_with("examples/") {
        true => (MOST_EXAMPLE_LINES, "show one idea, and leave out the rest"),
        false => (MOST_LINES, "split the file by what its parts are about"),
    };
    if lines.len() > most {
        let rule = format!("{} lines, more than {most}: {way_out}", lines.len());
        faults.push(Fault::new(path, lines.len(), rule));
    }
    for (start, name, length) in functions(&lines) {
        if length > MOST_FUNCTION_LINES {
            let rule = format!(
                "`{name}` has {length} lines, more than {MOST_FUNCTION_LINES}: give its steps names"
            );
            faults.push(Fault::new(path, start + 1, rule).warning());
        }
    }
    faults
}

/// First line, name and length of each function, by the indentation that rustfmt gives.
fn functions<'a>(lines: &[&'a str]) -> Vec<(usize, &'a str, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let close = format!("{}}}", &line[..indent]);
        let end = lines[start..]
            .iter()
            .position(|line| *line == close || (line.starts_with(&close) && line.trim() == "}"));
        // A function without a body, or on one line, ends where it begins.
        let one_line = line.ends_with(';') || line.ends_with('}');
        if let (false, Some(length)) = (one_line, end) {
            found.push((start, name, length + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    const BEFORE: [&str; 8] = [
        "pub",
        "pub(crate)",
        "pub(super)",
        "const",
        "async",
        "unsafe",
        "extern",
        "default",
    ];
    let mut words = line.split_whitespace();
    let mut word = words.next()?;
    while BEFORE.contains(&word) {
        word = words.next()?;
    }
    if word != "fn" {
        return None;
    }
    words.next()?.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::super::rust_file;
    use super::*;

    #[test]
    fn a_file_opens_with_why_it_exists() {
        assert!(check(&rust_file("a.rs", "//! Why.\n")).is_empty());
        let fault = &check(&rust_file("a.rs", "// Why.\n"))[0];
        assert_eq!((fault.line, fault.warning), (1, false));
    }

    #[test]
    fn long_files_and_functions_are_found() {
        let long = "//! Why.\n".to_owned() + &"\n".repeat(MOST_LINES);
        assert!(
            check(&rust_file("a.rs", &long))[0]
                .rule
                .contains("451 lines")
        );
        assert!(check(&rust_file("a.rs", &long[1..])).len() == 2);
        let example = |lines: usize| {
            let text = "//! Why.\n".to_owned() + &"\n".repeat(lines - 1);
            check(&rust_file("examples/a/src/main.rs", &text)).len()
        };
        assert_eq!((example(150), example(151)), (0, 1));

        let body = "        let x = 1;\n".repeat(MOST_FUNCTION_LINES);
        let text = format!(
            "//! Why.\nimpl A {{\n    pub(crate) fn long<T>() {{\n{body}    }}\n    fn short() {{}}\n}}\n"
        );
        let faults = check(&rust_file("a.rs", &text));
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].warning && faults[0].rule.contains("`long` has 62 lines"),
            "{faults:?}"
        );
    }

    #[test]
    fn large_fixtures_are_found() {
        let file = |path: &str, size| File {
            path: path.to_owned(),
            size,
            text: None,
        };
        assert!(check(&file("crates/a/tests/fixtures/a.bin", 100 * 1024)).is_empty());
        assert_eq!(
            check(&file("crates/a/tests/fixtures/a.bin", 100 * 1024 + 1)).len(),
            1
        );
        assert!(check(&file("crates/a/assets/a.bin", 1 << 22)).is_empty());
    }
}
