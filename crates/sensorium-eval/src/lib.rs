//! Metrics equal to the reference libraries, and the run report.
//!
//! Numbers on the host go in; numbers, a short table and one HTML file come out. This crate must never know a
//! tensor, a backend or a concrete model: whoever evaluates hands over scores.
//!
//! ```
//! use sensorium_eval::{Ablation, Classification, RunReport, render, text_table};
//!
//! let mut counts = Classification::new(["cat", "dog", "owl"])?;
//! counts.add(0, &[2.0, 0.1, -1.0])?; // a cat taken for a cat
//! counts.add(1, &[1.5, 1.0, -2.0])?; // a dog taken for a cat
//! counts.add(2, &[0.0, 0.3, 4.0])?;
//! let test = counts.finish();
//! assert_eq!(test.accuracy, Some(2.0 / 3.0));
//!
//! let mut ablation = Ablation::new(["image", "audio"]);
//! ablation.push(&["image", "audio"], &test)?;
//! println!("{}", text_table(Some(&test), Some(&ablation)));
//!
//! let report = RunReport { title: "pets".into(), test: Some(test), ablation: Some(ablation), ..Default::default() };
//! let html = render(&report); // one file: no script, no network
//! assert!(html.starts_with("<!DOCTYPE html>"));
//! # Ok::<(), sensorium_eval::Error>(())
//! ```

mod ablation;
mod bootstrap;
mod calibration;
mod classification;
mod compared;
mod confusion;
mod error;
mod generation;
mod interval;
mod multilabel;
pub mod normalise;
mod outcome;
mod python;
mod regression;
mod report;
mod retrieval;
mod standing;
mod table;
mod transcription;

pub use ablation::{Ablation, AblationRow, Contribution, subsets};
pub use bootstrap::bootstrap;
pub use calibration::{Calibration, CalibrationBin, CalibrationReport};
pub use classification::{
    Averaged, ClassScores, Classification, ClassificationReport, OrderScores, TopK,
};
pub use compared::{Search, Told, search_table, told_table};
pub use confusion::{Cell, Confusion};
pub use error::Error;
pub use generation::{
    Bleu, BleuReport, BleuTokens, Chrf, ChrfReport, Cider, CiderReport, CiderScore, ExactMatch,
    ExactMatchReport, Perplexity, PerplexityReport, Rouge, RougeKind, RougeReport, RougeScore,
    RougeScores, VqaAccuracy, VqaReport, caption_words, vqa_answer,
};
pub use interval::{Interval, wilson};
pub use multilabel::{MultiLabel, MultiLabelReport};
pub use outcome::{Metric, NumbersReport, Outcome, Summary};
pub use regression::{Regression, RegressionReport};
pub use report::{
    Curve, DataSummary, Example, ExampleInput, KeyValue, Media, RenderOptions, RunReport, Scatter,
    SkippedRow, SplitSummary, render, render_with,
};
pub use retrieval::{RecallAt, Retrieval, RetrievalReport};
pub use standing::{auroc, average_precision, brier_score};
pub use table::{group_table, labels_table, mean, numbers_table, text_table};
pub use transcription::{
    Alignment, Chunk, Edit, EditCounts, PairCounts, Transcription, TranscriptionReport,
    align_characters, align_words,
};
