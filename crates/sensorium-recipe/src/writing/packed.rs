//! Samples of unlike lengths, side by side in as few rows as hold them: padding is not computed.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use sensorium_core::Tokens;
use sensorium_core::nn::{Layout, Positions};

/// Which place of a row each token of a batch goes to.
pub(super) struct Packed {
    /// Rows, each as long as the longest sample.
    rows: usize,
    longest: usize,
    /// For each place of the rows the token that stands there, among all of the batch; none at padding.
    from: Vec<Option<usize>>,
    /// Where each of these stands within its sample.
    at: Vec<u32>,
    /// Which of a row's samples it is of.
    sample: Vec<i64>,
    /// For each token of the batch its place among all of the rows; the first, where it is padding.
    to: Vec<usize>,
}

impl Packed {
    /// Of `pad` `[batch, tokens]`, true at padding. The longest sample goes first, and each into the first row that has room for it.
    pub(super) fn new(pad: &Tensor<2, Bool>) -> Self {
        let [batch, tokens] = pad.dims();
        let pad: Vec<bool> = pad.clone().into_data().iter::<bool>().collect();
        let own = |sample: usize| {
            let places = sample * tokens..(sample + 1) * tokens;
            places.filter(|place| !pad[*place])
        };
        let lengths: Vec<usize> = (0..batch).map(|sample| own(sample).count()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0).max(1);
        let mut order: Vec<usize> = (0..batch).filter(|sample| lengths[*sample] > 0).collect();
        order.sort_by_key(|sample| std::cmp::Reverse(lengths[*sample]));
        let mut rows: Vec<Vec<usize>> = Vec::new();
        let mut room: Vec<usize> = Vec::new();
        for sample in order {
            let length = lengths[sample];
            let row = room.iter().position(|room| *room >= length);
            let row = row.unwrap_or_else(|| {
                rows.push(Vec::new());
                room.push(longest);
                rows.len() - 1
            });
            rows[row].push(sample);
            room[row] -= length;
        }
        if rows.is_empty() {
            rows.push(Vec::new());
        }
        let places = rows.len() * longest;
        let mut packed = Self {
            rows: rows.len(),
            longest,
            from: vec![None; places],
            at: vec![0; places],
            sample: vec![-1; places],
            to: vec![0; batch * tokens],
        };
        for (row, samples) in rows.iter().enumerate() {
            let mut place = row * longest;
            for (nth, sample) in samples.iter().enumerate() {
                for (at, token) in own(*sample).enumerate() {
                    packed.from[place] = Some(token);
                    packed.at[place] = at as u32;
                    packed.sample[place] = nth as i64;
                    packed.to[token] = place;
                    place += 1;
                }
            }
        }
        packed
    }

    /// The batch's tokens in these rows: `[batch, tokens, d]` → `[rows, longest, d]`
    pub(super) fn pack(&self, embeds: Tensor<3>) -> Tokens {
        let device = embeds.device();
        let from = self.from.iter().map(|from| from.unwrap_or(0));
        let pad: Vec<bool> = self.from.iter().map(Option::is_none).collect();
        let pad = TensorData::new(pad, [self.rows, self.longest]);
        Tokens::new(
            gathered(embeds, from, [self.rows, self.longest]),
            Tensor::from_data(pad, &device),
        )
    }

    /// How they lie there.
    pub(super) fn layout(&self, device: &Device) -> Layout {
        let shared = self.sample.iter().any(|sample| *sample > 0);
        let sample = TensorData::new(self.sample.clone(), [self.rows, self.longest]);
        Layout {
            positions: Some(Positions::on_axes(vec![self.at.clone()], self.rows)),
            segments: shared.then(|| Tensor::from_data(sample, device)),
        }
    }

    /// Back to the last `last` tokens of each of `batch` samples: `[rows, longest, d]` → `[batch, last, d]`, unspecified at padding.
    pub(super) fn unpack(&self, packed: Tensor<3>, batch: usize, last: usize) -> Tensor<3> {
        let tokens = self.to.len() / batch;
        let ends = self.to.chunks(tokens).flat_map(|to| &to[tokens - last..]);
        gathered(packed, ends.copied(), [batch, last])
    }
}

/// Vectors of places: `[a, b, d]` → `[shape, d]`
fn gathered(
    vectors: Tensor<3>,
    places: impl Iterator<Item = usize>,
    [rows, length]: [usize; 2],
) -> Tensor<3> {
    let [a, b, d] = vectors.dims();
    let places: Vec<i64> = places.map(|place| place as i64).collect();
    let places = Tensor::<1, Int>::from_data(places.as_slice(), &vectors.device());
    vectors
        .reshape([a * b, d]) // [A, B, D] -> [A * B, D]
        .select(0, places)
        .reshape([rows, length, d])
}

#[cfg(test)]
mod tests {
    use sensorium_testkit::{bools, devices, floats, ints, random};

    use super::*;

    #[test]
    fn samples_share_rows_and_come_back() {
        for device in devices() {
            let x = true;
            // Of lengths 2, 4, 0, 1 and 3.
            let pad = Tensor::<2, Bool>::from_data(
                [
                    [x, false, x, false],
                    [false, false, false, false],
                    [x, x, x, x],
                    [false, x, x, x],
                    [false, x, false, false],
                ],
                &device,
            );
            let packed = Packed::new(&pad);
            let embeds = random([5, 4, 2], 1, &device);
            let rows = packed.pack(embeds.clone());
            assert_eq!(rows.dims(), [3, 4, 2]);
            assert_eq!(
                bools(&rows.pad),
                [
                    false, false, false, false, false, false, false, false, false, false, x, x
                ]
            );
            let segments = packed.layout(&device).segments.unwrap();
            assert_eq!(ints(&segments), [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, -1, -1]);
            assert_eq!(packed.at, [0, 1, 2, 3, 0, 1, 2, 0, 0, 1, 0, 0]);
            let back = packed.unpack(rows.embeds, 5, 2);
            let (found, expected) = (floats(&back), floats(&embeds.narrow(1, 2, 2)));
            let pad = bools(&pad.narrow(1, 2, 2));
            for (place, pad) in pad.iter().enumerate().filter(|(_, pad)| !**pad) {
                let of = place * 2..place * 2 + 2;
                assert_eq!(found[of.clone()], expected[of], "{pad} {place}");
            }
        }
    }

    #[test]
    fn nothing_at_all_is_a_row_of_padding() {
        let device = Device::flex();
        let pad = Tensor::<2, Bool>::from_data([[true, true]], &device);
        let rows = Packed::new(&pad).pack(Tensor::zeros([1, 2, 3], &device));
        assert_eq!((rows.dims(), bools(&rows.pad)), ([1, 1, 3], vec![true]));
    }
}
