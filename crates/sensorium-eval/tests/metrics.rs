//! Ranking, certainty, several labels, numbers, ordered classes and search are measured as scikit-learn and torchmetrics measure them.

use sensorium_eval::{
    Averaged, Calibration, Classification, ClassificationReport, Confusion, MultiLabel, Regression,
    Retrieval, auroc, average_precision, brier_score,
};
use serde_json::Value;

const FIXTURE: &str = include_str!("fixtures/metrics.json");

fn cases(kind: &str) -> Vec<Value> {
    let mut fixture: Value = serde_json::from_str(FIXTURE).unwrap();
    let Value::Array(cases) = fixture[kind].take() else {
        panic!("no cases of {kind}")
    };
    assert!(cases.len() >= 5, "{kind}");
    cases
}

fn near(case: &Value, key: &str, ours: Option<f64>, tolerance: f64) {
    let name = &case["name"];
    match (ours, case[key].as_f64()) {
        (Some(a), Some(b)) => assert!((a - b).abs() < tolerance, "{name}, {key}: {a} is not {b}"),
        (a, b) => assert_eq!(a, b, "{name}, {key}"),
    }
}

fn same(case: &Value, key: &str, ours: Option<f64>) {
    near(case, key, ours, 1e-12);
}

fn same_list(case: &Value, key: &str, ours: impl Iterator<Item = Option<f64>>) {
    let ours: Vec<Option<f64>> = ours.collect();
    let theirs = case[key].as_array().unwrap();
    assert_eq!(ours.len(), theirs.len(), "{key}");
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        let one = serde_json::json!({"name": case["name"], key: theirs});
        same(&one, key, ours);
    }
}

fn floats(list: &Value) -> Vec<f64> {
    let list = list.as_array().unwrap().iter();
    list.map(|number| number.as_f64().unwrap()).collect()
}

fn indices(list: &Value) -> Vec<usize> {
    let list = list.as_array().unwrap().iter();
    list.map(|number| number.as_u64().unwrap() as usize)
        .collect()
}

fn truths(list: &Value) -> Vec<bool> {
    indices(list).into_iter().map(|truth| truth == 1).collect()
}

/// Whole numbers of 1024ths, which 32 bits hold exactly.
fn parts(list: &Value) -> Vec<f32> {
    floats(list)
        .into_iter()
        .map(|part| part as f32 / 1024.0)
        .collect()
}

fn rows<T>(table: &Value, of: impl Fn(&Value) -> T) -> Vec<T> {
    table.as_array().unwrap().iter().map(of).collect()
}

#[test]
fn parity_of_yes_or_no() {
    for case in cases("binary") {
        let (positive, scores) = (truths(&case["positive"]), parts(&case["scores_1024"]));
        same(&case, "auroc", auroc(&positive, &scores).unwrap());
        let precision = average_precision(&positive, &scores).unwrap();
        same(&case, "average_precision", precision);
        same(&case, "brier", brier_score(&positive, &scores).unwrap());
        let wide: Vec<f64> = scores.iter().map(|&score| f64::from(score)).collect();
        same(&case, "auroc", auroc(&positive, &wide).unwrap());
    }
}

fn with_probabilities(case: &Value) -> ClassificationReport {
    let classes = case["classes"].as_u64().unwrap();
    let probabilities = rows(&case["probabilities_1024"], parts);
    let mut counts = Classification::new((0..classes).map(|c| c.to_string())).unwrap();
    let targets = indices(&case["target"]);
    let samples: Vec<(usize, &[f32])> = targets
        .into_iter()
        .zip(probabilities.iter().map(Vec::as_slice))
        .collect();
    for (target, row) in &samples {
        counts.add(*target, row).unwrap();
    }
    counts.finish().with_probabilities(&samples).unwrap()
}

#[test]
fn parity_of_classes_with_probabilities() {
    for case in cases("classes") {
        let report = with_probabilities(&case);
        same(&case, "auroc", report.auroc);
        same(&case, "average_precision", report.average_precision);
        same_list(&case, "aurocs", report.classes.iter().map(|c| c.auroc));
        let precisions = report.classes.iter().map(|c| c.average_precision);
        same_list(&case, "average_precisions", precisions);
        same(&case, "brier", report.brier);
        let calibration = report.calibration.unwrap();
        same(&case, "ece", calibration.ece);
        assert_eq!(calibration.accuracy, report.accuracy);
    }
}

#[test]
fn parity_of_certainty() {
    for case in cases("calibration") {
        let bins = case["bins"].as_u64().unwrap() as usize;
        let mut counts = Calibration::new(bins).unwrap();
        let answers = floats(&case["confidence"])
            .into_iter()
            .zip(truths(&case["right"]));
        for (sure, right) in answers {
            counts.add(sure as f32, right).unwrap();
        }
        let report = counts.finish();
        // A decimal fraction of 64 bits is another number in 32.
        let tolerance = match case["name"].as_str().unwrap() {
            "by hand" => 1e-7,
            _ => case["tolerance"].as_f64().unwrap(),
        };
        near(&case, "ece", report.ece, tolerance);
        assert_eq!(report.bins.len(), bins + 1);
        let (first, last) = (report.bins[0], report.bins[bins]);
        assert_eq!((first.low, last.low, last.high), (0.0, 1.0, 1.0));
    }
}

