//! Shards that are cut off, damaged, or made to do harm.

use std::io::Cursor;

use super::tar::{Entry, Headers};
use super::tests::{archive, columns, told};
use crate::{OnError, open};

/// Everything a reader of headers says of some bytes.
fn headers(bytes: &[u8]) -> (Vec<Entry>, Option<String>) {
    let mut headers = Headers::new(Cursor::new(bytes), bytes.len() as u64);
    let mut entries = Vec::new();
    loop {
        match headers.entry() {
            Ok(Some(entry)) => {
                if let Entry::File(member) = &entry {
                    assert!(member.at + member.size <= bytes.len() as u64);
                    assert_eq!(headers.content(member).unwrap().len() as u64, member.size);
                }
                entries.push(entry);
            }
            Ok(None) => return (entries, None),
            Err(reason) => return (entries, Some(reason)),
        }
    }
}

/// One member whose header is changed, and its checksum made right again.
fn changed(change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = archive(&[("a.png", b"content")]);
    change(&mut bytes[..512]);
    seal(&mut bytes[..512]);
    bytes
}

fn seal(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

/// What opening a file of these bytes says.
fn opened(bytes: &[u8]) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tar");
    std::fs::write(&path, bytes).unwrap();
    let opened = open(&path, &columns(), OnError::Fail);
    let opened = opened.map_err(|error| {
        error
            .to_string()
            .replace(&format!("{}/", dir.path().display()), "")
    });
    Ok(told(&opened?.table.rows))
}

#[test]
fn what_the_members_are_is_judged() {
    let skip = " (use --on-error skip to leave such rows out)";
    let check = |change: &dyn Fn(&mut [u8]), expected: &str| {
        let told = opened(&changed(change)).unwrap_err();
        assert_eq!(told.trim_end_matches(skip), expected);
    };
    let name = |name: &'static str| {
        move |header: &mut [u8]| {
            header[..100].fill(0);
            header[..name.len()].copy_from_slice(name.as_bytes());
        }
    };
    check(
        &name("/etc/a.png"),
        "1 bad row: a.tar:1: /etc/a.png has a path that is not relative",
    );
    check(
        &name("../a.png"),
        "1 bad row: a.tar:1: ../a.png has a path that leads out of the archive",
    );
    check(
        &name("b/../a.png"),
        "1 bad row: a.tar:1: b/../a.png has a path that leads out of the archive",
    );
    check(
        &name("c:a.png"),
        "1 bad row: a.tar:1: c:a.png has a path that is not relative",
    );
    check(
        &name("a\nb.png"),
        "1 bad row: a.tar:1: a?b.png has a control character in its name",
    );
    check(
        &|h| h[0] = 0xff,
        "1 bad row: a.tar:1: \u{fffd}.png has a name that is not UTF-8",
    );
    check(
        &|h| h[156] = b'S',
        "1 bad row: a.tar:1: a.png is stored with holes (sparse): pack it without",
    );
    check(
        &|h| h[156] = b'Z',
        "1 bad row: a.tar:1: a.png is of a kind that is not known: only files are read",
    );
    let empty = |kind: u8| {
        move |h: &mut [u8]| {
            h[156] = kind;
            h[124..136].fill(b'0')
        }
    };
    let linked = changed(|h| {
        empty(b'2')(h);
    });
    // The content of a link has no place: what follows it must be a header.
    let linked = [&linked[..512], &[0; 1024]].concat();
    let told = opened(&linked).unwrap_err();
    assert_eq!(
        told.trim_end_matches(skip),
        "1 bad row: a.tar:1: a.png is a link: only files are read"
    );
    check(
        &|h| h[156] = b'1',
        "a.tar: is damaged at a.png: what has no content says that it has 7 bytes",
    );
    check(
        &|h| h[124..136].fill(b'7'),
        "a.tar: is cut off in a.png: it says that it has 68719476735 bytes, and 1536 are left",
    );
    check(
        &|h| h[124..136].fill(b'9'),
        "a.tar: has a size that is no number",
    );
    check(
        &|h| {
            h[124..136].fill(0xff);
        },
        "a.tar: has a size that is no number",
    );
    check(
        &|h| {
            h[124..136].fill(0);
            h[124] = 0x80;
            h[128] = 0x7f;
            h[129] = 0xff
        },
        "a.tar: is cut off in a.png: it says that it has 9223090561878065152 bytes, and 1536 are left",
    );
    check(
        &|h| {
            h[156] = b'L';
            h[124..136].copy_from_slice(b"00001000000\0");
        },
        "a.tar: has a name of 262144 bytes, more than 65536",
    );
}

