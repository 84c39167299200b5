//! What tests ask of a report's page, and small reports of every kind.

use sensorium_eval::{MultiLabel, MultiLabelReport, NumbersReport};

/// Elements that have no end tag.
const VOID: [&str; 3] = ["meta", "img", "br"];

/// Checks that every element is closed in order and returns the names of all of them.
pub fn well_formed(html: &str) -> Vec<String> {
    let body = html.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    let (mut open, mut names): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    // The style sheet alone may hold a `>`.
    let (before, rest) = body.split_once("<style>").unwrap();
    let (style, after) = rest.split_once("</style>").unwrap();
    assert!(!style.contains('<'));
    for tag in format!("{before}{after}").split('<').skip(1) {
        let (tag, _) = tag
            .split_once('>')
            .unwrap_or_else(|| panic!("unclosed tag: {tag}"));
        let attributes: Vec<&str> = tag
            .split("=\"")
            .filter_map(|part| part.rsplit(['"', ' ']).next())
            .collect();
        for attribute in ["class", "style", "title", "id"] {
            let count = attributes
                .iter()
                .filter(|found| **found == attribute)
                .count();
            assert!(count <= 1, "{attribute} twice in <{tag}>");
        }
        let name = tag
            .trim_start_matches('/')
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_ref(), Some(&name), "closed out of order");
        } else if !VOID.contains(&name.as_str()) {
            open.push(name.clone());
        }
        names.push(name);
    }
    assert!(open.is_empty(), "left open: {open:?}");
    names
}

pub fn headings(html: &str) -> Vec<&str> {
    html.split("<h2")
        .skip(1)
        .map(|part| {
            part.split_once('>')
                .unwrap()
                .1
                .split_once("</h2>")
                .unwrap()
                .0
        })
        .collect()
}

/// Two labels of this name, of which the second is told badly.
pub fn several(name: &str) -> MultiLabelReport {
    let mut counts = MultiLabel::new([name.to_owned(), format!("{name}2")], 0.5).unwrap();
    for (truths, scores) in [
        ([true, true], [0.9, 0.2]),
        ([false, false], [0.1, 0.3]),
        ([true, false], [0.8, 0.6]),
    ] {
        counts.add(&truths, &scores).unwrap();
    }
    counts.finish()
}

/// Answers to the truths 1, 2 and 3.
pub fn numbers(answers: &[f64; 3]) -> NumbersReport {
    let truths = [[1.0], [2.0], [3.0]];
    let answers = answers.map(|answer| [answer]);
    let samples = truths.iter().zip(&answers);
    NumbersReport::of(1, samples.map(|(t, a)| (&t[..], &a[..]))).unwrap()
}