fn same_average(case: &Value, kind: &str, ours: Option<Averaged>) {
    let theirs = serde_json::json!({
        "name": format!("{}, {kind}", case["name"]),
        "precision": case[kind]["precision"], "recall": case[kind]["recall"], "f1": case[kind]["f1"],
    });
    same(&theirs, "precision", ours.map(|average| average.precision));
    same(&theirs, "recall", ours.map(|average| average.recall));
    same(&theirs, "f1", ours.map(|average| average.f1));
}

#[test]
fn parity_of_several_labels() {
    for case in cases("multilabel") {
        let (truth, scores) = (
            rows(&case["truth"], truths),
            rows(&case["scores_1024"], parts),
        );
        let threshold = case["threshold"].as_f64().unwrap() as f32;
        let names = (0..truth[0].len()).map(|label| label.to_string());
        let mut counts = MultiLabel::new(names, threshold).unwrap();
        for (truth, scores) in truth.iter().zip(&scores) {
            counts.add(truth, scores).unwrap();
        }
        let report = counts.finish();
        assert_eq!(report.n, truth.len() as u64);
        same(
            &case,
            "mean_average_precision",
            report.mean_average_precision,
        );
        let precisions = report.labels.iter().map(|label| label.average_precision);
        same_list(&case, "average_precisions", precisions);
        same(&case, "auroc", report.auroc);
        same_average(&case, "micro", report.micro);
        same_average(&case, "macro", report.macro_);
        same_average(&case, "weighted", report.weighted);
        same(&case, "subset_accuracy", report.subset_accuracy);
        same(&case, "hamming_loss", report.hamming_loss);
    }
}

#[test]
fn parity_of_numbers() {
    for case in cases("regression") {
        let (target, prediction) = (floats(&case["target"]), floats(&case["prediction"]));
        let report = Regression::of(&target, &prediction).unwrap().finish();
        assert_eq!(report.n, target.len() as u64);
        same(&case, "mae", report.mae);
        same(&case, "rmse", report.rmse);
        same(&case, "bias", report.bias);
        // Targets far from zero have lost digits before anyone counts them.
        near(&case, "r2", report.r2, 1e-10);
    }
}

#[test]
fn parity_of_ordered_classes() {
    for case in cases("ordinal") {
        let mut confusion = Confusion::default();
        let pairs = indices(&case["target"])
            .into_iter()
            .zip(indices(&case["answer"]));
        pairs.for_each(|(target, answer)| confusion.add(target, answer));
        same(&case, "quadratic_kappa", confusion.quadratic_kappa());
    }
}

#[test]
fn parity_of_search() {
    for case in cases("retrieval") {
        let (scores, right) = (
            rows(&case["scores_1024"], parts),
            rows(&case["right"], indices),
        );
        let mut counts = Retrieval::new();
        for ((scores, right), rank) in scores.iter().zip(&right).zip(indices(&case["ranks"])) {
            let ours = counts.add(scores, right).unwrap();
            assert_eq!(ours, Some(rank as u32), "{}", case["name"]);
        }
        let report = counts.finish();
        assert_eq!(report.recall.len(), 3);
        for at in &report.recall {
            same(&case["recall"], &at.k.to_string(), Some(at.recall));
            assert!(at.interval.low <= at.recall && at.recall <= at.interval.high);
        }
        same(&case, "median_rank", report.median_rank);
        same(&case, "mean_rank", report.mean_rank);
        same(&case, "mrr", report.mrr);
    }
}

/// The shorter cases that hold for whoever has no Python at hand: known numbers, printed with six digits.
#[test]
fn the_numbers_of_the_hand_made_cases() {
    let close = |ours: Option<f64>, theirs: f64| assert!((ours.unwrap() - theirs).abs() < 1e-6);
    let positive = [0, 0, 1, 1, 0, 1].map(|truth| truth == 1);
    let scores = [0.1, 0.4, 0.35, 0.8, 0.35, 0.8];
    close(auroc(&positive, &scores).unwrap(), 0.833_333);
    close(average_precision(&positive, &scores).unwrap(), 0.866_667);
    close(brier_score(&positive, &scores).unwrap(), 0.1325);
    let mut counts = Retrieval::new();
    let similarity = [[0.9, 0.2, 0.1], [0.3, 0.2, 0.8], [0.1, 0.7, 0.6]];
    for (query, row) in similarity.iter().enumerate() {
        counts.add(row, &[query]).unwrap();
    }
    assert_eq!(counts.ranks(), [1, 3, 2]);
    close(counts.recall_at(1).map(|at| at.recall), 1.0 / 3.0);
    close(counts.finish().mrr, 0.611_111);
}
