//! Transcripts are measured as jiwer measures them, down to which of equally cheap alignments is found.

use proptest::prelude::*;
use sensorium_eval::{
    Alignment, Chunk, Edit, EditCounts, Transcription, TranscriptionReport, align_characters,
    align_words,
};
use serde_json::{Value, json};

const FIXTURE: &str = include_str!("fixtures/transcription.json");

fn fixture() -> Value {
    serde_json::from_str(FIXTURE).unwrap()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn counts(counts: EditCounts) -> Value {
    json!([
        counts.hits,
        counts.substitutions,
        counts.deletions,
        counts.insertions
    ])
}

fn letter(edit: Edit) -> &'static str {
    match edit {
        Edit::Equal => "=",
        Edit::Substitute => "S",
        Edit::Delete => "D",
        Edit::Insert => "I",
    }
}

fn chunks(alignment: &Alignment<'_>) -> Value {
    let chunk = |chunk: &Chunk| {
        let (r, h) = (&chunk.reference, &chunk.hypothesis);
        json!([letter(chunk.edit), r.start, r.end, h.start, h.end])
    };
    alignment.chunks().iter().map(chunk).collect()
}

#[test]
fn parity_with_jiwer() {
    let fixture = fixture();
    let corpora = array(&fixture["corpora"]);
    assert!(corpora.len() >= 15);
    for corpus in corpora {
        let (name, pairs) = (text(&corpus["name"]), array(&corpus["pairs"]));
        let mut all = Transcription::new();
        for (i, pair) in pairs.iter().enumerate() {
            let (reference, hypothesis) = (text(&pair[0]), text(&pair[1]));
            let words = align_words(reference, hypothesis);
            let characters = align_characters(reference, hypothesis);
            let at = format!("{name}, pair {i}");
            assert_eq!(chunks(&words), corpus["word_chunks"][i], "{at}");
            assert_eq!(chunks(&characters), corpus["character_chunks"][i], "{at}");
            let counts = all.add(reference, hypothesis);
            assert_eq!(counts.words, words.counts(), "{at}");
            assert_eq!(counts.characters, characters.counts(), "{at}");
        }
        let report = all.finish();
        let rates = [report.wer, report.mer, report.wil, report.wip, report.cer];
        for (ours, theirs) in rates.into_iter().zip(array(&corpus["rates"])) {
            let theirs = theirs.as_f64().unwrap();
            assert!(
                (ours - theirs).abs() < 1e-12,
                "{name}: {ours} is not {theirs}"
            );
        }
        assert_eq!(counts(report.words), corpus["words"], "{name}");
        assert_eq!(counts(report.characters), corpus["characters"], "{name}");
    }
}

#[test]
fn what_is_printed_is_what_jiwer_prints() {
    let fixture = fixture();
    let printed = array(&fixture["corpora"])
        .iter()
        .filter(|corpus| corpus.get("printed").is_some());
    let mut seen = 0;
    for corpus in printed {
        for (i, pair) in array(&corpus["pairs"]).iter().enumerate() {
            let (reference, hypothesis) = (text(&pair[0]), text(&pair[1]));
            let words = align_words(reference, hypothesis);
            assert_eq!(words.to_string(), text(&corpus["printed"][i]));
            assert_eq!(words.wrapped(40), text(&corpus["wrapped"][i]));
            let characters = align_characters(reference, hypothesis);
            assert_eq!(
                characters.to_string(),
                text(&corpus["printed_characters"][i])
            );
            seen += 1;
        }
    }
    assert!(seen >= 30);
}

#[test]
fn the_numbers_of_the_hand_made_case() {
    let pair = [("the cat sat on the mat", "the cat sit on mat")];
    let report = measure(&pair);
    assert!((report.wer - 0.333333).abs() < 1e-6 && (report.cer - 0.227273).abs() < 1e-6);
}

fn measure<T: AsRef<str>>(pairs: &[(T, T)]) -> TranscriptionReport {
    let mut counts = Transcription::new();
    for (reference, hypothesis) in pairs {
        counts.add(reference.as_ref(), hypothesis.as_ref());
    }
    counts.finish()
}

#[test]
fn a_hypothesis_must_belong_to_each_reference() {
    let error = Transcription::of(&["a", "b"], &["a"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 references and 1 hypotheses: each reference needs one, which may be empty"
    );
    let counts = Transcription::of(&["a", "b"], &["a", ""]).unwrap();
    assert_eq!((counts.len(), counts.finish().wer), (2, 0.5));
}

#[test]
fn the_json_keys_are_a_promise() {
    let report = measure(&[("a b", "a c d")]);
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(
        json,
        r#"{"n":1,"wer":1.0,"mer":0.6666666666666666,"wil":0.8333333333333334,"wip":0.16666666666666666,"cer":1.0,"words":{"hits":1,"substitutions":1,"deletions":0,"insertions":1},"characters":{"hits":2,"substitutions":1,"deletions":0,"insertions":2}}"#
    );
    assert_eq!(
        serde_json::from_str::<TranscriptionReport>(&json).unwrap(),
        report
    );
}

fn texts() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec(("[ab \té]{0,12}", "[ab \té]{0,12}"), 0..8)
}

proptest! {
    #[test]
    fn parting_a_corpus_does_not_matter(pairs in texts(), cut in 0.0..1.0_f64) {
        let (first, second) = pairs.split_at((pairs.len() as f64 * cut) as usize);
        let mut parts = [first, second].map(|part| {
            let (references, hypotheses): (Vec<_>, Vec<_>) = part.iter().cloned().unzip();
            Transcription::of(&references, &hypotheses).unwrap()
        });
        let rest = parts[1].clone();
        parts[0].merge(&rest);
        prop_assert_eq!(parts[0].finish(), measure(&pairs));
    }

    #[test]
    fn rates_stay_in_range_and_lengths_add_up(pairs in texts()) {
        let report = measure(&pairs);
        for rate in [report.mer, report.wil, report.wip] {
            prop_assert!((0.0..=1.0).contains(&rate));
        }
        for (reference, hypothesis) in &pairs {
            let alignment = align_words(reference, hypothesis);
            let counts = alignment.counts();
            prop_assert_eq!(counts.reference_len(), alignment.reference().len() as u64);
            prop_assert_eq!(counts.hypothesis_len(), alignment.hypothesis().len() as u64);
            prop_assert_eq!(counts.errors() == 0, alignment.reference() == alignment.hypothesis());
        }
    }
}
