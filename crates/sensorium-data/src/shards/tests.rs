//! Shards as WebDataset and tar write them.

use std::path::Path;

use crate::{Columns, InputColumn, OnError, Row, RowRef, Rows, Split, open, survey};

pub(crate) fn columns() -> Columns {
    Columns::default().for_modalities(["text", "image", "audio"].into_iter())
}

/// An archive of these files, as the `tar` crate writes it.
pub(crate) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = ::tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = ::tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

/// Rows in words, with what their inputs hold.
pub(crate) fn told(rows: &Rows) -> Vec<String> {
    let told = |row: Row| {
        let inputs = row.inputs.iter().map(|(modality, source)| {
            let bytes = source.read(1 << 20).unwrap();
            format!("{modality}={}", String::from_utf8_lossy(&bytes))
        });
        let inputs: Vec<String> = inputs.collect();
        let meta: Vec<String> = row.meta.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let label = row.label.as_deref().unwrap_or("-");
        format!(
            "{} {label} {} [{}]",
            row.id,
            inputs.join(" "),
            meta.join(" ")
        )
    };
    rows.iter().map(told).collect()
}

/// What opening an archive gives.
fn check(
    files: &[(&str, &[u8])],
    columns: &Columns,
    on_error: OnError,
) -> Result<(Vec<String>, Vec<String>), String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tar");
    std::fs::write(&path, archive(files)).unwrap();
    let opened = open(&path, columns, on_error);
    let plain = |text: String| text.replace(&format!("{}/", dir.path().display()), "");
    let opened = opened.map_err(|error| plain(error.to_string()))?;
    let rest = opened
        .bad
        .iter()
        .map(ToString::to_string)
        .chain(opened.notes);
    Ok((told(&opened.table.rows), rest.map(plain).collect()))
}

#[test]
fn members_of_one_key_are_a_row() {
    let files: [(&str, &[u8]); 9] = [
        ("./one/0.jpg", b"picture"),
        ("./one/0.cls", b"3\n"),
        ("./one/0.txt", b"a text "),
        ("two.WAV", b"sound"),
        (
            "two.json",
            br#"{"label": "dog", "group": "g", "width": 3, "box": [1, 2], "none": null}"#,
        ),
        (
            "three.json",
            br#"{"id": "own", "text": "from json", "split": "test"}"#,
        ),
        ("four.seg.png", b"mask"),
        ("four.png", b"four"),
        ("README", b"nothing"),
    ];
    let (rows, rest) = check(&files, &columns(), OnError::Fail).unwrap();
    let expected = [
        "one/0 3 image=picture text=a text  []",
        "two dog audio=sound [box=[1,2] width=3]",
        "own - text=from json []",
        "four - image=four []",
    ];
    assert_eq!(rows, expected);
    let note = "a.tar: 2 members are by their extension nothing of audio, image, text, and left aside: 1 without one, 1 .seg.png";
    assert_eq!(rest, [note]);
    // Another member may be asked for by its extension, and the label may stand elsewhere.
    let column = "seg.png".to_owned();
    let mut own = Columns {
        label: "width".to_owned(),
        ..columns()
    };
    own.inputs.insert(
        "image".to_owned(),
        InputColumn {
            column,
            holds: Default::default(),
        },
    );
    let (rows, _) = check(&files, &own, OnError::Fail).unwrap();
    assert_eq!(rows[1], "two 3 audio=sound [box=[1,2] label=dog]");
    assert_eq!(rows[3], "four - image=mask []");
}

