//! Real weights: all-MiniLM-L6-v2 embeds fifty sentences as the reference does.
//!
//! The weights are not committed. `cargo xtask parity --full minilm` fetches them, and names their folder in
//! `SENSORIUM_MINILM`; where that is not set, the test says so and shows nothing.

use std::path::Path;

use sensorium_core::Source;
use sensorium_hub::Checkpoint;
use sensorium_testkit::{Reference, devices, floats};
use sensorium_text::TextSample;

use super::fixtures;
use crate::ready::{TextEmbedder, unit_rows};

const TOLERANCE: f32 = 1e-5;

#[test]
fn parity_of_real_weights_on_fifty_sentences() {
    let Some(folder) = std::env::var_os("SENSORIUM_MINILM") else {
        eprintln!(
            "skipped: `cargo xtask parity --full minilm` fetches the weights of all-MiniLM-L6-v2"
        );
        return;
    };
    let checkpoint = Checkpoint::folder(Path::new(&folder));
    let case = fixtures().join("minilm");
    let sentences = std::fs::read(case.join("sentences.json")).expect("sentences");
    let sentences: Vec<String> = serde_json::from_slice(&sentences).expect("a list of texts");
    let reference = Reference::open(&case).within(TOLERANCE);
    for device in devices() {
        let model = TextEmbedder::open(&checkpoint, &device).expect("it fits");
        let prepare = |text: &String| model.prepare(&Source::text(text.as_str()));
        let samples: Vec<TextSample> = sentences.iter().map(|s| prepare(s).unwrap()).collect();
        let counts: Vec<i64> = samples.iter().map(|s| s.ids.len() as i64).collect();
        assert_eq!(counts, reference.ints("tokens").1);
        for size in [1, 32] {
            let embed = |some: &[TextSample]| floats(&unit_rows(model.embed(some)));
            let found: Vec<f32> = samples.chunks(size).flat_map(embed).collect();
            reference.check_values("embeddings", &[50, 384], &found);
        }
    }
}
