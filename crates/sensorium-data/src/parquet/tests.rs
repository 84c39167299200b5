//! Parquet files as hubs hold them, and damaged ones.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::shards::tests::{columns, told};
use crate::{OnError, Split, open};

const SCHEMA: &str = "message schema {
    optional group img { optional binary bytes; optional binary path (utf8); }
    optional binary text (utf8);
    optional int64 label;
}";

const FEATURES: &str = r#"{"info": {"features": {
    "img": {"_type": "Image"},
    "text": {"dtype": "string", "_type": "Value"},
    "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}"#;

/// A row: the picture's bytes and path, the text, the class.
type Cells<'a> = (
    Option<&'a [u8]>,
    Option<&'a str>,
    Option<&'a str>,
    Option<i64>,
);

/// A file as the library that hubs use writes it: groups of so many rows.
fn file(rows: &[Cells<'_>], group: usize, statistics: EnabledStatistics) -> Vec<u8> {
    packed(rows, group, statistics, Compression::SNAPPY)
}

/// The same, compressed so.
fn packed(
    rows: &[Cells<'_>],
    group: usize,
    statistics: EnabledStatistics,
    compression: Compression,
) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_statistics_enabled(statistics)
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "huggingface".to_owned(),
            FEATURES.to_owned(),
        )]))
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for rows in rows.chunks(group) {
        let mut to = writer.next_row_group().unwrap();
        let mut texts = |values: Vec<Option<Vec<u8>>>, most: i16, outer: &[bool]| {
            let level = |(value, outer): (&Option<Vec<u8>>, &bool)| match (value, outer) {
                (Some(_), _) => most,
                (None, there) => i16::from(*there && most == 2),
            };
            let levels: Vec<i16> = values.iter().zip(outer).map(level).collect();
            let values: Vec<ByteArray> =
                values.into_iter().flatten().map(ByteArray::from).collect();
            let mut column = to.next_column().unwrap().unwrap();
            column
                .typed::<ByteArrayType>()
                .write_batch(&values, Some(&levels), None)
                .unwrap();
            column.close().unwrap();
        };
        let there: Vec<bool> = rows
            .iter()
            .map(|row| row.0.is_some() || row.1.is_some())
            .collect();
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        texts(
            rows.iter().map(|row| row.0.map(<[u8]>::to_vec)).collect(),
            2,
            &there,
        );
        texts(rows.iter().map(|row| bytes(row.1)).collect(), 2, &there);
        texts(rows.iter().map(|row| bytes(row.2)).collect(), 1, &there);
        let levels: Vec<i16> = rows.iter().map(|row| i16::from(row.3.is_some())).collect();
        let values: Vec<i64> = rows.iter().filter_map(|row| row.3).collect();
        let mut column = to.next_column().unwrap().unwrap();
        column
            .typed::<Int64Type>()
            .write_batch(&values, Some(&levels), None)
            .unwrap();
        column.close().unwrap();
        to.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// What opening a file of these bytes says; bad rows are left out.
fn opened(bytes: &[u8], dir: &Path) -> Result<Vec<String>, String> {
    let path = dir.join("a.parquet");
    std::fs::write(&path, bytes).unwrap();
    let plain = |text: String| text.replace(&format!("{}/", dir.display()), "");
    let opened =
        open(&path, &columns(), OnError::Skip).map_err(|error| plain(error.to_string()))?;
    let mut all = told(&opened.table.rows);
    let rest = opened
        .bad
        .iter()
        .map(ToString::to_string)
        .chain(opened.notes);
    all.extend(rest.map(plain));
    Ok(all)
}

#[test]
fn embedded_pictures_paths_texts_and_classes_are_read() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("beside.png"), b"on disk").unwrap();
    let rows: [Cells<'_>; 7] = [
        (Some(b"one"), Some("1.JPG"), Some("first"), Some(0)),
        (Some(b"two"), None, None, Some(1)),
        (None, None, Some("no picture"), Some(-1)),
        (None, Some("beside.png"), None, None),
        (None, Some("none.png"), None, Some(0)),
        (Some(b"six"), None, None, Some(2)),
        (None, None, None, Some(1)),
    ];
    let expected = [
        "row-1 cat image=one text=first []",
        "row-2 dog image=two []",
        "row-3 - text=no picture []",
        "row-4 - image=on disk []",
        "a.parquet:5, column image: none.png does not exist",
        "a.parquet:6, column label: 2 is none of the 2 classes that the file names",
        "a.parquet:7: the row has none of the columns audio, image, text",
        "image is read from the column img, which the file says holds it",
    ];
    for statistics in [EnabledStatistics::Chunk, EnabledStatistics::None] {
        for group in [1, 3, 7] {
            let found = opened(&file(&rows, group, statistics), dir.path()).unwrap();
            assert_eq!(found, expected, "{group} {statistics:?}");
        }
    }
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        let bytes = packed(&rows, 3, EnabledStatistics::Chunk, compression);
        let found = opened(&bytes, dir.path()).unwrap();
        assert_eq!(found, expected, "{compression:?}");
    }
    let path = dir.path().join("a.parquet");
    let rows = open(&path, &columns(), OnError::Skip).unwrap().table.rows;
    let source = &rows.get(0).inputs["image"];
    assert_eq!(source.describe(), format!("{}:1 img", path.display()));
    assert_eq!(source.extension(), Some("jpg".to_owned()));
    assert!(
        source
            .read(2)
            .unwrap_err()
            .to_string()
            .ends_with("3 bytes are more than the 2 allowed")
    );
    let rows = open(&path, &columns(), OnError::Skip).unwrap().table.rows;
    std::fs::write(&path, b"other").unwrap();
    let error = rows.get(1).inputs["image"]
        .read(100)
        .unwrap_err()
        .to_string();
    let expected = "a.parquet:2 img: cannot be read: cannot be read as Parquet: Parquet error: the file has changed since it was opened";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn many_rows_are_read_in_any_order_by_many() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    // More than a page and more than a block in each group.
    let contents: Vec<Vec<u8>> = (0..300u32)
        .map(|i| [&i.to_le_bytes()[..], &vec![i as u8; 20_000]].concat())
        .collect();
    let rows: Vec<Cells<'_>> = contents
        .iter()
        .map(|bytes| (Some(&bytes[..]), None, None, Some(0)))
        .collect();
    std::fs::write(&path, file(&rows, 130, EnabledStatistics::Chunk)).unwrap();
    let rows = open(&path, &columns(), OnError::Fail).unwrap().table.rows;
    std::thread::scope(|scope| {
        for step in [1, 7, 299] {
            let (rows, contents) = (&rows, &contents);
            scope.spawn(move || {
                for i in (0..300).map(|i| i * step % 300) {
                    assert_eq!(
                        rows.get(i).inputs["image"].read(1 << 20).unwrap()[..],
                        contents[i][..],
                        "row {i}"
                    );
                }
            });
        }
    });
}

