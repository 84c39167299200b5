//! One frame to its spectrum: the step that all features share.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// A window, and the transform of what it leaves. Cheap to clone.
#[derive(Clone)]
pub(super) struct Transform {
    /// In double precision: a quiet band next to a loud one would else hear its rounding.
    fft: Arc<dyn RealToComplex<f64>>,
    window: Arc<[f64]>,
    /// Zeros before the window.
    lead: usize,
}

/// What a transform writes into, frame after frame.
pub(super) struct Workspace {
    input: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    power: Vec<f64>,
}

impl Transform {
    /// A window of at most `n_fft` values, `lead` zeros before it and zeros after.
    pub(super) fn new(n_fft: usize, window: Vec<f64>, lead: usize) -> Self {
        assert!(lead + window.len() <= n_fft, "a window that fits");
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(n_fft),
            window: window.into(),
            lead,
        }
    }

    pub(super) fn window(&self) -> &[f64] {
        &self.window
    }

    pub(super) fn workspace(&self) -> Workspace {
        let spectrum = self.fft.make_output_vec();
        Workspace {
            input: self.fft.make_input_vec(),
            power: vec![0.0; spectrum.len()],
            scratch: self.fft.make_scratch_vec(),
            spectrum,
        }
    }

    /// The windowed frame that `fill` writes, among zeros; whether it holds any sound.
    fn windowed(&self, space: &mut Workspace, fill: impl FnOnce(&mut [f64])) -> bool {
        let end = self.lead + self.window.len();
        space.input[..self.lead].fill(0.0);
        space.input[end..].fill(0.0);
        let frame = &mut space.input[self.lead..end];
        fill(frame);
        let mut heard = false;
        for (value, weight) in frame.iter_mut().zip(&*self.window) {
            heard |= *value != 0.0;
            *value *= weight;
        }
        heard
    }

    /// The spectrum of the samples that `fill` writes, as many as the window has values: `n_fft / 2 + 1` bins.
    pub(super) fn spectrum<'a>(
        &self,
        space: &'a mut Workspace,
        fill: impl FnOnce(&mut [f64]),
    ) -> &'a [Complex<f64>] {
        self.windowed(space, fill);
        self.run(space);
        &space.spectrum
    }

    /// The power of each bin: the square of its magnitude.
    pub(super) fn power<'a>(
        &self,
        space: &'a mut Workspace,
        fill: impl FnOnce(&mut [f64]),
    ) -> &'a [f64] {
        if self.windowed(space, fill) {
            self.run(space);
            for (power, bin) in space.power.iter_mut().zip(&space.spectrum) {
                *power = bin.norm_sqr();
            }
        } else {
            // Silence: what a sound is padded with, often most of it.
            space.power.fill(0.0);
        }
        &space.power
    }

    fn run(&self, space: &mut Workspace) {
        let Workspace {
            input,
            spectrum,
            scratch,
            ..
        } = space;
        self.fft
            .process_with_scratch(input, spectrum, scratch)
            .expect("the buffers are those the transform made");
    }
}
