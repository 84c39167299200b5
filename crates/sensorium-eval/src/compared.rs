//! What a number is held against: who finds whom, classes told by their names, and the same with something changed.

use serde::{Deserialize, Serialize};

use crate::table::{align, row};
use crate::{Interval, RetrievalReport, wilson};

/// How well the rows of one modality find their own in another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// What is asked with.
    pub from: String,
    /// What is looked for.
    pub to: String,
    /// At which places it came.
    pub report: RetrievalReport,
}

/// How many samples were told right by what their classes are called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The modality that was asked, or several with a `+` between.
    pub by: String,
    /// How many were right.
    pub right: u64,
    /// Of how many.
    pub n: u64,
    /// The share; none of nothing.
    pub accuracy: Option<f64>,
}

impl Told {
    /// So many of so many.
    pub fn new(by: impl Into<String>, right: u64, n: u64) -> Self {
        Self {
            by: by.into(),
            right,
            n,
            accuracy: (n > 0).then(|| right as f64 / n as f64),
        }
    }

    /// The share's 95 % Wilson interval.
    pub fn interval(&self) -> Option<Interval> {
        wilson(self.right, self.n)
    }
}

/// Searches as aligned plain text, the best first; empty if there is none.
pub fn search_table(searches: &[Search]) -> String {
    if searches.is_empty() {
        return String::new();
    }
    let percent = |search: &Search, k: u64| {
        let recall = search.report.recall.iter().find(|recall| recall.k == k);
        recall.map_or("–".to_owned(), |recall| {
            format!("{:.1} %", 100.0 * recall.recall)
        })
    };
    let rows: Vec<[String; 5]> = sorted(searches)
        .into_iter()
        .map(|search| {
            let rank = search.report.median_rank;
            [
                format!("{} → {}", search.from, search.to),
                percent(search, 1),
                percent(search, 5),
                rank.map_or("–".to_owned(), |rank| rank.to_string()),
                search.report.n.to_string(),
            ]
        })
        .collect();
    align(
        &["", "R@1", "R@5", "median rank", "n"].map(String::from),
        &rows,
    )
}

/// The best first.
pub(crate) fn sorted(searches: &[Search]) -> Vec<&Search> {
    let mut searches: Vec<&Search> = searches.iter().collect();
    let mrr = |search: &Search| search.report.mrr.unwrap_or(0.0);
    searches.sort_by(|a, b| mrr(b).total_cmp(&mrr(a)));
    searches
}

/// What was told by names, as aligned plain text; empty if nothing was.
pub fn told_table(told: &[Told]) -> String {
    if told.is_empty() {
        return String::new();
    }
    let rows: Vec<[String; 5]> = told
        .iter()
        .map(|one| {
            let mut row = row(&one.by, one.accuracy, one.interval(), None, Some(one.n));
            row[3].clear();
            row
        })
        .collect();
    align(
        &["by name", "accuracy", "95 % interval", "", "n"].map(String::from),
        &rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Retrieval;

    #[test]
    fn searches_stand_in_a_table_the_best_first() {
        let search = |from: &str, ranks: &[u32]| {
            let mut retrieval = Retrieval::new();
            ranks
                .iter()
                .for_each(|rank| retrieval.add_rank(*rank).unwrap());
            Search {
                from: from.to_owned(),
                to: "text".to_owned(),
                report: retrieval.finish(),
            }
        };
        let table = search_table(&[search("audio", &[9, 2]), search("image", &[1, 4])]);
        let expected = "                 R@1      R@5  median rank  n\n\
            image → text  50.0 %  100.0 %          2.5  2\n\
            audio → text   0.0 %   50.0 %          5.5  2\n";
        assert_eq!(table, expected);
        assert_eq!(search_table(&[]), "");
    }

    #[test]
    fn what_is_told_by_name_has_an_interval() {
        let table = told_table(&[Told::new("image", 3, 4), Told::new("sound", 0, 0)]);
        let lines: Vec<&str> = table.lines().collect();
        assert!(
            lines[1].starts_with("image      75.0 %    30.1 – 95.4"),
            "{table}"
        );
        assert!(
            lines[2].starts_with("sound") && lines[2].contains('–'),
            "{table}"
        );
    }
}