#[test]
fn files_of_parts_are_one_data_set() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    for name in [
        "train-00000-of-00002",
        "train-00001-of-00002",
        "validation-00000-of-00001",
    ] {
        let bytes = file(
            &[(Some(name.as_bytes()), None, None, Some(0))],
            1,
            EnabledStatistics::Chunk,
        );
        std::fs::write(data.join(name).with_extension("parquet"), bytes).unwrap();
    }
    let rows = open(dir.path(), &columns(), OnError::Fail)
        .unwrap()
        .table
        .rows;
    let splits: Vec<Option<Split>> = rows.iter().map(|row| row.split).collect();
    assert_eq!(
        splits,
        [Some(Split::Train), Some(Split::Train), Some(Split::Valid)]
    );
    assert_eq!(rows.get(2).id, "data/validation-00000-of-00001/row-1");
}

#[test]
fn a_file_cut_or_damaged_anywhere_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<Cells<'_>> = (0..20)
        .map(|i| {
            (
                Some(&b"picture"[..]),
                Some("a.png"),
                Some("text"),
                Some(i % 2),
            )
        })
        .collect();
    let whole = file(&rows, 9, EnabledStatistics::Chunk);
    for length in (0..whole.len()).step_by(7) {
        let error = opened(&whole[..length], dir.path()).unwrap_err();
        assert!(
            error.starts_with("a.parquet: ") && error.lines().count() == 1,
            "{error}"
        );
    }
    for at in (0..whole.len()).step_by(3) {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 0x55;
        let path = dir.path().join("a.parquet");
        std::fs::write(&path, &spoilt).unwrap();
        // Wherever it is, what is read is rows or one line, now or when a content is asked for.
        match open(&path, &columns(), OnError::Skip) {
            Ok(opened) => {
                for (_, source) in opened.table.rows.iter().flat_map(|row| row.inputs) {
                    if let Err(error) = source.read(1 << 20) {
                        assert_eq!(error.to_string().lines().count(), 1, "{error}");
                    }
                }
            }
            Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
        }
    }
}
