//! The vision transformer and the masked autoencoder around it beside Transformers' ViTMAE: two crates that do not know each other,
//! put together. `tools/parity/pretrain.py` made what is compared with.
#![cfg(all(feature = "vision", feature = "train"))]

use std::path::Path;

use sensorium::core::Recorder;
use sensorium::pretrain::{MaskedAutoencoderConfig, PatchMasks, Pretraining};
use sensorium::train::PatchMask;
use sensorium::vision::{ImageBatch, VitConfig};
use sensorium_testkit::{Reference, devices, ints};

#[test]
fn parity_of_the_vision_transformer_as_a_masked_autoencoder() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sensorium-pretrain/tests/fixtures");
    for device in devices() {
        for (name, normalised) in [("autoencoder", true), ("autoencoder-plain", false)] {
            let reference = Reference::open(&cases.join(name));
            let vit = VitConfig::new(12, 4, 8, 2, 2)
                .with_channels(2)
                .with_d_ff(12)
                .with_fused_qkv(false);
            let vit = vit.init(&device);
            let task = MaskedAutoencoderConfig::new(&vit, 12, 2, 3)
                .with_d_ff(20)
                .with_normalised_targets(normalised)
                .init(&device);
            let Pretraining { encoder, task } = reference.fill(Pretraining::new(vit, task));

            let hidden = ints(&reference.ids::<2>("masked", &device));
            let masks = hidden.chunks(9).map(|hidden| PatchMask {
                kept: (0..9).filter(|place| hidden[*place] == 0).collect(),
                masked: hidden.iter().map(|hidden| *hidden == 1).collect(),
            });
            let masks = PatchMasks::new(&masks.collect::<Vec<_>>(), 9, &device);
            let images = ImageBatch::dense(reference.tensor("input.pixels", &device));
            let mut seen = Recorder::default();
            let loss = task.loss_with(&encoder, images, &masks, &mut seen);
            for (ours, theirs) in [
                ("encoder.transformer.blocks.0.output", "encoder.hidden.1"),
                ("encoder.transformer.blocks.1.output", "encoder.hidden.2"),
                ("encoder.transformer.output", "encoder.last_hidden_state"),
                ("decoder.embeds", "decoder.hidden.0"),
                ("decoder.blocks.0.output", "decoder.hidden.1"),
                ("decoder.blocks.1.output", "decoder.hidden.2"),
                ("decoder.output", "decoder.last_hidden_state"),
                ("predicted", "predicted"),
            ] {
                let (shape, values) = seen.get(ours).unwrap();
                reference.check_values(theirs, shape, values);
            }
            reference.check("loss", &loss.total);
        }
    }
}
