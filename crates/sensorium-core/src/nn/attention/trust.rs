//! Whether the framework's fused attention is right on a device: it is asked, once, and its answers
//! compared with attention written out. Some kernels take a mask the other way round, or let a fully
//! blocked row attend to everything, and none of them says so.

use burn::tensor::module::attention as fused;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::op::{Attend, weights};
use crate::nn::asked::Asked;

/// Half precision is not probed; single precision agrees to about 1e-6 on these sizes.
const TOLERANCE: f32 = 1e-4;

/// What is known of one device.
#[derive(Clone, Copy)]
struct Trust {
    plain: bool,
    masked: bool,
}

static KNOWN: Asked<Trust> = Asked::nobody();

/// Whether the fused kernel may be used on `device`: without any mask, bias or cap (`plain`), or with them.
pub(super) fn fused_is_right(device: &Device, plain: bool) -> bool {
    let trust = KNOWN.answer(device, probe);
    if plain { trust.plain } else { trust.masked }
}

fn probe(device: &Device) -> Trust {
    let shape = [1, 2, 3, 4];
    let kv_shape = [1, 2, 5, 4];
    let query = ramp(shape, 0.7, device);
    let key = ramp(kv_shape, 1.3, device);
    let value = ramp(kv_shape, 2.1, device);
    let run = |mask: Option<Tensor<4, Bool>>, bias: Option<Tensor<4>>, softcap: Option<f64>| {
        let how = Attend {
            bias: bias.clone(),
            softcap,
            ..Attend::default()
        };
        let expected = weights(query.clone(), key.clone(), &how, bias.clone(), mask.clone())
            .matmul(value.clone());
        let options = AttentionModuleOptions {
            softcap,
            ..Default::default()
        };
        let found = fused(
            query.clone(),
            key.clone(),
            value.clone(),
            mask,
            bias,
            options,
        );
        agrees(expected, found)
    };
    // The second of three queries sees nothing; the first sees some keys; the third all.
    let blocked = [[false, true, false, true, true], [true; 5], [false; 5]];
    let blocked = [blocked, blocked].concat().concat();
    let mask = Tensor::<4, Bool>::from_data(TensorData::new(blocked, [1, 2, 3, 5]), device);
    let bias = ramp([1, 2, 3, 5], 3.7, device);
    let plain = run(None, None, None);
    Trust {
        plain,
        masked: plain
            && run(Some(mask.clone()), None, None)
            && run(None, Some(bias.clone()), None)
            && run(None, None, Some(2.0))
            && run(Some(mask), Some(bias), Some(2.0)),
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
