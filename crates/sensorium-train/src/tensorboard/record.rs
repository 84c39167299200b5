//! TFRecord: a length and its checksum, bytes and their checksum, one after the other.

/// Castagnoli's polynomial, its bits the other way round (RFC 3720, appendix B.4).
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// What a checksum that stands beside its own bytes is moved by, in TensorFlow's `crc32c.h`.
const MASK: u32 = 0xA282_EAD8;

/// Bytes before and after the content.
const BEFORE: usize = 12;
const AFTER: usize = 4;

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (POLYNOMIAL & (0u32.wrapping_sub(crc & 1)));
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| TABLE[((crc ^ u32::from(*byte)) & 0xFF) as usize] ^ (crc >> 8);
    !bytes.iter().fold(!0, step)
}

fn masked(bytes: &[u8]) -> [u8; 4] {
    let crc = crc32c(bytes);
    crc.rotate_right(15).wrapping_add(MASK).to_le_bytes()
}

/// A record that holds this.
pub(super) fn framed(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(BEFORE + content.len() + AFTER);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked(&length));
    record.extend_from_slice(content);
    record.extend_from_slice(&masked(content));
    record
}

/// The records at the beginning of a file that are whole: each with its content. The first that is not ends them.
pub(super) fn records(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = rest.get(..8)?;
        if rest.get(8..BEFORE)? != masked(length) {
            return None;
        }
        let length = u64::from_le_bytes(length.try_into().ok()?);
        let end = usize::try_from(length).ok()?.checked_add(BEFORE)?;
        let content = rest.get(BEFORE..end)?;
        if rest.get(end..end.checked_add(AFTER)?)? != masked(content) {
            return None;
        }
        let (record, left) = rest.split_at(end + AFTER);
        rest = left;
        Some((record, content))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, appendix B.4, and the check value of CRC-32C.
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn a_length_that_is_none_ends_the_records() {
        let mut bytes = framed(b"one");
        let length = u64::MAX.to_le_bytes();
        bytes.extend_from_slice(&length);
        bytes.extend_from_slice(&masked(&length));
        assert_eq!(records(&bytes).count(), 1);
    }
}
