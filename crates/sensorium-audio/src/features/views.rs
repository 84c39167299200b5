//! Several views of one long sound: where crops lie, and all of it shrunk.

/// The first `count` numbers in three parts, the earlier ones the larger; a part that is empty is the first number.
pub(super) fn thirds(count: usize) -> [std::ops::Range<usize>; 3] {
    let start = |part: usize| part * (count / 3) + part.min(count % 3);
    [0, 1, 2].map(|part| match (start(part), start(part + 1)) {
        (from, to) if from == to => 0..1,
        (from, to) => from..to,
    })
}

/// Linear interpolation over time, `[frames, bands]` → `[to, bands]`. In single precision, as PyTorch's bilinear
/// interpolation has it: over minutes, places would else differ in the fourth digit.
pub(super) fn shrink(mel: &[f32], bands: usize, to: usize) -> Vec<f32> {
    let frames = mel.len() / bands;
    let scale = frames as f32 / to as f32;
    let mut shrunk = Vec::with_capacity(to * bands);
    for frame in 0..to {
        let place = (scale * (frame as f32 + 0.5) - 0.5).max(0.0);
        let first = (place as usize).min(frames - 1);
        let second = (first + 1).min(frames - 1);
        let share = (place - first as f32).clamp(0.0, 1.0);
        let row = |frame: usize| &mel[frame * bands..(frame + 1) * bands];
        let pairs = row(first).iter().zip(row(second));
        shrunk.extend(pairs.map(|(a, b)| a * (1.0 - share) + b * share));
    }
    shrunk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirds_are_those_of_numpy() {
        // np.array_split(range(n), 3), and [0] for an empty part
        assert_eq!(thirds(2), [0..1, 1..2, 0..1]);
        assert_eq!(thirds(3), [0..1, 1..2, 2..3]);
        assert_eq!(thirds(11), [0..4, 4..8, 8..11]);
        assert_eq!(thirds(1), [0..1, 0..1, 0..1]);
    }
}
