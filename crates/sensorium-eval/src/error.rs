//! What can go wrong while measuring: every fault names the sample or the label it lies in.

/// A measurement that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing to classify into.
    #[error("no labels: a classification needs at least one class")]
    NoLabels,

    /// Two classes bear the same name, so that a table could not tell them apart.
    #[error("label `{label}` stands twice among the classes: rename or merge one of them")]
    DuplicateLabel {
        /// The repeated name.
        label: String,
    },

    /// A class index that no label belongs to.
    #[error("sample {sample}: class {class} does not exist, there are {classes} classes (0 to {})", .classes - 1)]
    ClassOutOfRange {
        /// The sample's id, or its position counted from 0.
        sample: String,
        /// The index that was given.
        class: usize,
        /// How many classes there are.
        classes: usize,
    },

    /// A sample with too many or too few scores.
    #[error("sample {sample}: {found} scores for {expected} classes, give one for each")]
    ScoreCount {
        /// The sample's id, or its position counted from 0.
        sample: String,
        /// How many scores came.
        found: usize,
        /// How many classes there are.
        expected: usize,
    },

    /// A score that is not a number: the model has diverged or its input was broken.
    #[error(
        "sample {sample}: the score of `{label}` is NaN, look at the sample's input and at the model's weights"
    )]
    NanScore {
        /// The sample's id, or its position counted from 0.
        sample: String,
        /// The class whose score it is.
        label: String,
    },

    /// Two counts over different classes cannot be added.
    #[error(
        "counts over different labels cannot be merged ({ours} classes here, {theirs} there, or other names)"
    )]
    LabelsDiffer {
        /// Classes of the one.
        ours: usize,
        /// Classes of the other.
        theirs: usize,
    },

    /// A row of an ablation names a modality the table does not have.
    #[error("modality `{modality}` is none of this ablation's: {}", .known.join(", "))]
    UnknownModality {
        /// The name that was given.
        modality: String,
        /// The names there are.
        known: Vec<String>,
    },

    /// References and hypotheses that do not belong together.
    #[error(
        "{references} references and {hypotheses} hypotheses: each reference needs one, which may be empty"
    )]
    PairCount {
        /// How many references there are.
        references: usize,
        /// How many hypotheses.
        hypotheses: usize,
    },

    /// A table of spellings that cannot be read.
    #[error(
        "a table of spellings is a JSON object of words to words, as in a Whisper's `normalizer.json`: {reason}"
    )]
    Spelling {
        /// What does not fit, and where.
        reason: String,
    },

    /// All subsets of so many modalities would be too many to evaluate.
    #[error("{count} modalities have {} subsets, more than can be evaluated: choose at most {most}", subset_count(.count))]
    TooManyModalities {
        /// How many there are.
        count: usize,
        /// How many are allowed.
        most: usize,
    },
}

/// 2^count - 1 in words that cannot overflow.
fn subset_count(count: &usize) -> String {
    u32::try_from(*count)
        .ok()
        .and_then(|bits| 1_u128.checked_shl(bits))
        .map_or_else(|| format!("2^{count}"), |all| (all - 1).to_string())
}
