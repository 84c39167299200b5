//! Causal language models, with logits and without, and the texts that they go on with.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use sensorium_core::Recorder;
use sensorium_decode::{Generation, Prompt, generate};
use sensorium_hub::Checkpoint;
use sensorium_testkit::Reference;

use super::Case;
use crate::Published;
use crate::causal::{CausalLm, CausalModel};

pub(super) fn lm(case: &Case, device: &Device, saved: &Path) {
    let model = case.load::<CausalLm>(device, saved).model;
    compare(case, &model, device);
}

pub(super) fn headless(case: &Case, device: &Device, saved: &Path) {
    let model = case.load::<CausalModel>(device, saved).model;
    let mut seen = Recorder::default();
    model.forward_with(case.texts(device), &mut seen);
    case.reference.check_blocks(&seen, "", "transformer", "");
}

fn compare(case: &Case, model: &CausalLm, device: &Device) {
    let reference = &case.reference;
    let mut seen = Recorder::default();
    let logits = model.forward_with(case.texts(device), &mut seen);
    reference.check_blocks(&seen, "model.", "transformer", "");
    reference.check("logits", &logits);
    check_texts(reference, model);
}

/// All prompts side by side, token by token: what the reference makes of each alone.
fn check_texts(reference: &Reference, model: &CausalLm) {
    let ids = |name: String| -> Vec<u32> {
        let (_, ids) = reference.ints(&name);
        ids.iter().map(|id| *id as u32).collect()
    };
    let prompts = [0, 1, 2].map(|i| ids(format!("prompt.{i}")));
    let expected = [0, 1, 2].map(|i| ids(format!("greedy.{i}")));
    let most = expected[0].len();
    let read: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let (mut speaking, scores) = model.read(&read, most).expect("prompts that can be read");
    let asked: Vec<Prompt> = read
        .iter()
        .map(|tokens| Prompt { tokens, seed: 0 })
        .collect();
    let go_on = |_, _: &_| ControlFlow::Continue(());
    let how = Generation::default();
    let texts = generate(&mut speaking, scores, &asked, &how, &[most; 3], go_on);
    let texts = texts.expect("texts").into_iter().map(|text| text.tokens);
    assert_eq!(texts.collect::<Vec<_>>(), expected);
}

/// Files in half precision, and of another time.
#[test]
fn parity_of_causal_models_in_other_files() {
    for name in ["bf16", "f16", "older"] {
        let case = Case::fixture(&format!("ready-causal-{name}"));
        for device in sensorium_testkit::devices() {
            let checkpoint = Checkpoint::folder(&case.folder);
            let loaded = CausalLm::load(&checkpoint, &device).expect("a checkpoint that fits");
            assert_eq!(
                loaded.report.unused, [""; 0],
                "{name}: tensors are left over"
            );
            compare(&case, &loaded.model, &device);
        }
    }
}
