//! More inputs than fit a batch or a person's eye: `embed` on hundreds of pictures and thousands of lines, some of them bad.

#[path = "common/command.rs"]
mod command;

use std::path::Path;

use assert_cmd::assert::Assert;
use command::sensorium;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, RowAccessor};
use serde_json::{Value, json};

/// Width of the embeddings of `tiny-clip`.
const D_EMBED: usize = 24;

/// Runs `embed` with the model that is part of the program.
fn embed(dir: &Path, args: &[&str], stdin: &str) -> Assert {
    sensorium(dir)
        .args(["embed", "--model", "tiny-clip"])
        .args(args)
        .write_stdin(stdin)
        .assert()
}

fn stdout(done: &Assert) -> &str {
    std::str::from_utf8(&done.get_output().stdout).unwrap()
}

fn stderr(done: &Assert) -> &str {
    std::str::from_utf8(&done.get_output().stderr).unwrap()
}

/// Writes pictures that differ, the middle one broken, and returns their names.
fn pictures(dir: &Path, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|i| format!("{i:03}.png")).collect();
    for (i, name) in names.iter().enumerate() {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 4, 4);
        encoder.set_color(png::ColorType::Rgb);
        let pixels: Vec<u8> = (0..48).map(|p| (i * 31 + p * (1 + i % 7)) as u8).collect();
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&pixels).unwrap();
        drop(writer);
        if i == count / 2 {
            bytes.truncate(40);
        }
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    names
}

fn vector(row: &Value) -> Vec<f32> {
    let numbers = row["vector"].as_array().unwrap().iter();
    numbers.map(|x| x.as_f64().unwrap() as f32).collect()
}

#[test]
fn hundreds_of_pictures_keep_their_order_and_one_broken_is_left_out() {
    const ALL: usize = 301;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let names = pictures(dir, ALL);
    let broken = &names[ALL / 2];
    let whole: Vec<&String> = names.iter().filter(|name| *name != broken).collect();
    let skip = |rest: &[&str]| {
        let args = ["--image", "-", "--batch", "16", "--on-error", "skip"];
        embed(dir, &[&args[..], rest].concat(), &names.join("\n")).success()
    };

    // What is left out is named once, also where progress is not wanted.
    let done = skip(&["--out", "out.jsonl"]);
    let said = stderr(&done);
    assert_eq!(
        said.matches(&format!("skipped: {broken}: ")).count(),
        1,
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.ends_with("skipped 1 of 301\n"), "{said}");
    let text = std::fs::read_to_string(dir.join("out.jsonl")).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let order: Vec<&str> = rows.iter().map(|r| r["input"].as_str().unwrap()).collect();
    assert_eq!(order, whole);

    // Each vector is that of its own picture.
    for i in [0, 149, 150, 299] {
        let alone = embed(dir, &["--image", whole[i], "--json"], "").success();
        let alone: Value = serde_json::from_str(stdout(&alone)).unwrap();
        let alone = vector(&alone["embeddings"][0]);
        for (a, b) in alone.iter().zip(vector(&rows[i])) {
            assert!((a - b).abs() < 1e-5, "{}", whole[i]);
        }
    }

    let done = skip(&["--out", "out.npy", "--json"]);
    let told: Value = serde_json::from_str(stdout(&done)).unwrap();
    assert_eq!(
        (&told["out"], &told["rows"]),
        (&json!("out.npy"), &json!(300))
    );
    assert_eq!(told["skipped"][0]["input"], json!(broken));
    check_npy(&dir.join("out.npy"), &rows);
    skip(&["--out", "out.parquet"]);
    check_parquet(&dir.join("out.parquet"), &rows);

    let done = skip(&["--json"]);
    let told: Value = serde_json::from_str(stdout(&done)).unwrap();
    assert_eq!(told["embeddings"].as_array().unwrap().len(), 300);
    let skipped = told["skipped"].as_array().unwrap();
    assert_eq!((skipped.len(), &skipped[0]["input"]), (1, &json!(broken)));
    let reason = skipped[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with(&format!("{broken}: ")), "{reason}");
}

