//! Whether a JPEG file reaches its end, which its decoder does not tell.

/// Walks the markers of a JPEG (ITU-T T.81, annex B) and says whether the end-of-image marker is reached.
/// A thumbnail inside the metadata has its own end marker; its segment is stepped over by its length.
pub(super) fn ends(bytes: &[u8]) -> bool {
    const START: u8 = 0xD8;
    const END: u8 = 0xD9;
    let mut at = 2; // after the start-of-image marker
    loop {
        // Entropy-coded data, and garbage between segments, up to the next marker.
        let Some(skipped) = bytes
            .get(at..)
            .and_then(|b| b.iter().position(|b| *b == 0xFF))
        else {
            return false;
        };
        at += skipped + 1;
        match bytes.get(at) {
            None => return false,
            Some(&END) => return true,
            // A fill byte: it may itself begin a marker.
            Some(0xFF) => {}
            // A stuffed zero, a restart, or a marker that stands alone.
            Some(0x00 | 0x01 | 0xD0..=0xD7 | &START) => at += 1,
            Some(_) => match bytes.get(at + 1..at + 3) {
                Some(length) => {
                    at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
                }
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ends;

    #[test]
    fn an_end_marker_inside_a_segment_does_not_count() {
        let thumbnail = [0xFF, 0xD8, 0xFF, 0xE1, 0, 4, 0xFF, 0xD9];
        assert!(!ends(&thumbnail));
        let scan = [0xFF, 0xDA, 0, 2, 1, 0xFF, 0, 2, 0xFF, 0xD0, 3];
        assert!(!ends(&[&thumbnail[..], &scan].concat()));
        assert!(ends(&[&thumbnail[..], &scan, &[0xFF, 0xFF, 0xD9]].concat()));
    }

    #[test]
    fn any_bytes_come_to_an_end() {
        for bytes in [
            &[][..],
            &[0xFF],
            &[0xFF; 9],
            &[0xFF, 0xD8, 0xFF, 0xE0, 255, 255],
        ] {
            assert!(!ends(bytes));
        }
    }
}
