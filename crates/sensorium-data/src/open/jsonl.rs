//! JSON lines: one object a line.

use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::cells::{Cells, Collector, Found};
use super::{LONGEST_LINE, MOST_ROWS, Names};
use crate::{Columns, Error};

/// Reads a manifest line by line; no line is held longer than it is looked at.
pub(super) fn read(path: &Path, columns: &Columns) -> Result<Found, Error> {
    let io = |error| Error::io(path, "read", error);
    let mut reader = BufReader::new(std::fs::File::open(path).map_err(io)?);
    let mut rows = Collector::new(path, columns);
    let mut names = Names::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let more = read_line(&mut reader, &mut line).map_err(io)?;
        let Some(fits) = more else { break };
        if number > MOST_ROWS {
            return Err(Error::NotData {
                path: path.to_owned(),
                reason: format!("has more than {MOST_ROWS} rows"),
            });
        }
        if !fits {
            rows.bad(
                number,
                "",
                format!("the line is longer than {LONGEST_LINE} bytes"),
            );
            continue;
        }
        let text = match std::str::from_utf8(&line) {
            Ok(text) => text.trim_start_matches('\u{feff}').trim(),
            Err(error) => {
                let at = error.valid_up_to() + 1;
                rows.bad(
                    number,
                    "",
                    format!("byte {at} is not UTF-8; save the file as UTF-8"),
                );
                continue;
            }
        };
        if text.is_empty() {
            continue;
        }
        match object(text, &mut names) {
            Ok(cells) => rows.take(number, cells),
            Err(reason) => rows.bad(number, "", reason),
        }
    }
    rows.finish()
}

/// Reads up to the line's end; `Some(false)` if the line is too long to keep, `None` at the end.
pub(super) fn read_line(
    reader: &mut impl BufRead,
    line: &mut Vec<u8>,
) -> std::io::Result<Option<bool>> {
    let mut begun = false;
    let mut fits = true;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(begun.then_some(fits));
        }
        begun = true;
        let end = buffer.iter().position(|b| *b == b'\n');
        let taken = end.map_or(buffer.len(), |end| end + 1);
        fits &= line.len() + taken <= LONGEST_LINE;
        if fits {
            line.extend_from_slice(&buffer[..taken]);
        }
        reader.consume(taken);
        if end.is_some() {
            return Ok(Some(fits));
        }
    }
}

/// An object's values as texts, and none for `null`. Nested values are kept as JSON.
pub(crate) fn object(text: &str, names: &mut Names) -> Result<Cells, String> {
    if !text.trim_start().starts_with('{') {
        let valid = serde_json::from_str::<Value>(text);
        return Err(match valid {
            Ok(_) => {
                "is not an object such as {\"image\": \"a.png\", \"label\": \"cat\"}".to_owned()
            }
            Err(error) => format!("is not JSON: {error}"),
        });
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let cells = Object(names).deserialize(&mut reader);
    let cells = cells.and_then(|cells| reader.end().map(|()| cells));
    cells.map_err(|error| format!("is not JSON: {error}"))
}

/// Reads an object without a tree of values in between.
struct Object<'a>(&'a mut Names);

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Cells;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Cells, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Cells;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cells, A::Error> {
        let mut cells = Cells::new();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let cell = match map.next_value::<Value>()? {
                Value::Null => None,
                Value::String(text) => Some(text),
                other => Some(other.to_string()),
            };
            cells.push((self.0.share(&name), cell));
        }
        Ok(cells)
    }
}
