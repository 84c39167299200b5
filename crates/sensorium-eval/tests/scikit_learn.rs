//! The metrics equal scikit-learn's on the committed cases, and hold their algebra on random ones.

use proptest::prelude::*;
use sensorium_eval::{Classification, ClassificationReport, Error};
use serde_json::Value;

const FIXTURE: &str = include_str!("fixtures/classification.json");

fn close(what: &str, ours: Option<f64>, theirs: &Value) {
    match (ours, theirs.as_f64()) {
        (Some(a), Some(b)) => assert!((a - b).abs() < 1e-12, "{what}: {a} is not {b}"),
        (a, b) => assert_eq!(a, b, "{what}"),
    }
}

fn measure(classes: usize, samples: &[(usize, Vec<f32>)]) -> ClassificationReport {
    let mut counts = Classification::new((0..classes).map(|c| format!("class {c}"))).unwrap();
    for (target, scores) in samples {
        counts.add(*target, scores).unwrap();
    }
    counts.finish()
}

fn samples(case: &Value) -> Vec<(usize, Vec<f32>)> {
    let scores = |row: &Value| {
        row.as_array()
            .unwrap()
            .iter()
            .map(|s| s.as_f64().unwrap() as f32 / 1024.0)
            .collect()
    };
    let targets = case["target"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_u64().unwrap() as usize);
    targets
        .zip(case["scores_1024"].as_array().unwrap())
        .map(|(target, row)| (target, scores(row)))
        .collect()
}

#[test]
fn parity_with_scikit_learn() {
    let fixture: Value = serde_json::from_str(FIXTURE).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 10);
    for case in cases {
        let (name, expect) = (case["name"].as_str().unwrap(), &case["expect"]);
        let classes = case["classes"].as_u64().unwrap() as usize;
        let report = measure(classes, &samples(case));
        close(name, report.accuracy, &expect["accuracy"]);
        let interval = report.accuracy_interval.unwrap();
        close(name, Some(interval.low), &expect["interval"][0]);
        close(name, Some(interval.high), &expect["interval"][1]);
        for (key, ours) in [
            ("micro", report.micro),
            ("macro", report.macro_),
            ("weighted", report.weighted),
        ] {
            let (ours, theirs) = (ours.unwrap(), &expect[key]);
            close(name, Some(ours.precision), &theirs["precision"]);
            close(name, Some(ours.recall), &theirs["recall"]);
            close(name, Some(ours.f1), &theirs["f1"]);
        }
        check_classes(name, &report, expect);
        check_agreement(name, &report, expect);
        for top in &report.top_k {
            close(
                &format!("{name}, top {}", top.k),
                Some(top.accuracy),
                &expect["top_k"][top.k.to_string()],
            );
        }
    }
}

fn check_classes(name: &str, report: &ClassificationReport, expect: &Value) {
    for (i, class) in report.classes.iter().enumerate() {
        assert_eq!(
            class.support,
            expect["support"][i].as_u64().unwrap(),
            "{name}"
        );
        for (j, count) in expect["confusion"][i]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
        {
            assert_eq!(
                report.confusion.count(i, j),
                count.as_u64().unwrap(),
                "{name}: ({i}, {j})"
            );
        }
        if class.support + class.predicted == 0 {
            // scikit-learn leaves such a class out of its averages; asked for, it shows a 0 that means nothing.
            assert_eq!(
                (class.precision, class.recall, class.f1),
                (None, None, None),
                "{name}"
            );
            continue;
        }
        close(name, class.precision, &expect["precision"][i]);
        close(name, class.recall, &expect["recall"][i]);
        close(name, class.f1, &expect["f1"][i]);
    }
}

fn check_agreement(name: &str, report: &ClassificationReport, expect: &Value) {
    close(name, report.kappa, &expect["kappa"]);
    if report
        .classes
        .iter()
        .filter(|class| class.support > 0)
        .count()
        < 2
    {
        // scikit-learn says 0 even where every answer is right: with one true class there is nothing to correlate.
        assert_eq!(report.mcc, None, "{name}");
    } else {
        close(name, report.mcc, &expect["mcc"]);
    }
}

