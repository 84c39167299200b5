//! Whether the framework's fused attention is right on a device: it is asked, once, and its answers
//! compared with attention written out. Some kernels take a mask the other way round, or let a fully
//! blocked row attend to everything, and none of them says so.

use burn::tensor::module::attention as fused;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::op::{Attend, attention_weights};
use crate::nn::asked::Asked;

/// Half precision is not probed; single precision agrees to about 1e-6 on these sizes.
const TOLERANCE: f32 = 1e-4;

/// When the fused kernel of one device may be used.
#[derive(Clone, Copy)]
pub(super) struct Trust {
    /// Without a mask, a bias or a cap.
    pub(super) plain: bool,
    /// Where as many queries as keys do not see later ones, and nothing else is asked for.
    pub(super) causal: bool,
    /// With a mask alone, and what that has to say.
    pub(super) mask: Option<Means>,
    /// With masks, biases and caps, alone and together.
    pub(super) all: bool,
}

/// What true in a mask means.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Means {
    Blocked,
    Seen,
}

impl Means {
    /// A mask in which true is blocked, as it has to be said.
    pub(super) fn say(self, blocked: Tensor<4, Bool>) -> Tensor<4, Bool> {
        match self {
            Self::Blocked => blocked,
            Self::Seen => blocked.bool_not(),
        }
    }
}

static KNOWN: Asked<Trust> = Asked::nobody();

pub(super) fn of(device: &Device) -> Trust {
    KNOWN.answer(device, |device| Trial::new(device).trust())
}

/// A small attention, worked out both ways.
struct Trial {
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
}

/// Queries and keys.
const SIZE: [usize; 2] = [3, 5];

impl Trial {
    fn new(device: &Device) -> Self {
        let [queries, keys] = SIZE;
        Self {
            query: ramp([1, 2, queries, 4], 0.7, device),
            key: ramp([1, 2, keys, 4], 1.3, device),
            value: ramp([1, 2, keys, 4], 2.1, device),
        }
    }

    fn trust(self) -> Trust {
        let ([queries, keys], device) = (SIZE, self.query.device());
        // The second of three queries sees nothing; the first sees some keys; the third all.
        let blocked = [[false, true, false, true, true], [true; 5], [false; 5]];
        let blocked = [blocked, blocked].concat().concat();
        let scores = [1, 2, queries, keys];
        let mask = Tensor::<4, Bool>::from_data(TensorData::new(blocked, scores), &device);
        let masked = Attend {
            mask: Some(mask),
            ..Attend::default()
        };
        let biased = Attend {
            bias: Some(ramp(scores, 3.7, &device)),
            ..Attend::default()
        };
        let capped = Attend {
            softcap: Some(2.0),
            ..Attend::default()
        };
        let all = Attend {
            mask: masked.mask.clone(),
            bias: biased.bias.clone(),
            ..capped.clone()
        };
        let agrees = |how: &Attend| self.agrees(how, Means::Blocked);
        let plain = agrees(&Attend::default());
        let mask = match plain {
            true => [Means::Blocked, Means::Seen]
                .into_iter()
                .find(|means| self.agrees(&masked, *means)),
            false => None,
        };
        Trust {
            plain,
            causal: plain && agrees(&Attend::default().with_causal(true)),
            mask,
            all: mask == Some(Means::Blocked) && [biased, capped, all].iter().all(agrees),
        }
    }

    /// Whether the kernel gives what attention written out gives, where true in its mask means that.
    fn agrees(&self, how: &Attend, means: Means) -> bool {
        let [queries, keys] = SIZE;
        let keys = if how.causal { queries } else { keys };
        let own = |x: &Tensor<4>| x.clone().narrow(2, 0, keys);
        let (query, key, value) = (self.query.clone(), own(&self.key), own(&self.value));
        let expected = attention_weights(query.clone(), key.clone(), how).matmul(value.clone());
        let options = AttentionModuleOptions {
            softcap: how.softcap,
            is_causal: how.causal,
            ..Default::default()
        };
        let mask = how.mask.clone().map(|blocked| means.say(blocked));
        let found = fused(query, key, value, mask, how.bias.clone(), options);
        agrees(expected, found)
    }
}

/// Numbers between -1 and 1 without any symmetry that could hide a mistake.
fn ramp<const D: usize>(shape: [usize; D], step: f32, device: &Device) -> Tensor<D> {
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|i| (i as f32 * step).sin()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn agrees(expected: Tensor<4>, found: Tensor<4>) -> bool {
    let difference = (expected - found).abs().max().into_data().convert::<f32>();
    let difference = difference.iter::<f32>().next().unwrap_or(f32::NAN);
    difference <= TOLERANCE // false for NaN
}