#[test]
fn one_bad_sample_is_told_or_left_out() {
    let files: [(&str, &[u8]); 12] = [
        ("a.jpg", b"1"),
        ("a.jpg", b"2"),
        ("b.jpg", b"1"),
        ("b.png", b"2"),
        ("c.txt", b"\xff"),
        ("d.json", b"[1]"),
        ("d.jpg", b"1"),
        ("e.json", br#"{"split": "later"}"#),
        ("e.jpg", b"1"),
        ("f.jpg", b"good"),
        ("g.json", br#"{"x": 1}"#),
        ("f.jpg", b"again"),
    ];
    let (rows, bad) = check(&files, &columns(), OnError::Skip).unwrap();
    assert_eq!(rows, ["f - image=good []"]);
    let expected = [
        "a.tar:1: a.jpg: a second member of this name in one sample",
        "a.tar:2, column image: b.png: a second image in one sample; name the one that counts: \
         data.columns.inputs.image = { column = \"png\" }",
        "a.tar:3: c.txt is not UTF-8",
        "a.tar:4: d.json is not an object such as {\"image\": \"a.png\", \"label\": \"cat\"}",
        "a.tar:5, column split: \"later\" is not train, valid or test",
        "a.tar:7: the row has none of the columns audio, image, text",
        "a.tar:8, column id: \"f\" is the id of an earlier row too",
    ];
    assert_eq!(bad, expected);
    let error = check(&files, &columns(), OnError::Fail).unwrap_err();
    assert!(
        error.starts_with("7 bad rows: a.tar:1: a.jpg: a second"),
        "{error}"
    );
}

#[test]
fn nothing_that_is_asked_for_names_what_there_is() {
    let error = check(
        &[("a.npy", b"1"), ("a.imgae", b"1")],
        &columns(),
        OnError::Fail,
    )
    .unwrap_err();
    let expected =
        "a.tar: has no column audio or image or text; it has imgae, npy; did you mean \"imgae\"?";
    assert_eq!(error, expected);
    assert_eq!(
        check(&[], &columns(), OnError::Fail).unwrap_err(),
        "a.tar: has no rows"
    );
}

/// Shards at these paths, each with samples `0` and `1`.
fn shards(root: &Path, names: &[&str]) {
    for name in names {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let content = name.as_bytes();
        std::fs::write(path, archive(&[("0.png", content), ("1.png", content)])).unwrap();
    }
}

#[test]
fn many_shards_are_one_data_set_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    shards(
        root,
        &[
            "set/train/00.tar",
            "set/train/01.tar",
            "set/test/00.tar",
            "set/other/00.tar",
        ],
    );
    let opened = open(&root.join("set"), &columns(), OnError::Fail).unwrap();
    let rows = opened.table.rows;
    let ids: Vec<&str> = rows.refs().map(RowRef::id).collect();
    let expected = [
        "test/00/0",
        "test/00/1",
        "train/00/0",
        "train/00/1",
        "train/01/0",
        "train/01/1",
    ];
    assert_eq!(ids, expected);
    assert!(
        rows.iter()
            .all(|row| row.split == Split::named(row.id.split('/').next().unwrap()))
    );
    let source = &rows.get(4).inputs["image"];
    let name = format!("{}: 0.png", root.join("set/train/01.tar").display());
    assert_eq!(
        (source.describe(), source.extension(), source.size()),
        (name, Some("png".to_owned()), Some(16))
    );
    assert_eq!(
        &source.read(16).unwrap()[..],
        b"set/train/01.tar"[..].to_vec()
    );
    assert!(
        source
            .read(15)
            .unwrap_err()
            .to_string()
            .ends_with("16 bytes are more than the 15 allowed")
    );

    let pattern = open(
        &root.join("set/train/{00..01}.tar"),
        &columns(),
        OnError::Fail,
    )
    .unwrap();
    assert_eq!(pattern.table.rows.len(), 4);
    assert!(pattern.table.rows.iter().all(|row| row.split.is_none()));
    let error = open(
        &root.join("set/train/{00..03}.tar"),
        &columns(),
        OnError::Fail,
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("stands for 4 files, of which ")
            && error.ends_with("train/02.tar does not exist"),
        "{error}"
    );
    // Ids that are told twice are two rows' no more.
    shards(root, &["two/a.tar"]);
    std::fs::write(
        root.join("two/b.tar"),
        archive(&[("x.png", b"1"), ("x.json", br#"{"id": "a/0"}"#)]),
    )
    .unwrap();
    let opened = open(&root.join("two"), &columns(), OnError::Skip).unwrap();
    assert_eq!(opened.table.rows.len(), 3);
}

#[test]
fn a_shard_that_vanishes_or_changes_is_said_to() {
    let dir = tempfile::tempdir().unwrap();
    shards(dir.path(), &["a.tar"]);
    let path = dir.path().join("a.tar");
    let rows = open(&path, &columns(), OnError::Fail).unwrap().table.rows;
    let read = || {
        rows.get(0).inputs["image"]
            .read(100)
            .unwrap_err()
            .to_string()
            .replace(&format!("{}/", dir.path().display()), "")
    };
    std::fs::write(&path, b"other").unwrap();
    assert_eq!(
        read(),
        "a.tar: 0.png: cannot be read: the shard has changed since it was opened"
    );
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        read(),
        "a.tar: 0.png: cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn a_survey_takes_what_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    shards(dir.path(), &["a.tar", "b.tar"]);
    let whole = std::fs::read(dir.path().join("a.tar")).unwrap();
    std::fs::write(dir.path().join("a.tar"), &whole[..1030]).unwrap();
    let opened = survey(dir.path(), &columns()).unwrap();
    assert_eq!(opened.table.rows.len(), 3);
    let bad = opened.bad[0]
        .to_string()
        .replace(&format!("{}/", dir.path().display()), "");
    assert_eq!(
        bad,
        "a.tar: behind 0.png: is cut off: the end of an archive is missing"
    );
    assert!(open(dir.path(), &columns(), OnError::Skip).is_err());
}
