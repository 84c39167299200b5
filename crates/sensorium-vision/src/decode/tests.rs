//! What comes out of files of each kind: Pillow's result, upright, in RGB; and what is refused.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use sensorium_core::Source;

use super::{Limits, decode};
use crate::{Error, Picture};

fn fixture(name: &str) -> Picture {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    decode(&Source::path(path), &Limits::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn error(source: &Source) -> Error {
    decode(source, &Limits::default()).expect_err("must be refused")
}

/// A small image as a file of a format.
pub(super) fn encoded(format: ImageFormat) -> Vec<u8> {
    let image = image::RgbImage::from_fn(19, 13, |x, y| {
        image::Rgb([(x * 13) as u8, (y * 19) as u8, (x * y) as u8])
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(image)
        .write_to(&mut bytes, format)
        .expect("can be encoded");
    bytes.into_inner()
}

pub(super) const FORMATS: [ImageFormat; 6] = [
    ImageFormat::Jpeg,
    ImageFormat::Png,
    ImageFormat::Gif,
    ImageFormat::WebP,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
];

/// The header of a PNG that says it is `side` x `side` pixels, and nothing after it.
fn png_bomb(side: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(side.to_be_bytes());
    chunk.extend(side.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]); // 8 bits, RGB
    let crc = crc32(&chunk);
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend(13u32.to_be_bytes());
    bytes.extend(chunk);
    bytes.extend(crc.to_be_bytes());
    bytes.extend([0, 0, 0, 0]);
    bytes.extend(b"IDAT");
    bytes.extend(crc32(b"IDAT").to_be_bytes());
    bytes
}

/// The checksum of PNG chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn parity_with_pillow_of_every_kind_of_file() {
    let exact = [
        "exif6.png",
        "exif6.webp",
        "exif6.tif",
        "rgba.png",
        "greyalpha.png",
        "rgba.webp",
        "palette.png",
        "transparentpalette.png",
        "bilevel.png",
        "palette.gif",
        "animated.gif",
        "rgb.bmp",
        "palette.bmp",
        "rgb.tif",
        "lzw.tif",
        "cmyk.tif",
        "rgb.jpg",
        "progressive.jpg",
        "grey.jpg",
        "cmyk.jpg",
        "lossy.webp",
        "detail.webp",
    ];
    // As measured: what one unit of the inverse transform is (grey), after the colours' own rounding (444), and after
    // chroma is stretched as well.
    let close = [
        ("detail-grey.jpg", 1),
        ("detail-444.jpg", 2),
        ("detail-422.jpg", 3),
        ("detail-420.jpg", 3),
        ("detail-progressive.jpg", 3),
    ];
    let cases = exact.map(|n| (n, 0)).into_iter().chain(close);
    for (name, tolerance) in cases {
        let found = fixture(name);
        let expected = fixture(&format!("{}-pillow.png", name.replace('.', "-")));
        assert_eq!(
            (found.width(), found.height(), found.channels()),
            (expected.width(), expected.height(), 3),
            "{name}"
        );
        let worst = found.data().iter().zip(expected.data());
        let worst = worst.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
        assert!(worst <= tolerance, "{name} differs from Pillow by {worst}");
    }
}

#[test]
fn every_exif_orientation_stands_upright() {
    // The file holds red, green / blue, white in 32 x 16 pixels; what is seen in each orientation,
    // from the top left to the bottom right.
    let seen = [
        "rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb",
    ];
    for (orientation, seen) in (1..=8).zip(seen) {
        let picture = fixture(&format!("exif{orientation}.jpg"));
        let (width, height) = (picture.width(), picture.height());
        let turned = orientation >= 5;
        assert_eq!((width, height), if turned { (16, 32) } else { (32, 16) });
        let corners = [
            (1, 1),
            (width - 2, 1),
            (1, height - 2),
            (width - 2, height - 2),
        ];
        for ((x, y), colour) in corners.into_iter().zip(seen.chars()) {
            let expected: [u8; 3] = match colour {
                'r' => [200, 40, 40],
                'g' => [40, 180, 60],
                'b' => [50, 60, 200],
                _ => [230, 220, 210],
            };
            let found = picture.pixel(x, y);
            let near = found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) < 6);
            assert!(
                near,
                "orientation {orientation} at ({x}, {y}): {found:?} is not {colour}"
            );
        }
        let pillow = fixture(&format!("exif{orientation}-jpg-pillow.png"));
        assert_eq!(picture, pillow, "orientation {orientation}");
    }
}

