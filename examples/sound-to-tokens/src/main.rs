//! One sound, one crate: from a WAV to the tokens of a spectrogram transformer.
//!
//! Run it with `cargo run`; give it the path of a recording to take that one instead of the tone it makes.

use std::error::Error;

use sensorium_audio::{
    AstConfig, AudioProcessor, Encoder, LogMel, MelConfig, Processor, Source, runtime,
};

fn main() -> Result<(), Box<dyn Error>> {
    let source = match std::env::args_os().nth(1) {
        Some(path) => Source::path(path),
        None => Source::bytes("tone.wav", tone(1.0)),
    };
    encode(&source)
}

fn encode(source: &Source) -> Result<(), Box<dyn Error>> {
    let device = runtime::open(runtime::Backend::Flex)?;

    // Preparing: any format, any rate, to 40 bands every 10 ms; at most ten seconds. All on the host.
    let mel = LogMel::new(MelConfig::new(16_000, 40))?;
    let processor = AudioProcessor::new(mel, 10.0, 4)?;
    let sound = processor.process(source)?;
    println!("prepared  {} frames of 40 bands", sound.frames);

    // Batching: two samples, of which the second has no sound.
    let batch = processor.collate(&[Some(&sound), None], &device);
    println!(
        "batch     {:?} [batch, frames, bands]",
        batch.features.dims()
    );

    // Encoding: four frames of all bands are a token.
    let config = AstConfig {
        patch_mels: 40,
        ..AstConfig::new(40, processor.max_frames(), 4, 64, 2, 4)
    };
    let tokens = config.init(&device).encode(batch);
    println!("tokens    {:?} [batch, tokens, d_model]", tokens.dims());
    let present: Vec<bool> = tokens.present().into_data().iter::<bool>().collect();
    println!("present   {present:?}");
    Ok(())
}

/// A rising tone as the bytes of a WAV file: 22,050 Hz, one channel, 16 bits.
fn tone(seconds: f32) -> Vec<u8> {
    const RATE: u32 = 22_050;
    let count = (seconds * RATE as f32) as u32;
    let mut bytes = Vec::new();
    bytes.extend(b"RIFF");
    bytes.extend((36 + 2 * count).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend([1, 0, 1, 0]); // integers, one channel
    bytes.extend(RATE.to_le_bytes());
    bytes.extend((2 * RATE).to_le_bytes());
    bytes.extend([2, 0, 16, 0]); // two bytes a sample
    bytes.extend(b"data");
    bytes.extend((2 * count).to_le_bytes());
    for i in 0..count {
        let t = i as f32 / RATE as f32;
        let sample = (std::f32::consts::TAU * (200.0 + 300.0 * t) * t).sin();
        bytes.extend(((sample * 12_000.0) as i16).to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tone_becomes_tokens() -> Result<(), Box<dyn Error>> {
        encode(&Source::bytes("tone.wav", tone(0.5)))
    }
}
