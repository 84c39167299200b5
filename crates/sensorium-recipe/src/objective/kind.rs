//! The list of objectives: what each is called, what it is about, and the keys it looks at.

use serde::{Deserialize, Serialize};

use crate::labels::LabelKind;

use ObjectiveKind as Kind;

/// Which objective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectiveKind {
    /// One class of many.
    #[default]
    CrossEntropy,
    /// The same, minding what is wrong still more than what is right.
    Focal,
    /// One class of many that have an order (CORN, arXiv 2111.08851).
    Ordinal,
    /// Any number of classes, each a question of its own.
    MultiLabel,
    /// The same, minding what is wrong still more than what is right.
    MultiLabelFocal,
    /// One or several numbers.
    Regression,
    /// A text, token by token (arXiv 1706.03762).
    Text,
    /// Beside the labels, the model's own answers that it is sure of (Lee, 2013).
    PseudoLabels,
    /// Beside the labels, to say the same as an average of itself of another view (arXiv 1703.01780).
    MeanTeacher,
    /// Beside the labels, to say of a much changed sample what it is sure of in one barely changed (arXiv 2001.07685).
    FixMatch,
    /// The same, with lower thresholds for classes that are learned late (arXiv 2110.08263).
    FlexMatch,
    /// What another run's model answers, and how sure it is (Hinton et al., arXiv 1503.02531).
    Distillation,
    /// Hidden words of a text (BERT, arXiv 1810.04805).
    MaskedLanguage,
    /// Hidden patches of a picture or a sound (MAE, arXiv 2111.06377).
    MaskedAutoencoder,
    /// Hidden patches and words of several modalities, from what is left of all (FLAVA, arXiv 2112.04482).
    MaskedModalities,
    /// Whether two inputs belong together, asked of a model that fuses them (ALBEF, arXiv 2107.07651).
    Matching,
    /// Which two views are of one sample (arXiv 2002.05709).
    SimClr,
    /// Which picture, sound and text belong together (CLIP, arXiv 2103.00020).
    Contrastive,
    /// The same, asked of each pair alone (SigLIP, arXiv 2303.15343).
    SigmoidContrastive,
}

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Classes, from labelled rows.
    Classes,
    /// Several classes or numbers, from labelled rows.
    Targets,
    /// Texts, from labelled rows.
    Texts,
    /// Classes, from labelled rows and others.
    Semi,
    /// Classes, from what another model says of rows.
    Taught,
    /// One encoder, from rows alone.
    Pretext,
    /// Encoders of several modalities, from what stands in a row together.
    Alignment,
    /// Encoders of several modalities and what joins them, from what stands in a row together.
    Joint,
}

impl ObjectiveKind {
    /// All of them.
    pub const ALL: [Self; LIST.len()] = {
        let mut all = [Self::CrossEntropy; LIST.len()];
        let mut i = 0;
        while i < LIST.len() {
            assert!(
                LIST[i].0 as usize == i,
                "the list is in the order of the kinds"
            );
            all[i] = LIST[i].0;
            i += 1;
        }
        all
    };

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it hides patches from an encoder, which must then not have seen them through their neighbours.
    pub(crate) fn hides_patches(self) -> bool {
        matches!(self, Self::MaskedAutoencoder | Self::MaskedModalities)
    }

    /// As it stands in a recipe.
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// The keys beside `kind` that have an effect with it.
    pub fn keys(self) -> &'static [&'static str] {
        self.entry().3
    }

    /// What validation measures, the first of which chooses the best weights.
    pub(crate) fn metrics(self) -> &'static [&'static str] {
        match (self.labels(), self) {
            (Some(labels), _) => labels.metrics(),
            (_, Self::MaskedLanguage | Self::Matching) => &["loss", "accuracy"],
            _ => &["loss"],
        }
    }

    /// Whether a model of it answers with a class, several, numbers or a text, and not only with vectors.
    pub fn has_classes(self) -> bool {
        self.labels().is_some()
    }

    /// Whether the recipe's fusion and head take part.
    pub(crate) fn fuses(self) -> bool {
        self.has_classes() || self == Self::Matching
    }

    /// What a model of it answers with; nothing, if it learns without labels.
    pub(crate) fn labels(self) -> Option<LabelKind> {
        match (self.task(), self) {
            (_, Self::Ordinal) => Some(LabelKind::Ordered),
            (_, Self::Regression) => Some(LabelKind::Numbers),
            (Task::Targets, _) => Some(LabelKind::Several),
            (Task::Texts, _) => Some(LabelKind::Text),
            (Task::Classes | Task::Semi | Task::Taught, _) => Some(LabelKind::Class),
            (Task::Pretext | Task::Alignment | Task::Joint, _) => None,
        }
    }

    pub(crate) fn task(self) -> Task {
        self.entry().2
    }

    fn entry(self) -> &'static Entry {
        &LIST[self as usize]
    }
}

/// A kind, what it is called, what a run of it is about, and the keys it looks at.
type Entry = (Kind, &'static str, Task, &'static [&'static str]);

/// Every kind, in the order of the type.
#[rustfmt::skip] // An entry a line.
const LIST: [Entry; 19] = [
    (Kind::CrossEntropy, "cross-entropy", Task::Classes, &["label_smoothing", "class_balance"]),
    (Kind::Focal, "focal", Task::Classes, &["gamma", "class_balance"]),
    (Kind::Ordinal, "ordinal", Task::Classes, &[]),
    (Kind::MultiLabel, "multi-label", Task::Targets, &["positive_weights"]),
    (Kind::MultiLabelFocal, "multi-label-focal", Task::Targets, &["gamma"]),
    (Kind::Regression, "regression", Task::Targets, &["loss", "delta"]),
    (Kind::Text, "text", Task::Texts, &["label_smoothing"]),
    (Kind::PseudoLabels, "pseudo-labels", Task::Semi, &["label_smoothing", "unlabelled", "threshold", "weight", "ramp_steps"]),
    (Kind::MeanTeacher, "mean-teacher", Task::Semi, &["label_smoothing", "unlabelled", "weight", "ramp_steps", "decay"]),
    (Kind::FixMatch, "fix-match", Task::Semi, &["label_smoothing", "unlabelled", "threshold", "weight"]),
    (Kind::FlexMatch, "flex-match", Task::Semi, &["label_smoothing", "unlabelled", "threshold", "weight"]),
    (Kind::Distillation, "distillation", Task::Taught, &["teacher", "temperature", "truth", "label_smoothing"]),
    (Kind::MaskedLanguage, "masked-language", Task::Pretext, &["share", "whole_words", "next_sentence"]),
    (Kind::MaskedAutoencoder, "masked-autoencoder", Task::Pretext, &["share", "d_decoder", "decoder_layers"]),
    (Kind::MaskedModalities, "masked-modalities", Task::Joint, &["share", "word_share", "whole_words", "d_decoder", "decoder_layers"]),
    (Kind::Matching, "matching", Task::Joint, &["d_embed", "temperature", "negatives"]),
    (Kind::SimClr, "sim-clr", Task::Pretext, &["d_embed", "temperature"]),
    (Kind::Contrastive, "contrastive", Task::Alignment, &["d_embed", "temperature", "anchor"]),
    (Kind::SigmoidContrastive, "sigmoid-contrastive", Task::Alignment, &["d_embed", "anchor"]),
];
