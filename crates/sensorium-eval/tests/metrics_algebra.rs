//! What must hold of the metrics whatever the numbers: order does not matter, mirrored scores mirror the area, ties help no one, what
//! is undefined is no number, and faults are named.

use proptest::prelude::*;
use sensorium_eval::{
    Calibration, Classification, ClassificationReport, Confusion, Error, MultiLabel, Regression,
    Retrieval, auroc, average_precision, brier_score,
};

/// Truths with scores of few levels, so that many are equal.
fn scored() -> impl Strategy<Value = Vec<(bool, i8)>> {
    proptest::collection::vec((any::<bool>(), -6_i8..6), 1..80)
}

fn split(pairs: &[(bool, i8)]) -> (Vec<bool>, Vec<f32>) {
    let pairs = pairs.iter();
    pairs
        .map(|&(truth, score)| (truth, f32::from(score)))
        .unzip()
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    a.zip(b).map_or(a == b, |(a, b)| (a - b).abs() < 1e-12)
}

/// Every pair of a positive and a negative, and every positive's precision: what the definitions say, by force.
fn by_force(truths: &[bool], scores: &[f32]) -> (Option<f64>, Option<f64>) {
    let of = |wanted: bool| -> Vec<f32> {
        let pairs = truths.iter().zip(scores);
        pairs
            .filter(|pair| *pair.0 == wanted)
            .map(|pair| *pair.1)
            .collect()
    };
    let (positive, negative) = (of(true), of(false));
    let won = |p: f32, n: f32| {
        if p > n {
            1.0
        } else if p == n {
            0.5
        } else {
            0.0
        }
    };
    let wins: f64 = positive
        .iter()
        .flat_map(|&p| negative.iter().map(move |&n| won(p, n)))
        .sum();
    let at_least = |list: &[f32], p: f32| list.iter().filter(|&&s| s >= p).count() as f64;
    let precision =
        |&p: &f32| at_least(&positive, p) / (at_least(&positive, p) + at_least(&negative, p));
    let precisions: f64 = positive.iter().map(precision).sum();
    let pairs = (positive.len() * negative.len()) as f64;
    let defined = |value: f64| Some(value).filter(|value| !value.is_nan());
    (
        defined(wins / pairs),
        defined(precisions / positive.len() as f64),
    )
}