fn check_npy(path: &Path, rows: &[Value]) {
    let bytes = std::fs::read(path).unwrap();
    let shape = format!("({}, {D_EMBED}), }}", rows.len());
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
    let head = [
        b"\x93NUMPY\x01\x00\x76\x00",
        header.as_bytes(),
        shape.as_bytes(),
    ]
    .concat();
    assert!(bytes.starts_with(&head));
    assert_eq!(bytes.len(), 128 + 4 * rows.len() * D_EMBED);
    let numbers = bytes[128..].as_chunks::<4>().0.iter();
    let expected = rows.iter().flat_map(vector);
    for (found, expected) in numbers.zip(expected) {
        assert!((f32::from_le_bytes(*found) - expected).abs() < 1e-6);
    }
}

fn check_parquet(path: &Path, rows: &[Value]) {
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let found: Vec<_> = reader
        .get_row_iter(None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(found.len(), rows.len());
    for (found, expected) in found.iter().zip(rows) {
        assert_eq!(found.get_string(0).unwrap(), "image");
        assert_eq!(json!(found.get_string(1).unwrap()), expected["input"]);
        let numbers = found.get_list(2).unwrap().elements();
        assert_eq!(numbers.len(), D_EMBED);
        for (number, expected) in numbers.iter().zip(vector(expected)) {
            let Field::Float(number) = number else {
                panic!("{number:?}")
            };
            assert!((number - expected).abs() < 1e-6);
        }
    }
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let names = pictures(dir, 9);
    let before = std::fs::read_dir(dir).unwrap().count();
    let fails = |args: &[&str], stdin: &str, code: i32, expected: &str| {
        let done = embed(dir, args, stdin).code(code);
        assert_eq!(stdout(&done), "", "{args:?}");
        let last = stderr(&done).lines().last().unwrap();
        assert!(
            last.starts_with("error: ") && last.contains(expected),
            "{last}"
        );
        assert_eq!(std::fs::read_dir(dir).unwrap().count(), before);
    };
    let all = names.join("\n");
    let found = ["--image", "-", "--batch", "2"];
    fails(&[&found[..], &["--json"]].concat(), &all, 1, "004.png: ");
    fails(&found, &all, 1, "004.png: ");
    fails(
        &[&found[..], &["--out", "x.npy"]].concat(),
        &all,
        1,
        "004.png: ",
    );
    // Texts that are done by then do not show either.
    let both = ["--text", "a", "--image", "none.png", "--json"];
    fails(&both, "", 1, "none.png");

    // Nothing left is no success.
    let skip = ["--on-error", "skip", "--image", "-", "--out", "x.npy"];
    fails(
        &skip,
        "004.png\nnone.png\n",
        1,
        "none of the 2 inputs can be used",
    );
    fails(&skip, "", 1, "standard input is empty");
}

#[test]
fn lines_of_standard_input_keep_their_places() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // More than are held at once; every tenth is empty.
    let lines: Vec<String> = (0..2500)
        .map(|i| match i % 10 {
            7 => String::new(),
            _ => format!("text {i}"),
        })
        .collect();
    let args = ["--text", "-", "--batch", "250", "--out", "out.jsonl"];
    embed(dir, &args, &lines.join("\n")).success().stderr("");
    let text = std::fs::read_to_string(dir.join("out.jsonl")).unwrap();
    let found = text.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        row["input"].as_str().unwrap().to_owned()
    });
    assert_eq!(found.collect::<Vec<_>>(), lines);

    // An empty line names no picture: it is told by its number, or listed as left out.
    pictures(dir, 3);
    let stdin = "000.png\n\n002.png\n";
    let problem = "standard input: line 2 is empty, and names no image";
    let done = embed(dir, &["--image", "-"], stdin).code(1);
    assert_eq!(stderr(&done), format!("error: {problem}\n"));
    let done = embed(
        dir,
        &["--image", "-", "--on-error", "skip", "--json"],
        stdin,
    )
    .success();
    let told: Value = serde_json::from_str(stdout(&done)).unwrap();
    assert_eq!(told["embeddings"].as_array().unwrap().len(), 2);
    assert_eq!(told["skipped"], json!([{ "input": "", "reason": problem }]));
}
