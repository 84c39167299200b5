//! Which wrong pairs of a batch a model is asked about: drawn on the host, so that every device is asked the same.

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use sensorium_core::seed;
use sensorium_pretrain::WrongPairs;

use crate::prepare::Prepared;

/// What wrong pairs of these rows are drawn by, each row's by its seed. Rows of the same words belong to each other as well.
pub(super) fn wrong_pairs(
    rows: &Prepared,
    of: &[usize],
    seeds: &[u64],
    hard: bool,
    device: &Device,
) -> WrongPairs {
    let batch = of.len();
    let noise = |side: &str| {
        let noise = seeds.iter().flat_map(|seed| {
            let mut rng = seed::rng(*seed, &[seed::of_name(side)]);
            (0..batch).map(move |_| gumbel(rng.random_range(1e-6..1.0 - 1e-6)))
        });
        let noise: Vec<f32> = noise.collect();
        Tensor::from_data(TensorData::new(noise, [batch, batch]), device)
    };
    let words: Vec<Option<&str>> = of.iter().map(|row| rows.words(*row)).collect();
    let each = words.iter().enumerate();
    let same = each.flat_map(|(i, one)| {
        let others = words.iter().enumerate();
        others.map(move |(j, other)| i == j || (one.is_some() && one == other))
    });
    let same = TensorData::new(same.collect::<Vec<bool>>(), [batch, batch]);
    WrongPairs {
        noise: ["wrong seconds", "wrong firsts"].map(noise),
        same: Tensor::from_data(same, device),
        hard,
    }
}

/// From an even draw between 0 and 1 to one of Gumbel's distribution.
fn gumbel(uniform: f32) -> f32 {
    -(-uniform.ln()).ln()
}
