//! The report is one well-formed, self-contained, escaped file, whatever it is given.

#[path = "page/mod.rs"]
mod page;
#[path = "synthetic/mod.rs"]
mod synthetic;

use sensorium_eval::{
    Ablation, Classification, Curve, DataSummary, Example, ExampleInput, KeyValue, Media,
    RenderOptions, RunReport, Scatter, SkippedRow, SplitSummary, Told, render, render_with,
    text_table,
};

use page::{headings, numbers, several, well_formed};

#[test]
fn a_full_report_shows_every_section() {
    let html = render(&synthetic::av_digits());
    let names = well_formed(&html);
    let all = [
        "Beside it",
        "Who finds whom",
        "Told by name",
        "What fusing buys",
        "Training",
        "Confusion",
        "Per class",
        "Calibration",
        "Examples",
        "Data",
        "To run it again",
    ];
    assert_eq!(headings(&html), all);
    // Elements with an end tag are named twice.
    let count = |name: &str| names.iter().filter(|found| *found == name).count();
    assert_eq!(
        (count("img"), count("audio"), count("blockquote")),
        (12, 24, 24)
    );
    assert_eq!(count("h1"), 2);
    assert!(html.len() < 1 << 20, "{} bytes", html.len());
    for told in [
        "413\u{a0}k",
        "2\u{a0}min 11\u{a0}s",
        "flex (CPU)",
        "2 rows skipped",
        "[model.fusion]",
    ] {
        assert!(html.contains(told), "{told}");
    }
}

#[test]
fn nothing_is_fetched_and_nothing_runs() {
    let html = render(&synthetic::av_digits());
    let names = well_formed(&html);
    for name in ["script", "link", "iframe", "object", "base", "form"] {
        assert!(!names.iter().any(|found| found == name), "<{name}>");
    }
    assert!(!html.contains("://") && !html.contains("@import") && !html.contains("url("));
    for source in html.split(" src=\"").skip(1) {
        assert!(source.starts_with("data:image/") || source.starts_with("data:audio/"));
    }
}

#[test]
fn every_picture_has_words() {
    let html = render(&synthetic::av_digits());
    for picture in html.split("<img").skip(1) {
        assert!(
            picture
                .split_once('>')
                .unwrap()
                .0
                .contains("alt=\"image of sample test/")
        );
    }
    for drawing in html.split("<svg").skip(1) {
        assert!(
            drawing
                .split_once('>')
                .unwrap()
                .0
                .contains("role=\"img\" aria-label=\"")
        );
    }
}

/// A report in which every string that a person or a file can supply is the given one.
fn saying(text: &str) -> RunReport {
    let owned = || text.to_owned();
    let other = format!("{text}2");
    let mut counts = Classification::new([owned(), other.clone()]).unwrap();
    counts.add(0, &[0.0, 1.0]).unwrap();
    counts.add(1, &[0.0, 1.0]).unwrap();
    let test = counts.finish();
    let mut ablation = Ablation::new([owned(), other.clone()]);
    for subset in [
        vec![owned()],
        vec![other.clone()],
        vec![owned(), other.clone()],
    ] {
        ablation.push(&subset, &test).unwrap();
    }
    let input = |content| ExampleInput {
        modality: owned(),
        content,
    };
    let inputs = vec![
        input(Media::Text(owned())),
        input(Media::Image {
            mime: owned(),
            bytes: text.as_bytes().to_vec(),
        }),
        input(Media::Sound {
            mime: owned(),
            bytes: vec![0],
        }),
        input(Media::Sound {
            mime: format!("audio/{text}"),
            bytes: vec![0],
        }),
    ];
    RunReport {
        title: owned(),
        subtitle: owned(),
        parameters: Some(1),
        duration_s: Some(1.0),
        backend: Some(owned()),
        facts: vec![KeyValue::new(text, text)],
        test: Some(test),
        multi_label: Some(several(text)),
        regression: Some(numbers(&[1.0, 2.0, 4.0])),
        written: None,
        scatter: vec![Scatter {
            name: owned(),
            points: vec![(1.0, 1.0), (2.0, 3.0)],
        }],
        curves: vec![
            Curve::new(text, [(0, 1.0), (1, 2.0)]),
            Curve::new(format!("valid/{text}"), [(1, 1.0)]),
        ],
        ablation: Some(ablation),
        beside: vec![(owned(), 0.5)],
        search: vec![synthetic::searched(text, &[1])],
        told: vec![Told::new(text, 1, 2)],
        examples: vec![Example {
            id: owned(),
            inputs,
            target: owned(),
            top: vec![(owned(), 0.5), (other, 0.5)],
            several: Some((vec![owned()], false)),
            answer: Some(owned()),
            written: Some(owned()),
        }],
        data: Some(DataSummary {
            name: owned(),
            splits: vec![SplitSummary {
                name: owned(),
                rows: 1,
                present: vec![(owned(), 1)],
            }],
            skipped: vec![SkippedRow {
                row: 1,
                column: owned(),
                reason: owned(),
            }],
            skipped_rows: 1,
        }),
        recipe_toml: format!("# {text}\n[{text}]\n{text} = \"{text}\"\n{text}"),
        environment: vec![KeyValue::new(text, text)],
    }
}

