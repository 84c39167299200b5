//! The samples of a batch that have a modality, encoded alone: what is absent costs nothing.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::{Encoder, Processor, Tap, Tokens};

/// A batch of those samples that have a modality, and where each stands in the whole batch.
///
/// Encoding it gives what encoding the whole batch with padding would give, without the work for absent samples.
#[derive(Clone, Debug)]
pub struct Gathered<B> {
    /// The samples that are there.
    pub batch: B,
    /// `[whole batch]`: each row's place among the samples that are there, or their number where it is absent. `None`
    /// if none is absent.
    pub place: Option<Tensor<1, Int>>,
}

impl<B> Gathered<B> {
    /// Collates the samples that are there; `None` if there is none.
    pub fn collate<P: Processor<Batch = B>>(
        processor: &P,
        samples: &[Option<&P::Sample>],
        device: &Device,
    ) -> Option<Self> {
        let present: Vec<_> = samples.iter().copied().filter(Option::is_some).collect();
        if present.is_empty() {
            return None;
        }
        let place = (present.len() < samples.len()).then(|| {
            let mut next = 0..present.len() as i64;
            let absent = present.len() as i64;
            let place: Vec<i64> = samples
                .iter()
                .map(|sample| sample.and_then(|_| next.next()).unwrap_or(absent))
                .collect();
            Tensor::from_data(TensorData::new(place, [samples.len()]), device)
        });
        Some(Self {
            batch: processor.collate(&present, device),
            place,
        })
    }

    /// Of something for each row of the whole batch, what belongs to the samples that are there.
    ///
    /// # Panics
    /// If there are fewer than rows.
    pub fn of_present<T>(&self, of_rows: impl IntoIterator<Item = T>) -> Vec<T> {
        let of_rows = of_rows.into_iter();
        let Some(place) = &self.place else {
            return of_rows.collect();
        };
        let places: Vec<i64> = place.clone().into_data().iter::<i64>().collect();
        // Where a row is absent stands how many are there, which is more than any place.
        let absent = places.iter().copied().max().unwrap_or(0);
        let mut of_rows = of_rows;
        let mut present = Vec::new();
        for place in places {
            let of_row = of_rows.next().expect("something for each row");
            if place < absent {
                present.push(of_row);
            }
        }
        present
    }

    /// Tokens of the whole batch: `[whole batch, tokens, d_output]`, absent samples all padding.
    pub fn encode_with<E: Encoder<Batch = B>, T: Tap>(self, encoder: &E, tap: &mut T) -> Tokens {
        self.tokens(|batch| encoder.encode_with(batch, tap))
    }

    /// The same of what `encode` makes of the samples that are there.
    pub fn tokens(self, encode: impl FnOnce(B) -> Tokens) -> Tokens {
        let tokens = encode(self.batch);
        match self.place {
            Some(place) => spread(tokens, place),
            None => tokens,
        }
    }
}

