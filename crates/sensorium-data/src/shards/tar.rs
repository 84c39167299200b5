//! The headers of a tar archive, one after the other, with the contents passed over: ustar, pax and GNU names.
//!
//! A shard is a stranger's file. What is wrong with one member is told of it, and reading goes on; where the archive itself
//! cannot be trusted any more, reading ends.

use std::io::{BufReader, Read, Seek};

const BLOCK: u64 = 512;

/// The longest name or list of extended values that is read, in bytes.
const LONGEST_NAME: u64 = 1 << 16;

/// How far behind the end it is looked for more, in bytes: writers fill the last record with zeros.
const LOOKED_BEHIND: u64 = 1 << 16;

/// A file in an archive: its name, and where its content stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) at: u64,
    pub(super) size: u64,
}

/// What a header speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File(Member),
    /// What is no sample's: the name, and why.
    Refused(String, String),
}

/// Reads headers.
pub(super) struct Headers<R> {
    reader: BufReader<R>,
    /// Where the reader stands.
    at: u64,
    /// Where the next header begins.
    next: u64,
    /// The archive's size.
    len: u64,
    /// The name last read, to say where something is wrong.
    last: Option<String>,
}

/// What headers before a member's own say of it.
#[derive(Default)]
struct Extended {
    name: Option<String>,
    size: Option<u64>,
    refused: Option<&'static str>,
}

impl<R: Read + Seek> Headers<R> {
    /// Of an archive of `len` bytes.
    pub(super) fn new(reader: R, len: u64) -> Self {
        Self {
            // A header and what stands near it: contents that are passed over are not read.
            reader: BufReader::with_capacity(1 << 14, reader),
            at: 0,
            next: 0,
            len,
            last: None,
        }
    }

    /// The next entry; none at the archive's end.
    ///
    /// # Errors
    /// Why the archive cannot be read on from here.
    pub(super) fn entry(&mut self) -> Result<Option<Entry>, String> {
        let mut extended = Extended::default();
        loop {
            let Some(block) = self.header()? else {
                return Ok(None);
            };
            let size = number(&block[124..136])
                .ok_or_else(|| self.told("has a size that is no number"))?;
            match block[156] {
                b'L' => {
                    let name = self.value(size)?;
                    let end = name.iter().position(|byte| *byte == 0);
                    let name = name[..end.unwrap_or(name.len())].to_vec();
                    match String::from_utf8(name) {
                        Ok(name) => extended.name = Some(name),
                        Err(_) => extended.refused = Some(NOT_UTF8),
                    }
                }
                // The target of a link, which is refused anyway.
                b'K' => drop(self.value(size)?),
                b'x' => self.pax(size, &mut extended)?,
                b'g' => {
                    let mut all = Extended::default();
                    self.pax(size, &mut all)?;
                    if all.name.is_some() || all.size.is_some() {
                        return Err(self.told("gives all members one name or size"));
                    }
                }
                kind => {
                    if let Some(entry) = self.member(&block, kind, size, extended)? {
                        return Ok(Some(entry));
                    }
                    extended = Extended::default();
                }
            }
        }
    }

