//! Log-mel features of samples that lie on a device, with gradients back to them.

use std::f64::consts::{LN_10, TAU};

use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Bool, Device, IndexingUpdateOp, Int, Tensor, TensorData};
use sensorium_core::need;

use super::MOST_NUMBERS;
use super::filters::Bank;
use super::log_mel::FLOOR;
use super::stft::{Stft, StftConfig, mirror};
use crate::{AudioBatch, Error};

/// What becomes of the power in a band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scaled {
    /// Its natural logarithm: [`LogMel`](crate::LogMel)'s.
    Natural,
    /// Its base-10 logarithm, nothing more than 8 below the sound's loudest, (x + 4) / 4, of all frames but the last:
    /// [`WhisperMel`](crate::WhisperMel)'s.
    Whisper,
}

/// Log-mel features of samples on a device: what [`LogMel::on`](crate::LogMel::on) and
/// [`WhisperMel::on`](crate::WhisperMel::on) plan. Cheap to clone.
///
/// The Fourier transform is a convolution with windowed cosines and sines, the bands are a product of matrices, and all
/// of it has gradients, so that a model can be trained through it, or what makes the samples.
///
/// On a CPU the host's transform is several times as fast: this is for samples that are on a GPU already, and for gradients.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use sensorium_audio::{LogMel, MelConfig};
///
/// let mel = LogMel::new(MelConfig::new(16_000, 40))?;
/// let device = Device::flex().autodiff();
/// let samples = Tensor::<2>::ones([2, 8000], &device).require_grad(); // two sounds of half a second
///
/// let features = mel.on(&device)?.forward(samples.clone());
/// assert_eq!(features.dims(), [2, mel.n_frames(8000), 40]);
/// let gradients = features.mean().backward();
/// assert_eq!(samples.grad(&gradients).unwrap().dims(), [2, 8000]);
/// # Ok::<(), sensorium_audio::Error>(())
/// ```
///
/// # Differs from the host's
/// It is computed in single precision. Bands 60 dB below their frame's loudest frequency are the host's within 1e-4, those 85
/// dB below within 2e-3, those 105 dB below within 0.02, and what is 130 dB below is rounding; the host hears all of that.
#[derive(Clone, Debug)]
pub struct DeviceMel {
    stft: Stft,
    scaled: Scaled,
    /// `[2 * bins, 1, n_fft]`: cosines, then sines, under the window.
    waves: Tensor<3>,
    /// `[bins, n_mels]`
    bands: Tensor<2>,
}

impl DeviceMel {
    pub(super) fn new(
        stft: &Stft,
        bank: &Bank,
        scaled: Scaled,
        device: &Device,
    ) -> Result<Self, Error> {
        let n_fft = stft.config().n_fft;
        let bins = n_fft / 2 + 1;
        need(2 * bins * n_fft <= MOST_NUMBERS, "n_fft", || {
            format!("{n_fft} is too large for a table of its waves; compute features on the host")
        })?;
        let (bands, n_mels) = (bank.matrix(bins), bank.n_mels());
        Ok(Self {
            stft: stft.clone(),
            scaled,
            waves: Tensor::from_data(TensorData::new(waves(stft), [2 * bins, 1, n_fft]), device),
            bands: Tensor::from_data(TensorData::new(bands, [bins, n_mels]), device),
        })
    }

    /// Features of sounds of one length.
    ///
    /// # Shapes
    /// `[batch, samples]` → `[batch, frames, n_mels]`, as many frames as on the host
    ///
    /// # Panics
    /// If there are too few samples for a frame, or they are on another device.
    pub fn forward(&self, samples: Tensor<2>) -> Tensor<3> {
        let [batch, count] = samples.dims();
        let log = self.log_bands(samples, &vec![count; batch]);
        self.scale(log, None)
    }

    /// Features of sounds of these lengths, each as it has them alone; what stands behind a sound is not heard. A sound
    /// without samples is absent.
    ///
    /// # Shapes
    /// `[batch, samples]` → `[batch, frames, n_mels]`, padded frames are zero
    ///
    /// # Panics
    /// As [`forward`](Self::forward); if there are other sounds than lengths, or one is longer than `samples`.
    pub fn batch(&self, samples: Tensor<2>, lengths: &[usize]) -> AudioBatch {
        let [batch, count] = samples.dims();
        let fits = lengths.len() == batch && lengths.iter().all(|n| *n <= count);
        assert!(
            fits,
            "{batch} sounds of at most {count} samples cannot have lengths of {lengths:?}"
        );
        let device = samples.device();
        let own = |n: &usize| if *n == 0 { 0 } else { self.n_frames(*n) };
        let own: Vec<usize> = lengths.iter().map(own).collect();
        let samples = samples.mask_fill(beyond(lengths, count, &device), 0.0);
        let log = self.log_bands(samples, lengths);
        let pad = beyond(&own, self.n_frames(count), &device);
        AudioBatch {
            features: self.scale(log, Some(pad.clone())),
            pad,
        }
    }

