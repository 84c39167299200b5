//! TensorFlow's messages `Event` and `Summary`, as far as curves need them, in the wire format of protocol buffers.

/// What the first event of a file says.
const VERSION: &str = "brain.Event:2";

/// Kinds of fields on the wire.
const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const BYTES: u8 = 2;
const FIXED_32: u8 = 5;

/// Numbers of fields: of `Event`,
const WALL_TIME: u8 = 1;
const STEP: u8 = 2;
const FILE_VERSION: u8 = 3;
const SUMMARY: u8 = 5;
/// of `Summary`,
const VALUE: u8 = 1;
/// and of `Summary.Value`.
const TAG: u8 = 1;
const SIMPLE_VALUE: u8 = 2;

/// The event that a file begins with.
pub(super) fn version(wall_time: f64) -> Vec<u8> {
    let mut event = Vec::new();
    fixed_64(&mut event, WALL_TIME, wall_time);
    bytes(&mut event, FILE_VERSION, VERSION.as_bytes());
    event
}

/// Numbers by tag, of one step.
pub(super) fn scalars(wall_time: f64, step: u64, scalars: &[(String, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, number) in scalars {
        let mut value = Vec::new();
        bytes(&mut value, TAG, tag.as_bytes());
        key(&mut value, SIMPLE_VALUE, FIXED_32);
        value.extend_from_slice(&(*number as f32).to_le_bytes());
        bytes(&mut summary, VALUE, &value);
    }
    let mut event = Vec::new();
    fixed_64(&mut event, WALL_TIME, wall_time);
    key(&mut event, STEP, VARINT);
    varint(&mut event, step);
    bytes(&mut event, SUMMARY, &summary);
    event
}

fn key(out: &mut Vec<u8>, field: u8, kind: u8) {
    out.push(field << 3 | kind);
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn fixed_64(out: &mut Vec<u8>, field: u8, number: f64) {
    key(out, field, FIXED_64);
    out.extend_from_slice(&number.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    key(out, field, BYTES);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// A field as it lies on the wire.
enum Field<'a> {
    Number(u64),
    Bytes(
        #[cfg_attr(
            not(test),
            expect(dead_code, reason = "only tests read what a run wrote")
        )]
        &'a [u8],
    ),
}

/// The fields of a message by number; nothing, if it is none.
fn fields(message: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let mut rest = message;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let key = take_varint(&mut rest)?;
        let field = match (key & 7) as u8 {
            VARINT => Field::Number(take_varint(&mut rest)?),
            FIXED_64 => Field::Bytes(take(&mut rest, 8)?),
            BYTES => {
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                Field::Bytes(take(&mut rest, length)?)
            }
            FIXED_32 => Field::Bytes(take(&mut rest, 4)?),
            _ => return None,
        };
        fields.push((key >> 3, field));
    }
    Some(fields)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *take(rest, 1)?.first()?;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// The step of an event, 0 if it names none; nothing, if it is no event.
pub(super) fn step(event: &[u8]) -> Option<u64> {
    let step = fields(event)?.into_iter().find_map(|field| match field {
        (number, Field::Number(step)) if number == u64::from(STEP) => Some(step),
        _ => None,
    });
    Some(step.unwrap_or(0))
}

#[cfg(test)]
pub(super) use reading::{read_scalars, read_version};

/// What a test reads back.
#[cfg(test)]
mod reading {
    use super::*;

    fn all(message: &[u8], wanted: u8) -> Option<Vec<&[u8]>> {
        let fields = fields(message)?.into_iter();
        let contents = fields.filter_map(|field| match field {
            (number, Field::Bytes(content)) if number == u64::from(wanted) => Some(content),
            _ => None,
        });
        Some(contents.collect())
    }

    pub(in super::super) fn read_version(event: &[u8]) -> Option<String> {
        let version = all(event, FILE_VERSION)?.first()?.to_vec();
        String::from_utf8(version).ok()
    }

    pub(in super::super) fn read_scalars(event: &[u8]) -> Option<Vec<(String, f32)>> {
        let summary = *all(event, SUMMARY)?.first()?;
        let values = all(summary, VALUE)?.into_iter();
        let scalar = |value| {
            let tag = String::from_utf8(all(value, TAG)?.first()?.to_vec()).ok()?;
            let number: [u8; 4] = (*all(value, SIMPLE_VALUE)?.first()?).try_into().ok()?;
            Some((tag, f32::from_le_bytes(number)))
        };
        values.map(scalar).collect()
    }
}
