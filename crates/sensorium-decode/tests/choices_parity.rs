//! What tokens are drawn by equals what Transformers draws by, setting by setting; `tools/parity/decode.py` makes the cases.

use sensorium_decode::{Chooser, Generation};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    settings: serde_json::Value,
    prompt: usize,
    tokens: Vec<u32>,
    scores: Vec<f32>,
    expected: Vec<Option<f32>>,
}

#[test]
fn parity_of_scores_with_the_reference() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/choices.json")).unwrap();
    let mut narrowed = 0;
    for (n, case) in cases.iter().enumerate() {
        let how = Generation::from_json(&case.settings.to_string()).unwrap();
        let mut chooser = Chooser::new(&how, &case.tokens[..case.prompt], 1).unwrap();
        for id in &case.tokens[case.prompt..] {
            chooser.accept(*id);
        }
        let mut scores = case.scores.clone();
        chooser.process(&mut scores);
        for (id, (found, expected)) in scores.iter().zip(&case.expected).enumerate() {
            let close = match expected {
                None => *found == f32::NEG_INFINITY,
                Some(expected) => (found - expected).abs() <= 1e-5 * expected.abs().max(1.0),
            };
            let settings = &case.settings;
            assert!(
                close,
                "case {n}, {settings}, token {id}: {found} instead of {expected:?}"
            );
        }
        narrowed += usize::from(case.expected.iter().any(Option::is_none));
    }
    assert!(
        cases.len() >= 90 && narrowed >= 50,
        "{narrowed} of {}",
        cases.len()
    );
}
