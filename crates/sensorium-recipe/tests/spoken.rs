//! The recipe of spoken digits: it trains on its own data and on a manifest; sounds are changed by seed, epoch and row alone.

#[allow(dead_code, reason = "each test takes what it needs")]
mod toy;

use std::path::Path;

use sensorium_recipe::{Recipe, Silent};
use toy::run;

/// Sixteen tones, low for one class and high for the other.
fn tones(dir: &Path) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut rows = String::from("audio,label,split\n");
    for i in 0..16u32 {
        let name = format!("{i}.wav");
        let mut writer = hound::WavWriter::create(dir.join(&name), spec).unwrap();
        let hertz = 300 + 800 * (i % 2) + 7 * i;
        for t in 0..2400 + 100 * i {
            let angle = t as f32 / 8000.0 * hertz as f32 * std::f32::consts::TAU;
            writer.write_sample((angle.sin() * 8000.0) as i16).unwrap();
        }
        writer.finalize().unwrap();
        rows += &format!("{name},{},{}\n", i % 2, ["train", "test"][i as usize / 12]);
    }
    std::fs::write(dir.join("m.csv"), rows).unwrap();
}

/// The weights that a short run on tones ends in.
fn weights(dir: &Path, sets: &[&str]) -> Vec<u8> {
    let common = ["batch.size=4", "train.steps=6", "encoders.audio.d_model=16"];
    let sets: Vec<String> = common.iter().chain(sets).map(|s| (*s).to_owned()).collect();
    let mut recipe = Recipe::open("spoken-digits", &sets).unwrap();
    recipe.data.set = None;
    recipe.data.path = Some(dir.join("m.csv"));
    let out = tempfile::tempdir().unwrap();
    run(recipe, &out.path().join("run"), &mut Silent).unwrap();
    std::fs::read(out.path().join("run/model/model.safetensors")).unwrap()
}

#[test]
fn changes_depend_on_seed_epoch_and_row_and_not_on_who_prepares() {
    let dir = tempfile::tempdir().unwrap();
    tones(dir.path());
    let all = r#"encoders.audio.augment={ speed = 0.1, shift_s = 0.02, gain_db = 6.0, snr_db = [5.0, 30.0], noise_colour = "pink", mask_frames = 4, n_frame_masks = 2 }"#;
    let one = weights(dir.path(), &[all, "batch.threads=1"]);
    assert!(one == weights(dir.path(), &[all, "batch.threads=4"]));
    // Decoded anew each time, or kept in memory.
    assert!(one == weights(dir.path(), &[all, "batch.cache_rows=0"]));
    assert!(one != weights(dir.path(), &[all, "train.seed=8"]));
    assert!(one != weights(dir.path(), &["encoders.audio.augment={}"]));
}

#[test]
fn it_trains_on_its_own_data() {
    let sets = ["train.steps=2", "batch.eval_size=400"].map(str::to_owned);
    let recipe = Recipe::open("spoken-digits", &sets).unwrap();
    let out = tempfile::tempdir().unwrap();
    let done = run(recipe, &out.path().join("run"), &mut Silent).unwrap();
    assert_eq!(
        (
            done.metrics.test.as_ref().unwrap().n,
            done.metrics.skipped_rows
        ),
        (800, 0)
    );
    assert_eq!(
        done.metrics.ablation.as_ref().unwrap().rows.len(),
        1,
        "sound alone"
    );
}
