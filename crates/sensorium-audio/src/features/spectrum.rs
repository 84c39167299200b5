//! What the short-time Fourier transform makes of a sound, to be changed and turned back.

use realfft::num_complex::Complex32;
use sensorium_core::need;

use crate::Error;

/// Spectra of frames, one after another.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    bins: usize,
    values: Vec<Complex32>,
}

impl Spectrum {
    /// Spectra of `bins` numbers each, `[frames, bins]`.
    ///
    /// # Errors
    /// If `values` are no whole number of frames.
    pub fn new(bins: usize, values: Vec<Complex32>) -> Result<Self, Error> {
        let whole = bins > 0 && values.len().is_multiple_of(bins);
        need(whole, "bins", || {
            format!("{bins} must divide the {} numbers", values.len())
        })?;
        Ok(Self { bins, values })
    }

    pub(super) fn of(bins: usize, values: Vec<Complex32>) -> Self {
        Self { bins, values }
    }

    /// How many frames.
    pub fn frames(&self) -> usize {
        self.values.len() / self.bins
    }

    /// Numbers of a frame, from 0 Hz to half the sample rate: `n_fft / 2 + 1`.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// `[frames, bins]`, frame by frame.
    pub fn values(&self) -> &[Complex32] {
        &self.values
    }

    /// `[frames, bins]`, to be changed in place: a mask, another phase.
    pub fn values_mut(&mut self) -> &mut [Complex32] {
        &mut self.values
    }

    /// `[frames, bins]`: how loud each is, squared.
    pub fn power(&self) -> Vec<f32> {
        self.values.iter().map(Complex32::norm_sqr).collect()
    }
}
