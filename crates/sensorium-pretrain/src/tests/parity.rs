//! Beside Transformers: `tools/parity/pretrain.py` made what is compared with.

use std::path::Path;

use sensorium_core::Recorder;
use sensorium_testkit::{PARITY, Reference, assert_close, bools, devices};
use sensorium_train::PatchMask;

use super::*;
use crate::*;

fn open(name: &str) -> Reference {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    Reference::open(&fixtures.join(name))
}

/// As a mask says it, 1 where a patch is hidden.
fn masks(reference: &Reference, device: &Device) -> PatchMasks {
    let hidden = bools(&reference.ids::<2>("masked", device).equal_elem(1));
    let masks = hidden.chunks(9).map(|hidden| PatchMask {
        kept: (0..9).filter(|place| !hidden[*place]).collect(),
        masked: hidden.to_vec(),
    });
    PatchMasks::new(&masks.collect::<Vec<_>>(), 9, device)
}

#[test]
fn parity_of_masked_autoencoders() {
    for device in devices() {
        for (name, normalised) in [("autoencoder", true), ("autoencoder-plain", false)] {
            let reference = open(name);
            let encoder = Rows::new(32, [3, 3], true, &device);
            let config = MaskedAutoencoderConfig::new(&encoder, 12, 2, 3)
                .with_d_ff(20)
                .with_normalised_targets(normalised);
            let task = config.init(&device);
            let positions = task.position.weight.val();
            let Pretraining { encoder, task } = reference.fill(Pretraining::new(encoder, task));
            assert_close(&positions, &task.position.weight.val(), 1e-6);

            let contents = Tokens::dense(reference.tensor("input.contents", &device));
            let masks = masks(&reference, &device);
            let mut seen = Recorder::default();
            let loss = task.loss_with(&encoder, contents.clone(), &masks, &mut seen);
            for (ours, theirs) in [("encoder.transformer", "encoder"), ("decoder", "decoder")] {
                let embeds = match theirs {
                    "encoder" => "encoder.embeds".to_owned(),
                    _ => "decoder.embeds".to_owned(),
                };
                let pairs = [
                    (embeds, format!("{theirs}.hidden.0")),
                    (
                        format!("{ours}.blocks.0.output"),
                        format!("{theirs}.hidden.1"),
                    ),
                    (
                        format!("{ours}.blocks.1.output"),
                        format!("{theirs}.hidden.2"),
                    ),
                    (
                        format!("{ours}.output"),
                        format!("{theirs}.last_hidden_state"),
                    ),
                ];
                for (ours, theirs) in pairs {
                    let (shape, values) = seen.get(&ours).unwrap();
                    reference.check_values(&theirs, shape, values);
                }
            }
            let (shape, values) = seen.get("predicted").unwrap();
            reference.check_values("predicted", shape, values);
            reference.check("loss", &loss.total);

            if !normalised {
                let painted = task.paint(&encoder, contents, &masks);
                reference.check("predicted", &painted.painted);
            }
        }
    }
}

#[test]
fn parity_of_the_language_head() {
    for device in devices() {
        let reference = open("language");
        let config = LanguageHeadConfig::new(8, 13).with_next_sentence(true);
        let head = reference.fill(config.init(&device));
        let table: Tensor<2> = reference.tensor("table", &device);
        let mut tied = head.clone();
        tied.decoder = None;
        let tokens = Tokens::dense(reference.tensor("input.hidden", &device));
        for (head, table) in [(&head, None), (&tied, Some(table))] {
            let logits = head.logits(tokens.embeds.clone(), table.clone());
            reference.check("logits", &logits);
            let next = head.next_sentence.as_ref().unwrap();
            reference.check("next_logits", &next.logits(tokens.clone()));
            let targets = LanguageTargets {
                words: reference.ids("words", &device),
                next: Some(reference.ids("next", &device)),
            };
            let learned = head.learn_tokens(tokens.clone(), table, targets);
            reference.check("loss", &learned.loss.total);
            assert_close(
                &learned.loss.total,
                &reference.tensor("loss", &device),
                PARITY,
            );
        }
    }
}
