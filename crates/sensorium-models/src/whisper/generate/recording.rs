//! A recording's features, of which half a minute is heard at a time.

/// A recording's features: `[frames, n_mels]`, frame by frame.
#[derive(Clone, Copy, Debug)]
pub struct Recording<'a> {
    features: &'a [f32],
    pub(super) n_mels: usize,
    frames: usize,
}

impl<'a> Recording<'a> {
    /// Features of which all are the recording's.
    ///
    /// # Panics
    /// If they are no whole frames.
    pub fn new(features: &'a [f32], n_mels: usize) -> Self {
        assert!(
            n_mels > 0 && features.len().is_multiple_of(n_mels),
            "{} numbers are no frames of {n_mels}",
            features.len()
        );
        Self {
            features,
            n_mels,
            frames: features.len() / n_mels,
        }
    }

    /// The same where only the first `frames` are the recording's, and what follows is how silence after it sounds: what is
    /// shorter than half a minute is heard with as much of it.
    pub fn with_frames(mut self, frames: usize) -> Self {
        self.frames = self.frames.min(frames);
        self
    }

    /// How many frames are the recording's.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Frames from `start` on, as many as `count`, with zeros after the last.
    pub(super) fn window(&self, start: usize, count: usize) -> Vec<f32> {
        let end = self.features.len();
        let [from, to] = [start, start + count].map(|frame| end.min(frame * self.n_mels));
        let mut window = self.features[from..to].to_vec();
        window.resize(count * self.n_mels, 0.0);
        window
    }
}
