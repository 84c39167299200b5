//! No bytes at all may stop the program: cut off, flipped and random ones end in a picture or an error.

use proptest::prelude::*;
use sensorium_core::Source;

use super::tests::{FORMATS, encoded};
use super::{Limits, decode};

/// Decodes with little memory, and checks what comes out.
fn survive(bytes: Vec<u8>) {
    let limits = Limits {
        max_bytes: 1 << 20,
        max_side: 4096,
        max_pixels: 1 << 20,
        max_alloc: 16 << 20,
    };
    match decode(&Source::bytes("hostile", bytes), &limits) {
        Ok(picture) => assert!(picture.width() * picture.height() <= 1 << 20),
        Err(error) => {
            let message = error.to_string();
            assert!(message.starts_with("hostile: "), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }
}

#[test]
fn cut_off_anywhere() {
    for format in FORMATS {
        let bytes = encoded(format);
        for length in 0..bytes.len() {
            survive(bytes[..length].to_vec());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        survive(bytes);
    }

    #[test]
    fn random_bytes_after_a_good_start(
        format in 0..FORMATS.len(),
        start in 2usize..80,
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let good = encoded(FORMATS[format]);
        survive([&good[..start.min(good.len())], &bytes].concat());
    }

    #[test]
    fn flipped_bytes(
        format in 0..FORMATS.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = encoded(FORMATS[format]);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        survive(bytes);
    }
}