proptest! {
    #[test]
    fn areas_are_what_their_definitions_say(pairs in scored()) {
        let (truths, scores) = split(&pairs);
        let (area, precision) = by_force(&truths, &scores);
        prop_assert!(close(auroc(&truths, &scores).unwrap(), area));
        prop_assert!(close(average_precision(&truths, &scores).unwrap(), precision));
    }

    #[test]
    fn areas_know_no_order_and_no_scale(pairs in scored(), turn in 0_usize..80) {
        let (truths, scores) = split(&pairs);
        let mut moved = pairs.clone();
        moved.rotate_left(turn % pairs.len());
        moved.reverse();
        let (moved_truths, moved_scores) = split(&moved);
        let steeper: Vec<f32> = scores.iter().map(|score| score.exp()).collect();
        let area = auroc(&truths, &scores).unwrap();
        let precision = average_precision(&truths, &scores).unwrap();
        prop_assert_eq!(auroc(&moved_truths, &moved_scores).unwrap(), area);
        prop_assert_eq!(average_precision(&moved_truths, &moved_scores).unwrap(), precision);
        prop_assert_eq!(auroc(&truths, &steeper).unwrap(), area);
        prop_assert_eq!(average_precision(&truths, &steeper).unwrap(), precision);
        let mirrored: Vec<f32> = scores.iter().map(|score| -score).collect();
        prop_assert!(close(auroc(&truths, &mirrored).unwrap(), area.map(|area| 1.0 - area)));
    }

    #[test]
    fn perfect_and_constant_scores(truths in proptest::collection::vec(any::<bool>(), 1..60)) {
        let positives = truths.iter().filter(|&&truth| truth).count();
        let mixed = positives > 0 && positives < truths.len();
        let perfect: Vec<f32> = truths.iter().map(|&truth| f32::from(u8::from(truth))).collect();
        prop_assert_eq!(auroc(&truths, &perfect).unwrap(), mixed.then_some(1.0));
        prop_assert_eq!(average_precision(&truths, &perfect).unwrap(), (positives > 0).then_some(1.0));
        prop_assert_eq!(brier_score(&truths, &perfect).unwrap(), Some(0.0));
        let constant = vec![0.5_f32; truths.len()];
        prop_assert_eq!(auroc(&truths, &constant).unwrap(), mixed.then_some(0.5));
        let share = positives as f64 / truths.len() as f64;
        let found = average_precision(&truths, &constant).unwrap();
        prop_assert!(close(found, (positives > 0).then_some(share)));
        prop_assert_eq!(brier_score(&truths, &constant).unwrap(), Some(0.25));
    }

    #[test]
    fn search_is_never_helped_by_ties(scores in proptest::collection::vec(-4_i8..4, 1..40), right in proptest::collection::btree_set(0_usize..40, 0..5)) {
        let right: Vec<usize> = right.into_iter().filter(|&r| r < scores.len()).collect();
        let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
        let mut counts = Retrieval::new();
        let rank = counts.add(&scores, &right).unwrap();
        // The best right one alone among the wrong ones, sorted with it after its equals.
        let expected = right.iter().map(|&r| {
            let wrong = (0..scores.len()).filter(|c| !right.contains(c));
            1 + wrong.filter(|&c| scores[c] >= scores[r]).count() as u32
        }).min();
        prop_assert_eq!(rank, expected);
        prop_assert_eq!(counts.finish().unanswerable, u64::from(right.is_empty()));
        // Named twice is right once, and more right answers are no worse.
        prop_assert_eq!(Retrieval::new().add(&scores, &[&right[..], &right[..]].concat()).unwrap(), rank);
        if let Some(rank) = rank {
            let every: Vec<usize> = (0..scores.len()).collect();
            prop_assert_eq!(Retrieval::new().add(&scores, &every).unwrap(), Some(1));
            prop_assert!(right.iter().all(|&one| Retrieval::new().add(&scores, &[one]).unwrap().unwrap() >= rank));
        }
    }

    #[test]
    fn blocks_are_rows(queries in 1_usize..12, candidates in 1_usize..9, block in 1_usize..14, seed in any::<u32>()) {
        let score = |q: usize, c: usize| ((q * 31 + c * 17) as u32 ^ seed) as f32 % 7.0;
        let row = |q: usize| (0..candidates).map(move |c| score(q, c));
        let mut whole = Retrieval::new();
        for query in 0..queries {
            whole.add(&row(query).collect::<Vec<_>>(), &[query % candidates]).unwrap();
        }
        let (mut blocks, mut largest) = (Retrieval::new(), 0);
        blocks.by_blocks(queries, candidates, block, |query| [query % candidates], |range| {
            largest = largest.max(range.len());
            Ok::<_, Error>(range.flat_map(row).collect())
        }).unwrap();
        prop_assert_eq!(blocks.ranks(), whole.ranks());
        prop_assert_eq!(largest, block.min(queries));
        let mut parts = Retrieval::new();
        parts.merge(&whole);
        parts.merge(&blocks);
        let report = parts.finish();
        prop_assert_eq!((report.n, report.median_rank), (2 * queries as u64, whole.finish().median_rank));
    }

    #[test]
    fn certainty_lies_in_its_bin(bins in 1_usize..60, sure in 0.0..=1.0_f32, edge in 0_usize..60) {
        let edge = (edge.min(bins) as f64 / bins as f64) as f32;
        for sure in [sure, edge, 0.0, 1.0] {
            let mut counts = Calibration::new(bins).unwrap();
            counts.add(sure, true).unwrap();
            let report = counts.finish();
            let bin = report.bins.iter().find(|bin| bin.n == 1).unwrap();
            prop_assert!(bin.low as f32 <= sure && (sure < bin.high as f32 || sure == 1.0 && bin.low == 1.0));
            prop_assert!(close(report.ece, Some(1.0 - f64::from(sure))));
        }
    }

    #[test]
    fn certainty_counted_in_parts(answers in proptest::collection::vec((0_u16..=1024, any::<bool>()), 1..60), cut in 0.0..1.0_f64) {
        let counted = |answers: &[(u16, bool)]| {
            let mut counts = Calibration::new(15).unwrap();
            answers.iter().for_each(|&(sure, right)| counts.add(f32::from(sure) / 1024.0, right).unwrap());
            counts
        };
        let whole = counted(&answers).finish();
        let (first, second) = answers.split_at((answers.len() as f64 * cut) as usize);
        let mut parts = counted(second);
        parts.merge(&counted(first)).unwrap();
        prop_assert_eq!(&parts.finish(), &whole);
        prop_assert!(whole.ece.unwrap() <= 1.0);
        // The error is at least the distance of the two means, which one bin alone would show.
        prop_assert!(whole.ece.unwrap() >= (whole.confidence.unwrap() - whole.accuracy.unwrap()).abs() - 1e-12);
    }

    #[test]
    fn numbers_know_no_order_and_no_place(pairs in proptest::collection::vec((-50.0..50.0_f64, -50.0..50.0_f64), 1..60), cut in 0.0..1.0_f64, offset in -1e3..1e3_f64) {
        let counted = |pairs: &[(f64, f64)]| {
            let mut counts = Regression::new();
            pairs.iter().for_each(|&(target, predicted)| counts.add(target, predicted).unwrap());
            counts
        };
        let whole = counted(&pairs).finish();
        let near = |other: &sensorium_eval::RegressionReport| {
            let pairs = [(whole.mae, other.mae), (whole.rmse, other.rmse), (whole.r2, other.r2), (whole.bias, other.bias)];
            let close = |(a, b): (Option<f64>, Option<f64>)| a.zip(b).map_or(a == b, |(a, b)| (a - b).abs() <= 1e-8 * a.abs().max(1.0));
            whole.n == other.n && pairs.into_iter().all(close)
        };
        let mut reversed = pairs.clone();
        reversed.reverse();
        prop_assert!(near(&counted(&reversed).finish()));
        let (first, second) = pairs.split_at((pairs.len() as f64 * cut) as usize);
        let mut parts = counted(first);
        parts.merge(&counted(second));
        prop_assert!(near(&parts.finish()));
        let moved: Vec<(f64, f64)> = pairs.iter().map(|&(t, p)| (t + offset, p + offset)).collect();
        prop_assert!(near(&counted(&moved).finish()));
        prop_assert!(whole.rmse >= whole.mae.map(|mae| mae * (1.0 - 1e-12)));
    }

    #[test]
    fn order_weighs_mistakes(pairs in proptest::collection::vec((0_usize..6, 0_usize..6), 1..60)) {
        let counted = |map: fn(usize) -> usize| {
            let mut confusion = Confusion::default();
            pairs.iter().for_each(|&(target, answer)| confusion.add(map(target), map(answer)));
            confusion.quadratic_kappa()
        };
        let kappa = counted(|class| class);
        let near = |other: Option<f64>| kappa.zip(other).map_or(kappa == other, |(a, b)| (a - b).abs() < 1e-9);
        // Grades counted from elsewhere, in other steps, or from the other end are the same grades.
        prop_assert!(near(counted(|class| 1_000_000 + class)));
        prop_assert!(near(counted(|class| class * 3)));
        prop_assert!(near(counted(|class| 5 - class)));
        prop_assert!(kappa.is_none_or(|kappa| kappa <= 1.0));
    }

    #[test]
    fn several_labels_in_parts(rows in proptest::collection::vec((any::<[bool; 3]>(), [-3_i8..3, -3_i8..3, -3_i8..3]), 1..40), cut in 0.0..1.0_f64) {
        let counted = |rows: &[([bool; 3], [i8; 3])]| {
            let mut counts = MultiLabel::new(["a", "b", "c"], 0.0).unwrap();
            rows.iter().for_each(|(truth, scores)| counts.add(truth, &scores.map(f32::from)).unwrap());
            counts
        };
        let whole = counted(&rows).finish();
        let (first, second) = rows.split_at((rows.len() as f64 * cut) as usize);
        let mut parts = counted(second);
        parts.merge(&counted(first)).unwrap();
        prop_assert_eq!(&parts.finish(), &whole);
        // One wrong label spoils a sample: no more samples are spoilt than labels are wrong, nor fewer than a third of them.
        let (spoilt, wrong) = (1.0 - whole.subset_accuracy.unwrap(), whole.hamming_loss.unwrap());
        prop_assert!(wrong <= spoilt + 1e-12 && spoilt <= 3.0 * wrong + 1e-12);
    }
}

