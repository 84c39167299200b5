//! Real weights: all-MiniLM-L6-v2 embeds fifty sentences as the reference does.
//!
//! The weights are not committed. They are taken from the folder in `SENSORIUM_MINILM`, or from `../shared/minilm` beside
//! the repository; where there is neither, the test says so and shows nothing. `tools/parity/models/minilm.py` says
//! where they come from.

use std::path::{Path, PathBuf};

use super::common::{Reference, fixture};
use sensorium_core::{Processor, Source};
use sensorium_hub::Checkpoint;
use sensorium_models::bert::{SentenceConfig, SentenceEncoder, SentenceProcessor};
use sensorium_testkit::{devices, floats};
use sensorium_text::{TextSample, Tokenizer};

const TOLERANCE: f32 = 1e-5;

fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("SENSORIUM_MINILM").map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/minilm");
    let there = |folder: &PathBuf| folder.join("model.safetensors").exists();
    match given {
        Some(folder) => {
            assert!(there(&folder), "SENSORIUM_MINILM has no model.safetensors");
            Some(folder)
        }
        None => Some(beside()).filter(there),
    }
}

#[test]
fn fifty_sentences_are_embedded_alike() {
    let Some(folder) = folder() else {
        eprintln!("skipped: set SENSORIUM_MINILM to the folder of all-MiniLM-L6-v2");
        return;
    };
    let checkpoint = Checkpoint::folder(&folder);
    let config = SentenceConfig::of(&checkpoint).expect("its files");
    let tokenizer = Tokenizer::open(&folder.join("tokenizer.json")).expect("its tokenizer");
    let processor = SentenceProcessor::new(&config, tokenizer);
    let sentences = std::fs::read(fixture("minilm").join("sentences.json")).expect("sentences");
    let sentences: Vec<String> = serde_json::from_slice(&sentences).expect("a list of texts");
    let process = |text: &String| processor.process(&Source::text(text.as_str()));
    let samples: Vec<TextSample> = sentences.iter().map(|s| process(s).unwrap()).collect();

    let reference = Reference::open("minilm");
    let counts: Vec<i64> = samples.iter().map(|s| s.ids.len() as i64).collect();
    assert_eq!(counts, reference.ints("tokens").1);
    for device in devices() {
        let (encoder, _) = SentenceEncoder::load(&checkpoint, &device).expect("it fits");
        for size in [1, 32] {
            let all: Vec<Option<&TextSample>> = samples.iter().map(Some).collect();
            let batches = all.chunks(size);
            let embed = |batch| floats(&encoder.embed(processor.collate(batch, &device)));
            let found: Vec<f32> = batches.flat_map(embed).collect();
            reference.check("embeddings", &[50, 384], &found, TOLERANCE);
        }
    }
}