    /// The content of the member that was read last.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn content(&mut self, member: &Member) -> Result<Vec<u8>, String> {
        self.go_to(member.at)?;
        self.take(member.size)
    }

    /// A header whose sum is right; none at the archive's end.
    fn header(&mut self) -> Result<Option<[u8; 512]>, String> {
        if self.len.saturating_sub(self.next) < BLOCK {
            let reason = match self.len {
                0 => "is empty".to_owned(),
                _ => self.told("is cut off: the end of an archive is missing"),
            };
            return Err(reason);
        }
        self.go_to(self.next)?;
        let mut block = [0; BLOCK as usize];
        self.read(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            self.nothing_behind()?;
            return Ok(None);
        }
        if self.next == 0
            && let Some((how, with)) = compressed(&block)
        {
            return Err(format!(
                "is compressed with {how}: unpack it first, with {with}"
            ));
        }
        let told = number(&block[148..156]);
        let sum = |signed: bool| -> i64 {
            let bytes = block.iter().enumerate();
            let value = |(i, byte): (usize, &u8)| match (148..156).contains(&i) {
                true => i64::from(b' '),
                false if signed => i64::from(*byte as i8),
                false => i64::from(*byte),
            };
            bytes.map(value).sum()
        };
        // Some old writers added signed bytes.
        if told
            .is_none_or(|told| i64::try_from(told).is_ok_and(|t| t != sum(false) && t != sum(true)))
        {
            let reason = match self.next {
                0 => "is no tar archive, or its first header is damaged (the checksum is wrong)"
                    .to_owned(),
                at => self.told(&format!(
                    "has a damaged header at byte {at} (the checksum is wrong)"
                )),
            };
            return Err(reason);
        }
        self.next += BLOCK;
        Ok(Some(block))
    }

    /// What a member's own header says; none for a folder.
    fn member(
        &mut self,
        block: &[u8; 512],
        kind: u8,
        size: u64,
        extended: Extended,
    ) -> Result<Option<Entry>, String> {
        let size = extended.size.unwrap_or(size);
        let own = own_name(block);
        let shown = extended.name.clone().or_else(|| own.clone());
        let shown = shown.unwrap_or_else(|| {
            String::from_utf8_lossy(&block[..100])
                .trim_end_matches('\0')
                .to_owned()
        });
        let shown = shown.replace(char::is_control, "?");
        self.last = Some(shown.clone());
        let at = self.next;
        let end = at.checked_add(size).filter(|end| *end <= self.len);
        if end.is_none() {
            return Err(format!(
                "is cut off in {shown}: it says that it has {size} bytes, and {} are left",
                self.len - at
            ));
        }
        // Up to the next whole block, which a file that is cut off may lack.
        self.next = at + size.next_multiple_of(BLOCK);
        let what = match kind {
            b'0' | 0 | b'7' => None,
            b'1' | b'2' => Some("is a link: only files are read"),
            b'3' | b'4' => Some("is a device: only files are read"),
            b'5' => Some("is a folder"),
            b'6' => Some("is a pipe: only files are read"),
            b'S' => Some("is stored with holes (sparse): pack it without"),
            _ => Some("is of a kind that is not known: only files are read"),
        };
        if matches!(kind, b'1'..=b'6') && size > 0 {
            return Err(format!(
                "is damaged at {shown}: what has no content says that it has {size} bytes"
            ));
        }
        if kind == b'5' {
            return Ok(None);
        }
        let name = extended.name.or(own);
        let refused = extended.refused.or(what).map(str::to_owned);
        let name = match (refused, name) {
            (Some(reason), _) => Err(reason),
            (None, None) => Err(NOT_UTF8.to_owned()),
            (None, Some(name)) => plain(&name),
        };
        Ok(Some(match name {
            Ok(name) => Entry::File(Member { name, at, size }),
            Err(reason) => Entry::Refused(shown, reason),
        }))
    }

    /// Extended values: `LENGTH KEY=VALUE\n`, again and again.
    fn pax(&mut self, size: u64, extended: &mut Extended) -> Result<(), String> {
        let values = self.value(size)?;
        let mut rest = &values[..];
        while !rest.is_empty() {
            let (key, value, more) =
                pax_value(rest).ok_or_else(|| self.told("has extended values that are damaged"))?;
            rest = more;
            match key {
                b"path" => match std::str::from_utf8(value) {
                    Ok(path) => extended.name = Some(path.to_owned()),
                    Err(_) => extended.refused = Some(NOT_UTF8),
                },
                b"size" => {
                    let size = std::str::from_utf8(value)
                        .ok()
                        .and_then(|text| text.parse().ok());
                    let size: u64 =
                        size.ok_or_else(|| self.told("has a size that is no number"))?;
                    extended.size = Some(size);
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    extended.refused = Some("is stored with holes (sparse): pack it without");
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The content of a header that speaks of the next one.
    fn value(&mut self, size: u64) -> Result<Vec<u8>, String> {
        if size > LONGEST_NAME {
            return Err(self.told(&format!(
                "has a name of {size} bytes, more than {LONGEST_NAME}"
            )));
        }
        if self.len - self.next < size {
            return Err(self.told("is cut off in the name of a member"));
        }
        let value = self.take(size)?;
        self.next += size.next_multiple_of(BLOCK);
        Ok(value)
    }

    /// Refuses what stands behind the end: it would be lost without a word.
    fn nothing_behind(&mut self) -> Result<(), String> {
        let left = (self.len - self.at).min(LOOKED_BEHIND);
        match self.take(left)?.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => {
                Err(self
                    .told("goes on behind its end: are these several archives in one? split them"))
            }
        }
    }

    fn go_to(&mut self, at: u64) -> Result<(), String> {
        let by = i64::try_from(at).ok().zip(i64::try_from(self.at).ok());
        let (to, from) = by.ok_or("is too large")?;
        self.reader
            .seek_relative(to - from)
            .map_err(|error| format!("cannot be read: {error}"))?;
        self.at = at;
        Ok(())
    }

    fn take(&mut self, size: u64) -> Result<Vec<u8>, String> {
        let size = usize::try_from(size).map_err(|_| "is too large")?;
        let mut bytes = vec![0; size];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        let read = self.reader.read_exact(bytes);
        read.map_err(|error| self.told(&format!("cannot be read: {error}")))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Where something is wrong.
    fn told(&self, what: &str) -> String {
        match &self.last {
            Some(name) => format!("behind {name}: {what}"),
            None => what.to_owned(),
        }
    }
}

const NOT_UTF8: &str = "has a name that is not UTF-8";

/// A number in octal digits, or in base 256 where the first bit says so.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        // The first byte's sign, and what no size has.
        if field[0] != 0x80 || field[1..field.len() - 8].iter().any(|byte| *byte != 0) {
            return None;
        }
        let last = field.last_chunk::<8>()?;
        return Some(u64::from_be_bytes(*last)).filter(|n| i64::try_from(*n).is_ok());
    }
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches(|c| c == ' ' || c == '\0');
    match text {
        "" => Some(0),
        text if text.bytes().all(|digit| (b'0'..=b'7').contains(&digit)) => {
            u64::from_str_radix(text, 8).ok()
        }
        _ => None,
    }
}

/// The name in a member's own header.
fn own_name(block: &[u8; 512]) -> Option<String> {
    let text = |field: &[u8]| {
        let end = field.iter().position(|byte| *byte == 0);
        String::from_utf8(field[..end.unwrap_or(field.len())].to_vec()).ok()
    };
    let name = text(&block[..100])?;
    // GNU tar keeps other things where POSIX keeps the start of a long name.
    let prefix = match &block[257..263] == b"ustar\0" {
        true => text(&block[345..500])?,
        false => String::new(),
    };
    Some(match prefix.is_empty() {
        true => name,
        false => format!("{prefix}/{name}"),
    })
}

/// A path that stays where it is, without the dot it may begin with; else why not.
fn plain(name: &str) -> Result<String, String> {
    let mut name = name;
    while let Some(rest) = name.strip_prefix("./") {
        name = rest.trim_start_matches('/');
    }
    if name.chars().any(char::is_control) {
        return Err("has a control character in its name".to_owned());
    }
    if name.starts_with('/') || name.contains('\\') || name.get(1..2) == Some(":") {
        return Err("has a path that is not relative".to_owned());
    }
    if name.split('/').any(|part| part == "..") {
        return Err("has a path that leads out of the archive".to_owned());
    }
    match name.is_empty() || name.ends_with('/') {
        true => Err("has no name".to_owned()),
        false => Ok(name.to_owned()),
    }
}

/// The first extended value, and what follows.
fn pax_value(values: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = values.iter().take(12).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&values[..space]).ok()?.parse().ok()?;
    let record = values.get(space + 1..length)?;
    let record = record.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], &values[length..]))
}

/// How a file is compressed, and what unpacks it.
fn compressed(start: &[u8]) -> Option<(&'static str, &'static str)> {
    const KINDS: [(&[u8], &str, &str); 4] = [
        (b"\x1f\x8b", "gzip", "gunzip"),
        (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"),
        (b"\xfd7zXZ\0", "xz", "unxz"),
        (b"BZh", "bzip2", "bunzip2"),
    ];
    let found = KINDS.iter().find(|(magic, ..)| start.starts_with(magic));
    found.map(|(_, how, with)| (*how, *with))
}
