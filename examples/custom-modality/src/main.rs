//! A modality of your own, outside the workspace: readings of a thermometer, fused with text. Nothing in Sensorium
//! is edited for it; what it needs is a name, a `Processor` and an `Encoder`.

use std::error::Error;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Bool, Device, Tensor, TensorData};
use sensorium_core::nn::{LearnedPositions, Transformer, TransformerConfig};
use sensorium_core::{
    Encoder, Fusion, Modality, Parts, Processor, Source, SourceError, Tap, Tokens,
};
use sensorium_fusion::GatedFusionConfig;
use sensorium_runtime::Backend;
use sensorium_text::{TEXT, TextEncoderConfig, TextProcessor, Tokenizer};

/// Degrees, one after the other.
const THERMAL: Modality = Modality("thermal");

/// The most readings of a sample.
const LONGEST: usize = 32;

#[derive(Debug, thiserror::Error)]
enum ThermalError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{name}: {word:?} is not a temperature")]
    NotANumber { name: String, word: String },
    #[error("{name}: has {count} readings; 1 to {LONGEST} are taken")]
    Length { name: String, count: usize },
}

/// Readings as written, such as `20.5 21 21.5`.
#[derive(Clone, Debug)]
struct ThermalProcessor;

#[derive(Clone, Debug)]
struct ThermalBatch {
    degrees: Tensor<2>,   // [batch, readings]
    pad: Tensor<2, Bool>, // true = padding
}

impl Processor for ThermalProcessor {
    type Sample = Vec<f32>;
    type Batch = ThermalBatch;
    type Error = ThermalError;

    fn process(&self, source: &Source) -> Result<Vec<f32>, ThermalError> {
        let name = source.describe();
        let bytes = source.read(1 << 20)?;
        let text = String::from_utf8_lossy(&bytes);
        let degrees = text
            .split_whitespace()
            .map(|word| match word.parse::<f32>() {
                Ok(degrees) if degrees.is_finite() => Ok((degrees - 20.0) / 10.0),
                _ => Err(ThermalError::NotANumber {
                    name: name.clone(),
                    word: word.to_owned(),
                }),
            })
            .collect::<Result<Vec<f32>, _>>()?;
        match degrees.len() {
            1..=LONGEST => Ok(degrees),
            count => Err(ThermalError::Length { name, count }),
        }
    }

    fn collate(&self, samples: &[Option<&Vec<f32>>], device: &Device) -> ThermalBatch {
        let longest = samples.iter().flatten().map(|s| s.len()).max().unwrap_or(1);
        let (mut degrees, mut pad) = (Vec::new(), Vec::new());
        for sample in samples {
            let own: &[f32] = sample.map_or(&[], |s| s);
            degrees.extend((0..longest).map(|i| own.get(i).copied().unwrap_or(0.0)));
            pad.extend((0..longest).map(|i| i >= own.len()));
        }
        let shape = [samples.len(), longest];
        ThermalBatch {
            degrees: Tensor::from_data(TensorData::new(degrees, shape), device),
            pad: Tensor::from_data(TensorData::new(pad, shape), device),
        }
    }
}

/// A reading is a token.
#[derive(Module, Debug)]
struct ThermalEncoder {
    reading: Linear,
    positions: LearnedPositions,
    transformer: Transformer,
}

impl ThermalEncoder {
    fn new(d_model: usize, device: &Device) -> Self {
        Self {
            reading: LinearConfig::new(1, d_model).init(device),
            positions: LearnedPositions::new(LONGEST, d_model, device),
            transformer: TransformerConfig::new(d_model, 4, 1).init(device),
        }
    }
}

impl Encoder for ThermalEncoder {
    const MODALITY: Modality = THERMAL;
    type Batch = ThermalBatch;

    fn d_output(&self) -> usize {
        self.positions.weight.shape().dims::<2>()[1]
    }

    fn encode_with<T: Tap>(&self, batch: ThermalBatch, tap: &mut T) -> Tokens {
        let embeds = self.reading.forward(batch.degrees.unsqueeze_dim(2)); // [B, T] -> [B, T, D]
        let tokens = Tokens::new(self.positions.forward(embeds), batch.pad);
        self.transformer.forward_with(tokens, tap)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = sensorium_runtime::open(Backend::Flex)?;
    let words = Tokenizer::fit(["a warm room", "a cold room"].into_iter(), 60)?;
    let text = TextEncoderConfig::new(words.vocab_size(), 8, 32, 1, 4).init(&device);
    let thermal = ThermalEncoder::new(32, &device);
    let fusion = GatedFusionConfig::new(&[(TEXT, 32), (THERMAL, 32)], 32).init(&device);

    let words = TextProcessor::new(words, 8);
    let said = words.process(&Source::text("a warm room"))?;
    let measured = ThermalProcessor.process(&Source::text("20.5 21 21.5"))?;
    // The first sample has both, the second a measurement only.
    let said = words.collate(&[Some(&said), None], &device);
    let measured = ThermalProcessor.collate(&[Some(&measured), Some(&measured)], &device);
    let parts = Parts::new()
        .with(TEXT, text.encode(said))
        .with(THERMAL, thermal.encode(measured));
    println!("fused {:?}", fusion.fuse(parts).dims());
    let refused = ThermalProcessor.process(&Source::text("20.5 warm"));
    println!("{}", refused.expect_err("`warm` is no number"));
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() -> Result<(), Box<dyn std::error::Error>> {
        super::main()
    }
}