fn probabilities(rows: &[(usize, &[f32])]) -> Result<ClassificationReport, Error> {
    let mut counts = Classification::new(["cat", "dog"])?;
    for (target, row) in rows {
        counts.add(*target, row)?;
    }
    counts.finish().with_probabilities(rows)
}

#[test]
fn without_samples_nothing_is_a_number() {
    let report = probabilities(&[]).unwrap();
    assert_eq!(
        (report.auroc, report.average_precision, report.brier),
        (None, None, None)
    );
    assert_eq!(report.calibration, None);
    let report = Calibration::new(3).unwrap().finish();
    assert_eq!(
        (report.ece, report.confidence, report.accuracy),
        (None, None, None)
    );
    let none: [f64; 0] = [];
    assert_eq!(auroc(&[], &none), Ok(None));
    assert_eq!(average_precision(&[], &none), Ok(None));
    assert_eq!(brier_score(&[], &none), Ok(None));
    let report = Regression::new().finish();
    assert_eq!(
        (report.mae, report.rmse, report.bias, report.r2),
        (None, None, None, None)
    );
    let report = Retrieval::new().finish();
    assert_eq!(
        (report.median_rank, report.mean_rank, report.mrr),
        (None, None, None)
    );
    assert!(report.recall.is_empty());
    let report = MultiLabel::new(["a"], 0.5).unwrap().finish();
    assert_eq!((report.subset_accuracy, report.hamming_loss), (None, None));
    assert_eq!((report.mean_average_precision, report.auroc), (None, None));
    assert_eq!(
        (report.micro, report.macro_, report.weighted),
        (None, None, None)
    );
    assert_eq!(Confusion::default().quadratic_kappa(), None);
}

