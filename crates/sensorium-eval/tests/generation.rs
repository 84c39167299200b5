//! Generated texts are measured as sacreBLEU, rouge_score, pycocoevalcap and the VQA challenge measure them.

use proptest::prelude::*;
use sensorium_eval::{
    Bleu, BleuTokens, Chrf, Cider, ExactMatch, Perplexity, Rouge, RougeKind, RougeScores,
    VqaAccuracy, vqa_answer,
};
use serde_json::Value;

const FIXTURE: &str = include_str!("fixtures/generation.json");

fn cases(kind: &str, least: usize) -> Vec<Value> {
    let mut fixture: Value = serde_json::from_str(FIXTURE).unwrap();
    let Value::Array(cases) = fixture[kind].take() else {
        panic!("no cases of {kind}")
    };
    assert!(cases.len() >= least, "{kind}");
    cases
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn same(what: &str, ours: f64, theirs: &Value) {
    let theirs = theirs.as_f64().unwrap();
    let near = (ours - theirs).abs() < 1e-11 * theirs.abs().max(1.0);
    assert!(near, "{what}: {ours} is not {theirs}");
}

fn texts(list: &Value) -> Vec<&str> {
    array(list).iter().map(text).collect()
}

fn pairs(case: &Value) -> Vec<(&str, Vec<&str>)> {
    let pairs = array(&case["corpus"]).iter();
    pairs
        .map(|pair| (text(&pair[0]), texts(&pair[1])))
        .collect()
}

#[test]
fn bleu_is_sacrebleus() {
    for case in cases("corpora", 25) {
        let counts = [
            ("bleu", Bleu::new()),
            ("bleu_lowercase", Bleu::new().with_lowercase()),
            (
                "bleu_characters",
                Bleu::new().with_tokens(BleuTokens::Characters),
            ),
            ("bleu_spaces", Bleu::new().with_tokens(BleuTokens::Spaces)),
        ];
        for (kind, mut counts) in counts {
            let expected = &case[kind];
            let name = format!("{}, {kind}", text(&case["name"]));
            for ((said, wanted), score) in
                pairs(&case).into_iter().zip(array(&expected["sentences"]))
            {
                same(
                    &format!("{name}, {said}"),
                    counts.add(said, &wanted).unwrap(),
                    score,
                );
            }
            let report = counts.finish();
            same(&name, report.bleu.unwrap(), &expected["score"]);
            same(&name, report.brevity_penalty, &expected["bp"]);
            for (ours, theirs) in report
                .precisions
                .into_iter()
                .zip(array(&expected["precisions"]))
            {
                same(&name, ours, theirs);
            }
            let lengths = serde_json::json!([report.hypothesis_len, report.reference_len]);
            assert_eq!(lengths, expected["lengths"], "{name}");
            assert_eq!(counts.signature(), text(&expected["signature"]), "{name}");
        }
    }
}

#[test]
fn chrf_is_sacrebleus() {
    for case in cases("corpora", 25) {
        let counts = [
            ("chrf", Chrf::new()),
            ("chrf_words", Chrf::new().with_words()),
            ("chrf_lowercase", Chrf::new().with_lowercase()),
        ];
        for (kind, mut counts) in counts {
            let expected = &case[kind];
            let name = format!("{}, {kind}", text(&case["name"]));
            for ((said, wanted), score) in
                pairs(&case).into_iter().zip(array(&expected["sentences"]))
            {
                same(
                    &format!("{name}, {said}"),
                    counts.add(said, &wanted).unwrap(),
                    score,
                );
            }
            same(&name, counts.finish().chrf.unwrap(), &expected["score"]);
            assert_eq!(counts.signature(), text(&expected["signature"]), "{name}");
        }
    }
}

const KINDS: [RougeKind; 4] = [
    RougeKind::One,
    RougeKind::Two,
    RougeKind::L,
    RougeKind::Lsum,
];

#[test]
fn rouge_is_rouge_scores() {
    let parts = |scores: &RougeScores, kind| {
        let score = scores.of(kind);
        [score.precision, score.recall, score.f1]
    };
    for case in cases("corpora", 25) {
        for (kind, mut rouge) in [
            ("rouge", Rouge::new()),
            ("rouge_stemmed", Rouge::new().with_stemmer()),
        ] {
            let mut sum = 0.0;
            for ((said, wanted), expected) in pairs(&case).into_iter().zip(array(&case[kind])) {
                let name = format!("{}, {kind}, {said}", text(&case["name"]));
                let scores = rouge.add(said, &wanted).unwrap();
                for (kind, expected) in KINDS.into_iter().zip(array(expected)) {
                    for (ours, theirs) in parts(&scores, kind).into_iter().zip(array(expected)) {
                        same(&format!("{name}, {kind:?}"), ours, theirs);
                    }
                }
                sum += expected[3][2].as_f64().unwrap();
            }
            let mean = Value::from(sum / rouge.len() as f64);
            same(kind, rouge.finish().rouge_lsum.unwrap().f1, &mean);
        }
    }
}

#[test]
fn cider_is_pycocoevalcaps() {
    let mut measured = 0;
    for case in cases("corpora", 25) {
        let (name, expected) = (text(&case["name"]), &case["cider"]);
        let mut captions = Cider::new();
        for (said, wanted) in pairs(&case) {
            captions.add(said, &wanted).unwrap();
        }
        let report = captions.finish();
        if expected.is_null() {
            assert_eq!(
                (report.cider, report.cider_d),
                (Some(0.0), Some(0.0)),
                "{name}"
            );
            continue;
        }
        same(name, report.cider_d.unwrap(), &expected["mean"]);
        for (i, score) in captions.scores().into_iter().enumerate() {
            let name = format!("{name}, {i}");
            same(&name, score.cider_d, &expected["scores"][i]);
            same(&name, score.cider, &expected["plain"][i]);
            measured += usize::from(score.cider_d > 0.0);
        }
    }
    assert!(measured > 30, "{measured}");
}

#[test]
fn answers_are_the_challenges() {
    for case in cases("answers", 120) {
        assert_eq!(vqa_answer(text(&case[0])), text(&case[1]), "{case}");
    }
    for case in cases("questions", 40) {
        let mut counts = VqaAccuracy::new();
        let accuracy = counts
            .add(text(&case["answer"]), &texts(&case["people"]))
            .unwrap();
        same(&case.to_string(), accuracy, &case["accuracy"]);
    }
    for (agree, accuracy) in [0.0, 0.3, 0.6, 0.9, 1.0, 1.0].into_iter().enumerate() {
        let people: Vec<&str> = (0..10)
            .map(|i| if i < agree { "yes" } else { "no" })
            .collect();
        let ours = VqaAccuracy::new().add("yes", &people).unwrap();
        assert!((ours - accuracy).abs() < 1e-12);
    }
}

#[test]
fn the_numbers_of_the_hand_made_cases() {
    let (said, wanted) = ("the cat is on the mat", ["the cat sat on the mat"]);
    assert!((Bleu::new().add(said, &wanted).unwrap() - 37.99178).abs() < 1e-5);
    assert!((Chrf::new().add(said, &wanted).unwrap() - 61.92515).abs() < 1e-5);
    let rouge = Rouge::new().add(said, &wanted).unwrap();
    for (kind, f1) in KINDS.into_iter().zip([0.833333, 0.6, 0.833333]) {
        assert!((rouge.of(kind).f1 - f1).abs() < 1e-6);
    }
    let mut likelihood = Perplexity::new();
    for p in [0.5_f64, 0.25, 0.125] {
        likelihood.add(-p.ln(), 1).unwrap();
    }
    assert!((likelihood.finish().perplexity.unwrap() - 4.0).abs() < 1e-12);
}

#[test]
fn what_cannot_be_measured_is_one_line() {
    let none: [&str; 0] = [];
    let message = "sample 1: no reference to compare with, give at least one, which may be empty";
    let mut bleu = Bleu::new();
    bleu.add("a", &["a"]).unwrap();
    assert_eq!(bleu.add("a", &none).unwrap_err().to_string(), message);
    assert_eq!(bleu.len(), 1);
    assert!(Chrf::new().add("", &none).is_err() && Rouge::new().add("", &none).is_err());
    assert!(Cider::new().add("", &none).is_err() && ExactMatch::new().add("", &none).is_err());
    assert!(VqaAccuracy::new().add("", &none).is_err());
    assert_eq!(
        bleu.merge(&Bleu::new().with_lowercase())
            .unwrap_err()
            .to_string(),
        "counts of `nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp` and of `nrefs:0|case:lc|eff:no|tok:13a|smooth:exp` cannot be merged: \
         count both alike"
    );
    assert!(Chrf::new().merge(&Chrf::new().with_words()).is_err());
    assert!(Rouge::new().merge(&Rouge::new().with_stemmer()).is_err());
    let mut likelihood = Perplexity::new();
    assert_eq!(
        likelihood.add(-0.5, 3).unwrap_err().to_string(),
        "sample 0: a negative log likelihood of -0.5 over 3 tokens cannot be, give the sum of -ln p over as many"
    );
    for (nll, tokens) in [(f64::NAN, 1), (f64::INFINITY, 1), (0.1, 0)] {
        assert!(likelihood.add(nll, tokens).is_err());
    }
    likelihood.add(0.0, 0).unwrap();
    assert_eq!(
        (likelihood.len(), likelihood.finish().perplexity),
        (1, None)
    );
    likelihood.add(1e6, 1).unwrap();
    let report = likelihood.finish();
    assert_eq!((report.nll_per_token, report.perplexity), (Some(1e6), None));
}

#[test]
fn nothing_measured_is_undefined() {
    assert_eq!(
        (Bleu::new().finish().bleu, Bleu::new().interval(100, 0)),
        (None, None)
    );
    assert_eq!(Chrf::new().finish().chrf, None);
    assert_eq!(Rouge::new().finish().rouge1, None);
    assert_eq!(
        (Cider::new().finish().cider_d, Cider::new().interval(100, 0)),
        (None, None)
    );
    assert_eq!(VqaAccuracy::new().finish().accuracy, None);
    assert_eq!(ExactMatch::new().finish().exact_match, None);
    assert_eq!(Perplexity::new().finish().perplexity, None);
}

#[test]
fn the_json_keys_are_a_promise() {
    let mut bleu = Bleu::new();
    bleu.add("a b c d", &["a b c d"]).unwrap();
    let json = |report: &dyn erased::Json| report.json();
    assert_eq!(
        json(&bleu.finish()),
        r#"{"n":1,"bleu":100.00000000000004,"precisions":[100.0,100.0,100.0,100.0],"brevity_penalty":1.0,"hypothesis_len":4,"reference_len":4}"#
    );
    assert_eq!(json(&Chrf::new().finish()), r#"{"n":0,"chrf":null}"#);
    assert_eq!(
        json(&Cider::new().finish()),
        r#"{"n":0,"cider_d":null,"cider":null}"#
    );
    assert_eq!(
        json(&VqaAccuracy::new().finish()),
        r#"{"n":0,"accuracy":null}"#
    );
    assert_eq!(
        json(&ExactMatch::new().finish()),
        r#"{"n":0,"exact_match":null,"interval":null}"#
    );
    assert_eq!(
        json(&Perplexity::new().finish()),
        r#"{"n":0,"tokens":0,"nll_per_token":null,"perplexity":null}"#
    );
    let mut rouge = Rouge::new();
    rouge.add("a", &["a"]).unwrap();
    let one = r#"{"precision":1.0,"recall":1.0,"f1":1.0}"#;
    let none = one.replace("1.0", "0.0");
    assert_eq!(
        json(&rouge.finish()),
        format!(r#"{{"n":1,"rouge1":{one},"rouge2":{none},"rouge_l":{one},"rouge_lsum":{one}}}"#)
    );
}

mod erased {
    /// Anything that can be written.
    pub trait Json {
        fn json(&self) -> String;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> String {
            serde_json::to_string(self).unwrap()
        }
    }
}

#[test]
fn intervals_hold_the_value_and_repeat() {
    let (mut bleu, mut chrf, mut rouge) = (Bleu::new(), Chrf::new(), Rouge::new());
    let (mut captions, mut vqa, mut likelihood) =
        (Cider::new(), VqaAccuracy::new(), Perplexity::new());
    let words = ["a", "cat", "sat", "on", "the", "mat", "and", "slept"];
    for i in 0..40_usize {
        let wanted = (0..8)
            .map(|j| words[(i * 3 + j * 5) % 8])
            .collect::<Vec<_>>();
        let said = wanted
            .iter()
            .enumerate()
            .map(|(j, word)| if (i + j) % 5 == 0 { "dog" } else { word });
        let (said, wanted) = (said.collect::<Vec<_>>().join(" "), [wanted.join(" ")]);
        bleu.add(&said, &wanted).unwrap();
        chrf.add(&said, &wanted).unwrap();
        rouge.add(&said, &wanted).unwrap();
        captions.add(&said, &wanted).unwrap();
        vqa.add(
            "yes",
            &[
                "yes",
                "no",
                "yes",
                if i % 3 == 0 { "no" } else { "yes" },
                "yes",
            ],
        )
        .unwrap();
        likelihood.add((i % 7) as f64 + 0.5, 2).unwrap();
    }
    let found = |seed| {
        [
            (bleu.finish().bleu, bleu.interval(200, seed)),
            (chrf.finish().chrf, chrf.interval(200, seed)),
            (
                rouge.finish().rouge2.map(|score| score.f1),
                rouge.interval(RougeKind::Two, 200, seed),
            ),
            (captions.finish().cider_d, captions.interval(200, seed)),
            (vqa.finish().accuracy, vqa.interval(200, seed)),
            (
                likelihood.finish().perplexity,
                likelihood.interval(200, seed),
            ),
        ]
    };
    for (value, interval) in found(3) {
        let (value, interval) = (value.unwrap(), interval.unwrap());
        assert!(
            interval.low < value && value < interval.high,
            "{value} {interval:?}"
        );
    }
    assert_eq!(found(3), found(3));
}

/// A text, of few words, and what is compared with it.
fn corpus() -> impl Strategy<Value = Vec<(String, Vec<String>)>> {
    let text = || "[ab ,.é\n]{0,20}";
    proptest::collection::vec((text(), proptest::collection::vec(text(), 1..4)), 0..8)
}

proptest! {
    #[test]
    fn parting_a_corpus_does_not_matter(pairs in corpus(), cut in 0.0..1.0_f64) {
        let at = (pairs.len() as f64 * cut) as usize;
        macro_rules! check {
            ($new:expr, $merge:expr) => {{
                let measure = |pairs: &[(String, Vec<String>)]| {
                    let mut counts = $new;
                    for (said, wanted) in pairs {
                        counts.add(said, wanted).unwrap();
                    }
                    counts
                };
                let mut first = measure(&pairs[..at]);
                $merge(&mut first, &measure(&pairs[at..]));
                prop_assert_eq!(first.finish(), measure(&pairs).finish());
            }};
        }
        check!(Bleu::new(), |a: &mut Bleu, b| a.merge(b).unwrap());
        check!(Chrf::new().with_words(), |a: &mut Chrf, b| a.merge(b).unwrap());
        check!(Rouge::new(), |a: &mut Rouge, b| a.merge(b).unwrap());
        check!(Cider::new(), |a: &mut Cider, b| a.merge(b));
        check!(VqaAccuracy::new(), |a: &mut VqaAccuracy, b| a.merge(b));
        check!(ExactMatch::new(), |a: &mut ExactMatch, b| a.merge(b));
    }

    #[test]
    fn scores_stay_in_range(pairs in corpus()) {
        let (mut captions, mut rouge) = (Cider::new(), Rouge::new().with_stemmer());
        for (said, wanted) in &pairs {
            let whole = 100.0 + 1e-9;
            prop_assert!((0.0..=whole).contains(&Bleu::new().add(said, wanted).unwrap()));
            prop_assert!((0.0..=whole).contains(&Chrf::new().with_words().add(said, wanted).unwrap()));
            let scores = rouge.add(said, wanted).unwrap();
            for kind in KINDS {
                prop_assert!((0.0..=1.0).contains(&scores.of(kind).f1));
            }
            captions.add(said, wanted).unwrap();
        }
        for score in captions.scores() {
            prop_assert!(score.cider_d >= 0.0 && score.cider_d <= score.cider + 1e-9);
            prop_assert!(score.cider <= 10.0 + 1e-9);
        }
    }

    #[test]
    fn any_text_can_be_measured(said in any::<String>(), wanted in any::<String>()) {
        let wanted = [wanted];
        Bleu::new().add(&said, &wanted).unwrap();
        Bleu::new().with_tokens(BleuTokens::Characters).with_lowercase().add(&said, &wanted).unwrap();
        Chrf::new().with_words().add(&said, &wanted).unwrap();
        Rouge::new().with_stemmer().add(&said, &wanted).unwrap();
        VqaAccuracy::new().add(&said, &wanted).unwrap();
        sensorium_eval::caption_words(&said);
    }
}
