//! Manifests as people and accidents write them.

use std::path::Path;

use proptest::prelude::*;

use super::open;
use crate::{Columns, OnError};

fn columns() -> Columns {
    Columns::default().for_modalities(["text", "image", "audio"].into_iter())
}

/// What opening a manifest gives, in words.
fn check(name: &str, content: impl AsRef<[u8]>, on_error: OnError, expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.png"), b"x").unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, content).unwrap();
    assert_eq!(describe(&path, on_error, dir.path()), expected);
}

fn describe(path: &Path, on_error: OnError, root: &Path) -> String {
    let text = match open(path, &columns(), on_error) {
        Err(error) => format!("error: {error}"),
        Ok(opened) => {
            let rows = opened.table.rows.iter().map(|row| {
                let label = row.label.as_deref().unwrap_or("-");
                let inputs: Vec<String> = row
                    .inputs
                    .iter()
                    .map(|(m, s)| format!("{m}={s:?}"))
                    .collect();
                let meta: Vec<String> = row.meta.iter().map(|(k, v)| format!("{k}={v}")).collect();
                format!(
                    "{} {label} {} [{}]",
                    row.id,
                    inputs.join(" "),
                    meta.join(" ")
                )
            });
            let bad = opened.bad.iter().map(|b| format!("bad {b}"));
            rows.chain(bad).collect::<Vec<_>>().join("\n")
        }
    };
    text.replace(&format!("{}/", root.display()), "")
        .replace(&root.display().to_string(), "DIR")
}

#[test]
fn every_kind_of_manifest_is_read_alike() {
    let expected = "one cat image=a.png text=text \"hi\" [width=3]\nrow-3 dog text=text \"ho\" []";
    check(
        "m.csv",
        "id,image,text,label,width\none,a.png,hi,cat,3\n,,ho,dog,\n",
        OnError::Fail,
        expected,
    );
    check(
        "m.tsv",
        "\u{feff}id\timage\ttext\tlabel\twidth\r\none\ta.png\thi\tcat\t3\r\n\t\tho\tdog\t\r\n",
        OnError::Fail,
        expected,
    );
    check(
        "m.jsonl",
        "{\"id\":\"one\",\"image\":\"a.png\",\"text\":\"hi\",\"label\":\"cat\",\"width\":3}\n\n{\"text\":\"ho\",\"label\":\"dog\"}\n",
        OnError::Fail,
        expected,
    );
}

#[test]
fn an_empty_label_is_one_where_it_may_be_and_nothing_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("m.csv");
    std::fs::write(&csv, "text,label\nhi,\nho,a;b\n").unwrap();
    let jsonl = dir.path().join("m.jsonl");
    let lines = r#"{"text": "hi", "label": ""}
{"text": "ho", "label": ["a", "b"]}
{"text": "hu", "label": null}
{"text": "he", "label": []}"#;
    std::fs::write(&jsonl, lines).unwrap();
    for empty_labels in [true, false] {
        let columns = Columns {
            empty_labels,
            ..columns()
        };
        let labels = |path: &Path| {
            let rows = open(path, &columns, OnError::Fail).unwrap().table.rows;
            rows.into_iter().map(|row| row.label).collect::<Vec<_>>()
        };
        let empty = empty_labels.then(String::new);
        let of = |text: &str| Some(text.to_owned());
        assert_eq!(labels(&csv), [empty.clone(), of("a;b")]);
        let list = of("[\"a\",\"b\"]");
        assert_eq!(labels(&jsonl), [empty, list, None, of("[]")]);
    }
}

#[test]
fn bad_rows_are_named_or_left_out() {
    let manifest = "id,image,label,split\n1,a.png,cat,train\n2,b.png,cat,train\n1,a.png,cat,train\n3,a.png,cat,later\n4,,cat,\n5,a.png\n";
    check(
        "m.csv",
        manifest,
        OnError::Fail,
        "error: 5 bad rows: m.csv:3, column image: b.png does not exist; m.csv:4, column id: \"1\" is the id of an earlier row too; \
         m.csv:5, column split: \"later\" is not train, valid or test; … (use --on-error skip to leave such rows out)",
    );
    check(
        "m.csv",
        manifest,
        OnError::Skip,
        "1 cat image=a.png []\n\
         bad m.csv:3, column image: b.png does not exist\n\
         bad m.csv:4, column id: \"1\" is the id of an earlier row too\n\
         bad m.csv:5, column split: \"later\" is not train, valid or test\n\
         bad m.csv:6: the row has none of the columns audio, image, text\n\
         bad m.csv:7: has 2 cells, but there are 4 columns",
    );
}

#[test]
fn rows_are_named_by_their_lines() {
    let rows = "\"two\nlines\"\n\n\nplain\n\"more\n\n\"\nlast";
    for end in ["\n", "\r\n", "\r"] {
        let name = |line: usize| format!("row-{line}");
        let expected = [2, 6, 7, 10].map(name);
        for name in ["m.csv", "m.tsv"] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(name);
            std::fs::write(&path, format!("text\n{rows}").replace('\n', end)).unwrap();
            let opened = open(&path, &columns(), OnError::Fail).unwrap();
            let found: Vec<&str> = opened.table.rows.refs().map(crate::RowRef::id).collect();
            assert_eq!(found, expected, "{name} {end:?}");
        }
    }
    // Longer than what is read at once.
    let many = "x\r\n\r\n".repeat(50_000);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.csv");
    std::fs::write(&path, format!("text\r\n{many}")).unwrap();
    let opened = open(&path, &columns(), OnError::Fail).unwrap();
    let lines = opened.table.rows.iter().map(|row| row.place.row);
    assert!(lines.eq((0..50_000).map(|i| 2 * i + 2)));
}

