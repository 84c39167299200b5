//! What must hold whatever the bytes are: asked by the fuzz target in `fuzz/`, and by the test that replays its corpus.
//!
//! Each function answers as the library does, and panics where that answer breaks a promise.

use sensorium_audio::{Error, Sound, decode, decode_window};
use sensorium_core::Source;

/// The longest message besides the name in it, in characters: it must be read by a person.
const LONGEST_MESSAGE: usize = 300;

/// Decodes the bytes as a file of this name, whole and in part, and looks at what comes out.
pub fn hear(name: &str, file: &[u8]) -> Result<Sound, Error> {
    let source = Source::bytes(name, file.to_vec());
    let heard = decode(&source);
    match &heard {
        Ok(sound) => check_sound(sound),
        Err(error) => check_error(name, error),
    }
    match (&heard, decode_window(&source, 0.0, 0.001)) {
        (_, Err(error)) => check_error(name, &error),
        (heard, Ok(part)) => {
            check_sound(&part);
            // A part of what is whole is its beginning.
            if let Ok(sound) = heard {
                let count = part.samples.len().min(sound.samples.len());
                assert_eq!(part.sample_rate_hz, sound.sample_rate_hz);
                assert_eq!(part.samples[..count], sound.samples[..count]);
            }
        }
    }
    heard
}

fn check_sound(sound: &Sound) {
    assert!(!sound.samples.is_empty(), "a sound of no samples");
    assert!((1_000..=768_000).contains(&sound.sample_rate_hz));
    assert!(sound.samples.iter().all(|sample| sample.is_finite()));
}

fn check_error(name: &str, error: &Error) {
    let message = error.to_string();
    assert!(message.starts_with(name), "{message}");
    assert!(message.len() <= name.len() + LONGEST_MESSAGE, "{message}");
    assert!(!message.contains(char::is_control), "{message:?}");
}
