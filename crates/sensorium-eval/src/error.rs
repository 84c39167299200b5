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

    /// Rows that are not those a report was made of.
    #[error(
        "{found} rows of class `{label}`, of which {counted} were counted: give the probabilities of the samples that were"
    )]
    OtherRows {
        /// The first class that differs.
        label: String,
        /// Its samples in the report.
        counted: u64,
        /// Its rows.
        found: u64,
    },

    /// Lists that do not belong together.
    #[error("{targets} targets and {scores} scores: each needs one")]
    Lengths {
        /// How many targets there are.
        targets: usize,
        /// How many scores or predictions.
        scores: usize,
    },

    /// A score of a list that is not a number.
    #[error(
        "score {position} is NaN (counted from 0): look at that sample's input and at the model's weights"
    )]
    NanAt {
        /// Its position, counted from 0.
        position: usize,
    },

    /// A number outside 0..1.
    #[error(
        "sample {sample}: {value} is no probability, give numbers from 0 to 1 (softmax or sigmoid of logits)"
    )]
    NotAProbability {
        /// The sample's position counted from 0.
        sample: String,
        /// The number.
        value: String,
    },

    /// Probabilities of classes one of which must be true, that do not add up to 1.
    #[error(
        "sample {sample}: the probabilities add up to {sum} and not to 1, give the softmax of logits"
    )]
    NotADistribution {
        /// The sample's position counted from 0.
        sample: String,
        /// What they add up to.
        sum: String,
    },

    /// No bins, or more than anyone could draw.
    #[error("{bins} bins of certainty: choose 1 to {most}")]
    BinCount {
        /// How many were asked for.
        bins: usize,
        /// How many there may be.
        most: usize,
    },

    /// Counts in different bins cannot be added.
    #[error("counts in {ours} and in {theirs} bins cannot be merged")]
    BinsDiffer {
        /// Bins of the one.
        ours: usize,
        /// Bins of the other.
        theirs: usize,
    },

    /// A number to be compared that is none.
    #[error(
        "sample {sample}: the {what} is {value}, which is no number to compare: leave the sample out or mend it"
    )]
    NotFinite {
        /// The sample's position counted from 0.
        sample: String,
        /// `target` or `prediction`.
        what: &'static str,
        /// The value.
        value: String,
    },

    /// Too many or too few truths for the labels.
    #[error("sample {sample}: {found} truths for {expected} labels, give one for each")]
    TruthCount {
        /// The sample's position counted from 0.
        sample: String,
        /// How many truths came.
        found: usize,
        /// How many labels there are.
        expected: usize,
    },

    /// A threshold that no score can be compared with.
    #[error("a threshold cannot be NaN")]
    NanThreshold,

    /// Decisions by different thresholds cannot be added.
    #[error("labels given above {ours} and above {theirs} cannot be merged")]
    ThresholdsDiffer {
        /// Threshold of the one.
        ours: String,
        /// Threshold of the other.
        theirs: String,
    },

    /// A right answer that is none of the candidates.
    #[error(
        "query {query}: candidate {candidate} does not exist, there are {candidates} (counted from 0)"
    )]
    CandidateOutOfRange {
        /// The query's position counted from 0.
        query: u64,
        /// The index that was given.
        candidate: usize,
        /// How many candidates there are.
        candidates: usize,
    },

    /// A similarity that is not a number.
    #[error(
        "query {query}: the score of candidate {candidate} is NaN, look at the vectors of both"
    )]
    NanSimilarity {
        /// The query's position counted from 0.
        query: u64,
        /// The candidate's index.
        candidate: usize,
    },

    /// A place in a ranking that does not exist.
    #[error("query {query}: rank 0 does not exist, the first candidate has rank 1")]
    RankZero {
        /// The query's position counted from 0.
        query: u64,
    },

    /// A block of similarities of another size.
    #[error(
        "queries {first} to {last}: {found} scores, not {expected}, which is one for each query and candidate"
    )]
    BlockSize {
        /// The first query of the block.
        first: usize,
        /// The last one.
        last: usize,
        /// How many scores came.
        found: usize,
        /// How many there should be.
        expected: usize,
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

    /// A text that there is nothing to compare with.
    #[error("sample {sample}: no reference to compare with, give at least one, which may be empty")]
    NoReferences {
        /// The sample's position counted from 0.
        sample: u64,
    },

    /// Counts of different things cannot be added.
    #[error("counts of `{ours}` and of `{theirs}` cannot be merged: count both alike")]
    CountedOtherwise {
        /// What the one counts.
        ours: String,
        /// What the other counts.
        theirs: String,
    },

    /// A likelihood that no tokens have.
    #[error(
        "sample {sample}: a negative log likelihood of {nll} over {tokens} tokens cannot be, give the sum of -ln p over as many"
    )]
    Likelihood {
        /// The sample's position counted from 0.
        sample: u64,
        /// The sum that was given.
        nll: String,
        /// Over so many tokens.
        tokens: u64,
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