#[test]
fn what_is_no_archive_says_so() {
    let refuse = |bytes: &[u8], expected: &str| assert_eq!(opened(bytes).unwrap_err(), expected);
    let gzip = [&b"\x1f\x8b\x08\0"[..], &[7; 600]].concat();
    refuse(
        &gzip,
        "a.tar: is compressed with gzip: unpack it first, with gunzip",
    );
    let zstd = [&b"\x28\xb5\x2f\xfd"[..], &[7; 600]].concat();
    refuse(
        &zstd,
        "a.tar: is compressed with zstd: unpack it first, with unzstd",
    );
    refuse(
        &[7; 600],
        "a.tar: is no tar archive, or its first header is damaged (the checksum is wrong)",
    );
    refuse(b"", "a.tar: is empty");
    let one = archive(&[("a.png", b"1")]);
    let two = [one.clone(), archive(&[("b.png", b"2")])].concat();
    refuse(
        &two,
        "a.tar: behind a.png: goes on behind its end: are these several archives in one? split them",
    );
    let mut damaged = [&one[..1024], &archive(&[("b.png", b"2")])[..]].concat();
    damaged[1024] ^= 1;
    refuse(
        &damaged,
        "a.tar: behind a.png: has a damaged header at byte 1024 (the checksum is wrong)",
    );
}

#[test]
fn long_names_of_both_kinds_are_read() {
    let long = format!("{}/0.png", "folder".repeat(30));
    // GNU: the crate writes a name of its own before the header.
    let gnu = archive(&[(&long, b"content")]);
    let expected = format!("{} - image=content []", long.strip_suffix(".png").unwrap());
    assert_eq!(opened(&gnu).unwrap(), std::slice::from_ref(&expected));
    // POSIX: extended values, of which the size counts too.
    let mut tar = ::tar::Builder::new(Vec::new());
    let values = [("path", long.as_bytes()), ("size", b"7"), ("mtime", b"1.5")];
    tar.append_pax_extensions(values).unwrap();
    let mut header = ::tar::Header::new_ustar();
    header.set_path("short.png").unwrap();
    header.set_size(7);
    header.set_cksum();
    tar.append(&header, &b"content"[..]).unwrap();
    assert_eq!(opened(&tar.into_inner().unwrap()).unwrap(), [expected]);
}

/// An archive with all that is read: long names, extended values, folders, several members.
fn rich() -> Vec<u8> {
    let long = format!("{}/0.png", "folder".repeat(30));
    let mut tar = ::tar::Builder::new(Vec::new());
    let mut add = |name: &str, content: &[u8]| {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content).unwrap();
    };
    add(&long, b"content");
    add("b.txt", &[b'x'; 700]);
    add("b.json", br#"{"label": "cat"}"#);
    tar.append_pax_extensions([("path", &b"c.cls"[..])])
        .unwrap();
    let mut header = ::tar::Header::new_ustar();
    header.set_path("short").unwrap();
    header.set_size(1);
    header.set_cksum();
    tar.append(&header, &b"3"[..]).unwrap();
    tar.into_inner().unwrap()
}

#[test]
fn an_archive_cut_anywhere_is_not_taken_for_whole() {
    let whole = rich();
    let (entries, error) = headers(&whole);
    assert_eq!((entries.len(), error), (4, None));
    let end = whole.len() - 1024;
    for length in 0..whole.len() {
        let (found, error) = headers(&whole[..length]);
        // The first empty block is an end; the second is not needed to know that nothing is missing.
        assert_eq!(error.is_none(), length >= end + 512, "cut at {length}");
        assert!(entries.starts_with(&found), "cut at {length}");
    }
}

#[test]
fn no_flipped_byte_of_a_header_goes_unnoticed() {
    let whole = rich();
    let mut at = 0;
    let mut tried = 0;
    while at < whole.len() - 1024 {
        for byte in at..at + 512 {
            let mut spoilt = whole.clone();
            spoilt[byte] ^= 0x15;
            let (_, error) = headers(&spoilt);
            assert!(
                error.is_some_and(|reason| reason.contains("checksum")),
                "byte {byte}"
            );
            tried += 1;
        }
        let size = std::str::from_utf8(&whole[at + 124..at + 135]).unwrap();
        at += 512
            + usize::from_str_radix(size, 8)
                .unwrap()
                .next_multiple_of(512);
    }
    // A name of its own before the first member, and extended values before the last.
    assert_eq!(tried, 6 * 512);
}

proptest::proptest! {
    #[test]
    fn any_change_gives_entries_or_a_reason(changes in proptest::collection::vec((0usize..6144, 0u8..=255), 1..12), sealed: bool) {
        let mut bytes = rich();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        if sealed {
            for block in bytes.chunks_mut(512).filter(|block| block[0] != 0) {
                seal(block);
            }
        }
        headers(&bytes);
        let _ = opened(&bytes);
    }
}
