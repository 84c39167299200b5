//! What training minimises: how unlikely a text is, all ways to say it in a sound's frames added up.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Bool, Device, FloatDType, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The logarithm of what cannot happen: finite, so that sums and differences of it are numbers.
const NEVER: f32 = -1e30;

/// What becomes of the losses of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CtcReduction {
    /// They are added up.
    #[default]
    Sum,
    /// Each is divided by how many labels its text has, at least by 1, and the mean is taken.
    Mean,
}

/// The loss of connectionist temporal classification (Graves et al., 2006, equation 8), as torch's `ctc_loss` and
/// Transformers' `ForCTCLoss` have it.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use sensorium_models::ctc::CtcLoss;
///
/// // Three frames in which the blank, 0, and two characters are alike: of 27 ways, 5 say 1 and then 2.
/// let logits = Tensor::zeros([1, 3, 3], &Device::flex());
/// let loss = CtcLoss::new(0).forward(logits, &[3], &[vec![1, 2]])?;
/// assert!((loss.into_scalar::<f32>() + (5.0_f32 / 27.0).ln()).abs() < 1e-5);
/// # Ok::<(), sensorium_models::Error>(())
/// ```
///
/// # Differs from the reference
/// A text that does not fit into its frames has an infinite loss, and no gradient; torch's gradient is not a number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CtcLoss {
    /// The id that says nothing.
    pub blank: usize,
    /// What becomes of the losses of a batch.
    pub reduction: CtcReduction,
    /// Whether the loss of a text that does not fit into its frames is zero instead of infinite.
    pub zero_infinity: bool,
}

impl CtcLoss {
    /// Losses are added up, and infinite where a text does not fit.
    pub fn new(blank: usize) -> Self {
        Self {
            blank,
            reduction: CtcReduction::Sum,
            zero_infinity: false,
        }
    }

    /// Logits `[batch, frames, ids]`, how many of its frames are each sound's own, and each sound's labels → `[1]`.
    ///
    /// Labels below 0, and the blank, are padding and passed over.
    ///
    /// # Errors
    /// If a label is beyond the ids: which, and of which sample.
    ///
    /// # Panics
    /// If there are not as many lengths and texts as samples, a length is beyond the frames, or the blank beyond the ids.
    pub fn forward(
        &self,
        logits: Tensor<3>,
        lengths: &[usize],
        targets: &[Vec<i64>],
    ) -> Result<Tensor<1>, Error> {
        let texts = self.texts(targets, logits.dims()[2])?;
        let losses = self.losses(logits, lengths, &texts);
        Ok(match self.reduction {
            CtcReduction::Sum => losses.sum(),
            CtcReduction::Mean => {
                let counts: Vec<f32> = texts.iter().map(|t| t.len().max(1) as f32).collect();
                let counts = numbers(counts, &losses.device());
                (losses / counts).mean()
            }
        })
    }

