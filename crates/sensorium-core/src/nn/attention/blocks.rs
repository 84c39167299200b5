//! Attention in the host's memory, a block of queries of one head at a time: its scores stay in the processor's cache, keys that no
//! query of the block may see are not multiplied, and blocks are as many as threads can share.

use burn::tensor::{Bool, Element, Tensor, TensorData};
use rayon::prelude::*;

use super::op::Attend;
use crate::nn::host;

/// Queries of a block.
const BLOCK: usize = 128;
/// Scores of a head that are worth sharing heads out: of fewer, the framework's kernel takes less time.
const LEAST: usize = 64 * 64;
/// Queries of a key head, those of all heads that share it, that are few.
const FEW: usize = 16;
/// The same where queries are few.
const LEAST_OF_FEW: usize = 1024;

/// Whether so many queries and keys are better attended to in blocks, and can be.
pub(super) fn pays(query: &Tensor<4>, key: &Tensor<4>, how: &Attend) -> bool {
    let ([batch, _, queries, _], [_, _, keys, _]) = (query.dims(), key.dims());
    let least = if queries > FEW { LEAST } else { LEAST_OF_FEW };
    batch > 0 && queries * keys >= least && how.softcap.is_none() && host::holds(query)
}

/// Whether attention had better be written out: the framework's kernel lays keys and values out anew, which are read once by so few
/// queries; products read them as they lie.
pub(super) fn few(query: &Tensor<4>) -> bool {
    query.dims()[2] <= FEW && host::holds(query)
}

/// What [`attend`](super::attend) gives, for what [`pays`].
pub(super) fn attend(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    how: &Attend,
) -> Tensor<4> {
    let [batch, heads, queries, d_head] = query.dims();
    let [_, kv_heads, keys, d_value] = value.dims();
    let rules = Rules::new(how, [batch, heads, queries, keys], d_head);
    let blocks = queries.div_ceil(BLOCK);
    let block = |task: usize| {
        let (row, block) = (task / blocks, task % blocks);
        let (b, h) = (row / heads, row % heads);
        let from = block * BLOCK;
        let to = queries.min(from + BLOCK);
        let seen = rules.seen(to - 1);
        if seen == 0 {
            return Tensor::zeros([to - from, d_value], &query.device());
        }
        // Views of what lies where it lies: a copy of a head would take as long as a product.
        let kv_head = h * kv_heads / heads;
        let of_head = |x: &Tensor<4>, h, tokens| x.clone().slice([b..b + 1, h..h + 1, tokens]);
        let own = of_head(&query, h, from..to);
        let keys = of_head(&key, kv_head, 0..seen);
        let values = of_head(&value, kv_head, 0..seen);
        let scores = own.matmul(keys.transpose()); // [1, 1, Q, Dh] x [1, 1, Dh, K] -> [1, 1, Q, K]
        let weights = host::rows(
            scores,
            #[inline(always)]
            |row, scores| rules.weigh(b, h, from + row, scores),
        );
        weights.matmul(values).reshape([to - from, d_value])
    };
    let parts = (0..batch * heads * blocks).into_par_iter().map(block);
    let mixed: Tensor<2> = Tensor::cat(parts.collect(), 0);
    mixed.reshape([batch, heads, queries, d_value])
}

/// What becomes of scores, on the host.
struct Rules {
    scale: f32,
    /// How many keys the first query sees more than one, where none sees a later one.
    causal: Option<isize>,
    keys: usize,
    blocked: Vec<Plane<bool>>,
    bias: Option<Plane<f32>>,
}

impl Rules {
    /// For scores `[batch, heads, queries, keys]`.
    fn new(how: &Attend, scores: [usize; 4], d_head: usize) -> Self {
        let [batch, _, queries, keys] = scores;
        let blocked = |mask: Tensor<4, Bool>| Plane::of(scores, mask.dims(), mask.into_data());
        let added = |bias: Tensor<4>| Plane::of(scores, bias.dims(), bias.into_data());
        let pad = how.key_pad.clone();
        let pad = pad.map(|pad| blocked(pad.reshape([batch, 1, 1, keys])));
        let mask = how.mask.clone().map(blocked);
        Self {
            scale: how.factor(d_head) as f32,
            causal: how.causal.then_some(keys as isize - queries as isize),
            keys,
            blocked: pad.into_iter().chain(mask).collect(),
            bias: how.bias.clone().map(added),
        }
    }

    /// How many keys from the first on a query may see.
    fn seen(&self, query: usize) -> usize {
        match self.causal {
            Some(offset) => (query as isize + offset + 1).clamp(0, self.keys as isize) as usize,
            None => self.keys,
        }
    }

