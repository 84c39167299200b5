//! The short-time Fourier transform and its inverse, numerically those of `torch.stft` and `torch.istft`.

use std::fmt;

use realfft::RealFftPlanner;
use realfft::num_complex::{Complex, Complex32};
use sensorium_core::need;

use super::spectrum::Spectrum;
use super::transform::Transform;
use super::{Window, within};
use crate::Error;

/// Where frames lie, and what is beyond the ends of the sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edges {
    /// Frame t is centred on sample t · hop; beyond the ends is the sound's mirror image, without the edge itself
    /// (`center=True, pad_mode="reflect"`).
    #[default]
    Reflect,
    /// Frame t is centred on sample t · hop; beyond the ends is silence (`pad_mode="constant"`).
    Zero,
    /// Frame t begins at sample t · hop, and all of it lies inside of the sound (`center=False`).
    Inside,
}

/// How a sound is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StftConfig {
    /// Samples that are transformed at a time; any number.
    pub n_fft: usize,
    /// Samples of the window, which stands in the middle of zeros if it is shorter than `n_fft`.
    pub win_length: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// The window's shape.
    pub window: Window,
    /// Whether the window is periodic, or symmetric.
    pub periodic: bool,
    /// Where frames lie.
    pub edges: Edges,
}

impl StftConfig {
    /// A periodic Hann window as long as the transform, centred frames, mirrored edges.
    pub fn new(n_fft: usize, hop: usize) -> Self {
        Self {
            n_fft,
            win_length: n_fft,
            hop,
            window: Window::Hann,
            periodic: true,
            edges: Edges::Reflect,
        }
    }

    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        within("n_fft", self.n_fft, 2..=1 << 20)?;
        within("win_length", self.win_length, 1..=self.n_fft)?;
        need((1..=self.n_fft).contains(&self.hop), "hop", || {
            format!("{} must be 1 to n_fft = {}", self.hop, self.n_fft)
        })?;
        Ok(())
    }
}

/// The short-time Fourier transform (Allen, 1977) and its inverse (Griffin and Lim, 1984). Cheap to clone.
///
/// ```
/// use sensorium_audio::{Stft, StftConfig};
///
/// let stft = Stft::new(StftConfig::new(512, 128))?;
/// let sound: Vec<f32> = (0..4000).map(|i| (i as f32 * 0.1).sin()).collect();
/// let spectrum = stft.forward(&sound);
/// assert_eq!([spectrum.frames(), spectrum.bins()], [32, 257]);
///
/// let again = stft.inverse(&spectrum, Some(4000))?;
/// assert!(sound.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-5));
/// # Ok::<(), sensorium_audio::Error>(())
/// ```
#[derive(Clone)]
pub struct Stft {
    config: StftConfig,
    transform: Transform,
}

impl fmt::Debug for Stft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stft({:?})", self.config)
    }
}

impl Stft {
    /// Plans the transform.
    ///
    /// # Errors
    /// If [`StftConfig::validate`] refuses.
    pub fn new(config: StftConfig) -> Result<Self, Error> {
        config.validate()?;
        let window = config.window.values(config.win_length, config.periodic);
        let lead = (config.n_fft - config.win_length) / 2;
        let transform = Transform::new(config.n_fft, window, lead);
        Ok(Self { config, transform })
    }

    /// How a sound is cut into frames.
    pub fn config(&self) -> &StftConfig {
        &self.config
    }

    /// Frames of so many samples. Centred ones are one for each whole hop, and one more; a transform of odd size
    /// needs one sample more, as in librosa and PyTorch.
    pub fn n_frames(&self, samples: usize) -> usize {
        let StftConfig {
            n_fft, hop, edges, ..
        } = self.config;
        match edges {
            Edges::Inside if samples < n_fft => 0,
            Edges::Inside => (samples - n_fft) / hop + 1,
            Edges::Reflect | Edges::Zero => samples.saturating_sub(n_fft % 2) / hop + 1,
        }
    }

    /// Spectra of all frames of a sound. A sound too short to be mirrored once is mirrored again and again.
    ///
    /// # Shapes
    /// `[samples]` → `[frames, n_fft / 2 + 1]`
    pub fn forward(&self, samples: &[f32]) -> Spectrum {
        let bins = self.config.n_fft / 2 + 1;
        let frames = self.n_frames(samples.len());
        let mut values = Vec::with_capacity(frames * bins);
        let mut space = self.transform.workspace();
        for frame in 0..frames {
            let spectrum = self
                .transform
                .spectrum(&mut space, |into| self.copy(samples, frame, into));
            let single = |bin: &Complex<f64>| Complex32::new(bin.re as f32, bin.im as f32);
            values.extend(spectrum.iter().map(single));
        }
        Spectrum::of(bins, values)
    }

    /// Shows the power of each of the first `frames` frames, `[n_fft / 2 + 1]`, in turn.
    pub(crate) fn each_power(&self, samples: &[f32], frames: usize, mut each: impl FnMut(&[f64])) {
        let mut space = self.transform.workspace();
        for frame in 0..frames {
            each(
                self.transform
                    .power(&mut space, |into| self.copy(samples, frame, into)),
            );
        }
    }

