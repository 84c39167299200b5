//! A safetensors header, believed only where it agrees with the file: eight bytes of length, that much JSON, and tensors
//! that fill the rest exactly, in some order, without hole or overlap.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde::de::MapAccess;

use crate::error::{shortened, shown};
use crate::once::{Named, Once};
use crate::{Dtype, Error};

/// The longest header that is read, in bytes: the reference implementation's limit.
pub(crate) const LONGEST: u64 = 100_000_000;

/// Where the length stands.
const PREFIX: usize = 8;

/// One tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    /// Its bytes, counted from the start of the file.
    pub(crate) bytes: Range<usize>,
}

/// What a file says it holds, checked against what it has.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Header {
    pub(crate) tensors: BTreeMap<String, Entry>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Reads and checks the header of a whole file; `path` stands for it in messages.
pub(crate) fn parse(path: &Path, file: &[u8]) -> Result<Header, Error> {
    let json = json(path, file)?;
    let data = PREFIX + json.len();
    // The whole of it: a reader of JSON does not look into what it skips.
    let text = str::from_utf8(json)
        .map_err(|error| Error::broken(path, format!("its header is no text: {error}")))?;
    let Once(entries) = serde_json::from_str(text).map_err(|error| {
        let error = shortened(&error.to_string());
        Error::broken(path, format!("its header is no list of tensors: {error}"))
    })?;
    let mut header = Header::default();
    for (name, value) in entries {
        match value {
            RawValue::Metadata(metadata) => header.metadata = metadata,
            RawValue::Tensor(tensor) => {
                let entry = tensor.check(path, &name, data, file.len())?;
                header.tensors.insert(name, entry);
            }
        }
    }
    check_places(path, &header.tensors, data, file.len())?;
    Ok(header)
}

/// The JSON of the header.
fn json<'a>(path: &Path, file: &'a [u8]) -> Result<&'a [u8], Error> {
    let Some((length, rest)) = file.split_first_chunk::<PREFIX>() else {
        let problem = format!(
            "is cut off: {} bytes, and a safetensors file has at least {PREFIX}; download or copy it again",
            file.len()
        );
        return Err(Error::broken(path, problem));
    };
    let length = u64::from_le_bytes(*length);
    if length > LONGEST {
        let problem = format!(
            "is no safetensors file: its header would have {length} bytes, more than the {LONGEST} that are allowed"
        );
        return Err(Error::broken(path, problem));
    }
    let json = usize::try_from(length).ok().and_then(|n| rest.get(..n));
    json.ok_or_else(|| {
        let problem = format!(
            "is cut off: its header has {length} bytes, of which {} are there; download or copy it again",
            rest.len()
        );
        Error::broken(path, problem)
    })
}

/// Tensors must fill the data from its start to the end of the file.
fn check_places(
    path: &Path,
    tensors: &BTreeMap<String, Entry>,
    data: usize,
    end: usize,
) -> Result<(), Error> {
    let mut places: Vec<(&String, &Entry)> = tensors.iter().collect();
    places.sort_by_key(|(_, entry)| (entry.bytes.start, entry.bytes.end));
    let mut filled = data;
    let mut before: Option<&String> = None;
    for (name, entry) in places {
        let at = entry.bytes.start;
        if at < filled {
            let other = before.map_or_else(String::new, |name| shown(name));
            return Err(Error::tensor(
                path,
                name,
                format!("overlaps tensor {other}"),
            ));
        }
        if at > filled {
            let hole = at - filled;
            return Err(Error::tensor(
                path,
                name,
                format!("follows a hole of {hole} bytes"),
            ));
        }
        filled = entry.bytes.end;
        before = Some(name);
    }
    match end - filled {
        0 => Ok(()),
        more => Err(Error::broken(
            path,
            format!("{more} bytes follow the last tensor"),
        )),
    }
}

/// A tensor as the header has it.
#[derive(Deserialize)]
#[serde(expecting = "a tensor's dtype, shape and data_offsets")]
struct RawTensor {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

impl RawTensor {
    fn check(self, path: &Path, name: &str, data: usize, end: usize) -> Result<Entry, Error> {
        let fault = |problem: String| Err(Error::tensor(path, name, problem));
        let Some(dtype) = Dtype::named(&self.dtype) else {
            let known = Dtype::ALL.map(Dtype::name).join(", ");
            return fault(format!(
                "its dtype {} is not one of {known}",
                shown(&self.dtype)
            ));
        };
        let shape = self.shape;
        let count = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
        let Some(size) = count.and_then(|count| count.checked_mul(dtype.size())) else {
            return fault("its shape has more numbers than can be counted".to_owned());
        };
        let place = |offset: u64| usize::try_from(offset).ok()?.checked_add(data);
        let (from, to) = self.data_offsets;
        let (Some(start), Some(stop)) = (place(from), place(to)) else {
            return fault(format!("its place {from}..{to} lies outside any file"));
        };
        if stop < start {
            return fault(format!("its place {from}..{to} ends before it begins"));
        }
        if stop > end {
            let missing = stop - end;
            return fault(format!(
                "ends {missing} bytes after the file: the file is cut off; download or copy it again"
            ));
        }
        if stop - start != size {
            return fault(format!(
                "its place has {} bytes, but {} of shape {} takes {size}",
                stop - start,
                dtype.name(),
                shortened(&format!("{shape:?}"))
            ));
        }
        Ok(Entry {
            dtype,
            shape,
            bytes: start..stop,
        })
    }
}

enum RawValue {
    Metadata(BTreeMap<String, String>),
    Tensor(RawTensor),
}

impl Named for RawValue {
    fn read<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Self, A::Error> {
        match name {
            "__metadata__" => Ok(Self::Metadata(map.next_value::<Once<String>>()?.0)),
            _ => Ok(Self::Tensor(map.next_value()?)),
        }
    }
}

#[cfg(test)]
#[path = "header_tests.rs"]
mod tests;