    /// The same before they are reduced: `[batch]`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn each(
        &self,
        logits: Tensor<3>,
        lengths: &[usize],
        targets: &[Vec<i64>],
    ) -> Result<Tensor<1>, Error> {
        let texts = self.texts(targets, logits.dims()[2])?;
        Ok(self.losses(logits, lengths, &texts))
    }

    /// The labels that are no padding.
    fn texts(&self, targets: &[Vec<i64>], n_ids: usize) -> Result<Vec<Vec<i64>>, Error> {
        let blank = self.blank;
        assert!(blank < n_ids, "the blank {blank} is none of {n_ids} ids");
        let text = |(sample, target): (usize, &Vec<i64>)| {
            let beyond = |label: &&i64| **label >= 0 && **label as u64 >= n_ids as u64;
            if let Some(&label) = target.iter().find(beyond) {
                return Err(Error::Label {
                    sample,
                    label,
                    n_ids,
                });
            }
            let said = |label: &i64| *label >= 0 && *label != blank as i64;
            Ok(target.iter().copied().filter(said).collect())
        };
        targets.iter().enumerate().map(text).collect()
    }

    fn losses(&self, logits: Tensor<3>, lengths: &[usize], texts: &[Vec<i64>]) -> Tensor<1> {
        let [batch, frames, _] = logits.dims();
        assert_eq!(batch, lengths.len(), "as many lengths as samples");
        assert_eq!(batch, texts.len(), "as many texts as samples");
        assert!(
            lengths.iter().all(|n| *n <= frames),
            "lengths of {lengths:?}, but there are {frames} frames"
        );
        let ways = Ways::new(texts, lengths, frames, self.blank, &logits.device());
        // Half precision does not tell long sums apart.
        let log_p = log_softmax(logits.cast(FloatDType::F32), 2);
        let width = ways.width();
        let states = ways.states.clone().unsqueeze_dim::<3>(1); // [B, S] -> [B, 1, S]
        let heard = log_p.gather(2, states.expand([batch, frames, width])); // [B, T, S]
        let heard = heard.clamp_min(NEVER);
        let Passed { shares, losses } = ways.pass(heard.clone().detach());

        let never = losses.clone().greater_elem(-NEVER / 10.0);
        let far = never.clone().reshape([batch, 1, 1]);
        let shares = shares.mask_fill(far.expand([batch, frames, width]), 0.0);
        let instead = if self.zero_infinity {
            0.0
        } else {
            f32::INFINITY
        };
        let losses = losses.mask_fill(never, instead);

        // The loss falls with the logarithm of a frame's probability of a state by the share of ways that pass there
        // (Graves et al., 2006, equation 15). This is zero and has that gradient, so that no way is followed back.
        let pull = (heard * shares).sum_dim(2).sum_dim(1).reshape([batch]); // [B, T, S] -> [B]
        losses + (pull.clone().detach() - pull)
    }
}

/// All ways to say texts in frames. A text's states are its labels, with a blank before, between and behind them.
struct Ways {
    /// `[batch, states]`: the id that each says.
    states: Tensor<2, Int>,
    /// `[2 * batch, states]`: 0 where the state two before may come before, which passes over a blank, or else [`NEVER`];
    /// of texts, and of texts read backwards.
    jumps: Tensor<2>,
    /// `[batch, 1, 1]`: the last state of a text.
    last: Tensor<3, Int>,
    /// `[batch, 1, 1]`: the last frame of a sound, -1 if there is none.
    end: Tensor<3, Int>,
    /// `[batch]`: what the loss is multiplied by and what it is raised by, where there are no frames.
    silent: [Tensor<1>; 2],
    frames: usize,
}

/// What [`Ways::pass`] finds.
struct Passed {
    /// `[batch, frames, states]`: the share of ways that are in a state at a frame.
    shares: Tensor<3>,
    /// `[batch]`: how unlikely a text is.
    losses: Tensor<1>,
}

impl Ways {
    fn new(
        texts: &[Vec<i64>],
        lengths: &[usize],
        frames: usize,
        blank: usize,
        device: &Device,
    ) -> Self {
        let batch = texts.len();
        let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
        let width = 2 * longest + 1;
        let mut states = vec![blank as i64; batch * width];
        let mut jumps = vec![NEVER; 2 * batch * width];
        for (i, text) in texts.iter().enumerate() {
            let backwards: Vec<i64> = text.iter().rev().copied().collect();
            for (k, label) in text.iter().enumerate() {
                states[i * width + 2 * k + 1] = *label;
            }
            for (row, text) in [(i, text), (batch + i, &backwards)] {
                for k in (1..text.len()).filter(|k| text[*k] != text[*k - 1]) {
                    jumps[row * width + 2 * k + 1] = 0.0;
                }
            }
        }
        let column = |values: Vec<i64>| {
            Tensor::<3, Int>::from_data(TensorData::new(values, [batch, 1, 1]), device)
        };
        let silent = |row: (&usize, &Vec<i64>)| match (*row.0, row.1.is_empty()) {
            (0, true) => (0.0, 0.0),
            (0, false) => (0.0, -NEVER),
            _ => (1.0, 0.0),
        };
        let (times, more) = lengths.iter().zip(texts).map(silent).unzip();
        Self {
            states: Tensor::from_data(TensorData::new(states, [batch, width]), device),
            jumps: Tensor::from_data(TensorData::new(jumps, [2 * batch, width]), device),
            last: column(texts.iter().map(|text| 2 * text.len() as i64).collect()),
            end: column(lengths.iter().map(|n| *n as i64 - 1).collect()),
            silent: [numbers(times, device), numbers(more, device)],
            frames,
        }
    }

    fn width(&self) -> usize {
        self.states.dims()[1]
    }