    /// Frames of so many samples, as on the host.
    pub fn n_frames(&self, samples: usize) -> usize {
        let frames = self.stft.n_frames(samples);
        match self.scaled {
            Scaled::Natural => frames,
            Scaled::Whisper => frames - 1,
        }
    }

    /// The natural logarithm of the power in each band: `[batch, samples]` → `[batch, frames, n_mels]`
    fn log_bands(&self, samples: Tensor<2>, lengths: &[usize]) -> Tensor<3> {
        let StftConfig { n_fft, hop, .. } = *self.stft.config();
        let [_, count] = samples.dims();
        let frames = self.n_frames(count);
        assert!(
            count > 0 && frames > 0,
            "{count} samples are too few for a frame"
        );
        let heard = (frames - 1) * hop + n_fft;
        let sound = self.with_edges(samples, lengths).narrow(1, 0, heard);
        let options = ConvOptions::new([hop], [0], [1], 1);
        let sound = sound.unsqueeze_dim(1); // [B, L] -> [B, 1, L]
        let spectrum = conv1d(sound, self.waves.clone(), None, options); // [B, 2 * bins, F]
        let [bins, _] = self.bands.dims();
        let square = |part: usize| spectrum.clone().narrow(1, part * bins, bins).square();
        let power = (square(0) + square(1)).swap_dims(1, 2); // [B, bins, F] -> [B, F, bins]
        let bands = power.matmul(self.bands.clone().unsqueeze()); // [B, F, M]
        bands.clamp_min(FLOOR).log()
    }

    /// Each sound between its mirror images: `[batch, samples]`, zero behind a sound → `[batch, n_fft + samples]`
    fn with_edges(&self, samples: Tensor<2>, lengths: &[usize]) -> Tensor<2> {
        let n_fft = self.stft.config().n_fft;
        let (before, behind) = (n_fft / 2, n_fft.div_ceil(2));
        let device = samples.device();
        let places = |count: usize, place: &dyn Fn(usize, usize) -> usize| {
            let all = lengths
                .iter()
                .flat_map(|n| (0..count).map(|i| place(*n, i) as i64));
            let all = TensorData::new(all.collect::<Vec<i64>>(), [lengths.len(), count]);
            Tensor::<2, Int>::from_data(all, &device)
        };
        let head = places(before, &|n, i| mirror(n, i as isize - before as isize));
        let tail = places(behind, &|n, i| mirror(n, (n + i) as isize));
        let at = places(behind, &|n, i| before + n + i);
        let (head, tail) = (
            samples.clone().gather(1, head),
            samples.clone().gather(1, tail),
        );
        let room = Tensor::zeros(tail.dims(), &device);
        let sound = Tensor::cat(vec![head, samples, room], 1);
        sound.scatter(1, at, tail, IndexingUpdateOp::Add)
    }

    /// `[batch, frames, n_mels]`, of which frames of padding come out as zero.
    fn scale(&self, log: Tensor<3>, pad: Option<Tensor<2, Bool>>) -> Tensor<3> {
        let shape @ [batch, frames, n_mels] = log.dims();
        let pad = pad.map(|pad| pad.unsqueeze_dim::<3>(2).expand(shape)); // [B, F] -> [B, F, M]
        let without = |x: Tensor<3>, value: f64| match &pad {
            Some(pad) => x.mask_fill(pad.clone(), value),
            None => x,
        };
        let scaled = match self.scaled {
            Scaled::Natural => log,
            Scaled::Whisper => {
                let log = log / LN_10;
                // What is padding is not the loudest, however quiet a sound is.
                let heard = without(log.clone(), FLOOR.log10());
                let loudest = heard.reshape([batch, frames * n_mels]).max_dim(1); // [B, 1]
                let least = (loudest - 8.0).reshape([batch, 1, 1]);
                (log.max_pair(least.expand(shape)) + 4.0) / 4.0
            }
        };
        without(scaled, 0.0)
    }
}

/// `[2 * bins, n_fft]`: cosines and then sines, under the window.
fn waves(stft: &Stft) -> Vec<f32> {
    let StftConfig {
        n_fft,
        win_length,
        window,
        periodic,
        ..
    } = *stft.config();
    let mut shape = vec![0.0; n_fft];
    let lead = (n_fft - win_length) / 2;
    shape[lead..lead + win_length].copy_from_slice(&window.values(win_length, periodic));
    let wave = |of: fn(f64) -> f64| {
        let shape = &shape;
        (0..=n_fft / 2).flat_map(move |bin| {
            // Whole turns are taken off while they are whole numbers.
            let turn = move |i: usize| (bin * i % n_fft) as f64 / n_fft as f64;
            (0..n_fft).map(move |i| (of(TAU * turn(i)) * shape[i]) as f32)
        })
    };
    wave(f64::cos).chain(wave(f64::sin)).collect()
}

/// `[batch, count]`, true = at or beyond the length.
fn beyond(lengths: &[usize], count: usize, device: &Device) -> Tensor<2, Bool> {
    let beyond = lengths
        .iter()
        .flat_map(|n| (0..count).map(move |i| i >= *n));
    let beyond = TensorData::new(beyond.collect::<Vec<bool>>(), [lengths.len(), count]);
    Tensor::from_data(beyond, device)
}
