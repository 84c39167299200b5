//! Matroska's way to write things (RFC 8794): an identifier, a length, and content that may be more of the same.

/// The elements that follow each other, with their content; up to one that does not fit.
pub(super) fn children(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let element = Element::read(bytes, at)?;
        let end = element.end()?;
        let content = bytes.get(element.data..end)?;
        at = end;
        Some((element.id, content))
    })
}

/// An element of EBML (RFC 8794): an identifier, a length that may be unknown, content.
#[derive(Clone, Copy)]
pub(super) struct Element {
    pub(super) id: u32,
    pub(super) at: usize,
    pub(super) data: usize,
    pub(super) size: Option<u64>,
}

impl Element {
    pub(super) fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let first = *bytes.get(at)?;
        let id_length = first.leading_zeros() as usize + 1;
        let id = bytes.get(at..at + id_length).filter(|id| id.len() <= 4)?;
        let id = id.iter().fold(0u32, |n, b| n << 8 | u32::from(*b));
        let size_at = at + id_length;
        let first = *bytes.get(size_at)?;
        let size_length = first.leading_zeros() as usize + 1;
        let size = bytes
            .get(size_at..size_at + size_length)
            .filter(|size| size.len() <= 8)?;
        let bits = 7 * size_length as u32;
        let size = size.iter().fold(0u64, |n, b| n << 8 | u64::from(*b)) & ((1 << bits) - 1);
        Some(Self {
            id,
            at,
            data: size_at + size_length,
            // All ones is unknown.
            size: (size != (1 << bits) - 1).then_some(size),
        })
    }

    pub(super) fn end(&self) -> Option<usize> {
        self.data.checked_add(usize::try_from(self.size?).ok()?)
    }

    /// With its header, if all of it is there.
    pub(super) fn whole<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        bytes.get(self.at..self.end()?)
    }
}
