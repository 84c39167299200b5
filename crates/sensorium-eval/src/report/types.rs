//! What a report is made from: plain numbers and bytes, filled in by whoever ran the run.

use serde::{Deserialize, Serialize};

use crate::{
    Ablation, ClassificationReport, MultiLabelReport, NumbersReport, Search, Summary, Told,
    WrittenReport,
};

/// Everything a run report can show. What is left empty does not appear.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunReport {
    /// The recipe's name.
    pub title: String,
    /// One line on what it does.
    pub subtitle: String,
    /// Trainable parameters.
    pub parameters: Option<u64>,
    /// Wall-clock time of the run, in seconds.
    pub duration_s: Option<f64>,
    /// The backend and device it ran on.
    pub backend: Option<String>,
    /// Further numbers for the headline, such as steps or samples a second.
    pub facts: Vec<KeyValue>,
    /// The final measurement on the test split.
    pub test: Option<ClassificationReport>,
    /// The same of a model that gives several labels a sample.
    pub multi_label: Option<MultiLabelReport>,
    /// The same of a model that answers with numbers.
    pub regression: Option<NumbersReport>,
    /// The same of a model that writes texts.
    pub written: Option<WrittenReport>,
    /// Truth against answer, for each of those numbers.
    pub scatter: Vec<Scatter>,
    /// What was logged on the way.
    pub curves: Vec<Curve>,
    /// The same measurement on subsets of the modalities.
    pub ablation: Option<Ablation>,
    /// What the same with something changed came to: its name and its accuracy, or what else this run is judged by, on the same samples.
    pub beside: Vec<(String, f64)>,
    /// How well modalities find each other.
    pub search: Vec<Search>,
    /// Classes that were told by what they are called.
    pub told: Vec<Told>,
    /// Single predictions, right and wrong ones.
    pub examples: Vec<Example>,
    /// What the model was trained and tested on.
    pub data: Option<DataSummary>,
    /// The resolved recipe.
    pub recipe_toml: String,
    /// Backend, versions, seed: what it takes to run this again.
    pub environment: Vec<KeyValue>,
}

impl RunReport {
    /// What stands in a row of a table; none where nothing was measured.
    pub fn summary(&self) -> Option<Summary> {
        let labels = self.multi_label.as_ref().map(Summary::from);
        let numbers = self.regression.as_ref().map(Summary::from);
        let texts = self.written.as_ref().map(Summary::from);
        let classes = self.test.as_ref().map(Summary::from);
        classes.or(labels).or(numbers).or(texts)
    }
}

/// What is true and what was answered, of one quantity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scatter {
    /// What to call it.
    pub name: String,
    /// Truth and answer of each sample.
    pub points: Vec<(f64, f64)>,
}

/// A name and what it stands for, both as a person reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// The name.
    pub key: String,
    /// The value.
    pub value: String,
}

impl KeyValue {
    /// A pair.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }
}

/// One quantity over the steps of training.
///
/// The name is `metric` or `split/metric` with the split `train`, `valid` or `test`; curves of one metric share a
/// chart. Without a split it is `train`. Points that are not finite are marked and not drawn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Such as `loss`, `valid/accuracy`, `learning_rate`.
    pub name: String,
    /// Step and value, by rising step.
    pub points: Vec<(u64, f64)>,
}

impl Curve {
    /// A curve.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (u64, f64)>) -> Self {
        Self {
            name: name.into(),
            points: points.into_iter().collect(),
        }
    }
}

/// One sample, what it is and what the model answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The sample's id.
    pub id: String,
    /// What the model was given, one entry a modality.
    pub inputs: Vec<ExampleInput>,
    /// The true class.
    pub target: String,
    /// The model's answers with their probabilities, best first.
    pub top: Vec<(String, f64)>,
    /// Of several labels a sample: all that are true, and whether the model gave just these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub several: Option<(Vec<String>, bool)>,
    /// Of numbers: the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Of texts: what was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
}

impl Example {
    /// True where the best answer is the target, the labels given are those that are true, or the text written is the one wanted.
    pub fn is_right(&self) -> bool {
        if let Some((_, right)) = self.several {
            return right;
        }
        if let Some(written) = &self.written {
            return *written == self.target;
        }
        self.top
            .first()
            .is_some_and(|(label, _)| *label == self.target)
    }
}

/// One modality of an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExampleInput {
    /// The modality's name.
    pub modality: String,
    /// What to show.
    pub content: Media,
}

/// Content a browser can show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// A picture file: PNG, JPEG, GIF, WebP, BMP or TIFF. The bytes decide, not the name.
    Image {
        /// Its media type, such as `image/png`.
        mime: String,
        /// The file.
        #[serde(with = "super::media::base64_bytes")]
        bytes: Vec<u8>,
    },
    /// A sound file.
    Sound {
        /// Its media type, such as `audio/wav`.
        mime: String,
        /// The file.
        #[serde(with = "super::media::base64_bytes")]
        bytes: Vec<u8>,
    },
    /// Text, or anything else said in words.
    Text(String),
}

/// The rows a run was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataSummary {
    /// The data set's name or manifest.
    pub name: String,
    /// One entry a split.
    pub splits: Vec<SplitSummary>,
    /// The rows left out, each with its reason; the list may be shorter than `skipped_rows`.
    pub skipped: Vec<SkippedRow>,
    /// How many rows were left out in all.
    pub skipped_rows: u64,
}

/// The rows of one split.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SplitSummary {
    /// Such as `train`.
    pub name: String,
    /// Rows used.
    pub rows: u64,
    /// Rows that have each modality, in the model's order.
    pub present: Vec<(String, u64)>,
}

/// A row that could not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SkippedRow {
    /// Its number in the manifest, counted as the manifest's reader counts.
    pub row: u64,
    /// The column at fault.
    pub column: String,
    /// Why.
    pub reason: String,
}

/// Limits on what a report embeds, so that it stays a file one can send.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderOptions {
    /// Examples shown, right and wrong ones together.
    pub max_examples: usize,
    /// Pictures are shrunk to this many pixels on their longer side.
    pub max_image_px: u32,
    /// Bytes of pictures and sounds in all; what comes after is named, not shown.
    pub max_media_bytes: usize,
}

impl Default for RenderOptions {
    fn default() -> Self {
        Self {
            max_examples: 24,
            max_image_px: 320,
            max_media_bytes: 6 << 20,
        }
    }
}
