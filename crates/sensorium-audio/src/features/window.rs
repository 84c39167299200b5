//! What a frame is multiplied by, so that its ends do not sound like edges.

/// The shape of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// 0.5 - 0.5 cos: zero at the ends. NumPy calls it `hanning`.
    #[default]
    Hann,
    /// 0.54 - 0.46 cos: small, but not zero at the ends.
    Hamming,
    /// Hann to the power of 0.85: Kaldi's own.
    Povey,
    /// All ones.
    Rectangular,
}

impl Window {
    /// Its `length` values. A periodic one is the start of a symmetric one of a value more: for transforms that are
    /// turned back; a symmetric one (`periodic` false) is what Kaldi has.
    pub fn values(self, length: usize, periodic: bool) -> Vec<f64> {
        let period = if periodic { length } else { length.max(1) - 1 };
        let cosine = |i: usize| (std::f64::consts::TAU * i as f64 / period as f64).cos();
        let value = |i: usize| match self {
            // The middle of a shape of one value is its top.
            _ if length == 1 => 1.0,
            Self::Hann => 0.5 - 0.5 * cosine(i),
            Self::Hamming => 0.54 - 0.46 * cosine(i),
            Self::Povey => (0.5 - 0.5 * cosine(i)).powf(0.85),
            Self::Rectangular => 1.0,
        };
        (0..length).map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_of_numpy() {
        let close = |window: Window, periodic, expected: [f64; 5]| {
            let found = window.values(5, periodic);
            for (f, e) in found.iter().zip(expected) {
                assert!((f - e).abs() < 1e-8, "{window:?}: {found:?}");
            }
        };
        close(Window::Hann, false, [0.0, 0.5, 1.0, 0.5, 0.0]);
        // np.hanning(6)[:5], np.hamming(6)[:5]
        let hann = [0.0, 0.3454915, 0.9045085, 0.9045085, 0.3454915];
        close(Window::Hann, true, hann);
        let hamming = [0.08, 0.39785218, 0.91214782, 0.91214782, 0.39785218];
        close(Window::Hamming, true, hamming);
        close(
            Window::Povey,
            false,
            [0.0, 0.55478474, 1.0, 0.55478474, 0.0],
        );
        close(Window::Rectangular, true, [1.0; 5]);
    }

    #[test]
    fn the_shortest_windows_are_numbers() {
        for window in [Window::Hann, Window::Hamming, Window::Povey] {
            for periodic in [false, true] {
                assert_eq!(window.values(1, periodic), [1.0]);
                assert!(window.values(0, periodic).is_empty());
                assert!(window.values(2, periodic).iter().all(|v| v.is_finite()));
            }
        }
    }
}
