//! What a number is held against: searches, classes told by their names, and what was trained beside.

use maud::{Markup, html};

use super::bits::{bar, section, title};
use super::scale::{count, percent};
use super::types::RunReport;
use crate::compared::sorted;

pub(super) fn beside(report: &RunReport) -> Option<Markup> {
    if report.beside.is_empty() {
        return None;
    }
    let summary = report.summary().unwrap_or_default();
    let (own, metric) = (summary.value, summary.metric);
    let body = html! {
        div.card.scroll { table {
            thead { tr { th scope="col" { "" } th.num scope="col" { (title(metric)) } th.num scope="col" { "This run is above it by" } } }
            tbody {
                @if let Some(own) = own { tr {
                    th scope="row" { "this run" }
                    td.num.score { (bar(own, "score")) span { (metric.spelled(own)) } }
                    td.num {}
                } }
                @for (name, value) in &report.beside { tr {
                    th scope="row" { (name) }
                    td.num.score { (bar(*value, "score")) span { (metric.spelled(*value)) } }
                    td.num { @if let Some(own) = own { (metric.apart(own - value)) (metric.unit()) } }
                } }
            }
        } }
    };
    let lead = "The same recipe with something changed, tested on the same samples.";
    Some(section("beside", "Beside it", lead, body))
}

pub(super) fn search(report: &RunReport) -> Option<Markup> {
    if report.search.is_empty() {
        return None;
    }
    let body = html! {
        div.card.scroll { table {
            thead { tr {
                th scope="col" { "Asked with" } th scope="col" { "Looked for" }
                th.num scope="col" { "Among the first 1" } th.num scope="col" { "5" } th.num scope="col" { "10" }
                th.num scope="col" { "Median rank" } th.num scope="col" { "MRR" } th.num scope="col" { "Candidates" }
            } }
            tbody { @for one in sorted(&report.search) { tr {
                th scope="row" { (one.from) } td { (one.to) }
                @for k in [1, 5, 10] {
                    @let recall = one.report.recall.iter().find(|recall| recall.k == k).map(|recall| recall.recall);
                    td.num.score { (bar(recall.unwrap_or(0.0), "score")) span { (recall.map_or("–".into(), percent)) } }
                }
                td.num { (one.report.median_rank.map_or("–".into(), |rank| rank.to_string())) }
                td.num { (one.report.mrr.map_or("–".into(), |mrr| format!("{mrr:.3}"))) }
                td.num { (count(one.report.n)) }
            } } }
        } }
    };
    let lead = "Each test sample's own, among all of the other modality: how often it is among the first, and at which place it comes.";
    Some(section("search", "Who finds whom", lead, body))
}

pub(super) fn told(report: &RunReport) -> Option<Markup> {
    if report.told.is_empty() {
        return None;
    }
    let body = html! {
        div.card.scroll { table {
            thead { tr { th scope="col" { "Asked" } th.num scope="col" { "Accuracy" } th.num scope="col" { "95 % interval" } th.num scope="col" { "Samples" } } }
            tbody { @for one in &report.told { tr {
                th scope="row" { (one.by.replace('+', " + ")) }
                td.num.score { (bar(one.accuracy.unwrap_or(0.0), "score")) span { (one.accuracy.map_or("–".into(), percent)) } }
                td.num { @if let Some(interval) = one.interval() { (percent(interval.low)) " to " (percent(interval.high)) } }
                td.num { (count(one.n)) }
            } } }
        } }
    };
    let lead = "Classes that nobody has shown a sample of: told by the description that a sample lies nearest to.";
    Some(section("told", "Told by name", lead, body))
}