    /// The sum over all ways, by how likely states are in frames: `[batch, frames, states]`, logarithms.
    fn pass(&self, heard: Tensor<3>) -> Passed {
        let shape @ [batch, frames, width] = heard.dims();
        // What comes behind a frame is what comes before it where all is read backwards.
        let both = Tensor::cat(vec![heard.clone(), self.backwards(heard.clone())], 0);
        let sums = self.arrive(both); // [2B, T, S]
        let before = sums.clone().narrow(0, 0, batch);
        let behind = self.backwards(sums.narrow(0, batch, batch));
        let through = (before + behind - heard).mask_fill(self.outside(), NEVER);

        let first = through.clone().narrow(1, 0, 1).reshape([batch, width]);
        let [times, more] = self.silent.clone();
        let losses = log_sum(first).neg() * times + more;
        let late = self.late().expand(shape);
        debug_assert_eq!(frames, self.frames);
        Passed {
            shares: softmax(through, 2).mask_fill(late, 0.0),
            losses,
        }
    }

    /// How likely it is to have come to a state in a frame and to have heard all up to it: `[rows, frames, states]`, a row
    /// for each text and each text backwards, logarithms.
    fn arrive(&self, heard: Tensor<3>) -> Tensor<3> {
        let [rows, frames, width] = heard.dims();
        let device = heard.device();
        let at = |t: usize| heard.clone().narrow(1, t, 1).reshape([rows, width]);
        // A way begins with the blank or with the first label.
        let start = (0..width)
            .map(|s| if s < 2 { 0.0 } else { NEVER })
            .collect();
        let mut sum = at(0) + numbers(start, &device).reshape([1, width]);
        let outside = Tensor::<2>::full([rows, 2], NEVER, &device);
        let mut sums = vec![sum.clone()];
        for t in 1..frames {
            let wide = Tensor::cat(vec![outside.clone(), sum.clone()], 1); // [R, 2 + S]
            let step = wide.clone().narrow(1, 1, width);
            let jump = wide.narrow(1, 0, width) + self.jumps.clone();
            let most = sum.clone().max_pair(step.clone()).max_pair(jump.clone());
            let all = (sum - most.clone()).exp()
                + (step - most.clone()).exp()
                + (jump - most.clone()).exp();
            sum = most + all.log() + at(t);
            sums.push(sum.clone());
        }
        Tensor::stack(sums, 1)
    }

    /// Each sound's own frames and each text's own states from the last to the first; what is beyond is unspecified.
    fn backwards(&self, x: Tensor<3>) -> Tensor<3> {
        let shape @ [batch, frames, width] = x.dims();
        let frame = self.end.clone() - self.frame(); // [B, T, 1]
        let state = self.last.clone() - self.state(); // [B, 1, S]
        let from = (frame * width as i64 + state).clamp_min(0); // [B, T, S]
        let flat = [batch, frames * width];
        x.reshape(flat).gather(1, from.reshape(flat)).reshape(shape)
    }

    /// `[batch, frames, states]`, true = beyond a text's last state.
    fn outside(&self) -> Tensor<3, Bool> {
        let [batch, width] = self.states.dims();
        let outside = (self.state() - self.last.clone()).greater_elem(0); // [B, 1, S]
        outside.expand([batch, self.frames, width])
    }

    /// `[batch, frames, 1]`, true = beyond a sound's last frame.
    fn late(&self) -> Tensor<3, Bool> {
        (self.frame() - self.end.clone()).greater_elem(0)
    }

    /// `[1, frames, 1]`
    fn frame(&self) -> Tensor<3, Int> {
        let device = self.states.device();
        Tensor::arange(0..self.frames as i64, &device).reshape([1, self.frames, 1])
    }

    /// `[1, 1, states]`
    fn state(&self) -> Tensor<3, Int> {
        let width = self.width();
        Tensor::arange(0..width as i64, &self.states.device()).reshape([1, 1, width])
    }
}

fn numbers(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// log Σ exp along the states: `[batch, states]` → `[batch]`
fn log_sum(x: Tensor<2>) -> Tensor<1> {
    let [batch, _] = x.dims();
    let most = x.clone().max_dim(1); // [B, 1]
    let sum = (x - most.clone()).exp().sum_dim(1).log();
    (most + sum).reshape([batch])
}
