//! The list of objectives: what each is called, what it is about, and the keys it looks at.

use serde::{Deserialize, Serialize};

use crate::validate::METRICS;

/// Which objective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectiveKind {
    /// One class of many.
    #[default]
    CrossEntropy,
    /// The same, minding what is wrong still more than what is right.
    Focal,
    /// Beside the labels, the model's own answers that it is sure of (Lee, 2013).
    PseudoLabels,
    /// Beside the labels, to say the same as an average of itself of another view (arXiv 1703.01780).
    MeanTeacher,
    /// Beside the labels, to say of a much changed sample what it is sure of in one barely changed (arXiv 2001.07685).
    FixMatch,
    /// The same, with lower thresholds for classes that are learned late (arXiv 2110.08263).
    FlexMatch,
    /// Hidden words of a text (BERT, arXiv 1810.04805).
    MaskedLanguage,
    /// Hidden patches of a picture or a sound (MAE, arXiv 2111.06377).
    MaskedAutoencoder,
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
    /// Classes, from labelled rows and others.
    Semi,
    /// One encoder, from rows alone.
    Pretext,
    /// Encoders of several modalities, from what stands in a row together.
    Alignment,
}

impl ObjectiveKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::CrossEntropy,
        Self::Focal,
        Self::PseudoLabels,
        Self::MeanTeacher,
        Self::FixMatch,
        Self::FlexMatch,
        Self::MaskedLanguage,
        Self::MaskedAutoencoder,
        Self::SimClr,
        Self::Contrastive,
        Self::SigmoidContrastive,
    ];

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// As it stands in a recipe.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// The keys beside `kind` that have an effect with it.
    pub fn keys(self) -> &'static [&'static str] {
        self.entry().2
    }

    /// What validation measures, the first of which chooses the best weights.
    pub(crate) fn metrics(self) -> &'static [&'static str] {
        match (self.task(), self) {
            (Task::Classes | Task::Semi, _) => &METRICS,
            (_, Self::MaskedLanguage) => &["loss", "accuracy"],
            _ => &["loss"],
        }
    }

    /// Whether a model of it answers with a class.
    pub fn has_classes(self) -> bool {
        matches!(self.task(), Task::Classes | Task::Semi)
    }

    pub(crate) fn task(self) -> Task {
        self.entry().1
    }

    fn entry(self) -> (&'static str, Task, &'static [&'static str]) {
        match self {
            Self::CrossEntropy => (
                "cross-entropy",
                Task::Classes,
                &["label_smoothing", "class_balance"],
            ),
            Self::Focal => ("focal", Task::Classes, &["gamma", "class_balance"]),
            Self::PseudoLabels => (
                "pseudo-labels",
                Task::Semi,
                &[
                    "label_smoothing",
                    "unlabelled",
                    "threshold",
                    "weight",
                    "ramp_steps",
                ],
            ),
            Self::MeanTeacher => (
                "mean-teacher",
                Task::Semi,
                &[
                    "label_smoothing",
                    "unlabelled",
                    "weight",
                    "ramp_steps",
                    "decay",
                ],
            ),
            Self::FixMatch => (
                "fix-match",
                Task::Semi,
                &["label_smoothing", "unlabelled", "threshold", "weight"],
            ),
            Self::MaskedLanguage => ("masked-language", Task::Pretext, &["share", "whole_words"]),
            Self::MaskedAutoencoder => (
                "masked-autoencoder",
                Task::Pretext,
                &["share", "d_decoder", "decoder_layers"],
            ),
            Self::SimClr => ("sim-clr", Task::Pretext, &["d_embed", "temperature"]),
            Self::Contrastive => (
                "contrastive",
                Task::Alignment,
                &["d_embed", "temperature", "anchor"],
            ),
            Self::SigmoidContrastive => (
                "sigmoid-contrastive",
                Task::Alignment,
                &["d_embed", "anchor"],
            ),
            Self::FlexMatch => (
                "flex-match",
                Task::Semi,
                &["label_smoothing", "unlabelled", "threshold", "weight"],
            ),
        }
    }
}
