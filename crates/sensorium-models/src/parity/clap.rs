//! CLAP, whole and tower by tower.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sensorium_audio::SoundBatch;
use sensorium_core::{Encoder, Model, Recorder};

use super::Case;
use crate::clap::{
    ClapAudioConfig, ClapAudioModel, ClapAudioModelWithProjection, ClapModel, ClapTextModel,
    ClapTextModelWithProjection,
};

/// Views after one another, as sounds are prepared here.
fn sounds(case: &Case, device: &Device) -> SoundBatch {
    let features: Tensor<4> = case.reference.tensor("input.features", device);
    let (_, longer) = case.reference.ints("input.longer");
    let longer = longer.iter().map(|longer| *longer == 1).collect();
    SoundBatch::dense(features.flatten(1, 2)).with_longer(longer)
}

fn check_text(case: &Case, seen: &Recorder, ours: &str, theirs: &str) {
    case.reference.check_layers(seen, ours, theirs);
    let (shape, pooled) = seen.get(&format!("{ours}pooled")).expect("a pooled output");
    let name = format!("{theirs}pooler_output");
    case.reference.check_values(&name, shape, pooled);
}

fn check_audio(case: &Case, config: &ClapAudioConfig, seen: &Recorder, ours: &str, theirs: &str) {
    let check = |name: &str, expected: &str| {
        let (shape, values) = seen.get(&format!("{ours}{name}")).expect(name);
        case.reference
            .check_values(&format!("{theirs}{expected}"), shape, values);
    };
    check("embeds", "embeds");
    for (stage, depth) in config.depths.iter().enumerate() {
        for block in 0..*depth {
            let ours = format!("stages.{stage}.blocks.{block}.output");
            check(&ours, &format!("blocks.{stage}.{block}"));
        }
        check(
            &format!("stages.{stage}.output"),
            &format!("stages.{stage}"),
        );
    }
    check("output", "last_hidden_state");
    check("pooled", "pooler_output");
}

pub(super) fn text(case: &Case, device: &Device, saved: &Path) {
    let clap = case.load::<ClapTextModel>(device, saved).model;
    let mut seen = Recorder::default();
    clap.embed_with(case.texts(device), &mut seen);
    check_text(case, &seen, "", "");
}

pub(super) fn text_projection(case: &Case, device: &Device, saved: &Path) {
    let clap = case
        .load::<ClapTextModelWithProjection>(device, saved)
        .model;
    let mut seen = Recorder::default();
    let embeds = clap.embed_with(case.texts(device), &mut seen);
    check_text(case, &seen, "text.", "");
    case.reference.check("text_embeds", &embeds);
}

pub(super) fn audio(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<ClapAudioModel>(device, saved);
    let (clap, config) = (loaded.model, loaded.config);
    let mut seen = Recorder::default();
    clap.embed_with(sounds(case, device), &mut seen);
    check_audio(case, &config, &seen, "", "");

    // What a step of training sees, and learns of its inputs.
    let device = device.clone().autodiff();
    let clap = clap.fork(&device).train();
    let pooled = clap.embed(sounds(case, &device));
    case.reference.check("train.pooler_output", &pooled);
    let norm = &clap.spectrogram.norm;
    for (name, learned) in [
        ("mean", &norm.running_mean),
        ("variance", &norm.running_var),
    ] {
        let name = format!("train.{name}");
        case.reference.check(&name, &learned.value_sync());
    }
}

pub(super) fn audio_projection(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<ClapAudioModelWithProjection>(device, saved);
    let mut seen = Recorder::default();
    let embeds = loaded.model.embed_with(sounds(case, device), &mut seen);
    check_audio(case, &loaded.config, &seen, "audio.", "");
    case.reference.check("audio_embeds", &embeds);
    let tokens = loaded.model.encode(sounds(case, device));
    let embeds = embeds.unsqueeze_dim(1);
    sensorium_testkit::assert_close(&tokens.embeds, &embeds, 1e-5);
}

pub(super) fn whole(case: &Case, device: &Device, saved: &Path) {
    let loaded = case.load::<ClapModel>(device, saved);
    let (clap, config) = (loaded.model, loaded.config);
    let (sounds, texts) = (sounds(case, device), case.texts(device));
    let mut seen = Recorder::default();
    let scores = clap.run_with((sounds.clone(), texts.clone()), &mut seen);
    check_text(case, &seen, "text.", "text.");
    check_audio(case, &config.audio, &seen, "audio.", "audio.");
    case.reference
        .check("text_embeds", &clap.embed_texts(texts));
    case.reference
        .check("audio_embeds", &clap.embed_sounds(sounds));
    case.reference.check("logits_per_audio", &scores.per_sound);
    case.reference.check("logits_per_text", &scores.per_text);
}
