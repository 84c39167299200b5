//! Pictures and sounds as data URIs: shrunk, bounded, and never trusted to be what they are called.

use std::io::Cursor;

use base64::{Engine, prelude::BASE64_STANDARD};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, imageops::FilterType};

/// A picture's side beyond this is not decoded: a header can claim anything.
const MOST_SIDE_PX: u32 = 20_000;
/// Memory a picture may take while it is decoded.
const MOST_DECODED_BYTES: u64 = 512 << 20;
/// A file of at most this size is embedded as it is, where a browser knows its format.
const SMALL_FILE_BYTES: usize = 48 << 10;
/// Above this, JPEG artefacts are hard to see at thumbnail size.
const JPEG_QUALITY: u8 = 84;

/// A picture ready to embed.
pub(crate) struct Picture {
    pub(crate) uri: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// What is left of the bytes a report may embed.
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: bytes }
    }

    fn take(&mut self, bytes: usize) -> Result<(), String> {
        let short = || {
            format!(
                "left out to keep this report small ({} kB)",
                bytes.div_ceil(1024)
            )
        };
        self.left = self.left.checked_sub(bytes).ok_or_else(short)?;
        Ok(())
    }
}

/// The picture as a data URI of at most `max_px` on its longer side, or why it cannot be shown.
pub(crate) fn picture(bytes: &[u8], max_px: u32, budget: &mut Budget) -> Result<Picture, String> {
    let unreadable = |error: image::ImageError| format!("picture cannot be shown: {error}");
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| format!("picture cannot be shown: {error}"))?;
    let format = reader.format();
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_SIDE_PX);
    limits.max_image_height = Some(MOST_SIDE_PX);
    limits.max_alloc = Some(MOST_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    // The decoder's own limits cover what it needs besides the picture itself.
    if decoder.total_bytes() > MOST_DECODED_BYTES {
        let (width, height) = decoder.dimensions();
        return Err(format!(
            "picture cannot be shown: {width} x {height} pixels are too many"
        ));
    }
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    decoded.apply_orientation(orientation);
    let (width, height) = (decoded.width(), decoded.height());

    let known = format.filter(|format| browser_reads(*format));
    if let Some(format) =
        known.filter(|_| bytes.len() <= SMALL_FILE_BYTES && width.max(height) <= max_px.max(64))
    {
        budget.take(bytes.len())?;
        return Ok(Picture {
            uri: data_uri(format.to_mime_type(), bytes),
            width,
            height,
        });
    }
    if width.max(height) > max_px {
        decoded = decoded.resize(max_px.max(1), max_px.max(1), FilterType::Triangle);
    }
    let (width, height) = (decoded.width(), decoded.height());
    let (mime, encoded) = encode(&decoded).map_err(unreadable)?;
    budget.take(encoded.len())?;
    Ok(Picture {
        uri: data_uri(mime, &encoded),
        width,
        height,
    })
}

/// The sound as a data URI, or why it is not embedded.
pub(crate) fn sound(mime: &str, bytes: &[u8], budget: &mut Budget) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-./".contains(c);
    if !mime.starts_with("audio/") || !mime.chars().all(plain) {
        return Err(format!("sound of a kind that cannot be embedded: `{mime}`"));
    }
    if bytes.is_empty() {
        return Err("sound without any bytes".into());
    }
    budget.take(bytes.len())?;
    Ok(data_uri(mime, bytes))
}

fn browser_reads(format: ImageFormat) -> bool {
    matches!(
        format,
        ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Gif | ImageFormat::WebP
    )
}

/// PNG where a pixel counts or is transparent, else JPEG.
fn encode(picture: &DynamicImage) -> Result<(&'static str, Vec<u8>), image::ImageError> {
    let mut bytes = Vec::new();
    if picture.color().has_alpha() || picture.width().max(picture.height()) <= 64 {
        picture
            .to_rgba8()
            .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
        return Ok(("image/png", bytes));
    }
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    picture.to_rgb8().write_with_encoder(encoder)?;
    Ok(("image/jpeg", bytes))
}

fn data_uri(mime: &str, bytes: &[u8]) -> String {
    format!("data:{mime};base64,{}", BASE64_STANDARD.encode(bytes))
}

/// Bytes as base64 in JSON, a quarter of the size a list of numbers would take.
pub(super) mod base64_bytes {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD
            .decode(String::deserialize(deserializer)?)
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let picture = image::RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([x as u8, y as u8, (x * y) as u8])
        });
        let mut bytes = Vec::new();
        picture
            .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
            .unwrap();
        bytes
    }

    #[test]
    fn small_pictures_pass_and_large_ones_shrink() {
        let mut budget = Budget::new(1 << 20);
        let small = png(8, 8);
        let shown = picture(&small, 320, &mut budget).unwrap();
        assert_eq!((shown.width, shown.height), (8, 8));
        assert_eq!(shown.uri, data_uri("image/png", &small));
        let shown = picture(&png(1000, 500), 320, &mut budget).unwrap();
        assert_eq!((shown.width, shown.height), (320, 160));
        assert!(shown.uri.starts_with("data:image/jpeg;base64,") && shown.uri.len() < 80_000);
    }

    #[test]
    fn what_cannot_be_shown_says_why() {
        let mut budget = Budget::new(1 << 20);
        let mut cut = png(100, 100);
        cut.truncate(200);
        for bytes in [&b"not a picture"[..], b"", &cut] {
            let why = picture(bytes, 320, &mut budget).err().unwrap();
            assert!(why.starts_with("picture cannot be shown: "), "{why}");
        }
        assert!(
            picture(&png(90, 90), 320, &mut Budget::new(10))
                .is_err_and(|why| why.contains("report small"))
        );
        assert!(sound("text/html", b"<script>", &mut budget).is_err());
        assert!(sound("audio/wav\" onerror=\"", b"RIFF", &mut budget).is_err());
        assert!(sound("audio/wav", b"", &mut budget).is_err());
        assert_eq!(
            sound("audio/wav", b"RIFF", &mut budget).unwrap(),
            "data:audio/wav;base64,UklGRg=="
        );
    }
}