/// `[present, T, D]` → `[batch, T, D]`, with one sample of padding to stand for all absent ones. `place` `[batch]` is each
/// row's place among those that are there, or their number where it is absent, as [`Gathered`] has it.
pub fn spread(tokens: Tokens, place: Tensor<1, Int>) -> Tokens {
    let device = tokens.device();
    let [_, n, d] = tokens.dims();
    let nothing = Tensor::zeros([1, n, d], (&device, tokens.embeds.dtype()));
    let padding = Tensor::<2, Int>::ones([1, n], &device);
    // Selected as numbers: flex forgets that what it selects of booleans is boolean.
    let pad = Tensor::cat(vec![tokens.pad.int(), padding], 0).select(0, place.clone());
    Tokens::new(
        Tensor::cat(vec![tokens.embeds, nothing], 0).select(0, place),
        pad.bool(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Modality, NoTap, Source};
    use burn::module::{Module, Param};
    use burn::tensor::Bool;
    use sensorium_testkit::{assert_close, bools, devices, floats, random};

    /// A sample is one number; its tokens are the number times each row of the weights.
    #[derive(Module, Debug)]
    struct Scale {
        weight: Param<Tensor<2>>,
    }

    #[derive(Clone, Debug)]
    struct Numbers {
        values: Tensor<1>,
        absent: Tensor<1, Bool>,
    }

    #[derive(Clone, Debug)]
    struct Number;

    impl Processor for Number {
        type Sample = f32;
        type Batch = Numbers;
        type Error = std::num::ParseFloatError;

        fn process(&self, source: &Source) -> Result<f32, Self::Error> {
            source.describe().parse()
        }

        fn collate(&self, samples: &[Option<&f32>], device: &Device) -> Numbers {
            let values: Vec<f32> = samples.iter().map(|s| s.copied().unwrap_or(0.0)).collect();
            let absent: Vec<bool> = samples.iter().map(Option::is_none).collect();
            let n = samples.len();
            Numbers {
                values: Tensor::from_data(TensorData::new(values, [n]), device),
                absent: Tensor::from_data(TensorData::new(absent, [n]), device),
            }
        }
    }

    impl Encoder for Scale {
        const MODALITY: Modality = Modality("number");
        type Batch = Numbers;

        fn d_output(&self) -> usize {
            self.weight.dims()[1]
        }

        fn encode_with<T: Tap>(&self, batch: Numbers, _tap: &mut T) -> Tokens {
            let n = batch.values.dims()[0];
            let values = batch.values.reshape([n, 1, 1]);
            let embeds = values * self.weight.val().unsqueeze_dim::<3>(0);
            Tokens::with_presence(embeds, batch.absent.bool_not())
        }
    }

    #[test]
    fn gathering_gives_what_padding_gives() {
        for device in devices() {
            let encoder = Scale {
                weight: Param::from_tensor(random([3, 4], 1, &device)),
            };
            let (a, b) = (2.0, -1.5);
            for column in [
                vec![Some(&a), None, Some(&b), None, None],
                vec![None, Some(&a)],
                vec![Some(&a), Some(&b)],
            ] {
                let padded = encoder
                    .encode(Number.collate(&column, &device))
                    .zero_padding();
                let gathered = Gathered::collate(&Number, &column, &device).unwrap();
                assert_eq!(gathered.place.is_some(), column.iter().any(Option::is_none));
                let numbers = column.iter().copied().enumerate();
                let there: Vec<usize> = numbers.filter_map(|(i, x)| x.map(|_| i)).collect();
                assert_eq!(gathered.of_present(0..column.len()), there);
                let tokens = gathered.encode_with(&encoder, &mut NoTap).zero_padding();
                assert_close(&tokens.embeds, &padded.embeds, 0.0);
                assert_eq!(bools(&tokens.pad), bools(&padded.pad));
                assert_eq!(bools(&tokens.present()), bools(&padded.present()));
            }
            assert!(Gathered::collate(&Number, &[None, None], &device).is_none());
        }
    }

    #[test]
    fn gradients_reach_the_encoder_through_the_samples_that_are_there() {
        for device in devices().into_iter().map(Device::autodiff) {
            let encoder = Scale {
                weight: Param::from_tensor(random([1, 2], 1, &device).require_grad()),
            };
            let (a, b) = (2.0, -1.5);
            let gathered =
                Gathered::collate(&Number, &[Some(&a), None, Some(&b)], &device).unwrap();
            let tokens = gathered.encode_with(&encoder, &mut NoTap);
            let uneven =
                Tensor::<3>::from_data([[[1.0, 10.0]], [[5.0, 5.0]], [[2.0, 1.0]]], &device);
            let grads = (tokens.embeds * uneven).sum().backward();
            let grad = encoder.weight.val().grad(&grads).unwrap();
            // 2·1 - 1.5·2 and 2·10 - 1.5·1; nothing of the absent sample's fives.
            assert_eq!(floats(&grad), [-1.0, 18.5]);
        }
    }
}