#[test]
fn the_numbers_of_the_hand_made_case() {
    let (truth, answers) = (
        [0, 1, 2, 0, 1, 2, 2, 1, 0, 2],
        [0, 2, 1, 0, 1, 2, 2, 1, 1, 2],
    );
    let one_hot = |class: usize| (0..3).map(|c| f32::from(u8::from(c == class))).collect();
    let report = measure(
        3,
        &truth
            .into_iter()
            .zip(answers.map(one_hot))
            .collect::<Vec<_>>(),
    );
    let (macro_, weighted) = (report.macro_.unwrap(), report.weighted.unwrap());
    let pairs = [
        (report.micro.unwrap().f1, 0.7),
        (macro_.precision, 0.75),
        (macro_.recall, 0.694444),
        (macro_.f1, 0.707143),
        (weighted.precision, 0.75),
        (weighted.recall, 0.7),
        (weighted.f1, 0.711429),
        (report.mcc.unwrap(), 0.553912),
        (report.kappa.unwrap(), 0.545455),
    ];
    for (ours, theirs) in pairs {
        assert!((ours - theirs).abs() < 1e-6, "{ours} is not {theirs}");
    }
}

#[test]
fn the_json_keys_are_a_promise() {
    let report = measure(
        4,
        &[(0, vec![3.0, 2.0, 1.0, 0.0]), (1, vec![3.0, 2.0, 1.0, 0.0])],
    );
    let json = serde_json::to_value(&report).unwrap();
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let expected = "n accuracy accuracy_interval majority_share top_k micro macro weighted mcc kappa auroc average_precision brier calibration classes confusion";
    assert_eq!(keys(&json).join(" "), expected);
    assert_eq!(keys(&json["macro"]).join(" "), "precision recall f1");
    assert_eq!(
        keys(&json["classes"][0]).join(" "),
        "label precision recall f1 auroc average_precision support predicted"
    );
    assert_eq!(keys(&json["accuracy_interval"]).join(" "), "low high");
    assert_eq!(
        json["top_k"].to_string(),
        r#"[{"k":2,"accuracy":1.0},{"k":3,"accuracy":1.0}]"#
    );
    assert_eq!(json["classes"][3]["f1"], Value::Null);
    assert_eq!(
        serde_json::from_value::<ClassificationReport>(json).unwrap(),
        report
    );
}

#[test]
fn without_samples_everything_is_undefined() {
    let report = measure(3, &[]);
    assert_eq!(
        (report.n, report.accuracy, report.accuracy_interval),
        (0, None, None)
    );
    assert_eq!(
        (report.micro, report.macro_, report.weighted),
        (None, None, None)
    );
    assert_eq!(
        (report.mcc, report.kappa, report.majority_share),
        (None, None, None)
    );
    assert!(report.top_k.is_empty());
}

#[test]
fn faults_name_the_sample_and_count_nothing() {
    let mut counts = Classification::new(["cat", "dog"]).unwrap();
    counts.add(0, &[1.0, 0.0]).unwrap();
    let message = |result: Result<usize, Error>| result.unwrap_err().to_string();
    assert_eq!(
        message(counts.add_sample("a.png", 0, &[0.0, f32::NAN])),
        "sample `a.png`: the score of `dog` is NaN, look at the sample's input and at the model's weights"
    );
    assert_eq!(
        message(counts.add(0, &[1.0])),
        "sample 1: 1 scores for 2 classes, give one for each"
    );
    assert_eq!(
        message(counts.add(2, &[1.0, 0.0])),
        "sample 1: class 2 does not exist, there are 2 classes (0 to 1)"
    );
    assert_eq!(counts.len(), 1);
    assert!(
        Classification::new(["a", "b", "a"])
            .is_err_and(|e| e.to_string().contains("`a` stands twice"))
    );
    assert!(Classification::new([""; 0]).is_err());
    let other = Classification::new(["cat"]).unwrap();
    assert!(counts.merge(&other).is_err());
}

