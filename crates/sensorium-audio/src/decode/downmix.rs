//! From many channels to one, by where each is heard from.

use std::f64::consts::FRAC_1_SQRT_2;

use symphonia::core::audio::{Channels, Position};

/// What each channel counts, in the order of a frame; together one, so that no sound that fits its channels can
/// leave the range of -1 to 1.
///
/// The proportions are those of ITU-R BS.775-3, table 2, for one loudspeaker: left and right 0.7071, centre 1,
/// surrounds (left, right and back, at the sides and behind) 0.5, low-frequency effects 0. That is the standard's
/// stereo (left + 0.7071 centre + 0.7071 surround) with its two sides added. FFmpeg's `-ac 1` divides the same
/// numbers by their sum where samples are integers; where they are floats it does not, and may leave the range.
/// Heights, which the standard lacks, count like surrounds.
///
/// Channels that the file gives no places count alike, as do those that would all count nothing.
pub(super) fn weights(channels: &Channels, layout_known: bool) -> Vec<f32> {
    let count = channels.count();
    let each = |weight: f64| (0..count).map(|_| weight as f32).collect();
    let Channels::Positioned(positions) = channels else {
        return each(1.0 / count as f64);
    };
    // A frame holds positions by rising bit.
    let parts: Vec<f64> = positions.iter().map(part).collect();
    let sum: f64 = parts.iter().sum();
    if !layout_known || sum == 0.0 {
        return each(1.0 / count as f64);
    }
    parts.iter().map(|part| (part / sum) as f32).collect()
}

/// A channel's part before all are made to add up to one.
fn part(position: Position) -> f64 {
    const FRONT: Position = Position::FRONT_LEFT
        .union(Position::FRONT_RIGHT)
        .union(Position::FRONT_LEFT_CENTER)
        .union(Position::FRONT_RIGHT_CENTER)
        .union(Position::FRONT_LEFT_WIDE)
        .union(Position::FRONT_RIGHT_WIDE);
    const EFFECTS: Position = Position::LFE1.union(Position::LFE2);
    if FRONT.contains(position) {
        FRAC_1_SQRT_2
    } else if position == Position::FRONT_CENTER {
        1.0
    } else if EFFECTS.contains(position) {
        0.0
    } else {
        0.5
    }
}

/// Whether a WAV names no loudspeakers: a `fmt ` without the extension, or with an empty mask. Two channels are left
/// and right all the same.
pub(super) fn is_wave_without_layout(bytes: &[u8]) -> bool {
    const EXTENSIBLE: u16 = 0xFFFE;
    if !bytes.starts_with(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return false;
    }
    let mut at = 12usize;
    while let Some(header) = bytes.get(at..at.saturating_add(8)) {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if header.starts_with(b"fmt ") {
            let format = &bytes[at + 8..];
            let tag = format.get(..2).map(|b| u16::from_le_bytes([b[0], b[1]]));
            let mask = format.get(20..24);
            return tag != Some(EXTENSIBLE) || mask == Some(&[0; 4]);
        }
        at = at.saturating_add(8).saturating_add(length + (length & 1));
    }
    false
}
