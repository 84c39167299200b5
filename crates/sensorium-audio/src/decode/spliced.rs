//! A file of two parts for a demuxer: bytes of our own, and a stretch of the file at hand after them.

use std::io::{Read, Result as IoResult, Seek, SeekFrom};
use std::sync::Arc;

use symphonia::core::io::MediaSource;

/// Bytes of our own, and a part of a file after them.
pub(super) struct Spliced {
    head: Vec<u8>,
    file: Arc<[u8]>,
    part: std::ops::Range<usize>,
    at: u64,
}

impl Spliced {
    pub(super) fn new(head: Vec<u8>, file: Arc<[u8]>, part: std::ops::Range<usize>) -> Self {
        Self {
            head,
            file,
            part,
            at: 0,
        }
    }

    fn len(&self) -> u64 {
        (self.head.len() + self.part.len()) as u64
    }
}

impl Read for Spliced {
    fn read(&mut self, to: &mut [u8]) -> IoResult<usize> {
        let at = usize::try_from(self.at).unwrap_or(usize::MAX);
        let from = match self.head.get(at..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => self.file[self.part.clone()]
                .get(at - self.head.len()..)
                .unwrap_or(&[]),
        };
        let count = from.len().min(to.len());
        to[..count].copy_from_slice(&from[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Spliced {
    fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| std::io::Error::other("before the start"))?;
        Ok(self.at)
    }
}

impl MediaSource for Spliced {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len())
    }
}
