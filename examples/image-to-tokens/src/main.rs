//! One image, one crate: from a JPEG to the tokens of a vision transformer.
//!
//! Run it with `cargo run`; give it the path of an image to take that one instead of the sunset it paints.

use std::error::Error;
use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use sensorium_vision::{
    Encoder, ImageProcessor, PrepareConfig, Processor, Source, VitConfig, runtime,
};

fn main() -> Result<(), Box<dyn Error>> {
    let source = match std::env::args_os().nth(1) {
        Some(path) => Source::path(path),
        None => Source::bytes("sunset.jpg", sunset()?),
    };
    encode(&source)
}

fn encode(source: &Source) -> Result<(), Box<dyn Error>> {
    let device = runtime::open(runtime::Backend::Flex)?;

    // Preparing: upright, RGB, the centre in 64 x 64 pixels, values in -1..1. All on the host.
    let processor = ImageProcessor::new(PrepareConfig::new(64))?;
    let picture = processor.process(source)?;
    println!("prepared  {:?} [channels, height, width]", picture.dims());

    // Batching: two samples, of which the second has no image.
    let batch = processor.collate(&[Some(&picture), None], &device);
    println!(
        "batch     {:?} [batch, channels, height, width]",
        batch.pixels.dims()
    );

    // Encoding: 64 / 16 = 4 patches a side, 16 in all, and a token that stands for the whole image.
    let encoder = VitConfig::new(64, 16, 128, 4, 4).init(&device);
    let tokens = encoder.encode(batch);
    println!("tokens    {:?} [batch, tokens, d_model]", tokens.dims());

    // What is absent is padding, and padding is never looked at.
    let present: Vec<bool> = tokens.present().into_data().iter::<bool>().collect();
    println!("present   {present:?}");

    let [_, _, d_model] = tokens.dims();
    let class = tokens.embeds.slice([0..1, 0..1, 0..d_model]).into_data();
    let start: Vec<f32> = class.iter::<f32>().take(4).collect();
    println!("the class token begins with {start:.3?}");
    Ok(())
}

/// A sun over the sea, as the bytes of a JPEG file.
fn sunset() -> image::ImageResult<Vec<u8>> {
    let (width, height) = (320u32, 200u32);
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (x as f32 - 200.0, y as f32 - 110.0);
        let sun = dx * dx + dy * dy < 30.0 * 30.0 && y < 120;
        let wave = ((x as f32 / 9.0).sin() * 8.0) as u32;
        match (sun, y < 120) {
            (true, _) => Rgb([255, 220, 120]),
            (false, true) => Rgb([250 - y as u8, 120 + (y / 4) as u8, 90]),
            (false, false) => Rgb([20, (60 + wave) as u8, 110]),
        }
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Jpeg)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sunset_becomes_tokens() -> Result<(), Box<dyn Error>> {
        encode(&Source::bytes("sunset.jpg", sunset()?))
    }
}