#[test]
fn one_class_alone_is_told_from_nothing() {
    let report = probabilities(&[(0, &[0.9, 0.1]), (0, &[0.4, 0.6])]).unwrap();
    assert_eq!((report.auroc, report.average_precision), (None, Some(1.0)));
    assert_eq!(report.classes[1].average_precision, None);
    assert!((report.calibration.unwrap().ece.unwrap() - 0.35).abs() < 1e-6);
}

#[test]
fn infinite_scores_are_an_order_like_any_other() {
    let scores = [f64::NEG_INFINITY, 0.0, f64::INFINITY];
    assert_eq!(auroc(&[false, true, true], &scores), Ok(Some(1.0)));
    assert_eq!(auroc(&[false, true], &[0.0, -0.0]), Ok(Some(0.5)));
}

#[test]
fn faults_say_what_is_wrong_and_where() {
    let says = |error: Error, text: &str| assert_eq!(error.to_string(), text);
    let nan = f32::NAN;
    says(
        auroc(&[true], &[0.5, 0.5]).unwrap_err(),
        "1 targets and 2 scores: each needs one",
    );
    says(
        average_precision(&[true, false], &[0.5, nan]).unwrap_err(),
        "score 1 is NaN (counted from 0): look at that sample's input and at the model's weights",
    );
    says(
        brier_score(&[true], &[1.5]).unwrap_err(),
        "sample 0: 1.5 is no probability, give numbers from 0 to 1 (softmax or sigmoid of logits)",
    );
    assert!(brier_score(&[true], &[f64::NAN]).is_err());
    says(
        probabilities(&[(0, &[0.5, 0.1])]).unwrap_err(),
        "sample 0: the probabilities add up to 0.6000 and not to 1, give the softmax of logits",
    );
    assert!(matches!(
        probabilities(&[(0, &[2.0, -1.0])]),
        Err(Error::NotAProbability { .. })
    ));
    let report = probabilities(&[(0, &[0.9, 0.1])]).unwrap();
    says(
        report
            .clone()
            .with_probabilities(&[(1, &[0.9, 0.1])])
            .unwrap_err(),
        "0 rows of class `cat`, of which 1 were counted: give the probabilities of the samples that were",
    );
    assert!(
        report
            .clone()
            .with_probabilities(&[(2, &[0.9, 0.1])])
            .is_err()
    );
    assert!(report.with_probabilities(&[(0, &[1.0])]).is_err());
    says(
        Calibration::new(0).unwrap_err(),
        "0 bins of certainty: choose 1 to 10000",
    );
    let mut counts = Calibration::new(2).unwrap();
    assert!(counts.add(nan, true).is_err() && counts.add(-0.1, true).is_err());
    says(
        counts.merge(&Calibration::new(3).unwrap()).unwrap_err(),
        "counts in 2 and in 3 bins cannot be merged",
    );
    says(
        Regression::of(&[1.0, 2.0], &[1.0, f64::INFINITY]).unwrap_err(),
        "sample 1: the prediction is inf, which is no number to compare: leave the sample out or mend it",
    );
    assert!(Regression::of(&[1.0], &[]).is_err());
}

