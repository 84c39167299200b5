//! Hostile headers: each is one typed error, and none makes the reader allocate beyond the file.

use proptest::prelude::*;

use super::*;

/// A file of this header and so many bytes of data.
pub(crate) fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend((0..data).map(|i| i as u8));
    bytes
}

fn read(bytes: &[u8]) -> Result<Header, Error> {
    parse(Path::new("m.safetensors"), bytes)
}

fn refused(header: &str, data: usize) -> String {
    read(&file(header, data)).unwrap_err().to_string()
}

const GOOD: &str = r#"{"__metadata__":{"format":"pt"},
    "b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},
    "a":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]},
    "none":{"dtype":"I64","shape":[0,7],"data_offsets":[12,12]}}"#;

#[test]
fn a_good_file_is_read() {
    let header = read(&file(GOOD, 12)).unwrap();
    assert_eq!(header.metadata["format"], "pt");
    let start = 8 + GOOD.len();
    assert_eq!(header.tensors.len(), 3);
    assert_eq!(
        header.tensors["b"],
        Entry {
            dtype: Dtype::F32,
            shape: vec![2],
            bytes: start + 4..start + 12
        }
    );
    assert!(read(&file("{}", 0)).unwrap().tensors.is_empty());
}

#[test]
fn each_fault_is_named() {
    let one = |dtype: &str, shape: &str, from: &str, to: &str| {
        format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{from},{to}]}}}}"#)
    };
    for (header, data, expected) in [
        (
            one("F32", "[2]", "0", "8"),
            7,
            "tensor w: ends 1 bytes after the file",
        ),
        (
            one("F32", "[2]", "0", "8"),
            9,
            "1 bytes follow the last tensor",
        ),
        (
            one("F32", "[2]", "1", "9"),
            9,
            "tensor w: follows a hole of 1 bytes",
        ),
        (
            one("F32", "[3]", "0", "8"),
            8,
            "has 8 bytes, but F32 of shape [3] takes 12",
        ),
        (one("F32", "[2]", "8", "0"), 8, "8..0 ends before it begins"),
        (
            one("F4", "[2]", "0", "8"),
            8,
            "its dtype F4 is not one of BOOL, U8",
        ),
        (
            one("F32", "[4294967296,4294967296]", "0", "8"),
            8,
            "more numbers than can be counted",
        ),
        (
            one("F64", "[2305843009213693952]", "0", "8"),
            8,
            "more numbers than can be counted",
        ),
        (
            one("F32", "[2]", "18446744073709551608", "18446744073709551615"),
            8,
            "lies outside any file",
        ),
        (
            one("F32", "[-1]", "0", "8"),
            8,
            "its header is no list of tensors",
        ),
        (
            one("F32", "[1.5]", "0", "8"),
            8,
            "its header is no list of tensors",
        ),
        ("[]".to_owned(), 0, "its header is no list of tensors"),
        ("{} x".to_owned(), 0, "its header is no list of tensors"),
        (r#"{"w":{"dtype":"F32"}}"#.to_owned(), 0, "missing field"),
        ("[".repeat(4000), 0, "its header is no list of tensors"),
    ] {
        let message = refused(&header, data);
        assert!(message.contains(expected), "{header:.80}: {message}");
        assert!(message.starts_with("m.safetensors: "), "{message}");
        assert!(!message.contains('\n') && message.len() < 600, "{message}");
    }
}

#[test]
fn names_stand_there_once() {
    let w = r#""w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;
    assert!(refused(&format!("{{{w},{w}}}"), 1).contains("w stands there twice"));
    let twice = r#"{"w":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}"#;
    assert!(refused(twice, 1).contains("duplicate field"));
    let metadata = r#"{"__metadata__":{"format":"pt","format":"tf"}}"#;
    assert!(refused(metadata, 0).contains("format stands there twice"));
}

#[test]
fn tensors_do_not_overlap() {
    let header = r#"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},
        "b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#;
    assert!(refused(header, 4).contains("tensor b: overlaps tensor a"));
}

#[test]
fn lengths_of_the_header_are_not_believed() {
    let long = |n: u64| n.to_le_bytes().to_vec();
    for (bytes, expected) in [
        (vec![], "is cut off: 0 bytes"),
        (vec![1, 2, 3], "is cut off: 3 bytes"),
        (long(1), "its header has 1 bytes, of which 0 are there"),
        (long(LONGEST), "is cut off"),
        (long(LONGEST + 1), "is no safetensors file"),
        (long(u64::MAX), "is no safetensors file"),
        (long(0), "its header is no list of tensors"),
    ] {
        let message = read(&bytes).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_long_or_wild_name_makes_a_short_line() {
    let name = "x\\n".repeat(5000);
    let header = format!(r#"{{"{name}":{{"dtype":"?","shape":[],"data_offsets":[0,0]}}}}"#);
    let message = refused(&header, 0);
    assert!(message.len() < 600 && !message.contains('\n'), "{message}");
}

#[test]
fn what_a_header_holds_is_not_repeated_at_length() {
    let text = format!(r#"{{"w":["U8","{}",[0,0]]}}"#, "x\\n".repeat(5000));
    let shape = format!(r#"{{"w":["U8",[9{}],[0,0]]}}"#, ",1".repeat(5000));
    for (header, start, end) in [
        (text, "no list of tensors: invalid type", "column 15013"),
        (shape, "of shape [9, 1, 1, ", "takes 9"),
    ] {
        let message = refused(&header, 0);
        assert!(
            message.contains(start) && message.ends_with(end),
            "{message}"
        );
        assert!(message.len() < 600 && message.contains('…'), "{message}");
    }
}

#[test]
fn a_header_is_text_also_where_it_is_skipped() {
    let header = b"{\"w\":{\"x\":\"\xff\",\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}";
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    let message = read(&bytes).unwrap_err().to_string();
    assert!(message.contains("its header is no text"), "{message}");
}

#[test]
fn cut_anywhere_it_is_refused() {
    let whole = file(GOOD, 12);
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).is_err(), "cut at {end}");
    }
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_there_is_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn a_changed_byte_is_read_whole_or_refused(at in 0usize..8 + GOOD.len(), to in any::<u8>()) {
        let mut bytes = file(GOOD, 12);
        bytes[at] = to;
        if let Ok(header) = read(&bytes) {
            for entry in header.tensors.values() {
                prop_assert!(entry.bytes.end <= bytes.len());
                let count: usize = entry.shape.iter().product();
                prop_assert_eq!(count * entry.dtype.size(), entry.bytes.len());
            }
        }
    }

    #[test]
    fn what_the_reference_writes_is_read(sizes in proptest::collection::vec(0usize..5, 0..6)) {
        let data: Vec<Vec<u8>> = sizes.iter().map(|n| vec![7; n * 4]).collect();
        let views = sizes.iter().zip(&data).enumerate().map(|(i, (n, data))| {
            let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![*n], data);
            (format!("t{i}"), view.unwrap())
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        let header = read(&bytes).unwrap();
        prop_assert_eq!(header.tensors.len(), sizes.len());
        for (i, n) in sizes.iter().enumerate() {
            prop_assert_eq!(&header.tensors[&format!("t{i}")].shape, &vec![*n]);
        }
    }
}