#[test]
fn what_is_no_data_says_so() {
    check("m.csv", "", OnError::Skip, "error: m.csv: has no rows");
    check("m.jsonl", "", OnError::Fail, "error: m.jsonl: has no rows");
    check(
        "m.xls",
        "x",
        OnError::Fail,
        "error: m.xls: is no manifest: its name must end in .jsonl, .csv or .tsv; shards end in .tar or .parquet",
    );
    check(
        "m.csv",
        "text,label, text\na,b,c\n",
        OnError::Skip,
        "error: m.csv: has two columns \"text\": rename or remove one",
    );
    check(
        "m.csv",
        "id,imgae,label\n1,a.png,cat\n",
        OnError::Fail,
        "error: m.csv: has no column audio or image or text; it has id, imgae, label; did you mean \"imgae\"?",
    );
    check(
        "m.jsonl",
        "[1]\n",
        OnError::Fail,
        "error: 1 bad row: m.jsonl:1: is not an object such as {\"image\": \"a.png\", \"label\": \"cat\"} (use --on-error skip to leave such rows out)",
    );
    check(
        "m.jsonl",
        b"{\"text\":\"\xff\"}\n",
        OnError::Fail,
        "error: 1 bad row: m.jsonl:1: byte 10 is not UTF-8; save the file as UTF-8 (use --on-error skip to leave such rows out)",
    );
    let nested = format!("{}1{}\n", "[".repeat(100_000), "]".repeat(100_000));
    check(
        "m.jsonl",
        nested,
        OnError::Fail,
        "error: 1 bad row: m.jsonl:1: is not JSON: recursion limit exceeded at line 1 column 128 (use --on-error skip to leave such rows out)",
    );
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(
        describe(&dir.path().join("none.csv"), OnError::Fail, dir.path()),
        "error: none.csv: cannot open: No such file or directory (os error 2)"
    );
    assert!(
        describe(dir.path(), OnError::Fail, dir.path())
            .starts_with("error: DIR: holds neither manifest.jsonl")
    );
}

#[test]
fn endless_lines_do_not_fill_the_memory() {
    let long = format!(
        "{{\"text\":\"{}\"}}\n{{\"text\":\"hi\"}}\n",
        "x".repeat(3 << 20)
    );
    check(
        "m.jsonl",
        long,
        OnError::Skip,
        "row-2 - text=text \"hi\" []\nbad m.jsonl:1: the line is longer than 1048576 bytes",
    );
    let quote = format!("text\n\"{}", "x\n".repeat(2 << 20));
    check(
        "m.csv",
        quote,
        OnError::Skip,
        "error: m.csv: cannot read: a row is longer than 1048576 bytes; is a quote not closed?",
    );
}

#[test]
fn class_folders_are_rows() {
    let dir = tempfile::tempdir().unwrap();
    for file in [
        "train/cat/1.png",
        "train/dog/2.JPG",
        "test/cat/3.wav",
        "train/cat/notes.md",
        "train/cat/4.opus",
        "test/dog/5.OPUS",
        "test/dog/README",
    ] {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"x").unwrap();
    }
    let opened = open(dir.path(), &columns(), OnError::Fail).unwrap();
    let found: Vec<(String, String, Option<crate::Split>)> = opened
        .table
        .rows
        .iter()
        .map(|r| (r.id.clone(), r.label.clone().unwrap(), r.split))
        .collect();
    let row = |id: &str, label: &str, split| (id.to_owned(), label.to_owned(), Some(split));
    assert_eq!(
        found,
        [
            row("test/cat/3.wav", "cat", crate::Split::Test),
            row("train/cat/1.png", "cat", crate::Split::Train),
            row("train/dog/2.JPG", "dog", crate::Split::Train),
        ]
    );
    let note = |opened: &super::Opened| {
        let root = dir.path().display().to_string();
        opened.notes.join("; ").replace(&root, "DIR")
    };
    assert_eq!(
        note(&opened),
        "DIR: 4 files are by their extension nothing of audio, image, text, and left aside: 1 without one, 1 .md, 2 .opus"
    );
    let pictures = Columns::default().for_modalities(["image"].into_iter());
    let opened = open(dir.path(), &pictures, OnError::Fail).unwrap();
    assert_eq!(opened.table.rows.len(), 2);
    assert!(note(&opened).contains("nothing of image") && note(&opened).ends_with("1 .wav"));
}

#[test]
fn every_kind_of_recording_that_is_decoded_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("seven")).unwrap();
    let kinds = "wav flac mp3 ogg oga aac m4a mp4 mov mkv mka webm";
    for extension in kinds.split(' ') {
        std::fs::write(dir.path().join("seven/a").with_extension(extension), "x").unwrap();
    }
    let sounds = Columns::default().for_modalities(["audio"].into_iter());
    let opened = open(dir.path(), &sounds, OnError::Fail).unwrap();
    assert_eq!((opened.table.rows.len(), opened.notes.len()), (12, 0));
}

proptest! {
    #[test]
    fn any_bytes_give_rows_or_an_error(content in prop::collection::vec(any::<u8>(), 0..400), kind in 0usize..3) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(["m.csv", "m.tsv", "m.jsonl"][kind]);
        std::fs::write(&path, content).unwrap();
        let _ = open(&path, &columns(), OnError::Skip);
    }
}
