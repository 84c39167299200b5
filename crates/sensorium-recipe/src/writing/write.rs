//! Texts written token by token, side by side.

use std::ops::ControlFlow;

use burn::tensor::{Device, Int, Tensor, TensorData};
use sensorium_core::Tokens;
use sensorium_decode::{Generation, Prompt, Speaker, generate};
use sensorium_text::TargetProcessor;

use super::AnyDecoder;
use super::decoder::Course;
use crate::Error;

/// What a decoder writes in view of each sample's context, up to the token that ends a text, which is left out.
pub(super) fn write(
    decoder: &AnyDecoder,
    context: &Tokens,
    target: &TargetProcessor,
    how: &Generation,
) -> Result<Vec<Vec<u32>>, Error> {
    let (device, [rows, ..]) = (context.embeds.device(), context.dims());
    let how = Generation {
        eos_token_id: vec![target.end()],
        ..how.clone()
    };
    let mut writer = Writer {
        course: decoder.begin(context),
        decoder,
        device,
    };
    let begin = [target.begin()];
    let scores = writer.step(&vec![target.begin(); rows])?;
    let prompt = |seed: usize| Prompt {
        tokens: &begin,
        seed: seed as u64,
    };
    let prompts: Vec<Prompt<'_>> = (0..rows).map(prompt).collect();
    // The token that a text begins with has a place too.
    let room = vec![target.max_tokens() - 1; rows];
    let heard = |_, _: &_| ControlFlow::Continue(());
    let texts = generate(&mut writer, scores, &prompts, &how, &room, heard)?;
    Ok(texts.into_iter().map(|text| text.tokens).collect())
}

/// A decoder and what it remembers of the texts that go on.
struct Writer<'a> {
    decoder: &'a AnyDecoder,
    course: Course,
    device: Device,
}

impl Speaker for Writer<'_> {
    type Error = Error;

    fn step(&mut self, tokens: &[u32]) -> Result<Vec<f32>, Error> {
        let ids = numbers(tokens.iter().map(|id| i64::from(*id)), &self.device);
        let ids = ids.reshape([tokens.len(), 1]);
        let scores = self.decoder.step(ids, &mut self.course);
        Ok(scores.into_data().iter::<f32>().collect())
    }

    fn select(&mut self, rows: &[usize], prompts: &[usize]) {
        self.course.select(rows, prompts, &self.device);
    }
}

/// Whole numbers on a device.
pub(super) fn numbers(values: impl Iterator<Item = i64>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
