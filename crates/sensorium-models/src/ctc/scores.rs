//! What a model says of each frame.

/// How likely each id is in each frame of a sound: logits, frame by frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameScores {
    logits: Vec<f32>,
    n_ids: usize,
}

impl FrameScores {
    /// Of no frame yet.
    ///
    /// # Panics
    /// If there is no id.
    pub fn new(n_ids: usize) -> Self {
        assert!(n_ids > 0, "frames say one of some ids");
        Self {
            logits: Vec::new(),
            n_ids,
        }
    }

    /// More frames, `[frames, ids]`.
    ///
    /// # Panics
    /// If they are no whole frames.
    pub fn push(&mut self, logits: &[f32]) {
        assert!(
            logits.len().is_multiple_of(self.n_ids),
            "{} numbers are no frames of {} ids",
            logits.len(),
            self.n_ids
        );
        self.logits.extend_from_slice(logits);
    }

    /// How many frames.
    pub fn frames(&self) -> usize {
        self.logits.len() / self.n_ids
    }

    /// How many ids.
    pub fn n_ids(&self) -> usize {
        self.n_ids
    }

    /// The logits of each frame.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.logits.chunks_exact(self.n_ids)
    }

    /// The logarithm of how likely an id is in a frame.
    ///
    /// # Panics
    /// If there is no such frame or id.
    pub fn log_probability(&self, frame: usize, id: u32) -> f64 {
        let row = &self.logits[frame * self.n_ids..(frame + 1) * self.n_ids];
        f64::from(row[id as usize]) - log_sum(row)
    }
}

/// The logarithms of probabilities: what a softmax gives, in double precision.
pub(super) fn log_softmax(logits: &[f32]) -> impl Iterator<Item = f64> {
    let sum = log_sum(logits);
    logits.iter().map(move |x| f64::from(*x) - sum)
}

/// log Σ exp, by the largest first, so that nothing overflows.
fn log_sum(logits: &[f32]) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !largest.is_finite() {
        return f64::from(largest);
    }
    let largest = f64::from(largest);
    let sum: f64 = logits.iter().map(|x| (f64::from(*x) - largest).exp()).sum();
    largest + sum.ln()
}
