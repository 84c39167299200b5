//! Several labels, numbers and ordered classes: what stands on the screen and in the report.

#[path = "page/mod.rs"]
mod page;

use sensorium_eval::{
    Ablation, Classification, NumbersReport, RunReport, Scatter, labels_table, numbers_table,
    render, text_table,
};

use page::{headings, numbers, several, well_formed};

#[test]
fn several_labels_have_a_table_and_a_section() {
    let test = several("rain");
    let mut ablation = Ablation::new(["image", "text"]);
    ablation.push(&["image"], &test).unwrap();
    ablation.push(&["image", "text"], &test).unwrap();
    let expected = "                 mAP  macro F1  n
image         66.7 %     0.500  3
image + text  66.7 %     0.500  3

label     AP  AUROC     F1  precision  there
rain   1.000  1.000  1.000      1.000      2
rain2  0.333  0.000  0.000      0.000      1

AUROC 0.500, micro F1 0.667, weighted F1 0.667, subset accuracy 0.333, Hamming loss 0.333
";
    assert_eq!(labels_table(&test, Some(&ablation)), expected);
    let json = serde_json::to_value(&ablation).unwrap();
    assert_eq!(json["metric"], "mean_average_precision");
    assert_eq!(serde_json::from_value::<Ablation>(json).unwrap(), ablation);
    let html = render(&RunReport {
        multi_label: Some(test),
        ablation: Some(ablation),
        ..Default::default()
    });
    well_formed(&html);
    assert_eq!(headings(&html), ["What fusing buys", "Per label"]);
    assert!(html.contains("Of 33.3\u{a0}% of 3 test samples every label is right."));
    assert!(html.contains("test mAP") && !html.contains("Accuracy"));
}

#[test]
fn numbers_have_a_table_and_a_picture() {
    let (good, bad) = (numbers(&[1.0, 2.0, 3.5]), numbers(&[3.0, 2.0, 0.0]));
    let mut ablation = Ablation::new(["image", "text"]);
    ablation.push(&["text"], &bad).unwrap();
    ablation.push(&["image", "text"], &good).unwrap();
    let expected = "                  R²    MAE  n
image + text   0.875  0.167  3
text          −5.500   1.67  3

RMSE 0.289, bias 0.167
";
    assert_eq!(numbers_table(&good, Some(&ablation)), expected);
    let report = RunReport {
        regression: Some(good),
        scatter: vec![Scatter {
            name: "Test rows".to_owned(),
            points: vec![(1.0, 1.0), (2.0, 2.0), (3.0, 3.5)],
        }],
        ablation: Some(ablation),
        beside: vec![("other".to_owned(), 0.5)],
        ..Default::default()
    };
    let html = render(&report);
    well_formed(&html);
    assert_eq!(
        headings(&html),
        ["Beside it", "What fusing buys", "Truth and answer"]
    );
    assert!(html.contains("Answers are 0.167 off on average, on 3 test samples."));
    assert!(html.contains("Fusing adds 6.375 of R² to text alone"));
    assert!(html.contains("+0.375") && html.contains("truth 3.00, answer 3.50"));
    let two = NumbersReport::of(2, [(&[1.0, 2.0][..], &[1.0, 2.0][..])]).unwrap();
    assert!(
        numbers_table(&two, None)
            .contains("number  R²  MAE  RMSE  bias\n1        –    0     0     0")
    );
    let lengths = NumbersReport::of(2, [(&[1.0][..], &[1.0, 2.0][..])]);
    assert!(lengths.is_err());
}

#[test]
fn an_order_is_told_by_how_far_answers_are_off() {
    let mut counts = Classification::new(["low", "middle", "high"]).unwrap();
    for (target, scores) in [
        (0, [1.0, 0.0, 0.0]),
        (1, [0.0, 1.0, 0.0]),
        (2, [1.0, 0.0, 0.0]),
    ] {
        counts.add(target, &scores).unwrap();
    }
    let test = counts.finish().with_order();
    let order = test.order.unwrap();
    assert!((order.rank_error.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(order.weighted_kappa, test.confusion.quadratic_kappa());
    let table = text_table(Some(&test), None);
    assert!(
        table.contains("rank error 0.667, weighted kappa "),
        "{table}"
    );
    let html = render(&RunReport {
        test: Some(test),
        ..Default::default()
    });
    assert!(html.contains("Rank error"));
}
