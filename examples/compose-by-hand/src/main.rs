//! A model of text and image composed from crates, and a few steps of training by hand.
//!
//! Bright pictures are "day", dark ones "night"; the text sometimes says so. The third sample has no picture and the
//! fourth no text: a missing modality is a normal case.

use std::error::Error;

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use sensorium_core::{Composite, Model, Processor, Source};
use sensorium_fusion::{ConcatFusionConfig, HeadConfig};
use sensorium_runtime::Backend;
use sensorium_text::{TEXT, TextEncoderConfig, TextProcessor, Tokenizer};
use sensorium_vision::{IMAGE, ImageBatch, VitConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let (first, last) = train(20)?;
    println!("loss {first:.3} -> {last:.3}");
    Ok(())
}

fn train(steps: usize) -> Result<(f32, f32), Box<dyn Error>> {
    let device = sensorium_runtime::open(Backend::Flex)?.autodiff();
    device.seed(7);

    // Text: a vocabulary learned from the texts, and a small transformer.
    let texts = ["the sun is up", "the moon is out", "the sun is up", ""];
    let tokenizer = Tokenizer::fit(texts.into_iter(), 100)?;
    let text = TextEncoderConfig::new(tokenizer.vocab_size(), 16, 32, 1, 4).init(&device);
    let processor = TextProcessor::new(tokenizer, 16);

    // Image: a vision transformer over 16 x 16 pixels.
    let image = VitConfig::new(16, 8, 32, 1, 4).init(&device);

    // Fusion and head: both pooled, side by side, to two classes.
    let fusion = ConcatFusionConfig::new(&[(TEXT, 32), (IMAGE, 32)], 32).init(&device);
    let head = HeadConfig::default().build(32, 2, &device);
    let mut model = Composite::new((text, image), fusion, head);
    println!("{} parameters", model.num_params());

    let samples: Vec<_> = texts
        .iter()
        .map(|text| processor.process(&Source::text(*text)))
        .collect::<Result<_, _>>()?;
    let words = [
        Some(&samples[0]),
        Some(&samples[1]),
        Some(&samples[2]),
        None,
    ];
    let batch = (
        Some(processor.collate(&words, &device)),
        Some(pictures(&device)),
    );
    let classes = Tensor::<1, Int>::from_data([0, 1, 0, 1], &device);

    let mut optimizer = AdamWConfig::new().with_epsilon(1e-8).init();
    let (mut first, mut last) = (f32::NAN, f32::NAN);
    for step in 0..steps {
        let logits = model.run(batch.clone());
        let loss = log_softmax(logits, 1)
            .gather(1, classes.clone().reshape([4, 1]))
            .mean()
            .neg();
        last = loss.clone().into_scalar::<f32>();
        if step == 0 {
            first = last;
        }
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(3e-3, model, grads);
    }
    Ok((first, last))
}

/// Day, night, none, night.
fn pictures(device: &Device) -> ImageBatch {
    let brightness = Tensor::<1>::from_data([0.8, -0.8, 0.0, -0.6], device).reshape([4, 1, 1, 1]);
    let present = Tensor::from_data([true, true, false, true], device);
    ImageBatch::new(brightness.expand([4, 3, 16, 16]), present)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_loss_falls() {
        let (first, last) = super::train(20).unwrap();
        assert!(last < 0.5 * first, "{first} -> {last}");
    }
}