#[test]
fn a_collapsed_model_scores_chance_not_everything() {
    let even: Vec<_> = (0..8).map(|target| (target % 4, vec![0.5; 4])).collect();
    let report = measure(4, &even);
    assert_eq!(report.accuracy, Some(0.25));
    assert_eq!(report.top_k[0].accuracy, 0.5);
    // Infinite scores are an order like any other: a masked class has minus infinity.
    let masked = measure(3, &[(2, vec![f32::NEG_INFINITY, f32::NEG_INFINITY, 0.0])]);
    assert_eq!(masked.accuracy, Some(1.0));
}

fn random_samples() -> impl Strategy<Value = (usize, Vec<(usize, Vec<f32>)>)> {
    (1_usize..8).prop_flat_map(|classes| {
        let sample = (0..classes, proptest::collection::vec(-3_i8..3, classes));
        let sample = sample
            .prop_map(|(target, scores)| (target, scores.into_iter().map(f32::from).collect()));
        (Just(classes), proptest::collection::vec(sample, 1..60))
    })
}

proptest! {
    #[test]
    fn algebra_holds((classes, samples) in random_samples()) {
        let report = measure(classes, &samples);
        prop_assert_eq!(report.micro.unwrap().f1, report.accuracy.unwrap());
        prop_assert!((report.weighted.unwrap().recall - report.accuracy.unwrap()).abs() < 1e-12);
        let mut last = report.accuracy.unwrap();
        for top in &report.top_k {
            prop_assert!(top.accuracy >= last && top.accuracy <= 1.0);
            last = top.accuracy;
        }
        prop_assert_eq!(report.confusion.total(), samples.len() as u64);
        prop_assert!(report.mcc.is_none_or(|mcc| mcc.abs() <= 1.0 + 1e-12));
        prop_assert!(report.kappa.is_none_or(|kappa| kappa <= 1.0));
        prop_assert!(report.majority_share.unwrap() >= 1.0 / classes as f64 - 1e-12);
    }

    #[test]
    fn neither_order_nor_parting_matters((classes, samples) in random_samples(), cut in 0.0..1.0_f64) {
        let whole = measure(classes, &samples);
        let reversed: Vec<_> = samples.iter().rev().cloned().collect();
        prop_assert_eq!(&measure(classes, &reversed), &whole);
        let cut = (samples.len() as f64 * cut) as usize;
        let mut parts = [&samples[..cut], &samples[cut..]].map(|part| {
            let mut counts = Classification::new((0..classes).map(|c| format!("class {c}"))).unwrap();
            part.iter().for_each(|(target, scores)| { counts.add(*target, scores).unwrap(); });
            counts
        });
        let second = parts[1].clone();
        parts[0].merge(&second).unwrap();
        prop_assert_eq!(&parts[0].finish(), &whole);
    }

    #[test]
    fn renaming_classes_renames_the_answer((classes, samples) in random_samples(), turn in 0_usize..8) {
        // Turn all class indices by `turn`; scores made distinct, for ties go by position.
        let distinct = |scores: &[f32]| scores.iter().enumerate().map(|(i, s)| s * 16.0 + i as f32).collect::<Vec<_>>();
        let samples: Vec<_> = samples.iter().map(|(target, scores)| (*target, distinct(scores))).collect();
        let turned: Vec<_> = samples.iter().map(|(target, scores)| {
            let mut moved = scores.clone();
            moved.rotate_right(turn % classes);
            ((target + turn) % classes, moved)
        }).collect();
        let (before, after) = (measure(classes, &samples), measure(classes, &turned));
        prop_assert_eq!(before.accuracy, after.accuracy);
        prop_assert!((before.macro_f1().unwrap() - after.macro_f1().unwrap()).abs() < 1e-12);
        prop_assert_eq!(before.top_k, after.top_k);
        let close = |a: Option<f64>, b: Option<f64>| a.zip(b).map_or(a == b, |(a, b)| (a - b).abs() < 1e-9);
        prop_assert!(close(before.mcc, after.mcc) && close(before.kappa, after.kappa));
    }
}