#[test]
fn sixteen_bits_are_scaled_and_rounded() {
    let values = [0u16, 128, 129, 0x8000, 65_535, 257];
    let image = image::ImageBuffer::<image::Rgb<u16>, _>::from_raw(2, 1, values.to_vec())
        .expect("six values");
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::ImageRgb16(image.clone())
            .write_to(&mut bytes, format)
            .expect("can be encoded");
        let source = Source::bytes("deep", bytes.into_inner());
        let picture = decode(&source, &Limits::default()).expect("can be decoded");
        assert_eq!(picture.data(), [0, 0, 1, 128, 255, 1]);
    }
}

#[test]
fn a_format_is_told_by_content() {
    for format in FORMATS {
        let source = Source::bytes("picture.txt", encoded(format));
        let picture = decode(&source, &Limits::default()).expect("the extension does not matter");
        assert_eq!((picture.width(), picture.height()), (19, 13));
    }
}

#[test]
fn a_huge_header_is_refused_before_decoding() {
    let message = error(&Source::bytes("bomb.png", png_bomb(50_000))).to_string();
    assert_eq!(
        message,
        "bomb.png: 50000 x 50000 pixels are more than the 89478485 in all, 65535 a side, that are \
         allowed; make the image smaller or raise the limit"
    );
    // The same in the headers of the other formats.
    let mut gif = encoded(ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0x50, 0xC3, 0x50, 0xC3]);
    let mut bmp = encoded(ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0x50, 0xC3, 0, 0, 0x50, 0xC3, 0, 0]);
    let mut jpeg = encoded(ImageFormat::Jpeg);
    let frame = jpeg
        .windows(2)
        .position(|w| w == [0xFF, 0xC0])
        .expect("a frame");
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xC3, 0x50, 0xC3, 0x50]);
    for (name, bytes) in [("bomb.gif", gif), ("bomb.bmp", bmp), ("bomb.jpg", jpeg)] {
        let error = error(&Source::bytes(name, bytes));
        let Error::TooLarge { width, height, .. } = error else {
            panic!("{name}: {error}");
        };
        assert_eq!((width, height), (50_000, 50_000), "{name}");
    }
}

#[test]
fn each_limit_holds() {
    let source = Source::bytes("a.png", encoded(ImageFormat::Png));
    let limits = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        decode(&source, &limits).expect_err("a limit")
    };
    assert!(matches!(limits(|l| l.max_bytes = 10), Error::Source(_)));
    assert!(matches!(
        limits(|l| l.max_side = 18),
        Error::TooLarge { .. }
    ));
    assert!(matches!(
        limits(|l| l.max_pixels = 246),
        Error::TooLarge { .. }
    ));
    assert!(matches!(
        limits(|l| l.max_alloc = 740),
        Error::Memory { .. }
    ));
}

#[test]
fn what_is_no_image_is_refused_with_its_name() {
    let cases = [
        (Source::bytes("empty.jpg", []), "empty.jpg: is empty"),
        (
            Source::bytes("note.jpg", *b"Dear diary, today I was renamed."),
            "note.jpg: is a text, not an image; JPEG, PNG, GIF, WebP, BMP and TIFF are read (whatever the \
             extension says)",
        ),
        (
            Source::bytes("noise.png", [1, 2, 3, 250]),
            "noise.png: is not an image, or is damaged at its start; JPEG, PNG, GIF, WebP, BMP and TIFF are \
             read (whatever the extension says)",
        ),
        (
            Source::text("seven"),
            "text \"seven\": is a text, not an image; give a file",
        ),
    ];
    for (source, message) in cases {
        assert_eq!(error(&source).to_string(), message);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("gone.png");
    let message = error(&Source::path(&missing)).to_string();
    assert!(message.starts_with(&format!("{}: cannot be read", missing.display())));
    assert!(
        error(&Source::path(folder.path()))
            .to_string()
            .contains("is a folder")
    );
}

#[test]
fn a_file_that_is_cut_off_is_refused_with_its_name() {
    for format in FORMATS {
        let bytes = encoded(format);
        // TIFF keeps its directory at the end, so that half of it has none.
        for length in [bytes.len() / 2, bytes.len() * 9 / 10] {
            let message = error(&Source::bytes("half", &bytes[..length])).to_string();
            assert!(message.starts_with("half: the "), "{format:?}: {message}");
            assert!(!message.contains('\n'), "{format:?}: {message}");
        }
    }
    for (name, format) in [("a.jpg", ImageFormat::Jpeg), ("a.png", ImageFormat::Png)] {
        let bytes = encoded(format);
        let error = error(&Source::bytes(name, &bytes[..bytes.len() * 2 / 3]));
        assert!(matches!(error, Error::CutOff { .. }), "{error}");
    }
}