    /// The samples under a frame's window.
    fn copy(&self, samples: &[f32], frame: usize, into: &mut [f64]) {
        let StftConfig {
            n_fft, hop, edges, ..
        } = self.config;
        let ahead = match edges {
            Edges::Inside => 0,
            Edges::Reflect | Edges::Zero => n_fft / 2,
        };
        let lead = (n_fft - into.len()) / 2;
        let start = (frame * hop + lead) as isize - ahead as isize;
        let inside = usize::try_from(start).ok();
        if let Some(heard) = inside.and_then(|start| samples.get(start..start + into.len())) {
            for (value, sample) in into.iter_mut().zip(heard) {
                *value = f64::from(*sample);
            }
            return;
        }
        for (i, value) in into.iter_mut().enumerate() {
            let at = start + i as isize;
            *value = f64::from(match edges {
                Edges::Reflect => mirrored(samples, at),
                Edges::Zero | Edges::Inside => usize::try_from(at)
                    .ok()
                    .and_then(|at| samples.get(at).copied())
                    .unwrap_or(0.0),
            });
        }
    }

    /// The sound whose spectra are nearest to these: each frame's own sound, windowed again, added up and divided by
    /// what the windows add up to. What was mirrored or silent beyond the ends is cut off; `length` samples are
    /// returned, silence after the last frame, or by default as many as the frames are sure of.
    ///
    /// # Shapes
    /// `[frames, n_fft / 2 + 1]` → `[length]`
    ///
    /// # Errors
    /// If the spectra are of another size, or the windows leave a sample out: such a sound cannot be told.
    pub fn inverse(&self, spectrum: &Spectrum, length: Option<usize>) -> Result<Vec<f32>, Error> {
        let StftConfig {
            n_fft, hop, edges, ..
        } = self.config;
        need(spectrum.bins() == n_fft / 2 + 1, "bins", || {
            let bins = n_fft / 2 + 1;
            format!("{} must be n_fft / 2 + 1 = {bins}", spectrum.bins())
        })?;
        let (sum, weight) = self.overlap_add(spectrum);
        let start = match edges {
            Edges::Inside => 0,
            Edges::Reflect | Edges::Zero => n_fft / 2,
        };
        let sure = sum.len().saturating_sub(2 * start);
        let length = length.unwrap_or(sure);
        let end = sum.len().min(start.saturating_add(length));
        let range = start.min(end)..end;
        // The same limit as PyTorch's.
        let hole = weight[range.clone()].iter().position(|w| *w < 1e-11);
        if let Some(hole) = hole {
            need(false, "hop", || {
                format!(
                    "{hop} is too long for the window: sample {hole} is under none, or under its zeros"
                )
            })?;
        }
        let divided = sum[range.clone()].iter().zip(&weight[range]);
        let mut samples: Vec<f32> = divided.map(|(s, w)| (s / w) as f32).collect();
        samples.resize(length, 0.0);
        Ok(samples)
    }

    /// The windowed sounds of all frames added up, and the squares of their windows.
    fn overlap_add(&self, spectrum: &Spectrum) -> (Vec<f64>, Vec<f64>) {
        let StftConfig { n_fft, hop, .. } = self.config;
        let window = self.transform.window();
        let lead = (n_fft - window.len()) / 2;
        let frames = spectrum.frames();
        let total = frames.saturating_sub(1) * hop + n_fft * frames.min(1);
        let (mut sum, mut weight) = (vec![0f64; total], vec![0f64; total]);
        let fft = RealFftPlanner::<f64>::new().plan_fft_inverse(n_fft);
        let (mut bins, mut sound) = (fft.make_input_vec(), fft.make_output_vec());
        let mut scratch = fft.make_scratch_vec();
        let spectra = spectrum.values().chunks_exact(spectrum.bins());
        for (frame, values) in spectra.enumerate() {
            for (bin, value) in bins.iter_mut().zip(values) {
                *bin = Complex::new(f64::from(value.re), f64::from(value.im));
            }
            // A sound of real numbers has none there; what a person's model wrote is passed over, as in PyTorch.
            bins[0].im = 0.0;
            if n_fft.is_multiple_of(2) {
                bins[n_fft / 2].im = 0.0;
            }
            fft.process_with_scratch(&mut bins, &mut sound, &mut scratch)
                .expect("the buffers are those the transform made");
            let first = frame * hop + lead;
            for (i, w) in window.iter().enumerate() {
                sum[first + i] += sound[lead + i] * w / n_fft as f64;
                weight[first + i] += w * w;
            }
        }
        (sum, weight)
    }
}

/// A sample, or its mirror image outside the sound (the edge itself is not repeated).
fn mirrored(samples: &[f32], at: isize) -> f32 {
    samples
        .get(mirror(samples.len(), at))
        .copied()
        .unwrap_or(0.0)
}

/// Which of `count` samples stands at a place inside or outside of them; 0 if there is none.
pub(super) fn mirror(count: usize, at: isize) -> usize {
    let last = count as isize - 1;
    if last <= 0 {
        return 0;
    }
    let period = 2 * last;
    let folded = at.rem_euclid(period);
    folded.min(period - folded) as usize
}
