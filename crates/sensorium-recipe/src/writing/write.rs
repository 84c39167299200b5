//! Texts written token by token, side by side.

use burn::tensor::{Device, Int, Tensor, TensorData};
use sensorium_core::Tokens;
use sensorium_text::TargetProcessor;

use super::AnyDecoder;

/// What a decoder writes in view of each sample's context, the likeliest token each time, up to the one that ends a text.
pub(super) fn write(
    decoder: &AnyDecoder,
    context: &Tokens,
    target: &TargetProcessor,
) -> Vec<Vec<u32>> {
    let (device, [rows, ..]) = (context.embeds.device(), context.dims());
    let mut written = vec![Vec::new(); rows];
    let mut going: Vec<usize> = (0..rows).collect();
    let mut last = vec![i64::from(target.begin()); rows];
    let mut course = decoder.begin(context);
    for _ in 1..target.max_tokens() {
        let ids = numbers(last, &device).reshape([going.len(), 1]);
        let next = decoder.step(ids, &mut course).argmax(1);
        let next: Vec<i64> = next.into_data().iter::<i64>().collect();
        let ends = i64::from(target.end());
        let on = (0..next.len()).filter(|i| next[*i] != ends);
        let on: Vec<usize> = on.collect();
        for i in &on {
            written[going[*i]].push(u32::try_from(next[*i]).unwrap_or(target.end()));
        }
        if on.is_empty() {
            break;
        }
        if on.len() < going.len() {
            course.select(&numbers(on.iter().map(|i| *i as i64).collect(), &device));
        }
        last = on.iter().map(|i| next[*i]).collect();
        going = on.iter().map(|i| going[*i]).collect();
    }
    written
}

fn numbers(values: Vec<i64>, device: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
