//! Patches to tokens: a linear map, positions and a transformer.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Bool, Device, Tensor};
use sensorium_core::nn::{LearnedPositions, Transformer, TransformerConfig};
use sensorium_core::{Encoder, Modality, Tap, Tokens};

use crate::{TEMPLATE, TemplateConfig};

/// Series of a batch, cut into patches.
#[derive(Clone, Debug)]
pub struct TemplateBatch {
    /// `[batch, patches, patch_rows * channels]`
    pub patches: Tensor<3>,
    /// `[batch, patches]`, true = padding
    pub pad: Tensor<2, Bool>,
}

/// A transformer over patches of series.
#[derive(Module, Debug)]
pub struct TemplateEncoder {
    /// A patch's numbers to a token.
    pub patch: Linear,
    /// Where in the series a token stands.
    pub positions: LearnedPositions,
    /// Lets tokens see each other.
    pub transformer: Transformer,
}

impl TemplateEncoder {
    /// A freshly initialised encoder for patches of `patch_len` numbers.
    pub fn new(config: &TemplateConfig, patch_len: usize, device: &Device) -> Self {
        let d_model = config.d_model;
        Self {
            patch: LinearConfig::new(patch_len, d_model).init(device),
            positions: LearnedPositions::new(config.max_tokens(), d_model, device),
            transformer: TransformerConfig::new(d_model, config.n_heads, config.n_layers)
                .with_dropout(config.dropout)
                .init(device),
        }
    }
}

impl Encoder for TemplateEncoder {
    const MODALITY: Modality = TEMPLATE;
    type Batch = TemplateBatch;

    fn d_output(&self) -> usize {
        self.positions.weight.shape().dims::<2>()[1]
    }

    fn encode_with<T: Tap>(&self, batch: TemplateBatch, tap: &mut T) -> Tokens {
        let embeds = self.patch.forward(batch.patches); // [B, P, patch_len] -> [B, P, D]
        let embeds = tap.tensor("patches", self.positions.forward(embeds));
        self.transformer
            .forward_with(Tokens::new(embeds, batch.pad), tap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_core::{Processor, Source};
    use sensorium_testkit::{assert_close, check_gradients, devices, parameter_snapshot, random};

    use crate::{TemplateProcessor, TemplateSample};

    fn processor() -> TemplateProcessor {
        let sources = [Source::text("1 2; 3 -4")];
        TemplateProcessor::fit(&TemplateConfig::debug(), &mut sources.into_iter()).unwrap()
    }

    fn encoder(device: &Device) -> TemplateEncoder {
        TemplateEncoder::new(&TemplateConfig::debug(), processor().patch_len(), device)
    }

    fn sample(text: &str) -> TemplateSample {
        processor().process(&Source::text(text)).unwrap()
    }

    fn first_tokens(tokens: &Tokens, sample: usize, count: usize) -> Tensor<3> {
        let [_, _, d_model] = tokens.dims();
        tokens
            .embeds
            .clone()
            .slice([sample..sample + 1, 0..count, 0..d_model])
    }

    #[test]
    fn a_patch_becomes_a_token() {
        for device in devices() {
            let batch = processor().collate(&[Some(&sample("1 2; 3 4; 5 6"))], &device);
            let tokens = encoder(&device).encode(batch);
            assert_eq!(tokens.dims(), [1, 2, encoder(&device).d_output()]);
        }
    }

    #[test]
    fn every_parameter_trains() {
        for device in devices().into_iter().map(Device::autodiff) {
            // As many patches as there are positions: all of them must get a gradient.
            let text = ["1 2; -3 4"; 8].join(";");
            let batch = processor().collate(&[Some(&sample(&text))], &device);
            let weights = random([1, 8, 16], 1, &device);
            check_gradients(encoder(&device), |e| {
                (e.encode(batch).embeds * weights).sum()
            });
        }
    }

    #[test]
    fn padding_neighbours_and_absence_change_nothing() {
        for device in devices() {
            let (long, short) = (sample("1 2; 3 4; 5 6; 7 8"), sample("9 -1;"));
            let model = encoder(&device);
            let encode = |samples: &[Option<&TemplateSample>]| {
                model.encode(processor().collate(samples, &device))
            };
            let alone = encode(&[Some(&short)]);
            let batched = encode(&[Some(&long), Some(&short), None]);
            assert_close(
                &first_tokens(&alone, 0, 1),
                &first_tokens(&batched, 1, 1),
                1e-5,
            );
            let long_alone = encode(&[Some(&long)]);
            assert_close(
                &first_tokens(&long_alone, 0, 2),
                &first_tokens(&batched, 0, 2),
                1e-5,
            );
            let present = sensorium_testkit::bools(&batched.present());
            assert_eq!(present, [true, true, false]);
        }
    }

    #[test]
    fn parameters_keep_their_names() {
        for device in devices() {
            let snapshot = parameter_snapshot(&encoder(&device));
            assert!(
                snapshot.starts_with(
                    "patch.weight [4, 16]\npatch.bias [16]\npositions.weight [8, 16]\ntransformer.blocks.0."
                ),
                "{snapshot}"
            );
        }
    }
}
