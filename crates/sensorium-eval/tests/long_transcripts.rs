//! Long recordings are aligned as jiwer aligns them, in memory that grows with their length. The one test of this
//! program, so that no other's memory is counted.

use peak_alloc::PeakAlloc;
use sensorium_eval::{Alignment, Chunk, Edit, align_words};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const FIXTURE: &str = include_str!("fixtures/transcription.json");

/// The generator that the fixture's long texts are drawn with.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn long_texts(case: &Value) -> (String, String) {
    let number = |key: &str| case[key].as_u64().unwrap();
    let (vocabulary, wrong) = (number("vocabulary"), number("wrong"));
    let mut draw = Draws(number("seed"));
    let mut text = |length| -> Vec<u64> { (0..length).map(|_| draw.below(vocabulary)).collect() };
    let reference = text(number("length"));
    let mut hypothesis = text(number("other"));
    if hypothesis.is_empty() {
        for &word in &reference {
            let (kind, new) = (draw.below(100), draw.below(vocabulary));
            match kind {
                _ if kind < wrong => {}
                _ if kind < 2 * wrong => hypothesis.push(new),
                _ if kind < 3 * wrong => hypothesis.extend([word, new]),
                _ => hypothesis.push(word),
            }
        }
    }
    let joined = |text: Vec<u64>| {
        let words: Vec<_> = text.iter().map(u64::to_string).collect();
        words.join(" ")
    };
    (joined(reference), joined(hypothesis))
}

/// FNV-1a over the chunks, written out.
fn digest(alignment: &Alignment<'_>) -> String {
    let written = |chunk: &Chunk| {
        let (r, h) = (&chunk.reference, &chunk.hypothesis);
        let letter = match chunk.edit {
            Edit::Equal => "=",
            Edit::Substitute => "S",
            Edit::Delete => "D",
            Edit::Insert => "I",
        };
        format!("{letter} {} {} {} {}", r.start, r.end, h.start, h.end)
    };
    let chunks: Vec<_> = alignment.chunks().iter().map(written).collect();
    let hash = chunks
        .join(";")
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
    format!("{hash:016x}")
}

#[test]
fn long_texts_are_aligned_as_by_jiwer_and_in_little_memory() {
    let fixture: Value = serde_json::from_str(FIXTURE).unwrap();
    let cases = fixture["long"].as_array().unwrap();
    assert!(cases.len() >= 11);
    for case in cases {
        let (name, (reference, hypothesis)) = (case["name"].as_str().unwrap(), long_texts(case));
        ALLOCATOR.reset_peak_usage();
        let before = ALLOCATOR.current_usage();
        let alignment = align_words(&reference, &hypothesis);
        let used = ALLOCATOR.peak_usage() - before;
        let counts = alignment.counts();
        let counts = [
            counts.hits,
            counts.substitutions,
            counts.deletions,
            counts.insertions,
        ];
        assert_eq!(json!(counts), case["words"], "{name}");
        assert_eq!(json!(digest(&alignment)), case["digest"], "{name}");
        let words = alignment.reference().len() + alignment.hypothesis().len();
        assert!(used < (4 << 20) + 150 * words, "{name}: {used} bytes");
    }
}