#[test]
fn every_string_is_escaped() {
    let tame = well_formed(&render(&saying("a word")));
    for wild in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "</style><script>alert(1)</script>",
        "</title><h1>",
        "'&<!--",
        "\u{202e}\u{0}\u{7}<b>",
    ] {
        let html = render(&saying(wild));
        // The same elements as with a harmless word: nothing of the text became one.
        assert!(well_formed(&html) == tame, "{wild}");
        assert!(!html.contains(wild) || !wild.contains('<'));
        assert!(
            !text_table(saying(wild).test.as_ref(), saying(wild).ablation.as_ref())
                .contains('\u{7}')
        );
    }
}

#[test]
fn empty_sections_vanish() {
    let empty = render(&RunReport::default());
    well_formed(&empty);
    assert!(headings(&empty).is_empty());

    let no_samples = RunReport {
        test: Some(Classification::new(["a"]).unwrap().finish()),
        ..Default::default()
    };
    let html = render(&no_samples);
    well_formed(&html);
    assert!(headings(&html).is_empty() && html.contains("the test split has no samples"));

    let mut one_class = Classification::new(["all"]).unwrap();
    one_class.add(0, &[0.3]).unwrap();
    let html = render(&RunReport {
        test: Some(one_class.finish()),
        ..Default::default()
    });
    well_formed(&html);
    assert_eq!(headings(&html), ["Per class"]);
}

#[test]
fn many_classes_become_a_list_of_mistakes() {
    let html = render(&synthetic::many_classes(200));
    let names = well_formed(&html);
    assert_eq!(
        headings(&html),
        ["Commonest mistakes", "Per class", "Calibration"]
    );
    assert!(!html.contains("class=\"matrix"));
    assert!(html.contains("the other 170 classes"));
    assert!(names.iter().filter(|name| *name == "li").count() <= 60);
    assert!(html.len() < 400_000, "{} bytes", html.len());
}

#[test]
fn a_class_for_each_sample_does_not_make_a_huge_file() {
    let n = 20_000;
    let mut counts = Classification::new((0..n).map(|i| i.to_string())).unwrap();
    let scores = vec![0.0; n];
    for target in 0..50 {
        counts.add(target, &scores).unwrap();
    }
    let html = render(&RunReport {
        test: Some(counts.finish()),
        ..Default::default()
    });
    well_formed(&html);
    assert!(html.contains("18,970 more stand in metrics.json"));
    assert!(html.len() < 1 << 20, "{} bytes", html.len());
}

#[test]
fn what_is_embedded_has_a_limit() {
    let report = synthetic::av_digits();
    let few = RenderOptions {
        max_examples: 5,
        ..Default::default()
    };
    let html = render_with(&report, &few);
    assert_eq!(html.matches("<article").count(), 5);
    assert_eq!(html.matches("example wrong").count(), 3);
    let small = RenderOptions {
        max_media_bytes: 20_000,
        ..Default::default()
    };
    let html = render_with(&report, &small);
    well_formed(&html);
    assert!(html.contains("left out to keep this report small"));
    assert!(
        render_with(
            &report,
            &RenderOptions {
                max_examples: 0,
                ..few
            }
        )
        .matches("<article")
        .next()
        .is_none()
    );
}

#[test]
fn a_report_survives_json() {
    let report = synthetic::av_digits();
    let json = serde_json::to_string(&report).unwrap();
    let back: RunReport = serde_json::from_str(&json).unwrap();
    assert!(back.examples[0].inputs == report.examples[0].inputs);
    assert!(back.data == report.data && back.recipe_toml == report.recipe_toml);
    assert_eq!(render(&back).len(), render(&report).len());
}
