//! From a log-mel spectrogram to tokens.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{Dropout, DropoutConfig, PaddingConfig1d};
use burn::tensor::{Device, Tensor, TensorData};
use sensorium_audio::{AUDIO, AudioBatch};
use sensorium_core::nn::{Activation, Transformer};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Modality, Tap, Tokens, assert_shape, present};

use super::WhisperConfig;

/// Whisper's encoder: two convolutions, the second of which halves the frames, fixed positions, and pre-norm blocks (arXiv
/// 2212.04356, section 2.2).
#[derive(Module, Debug)]
pub struct WhisperEncoder {
    /// `n_mels` → `d_model` over three frames.
    pub conv_in: Conv1d,
    /// `d_model` → `d_model` over three frames, every second one.
    pub conv_down: Conv1d,
    /// `[max_source_positions, d_model]`, which are never trained.
    pub position: Param<Tensor<2>>,
    /// On what the blocks take.
    pub dropout: Dropout,
    /// The blocks, and the norm after them.
    pub encoder: Transformer,
    #[module(skip)]
    n_mels: usize,
    #[module(skip)]
    d_model: usize,
}

impl WhisperEncoder {
    pub(super) fn new(config: &WhisperConfig, device: &Device) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let d_model = config.d_model;
        let conv = |channels, stride| {
            Conv1dConfig::new(channels, d_model, 3)
                .with_stride(stride)
                .with_padding(PaddingConfig1d::Explicit(1, 1))
                .init(device)
        };
        let position = positions(config.max_source_positions, d_model, device);
        Self {
            conv_in: conv(config.n_mels, 1),
            conv_down: conv(d_model, 2),
            position: Param::from_tensor(position).set_require_grad(false),
            dropout: DropoutConfig::new(config.dropout).init(),
            encoder: config.encoder().init(device),
            n_mels: config.n_mels,
            d_model,
        }
    }

    /// Frames of a sound's features, silence at its end included: twice as many as tokens.
    pub fn n_frames(&self) -> usize {
        let [tokens, _] = self.position.shape().dims();
        2 * tokens
    }
}

/// Sines, then cosines, of rates from 1 down to 1/10,000 a step: `[len, d_model]`. Of an odd width, the last is zero.
fn positions(len: usize, d_model: usize, device: &Device) -> Tensor<2> {
    let half = d_model / 2;
    let steps = half.saturating_sub(1).max(1) as f64;
    let rate = |i: usize| 10_000_f64.powf(-(i as f64) / steps);
    let mut values = Vec::with_capacity(len * d_model);
    for position in 0..len {
        let angles = || (0..half).map(|i| position as f64 * rate(i));
        values.extend(angles().map(|angle| angle.sin() as f32));
        values.extend(angles().map(|angle| angle.cos() as f32));
        values.extend(std::iter::repeat_n(0.0, d_model % 2));
    }
    Tensor::from_data(TensorData::new(values, [len, d_model]), device)
}

impl Encoder for WhisperEncoder {
    const MODALITY: Modality = AUDIO;
    type Batch = AudioBatch;

    fn d_output(&self) -> usize {
        self.d_model
    }

    /// `[batch, frames, n_mels]` → `[batch, frames / 2, d_model]`, after the last norm. A sound is as long as the model was
    /// made for: what is silence at its end is heard as silence, and no token of a sound is padding. Shows `embeds`,
    /// `encoder.blocks.N.output` and `encoder.output` to the tap, and `encoder.blocks.N.attention.weights` where weights are
    /// wanted.
    ///
    /// # Panics
    /// If there are other than [`n_frames`](Self::n_frames) frames, or other bands than the model's.
    fn encode_with<T: Tap>(&self, batch: AudioBatch, tap: &mut T) -> Tokens {
        let [count, frames, _] = batch.features.dims();
        let AudioBatch { features, pad } = batch;
        assert_shape!(features, [count, self.n_frames(), self.n_mels]);
        let present = present(pad);
        let x = features.swap_dims(1, 2); // [B, F, M] -> [B, M, F]
        let x = Activation::Gelu.forward(self.conv_in.forward(x)); // [B, D, F]
        let x = Activation::Gelu.forward(self.conv_down.forward(x)); // [B, D, F/2]
        let x = x.swap_dims(1, 2) + self.position.val().unsqueeze(); // [B, F/2, D]
        let x = tap.tensor("embeds", self.dropout.forward(x));
        let x = in_layer(tap, "encoder", |tap| {
            self.encoder.forward_dense_with(x, tap)
        });
        debug_assert_eq!(x.dims(), [count, frames / 2, self.d_model]);
        Tokens::with_presence(x, present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_testkit::{devices, floats};

    #[test]
    fn positions_are_sines_and_then_cosines() {
        for device in devices() {
            let found = floats(&positions(3, 4, &device));
            let (a, b) = (1.0_f32, 1e-4_f32);
            let expected = [
                [0.0, 0.0, 1.0, 1.0],
                [a.sin(), b.sin(), a.cos(), b.cos()],
                [
                    (2.0 * a).sin(),
                    (2.0 * b).sin(),
                    (2.0 * a).cos(),
                    (2.0 * b).cos(),
                ],
            ];
            let expected = expected.concat();
            assert!(
                found
                    .iter()
                    .zip(expected)
                    .all(|(f, e)| (f - e).abs() < 1e-6)
            );
        }
    }
}