#[test]
fn faults_of_search_and_of_several_labels() {
    let says = |error: Error, text: &str| assert_eq!(error.to_string(), text);
    let mut counts = Retrieval::new();
    says(
        counts.add(&[0.1, f32::NAN], &[0]).unwrap_err(),
        "query 0: the score of candidate 1 is NaN, look at the vectors of both",
    );
    says(
        counts.add(&[0.1, 0.2], &[2]).unwrap_err(),
        "query 0: candidate 2 does not exist, there are 2 (counted from 0)",
    );
    assert!(counts.add_rank(0).is_err() && counts.is_empty());
    counts.add_rank(3).unwrap();
    let block = counts.by_blocks(3, 2, 2, |query| [query], |_| Ok::<_, Error>(vec![0.0; 3]));
    says(
        block.unwrap_err(),
        "queries 0 to 1: 3 scores, not 4, which is one for each query and candidate",
    );
    let mut counts = MultiLabel::new(["cat", "dog"], 0.5).unwrap();
    says(
        counts.add(&[true], &[0.1, 0.2]).unwrap_err(),
        "sample 0: 1 truths for 2 labels, give one for each",
    );
    assert!(counts.add(&[true, true], &[0.1]).is_err());
    assert!(counts.add(&[true, true], &[0.1, f32::NAN]).is_err() && counts.is_empty());
    assert!(
        counts
            .merge(&MultiLabel::new(["cat"], 0.5).unwrap())
            .is_err()
    );
    says(
        counts
            .merge(&MultiLabel::new(["cat", "dog"], 0.7).unwrap())
            .unwrap_err(),
        "labels given above 0.5 and above 0.7 cannot be merged",
    );
    assert_eq!(
        MultiLabel::new(["a"], f32::NAN).unwrap_err(),
        Error::NanThreshold
    );
}

#[test]
fn the_json_keys_are_a_promise() {
    let keys = |value: serde_json::Value| -> String {
        let keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.join(" ")
    };
    assert_eq!(
        keys(serde_json::to_value(Regression::new().finish()).unwrap()),
        "n mae rmse bias r2"
    );
    let mut counts = Retrieval::new();
    counts.add_rank(2).unwrap();
    let report = serde_json::to_value(counts.finish()).unwrap();
    assert_eq!(keys(report["recall"][0].clone()), "k recall interval");
    assert_eq!(
        keys(report),
        "n unanswerable recall median_rank mean_rank mrr"
    );
    let report = serde_json::to_value(MultiLabel::new(["a"], 0.5).unwrap().finish()).unwrap();
    assert_eq!(
        keys(report),
        "n threshold mean_average_precision auroc micro macro weighted subset_accuracy hamming_loss labels"
    );
    let report = serde_json::to_value(Calibration::new(1).unwrap().finish()).unwrap();
    assert_eq!(
        keys(report["bins"][0].clone()),
        "low high n confidence accuracy accuracy_interval"
    );
    assert_eq!(keys(report), "n ece confidence accuracy bins");
}