    /// Scores of a query become weights; all 0 where it sees no key.
    #[inline(always)]
    fn weigh(&self, sample: usize, head: usize, query: usize, scores: &mut [f32]) {
        let (scores, later) = scores.split_at_mut(self.seen(query).min(scores.len()));
        later.fill(0.0);
        scores.iter_mut().for_each(|score| *score *= self.scale);
        if let Some(bias) = &self.bias {
            let bias = bias.row(sample, head, query);
            scores
                .iter_mut()
                .zip(bias)
                .for_each(|(score, bias)| *score += bias);
        }
        for blocked in &self.blocked {
            let blocked = blocked.row(sample, head, query);
            for (score, blocked) in scores.iter_mut().zip(blocked) {
                *score = if *blocked { f32::NEG_INFINITY } else { *score };
            }
        }
        host::softmax(scores);
    }
}

/// `[batch or 1, heads or 1, queries or 1, keys]`
struct Plane<T> {
    dims: [usize; 4],
    values: Vec<T>,
}

impl<T: Element> Plane<T> {
    fn of(scores: [usize; 4], dims: [usize; 4], data: TensorData) -> Self {
        let fits = dims
            .iter()
            .zip(scores)
            .all(|(own, of)| [1, of].contains(own));
        assert!(
            fits && dims[3] == scores[3],
            "a mask or bias {dims:?} for scores {scores:?}"
        );
        match data.convert::<T>().try_into_vec() {
            Ok(values) => Self { dims, values },
            Err(error) => unreachable!("it was converted: {error:?}"),
        }
    }
}

impl<T> Plane<T> {
    fn row(&self, sample: usize, head: usize, query: usize) -> &[T] {
        let [batch, heads, queries, keys] = self.dims;
        let place = |at: usize, of: usize| if of == 1 { 0 } else { at };
        let row =
            (place(sample, batch) * heads + place(head, heads)) * queries + place(query, queries);
        &self.values[row * keys..(row + 1) * keys]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use sensorium_testkit::{assert_close, devices, random};

    use super::*;
    use crate::nn::attention::op::{attention_weights, mix};

    const BATCH: usize = 2;
    const HEADS: usize = 4;

    /// True where `random` numbers are far up.
    fn blocked<const D: usize>(dims: [usize; D], device: &Device) -> Tensor<D, Bool> {
        random::<D>(dims, 7, device).greater_elem(0.7)
    }

    fn hows(queries: usize, keys: usize, device: &Device) -> Vec<Attend> {
        let pad: Vec<bool> = (0..BATCH * keys).map(|i| i >= keys || i % 3 == 0).collect();
        let pad = TensorData::new(pad, [BATCH, keys]);
        // The second sample is all padding.
        let padded = Attend::keys(Tensor::from_data(pad, device));
        let mask = |dims| Attend {
            mask: Some(blocked(dims, device)),
            ..Attend::default()
        };
        vec![
            Attend::default(),
            padded.clone(),
            mask([1, 1, queries, keys]),
            mask([BATCH, HEADS, queries, keys]),
            Attend {
                bias: Some(random([1, HEADS, queries, keys], 8, device)),
                mask: Some(blocked([BATCH, 1, queries, keys], device)),
                scale: Some(-0.7),
                ..padded
            },
        ]
    }

    #[test]
    fn blocks_give_what_attention_written_out_gives() {
        for device in devices() {
            // One block and several, the last of them not whole; more keys than queries and fewer, so that first queries see none.
            for [queries, keys] in [[1, 1200], [64, 64], [300, 300], [130, 200], [260, 70]] {
                let x = |heads, tokens, seed| {
                    let x = random::<4>([BATCH, tokens, heads, 8], seed, &device);
                    x.swap_dims(1, 2)
                };
                let (q, k, v) = (x(HEADS, queries, 1), x(2, keys, 2), x(2, keys, 3));
                for how in hows(queries, keys, &device) {
                    for causal in [false, true] {
                        let how = how.clone().with_causal(causal);
                        let weights = attention_weights(q.clone(), k.clone(), &how);
                        let expected = mix(weights, v.clone());
                        assert_eq!(pays(&q, &k, &how), host::holds(&q));
                        let found = super::super::attend(q.clone(), k.clone(), v.clone(), &how);
                        assert_close(&found, &expected, 1e-5);
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "a mask or bias [1, 1, 64, 60] for scores [1, 2, 64, 64]")]
    fn a_mask_of_other_keys_is_refused() {
        let device = sensorium_testkit::devices().remove(0);
        let how = Attend {
            mask: Some(blocked([1, 1, 64, 60], &device)),
            ..Attend::default()
        };
        Rules::new(&how, [1, 2, 64, 64], 4);
    }

    #[test]
    fn what_is_no_number_stays_none_for_those_who_see_it() {
        for device in devices().into_iter().filter(host::is_memory_of_the_host) {
            let tokens = 70;
            let mut numbers = vec![0.5; tokens * 4];
            numbers[4 * 60] = f32::NAN;
            let data = TensorData::new(numbers, [1, 1, tokens, 4]);
            let key = Tensor::<4>::from_data(data, &device);
            let value = Tensor::ones([1, 1, tokens, 4], &device);
            let how = Attend::default().with_causal(true);
            let found = attend(value.clone(), key, value, &how).into_data();
            for (i, x) in found.iter::<f32>().enumerate() {
                assert_eq!(x.is_nan(), i / 4 >= 60, "query {}", i / 4);
            }
        }
    }
}
