//! Words that must not stand in the repository: unfinished code, backends in the wrong place, one machine's paths.

use super::{Fault, File};

/// Where all that depends on the deprecated backend stands.
const LIBTORCH_FILE: &str = "crates/sensorium-runtime/src/libtorch.rs";

/// Where memory is mapped, which no safe function does.
const MAPPED_FILE: &str = "crates/sensorium-hub/src/mapped.rs";

/// A word, and why it is wrong together with the way out. The words are in two halves, so that this file holds none.
struct Word {
    halves: [&'static str; 2],
    why: &'static str,
}

const IN_CODE: [Word; 8] = [
    Word {
        halves: ["todo", "!("],
        why: "nothing pretends: write it, or leave it out",
    },
    Word {
        halves: ["unimplemented", "!("],
        why: "nothing pretends: write it, or leave it out",
    },
    Word {
        halves: ["#[ign", "ore"],
        why: "a test that never runs shows nothing: make it quick enough to run, or remove it",
    },
    Word {
        halves: ["Device::def", "ault()"],
        why: "it depends on features other crates turn on: take the device as an argument, in tests from \
              `sensorium_testkit::devices()`",
    },
    Word {
        halves: ["Device::lib", "torch"],
        why: "the deprecated backend stands in sensorium-runtime/src/libtorch.rs alone: use `sensorium_runtime::open`",
    },
    Word {
        halves: ["tc", "h::"],
        why: "the deprecated backend stands in sensorium-runtime/src/libtorch.rs alone: use `sensorium_runtime::open`",
    },
    Word {
        halves: ["feature = \"lib", "torch\""],
        why: "the deprecated backend stands in sensorium-runtime/src/libtorch.rs alone: ask \
              `sensorium_runtime::compiled()`",
    },
    Word {
        halves: ["uns", "afe {"],
        why: "no unsafe code outside sensorium-hub/src/mapped.rs: look for a safe function, or a crate that has one",
    },
];

const ANYWHERE: [Word; 8] = [
    Word {
        halves: ["/wo", "rk/"],
        why: "a path of one machine: make it relative to the repository",
    },
    Word {
        halves: ["/ro", "ot/"],
        why: "a path of one machine: make it relative to the repository",
    },
    Word {
        halves: ["/tm", "p/"],
        why: "a path of one machine: use the `tempfile` crate or `mktemp`",
    },
    Word {
        halves: ["index.crates", ".io"],
        why: "a registry's host: Cargo knows it",
    },
    Word {
        halves: ["static.crates", ".io"],
        why: "a registry's host: Cargo knows it",
    },
    Word {
        halves: ["files.pythonhosted", ".org"],
        why: "a registry's host: pip knows it",
    },
    Word {
        halves: ["--index", "-url"],
        why: "a registry's host belongs into the user's configuration",
    },
    Word {
        halves: ["huggingface", ".co/api"],
        why: "a hub's host: only sensorium-hub talks to one",
    },
];

pub(super) fn check(file: &File) -> Vec<Fault> {
    let Some(text) = &file.text else {
        return Vec::new();
    };
    if file.path.ends_with("Cargo.lock") {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut find = |words: &[Word], text: &str| {
            for word in words.iter().filter(|word| holds(text, word)) {
                let rule = format!("`{}`: {}", word.halves.concat(), word.why);
                faults.push(Fault::new(&file.path, number + 1, rule));
            }
        };
        find(&ANYWHERE, line);
        if file.path.ends_with(".rs") && ![LIBTORCH_FILE, MAPPED_FILE].contains(&&*file.path) {
            find(&IN_CODE, code_of(line));
        }
    }
    faults
}

/// Whether the word stands in the text, and not as the end of a longer name.
fn holds(text: &str, word: &Word) -> bool {
    let needle = word.halves.concat();
    text.match_indices(&needle).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// The line without its comment.
fn code_of(line: &str) -> &str {
    // A URL's slashes follow a colon.
    let comment = line
        .match_indices("//")
        .find(|(at, _)| !line[..*at].ends_with(':'));
    comment.map_or(line, |(at, _)| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::super::rust_file;
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let faults = check(&rust_file(path, text));
        faults.iter().map(|fault| fault.line).collect()
    }

    #[test]
    fn every_word_is_found_in_code_with_its_line() {
        for word in &IN_CODE {
            let text = format!(
                "//! Why.\nlet x = {};\n// {}\n",
                word.halves.concat(),
                word.halves.concat()
            );
            assert_eq!(lines("crates/a/src/lib.rs", &text), [2], "{text}");
            assert!(lines("README.md", &text).is_empty(), "{text}");
        }
        for word in &ANYWHERE {
            let text = format!("see {} there", word.halves.concat());
            assert_eq!(lines("docs/a.md", &text), [1], "{text}");
        }
    }

    #[test]
    fn a_longer_name_is_another_word() {
        assert!(lines("a.rs", &["let x = my_", "todo", "!(1);"].concat()).is_empty());
        assert!(lines("a.rs", &["bat", "tc", "h::new()"].concat()).is_empty());
    }

    #[test]
    fn one_file_may_name_the_deprecated_backend() {
        let text = ["Device::lib", "torch()"].concat();
        assert!(lines(LIBTORCH_FILE, &text).is_empty());
        assert_eq!(lines("crates/sensorium-runtime/src/open.rs", &text), [1]);
    }
}
