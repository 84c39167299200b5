//! `[objective]`: what a model is to become good at. A list of kinds, and the keys that each looks at.

mod classes;
mod joint;
mod kind;
mod semi;
mod targets;
mod taught;
#[cfg(test)]
mod tests;

pub(crate) use classes::ClassObjective;
pub use joint::Negatives;
pub use kind::ObjectiveKind;
pub(crate) use kind::Task;
pub(crate) use semi::{SemiBatch, SemiLearner, strong};
pub use targets::RegressionLoss;
pub(crate) use targets::TargetObjective;
pub(crate) use taught::TaughtLearner;

use std::path::PathBuf;

use sensorium_train::CrossEntropy;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::modalities::{EncoderConfigs, MASKABLE};
use crate::parse::nearest;

/// `[objective]`: what is minimised. A key that is left out is as the kind's paper has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveConfig {
    /// Which objective.
    pub kind: ObjectiveKind,
    /// The share of the target that is spread over all classes (arXiv 1512.00567), 0 by default; of a text's tokens 0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    /// How much less a sample counts that is right already (arXiv 1708.02002), 2 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// Weighs classes of unlike size by their effective number of training rows (arXiv 1901.05555): β, 0 = all the same, the
    /// nearer to 1 the more rare classes weigh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_balance: Option<f64>,
    /// Whether classes of which a sample may have several weigh as much where they are there as where they are not, false by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive_weights: Option<bool>,
    /// How far an answer is from a number, squared by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<RegressionLoss>,
    /// From where on Huber's loss grows in a line, in deviations of the training rows' numbers, 1 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// How many samples without a label stand in a batch for each with one, 4 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlabelled: Option<usize>,
    /// How sure the model must be of a sample without a label to learn from its own answer, 0.95 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// What samples without a label count beside those with one, 1 by default; for `mean-teacher` 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Over how many steps that weight rises from next to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp_steps: Option<usize>,
    /// How much of the teacher stays at each step, 0.99 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay: Option<f64>,
    /// The run that teaches: its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher: Option<PathBuf>,
    /// The share of the labels beside what the teacher says, 0.1 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<f64>,
    /// The share that is hidden: 0.15 of a text's tokens, 0.75 of a picture's or a sound's patches by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// The share of a text's tokens that is hidden beside hidden patches, 0.15 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word_share: Option<f64>,
    /// Whether words are hidden whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole_words: Option<bool>,
    /// Whether it is asked as well if the second part of a text follows the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_sentence: Option<bool>,
    /// How wide the decoder is that paints what is hidden, 64 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_decoder: Option<usize>,
    /// How many layers it has, 1 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_layers: Option<usize>,
    /// How many features the vectors have that are compared, 64 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_embed: Option<usize>,
    /// What their likeness is divided by: 0.5 for two views, 0.07 for modalities to begin with. What the logits of a teacher
    /// and of who is taught are divided by: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Which wrong pairs a model is asked about, `hard` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negatives: Option<Negatives>,
    /// The modality that each other is compared with; by default each is with each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
}

impl ObjectiveConfig {
    /// The same learning from labels alone: what learning from other rows too is held against.
    pub(crate) fn labels_alone(&self) -> Self {
        Self {
            kind: ObjectiveKind::CrossEntropy,
            label_smoothing: self.label_smoothing,
            ..Self::default()
        }
    }

    /// With every default written out that has an effect.
    pub(crate) fn resolved(&self) -> Self {
        let looks_at = |key: &str| self.kind.keys().contains(&key);
        macro_rules! filled {
            ($($key:ident: $default:expr,)+) => {
                Self {
                    kind: self.kind,
                    class_balance: self.class_balance,
                    anchor: self.anchor.clone(),
                    delta: self.resolved_delta(),
                    teacher: self.teacher.clone(),
                    $($key: self.$key.or(looks_at(stringify!($key)).then_some($default)),)+
                }
            };
        }
        filled! {
            label_smoothing: self.label_smoothing(),
            gamma: classes::GAMMA,
            positive_weights: false,
            loss: RegressionLoss::default(),
            unlabelled: self.unlabelled(),
            threshold: self.threshold(),
            weight: self.weight(),
            ramp_steps: 0,
            decay: self.decay(),
            truth: self.truth(),
            share: self.share(),
            word_share: self.word_share(),
            whole_words: false,
            next_sentence: false,
            d_decoder: self.d_decoder(),
            decoder_layers: self.decoder_layers(),
            d_embed: self.d_embed(),
            temperature: self.temperature(),
            negatives: Negatives::Hard,
        }
    }

    /// The share of the target that is spread: that of the paper where texts are written.
    fn label_smoothing(&self) -> f64 {
        self.label_smoothing.unwrap_or(match self.kind {
            ObjectiveKind::Text => 0.1,
            _ => 0.0,
        })
    }

    /// The loss of the tokens of texts.
    pub(crate) fn for_texts(&self) -> CrossEntropy {
        CrossEntropy::new().with_label_smoothing(self.label_smoothing())
    }

    pub(crate) fn threshold(&self) -> f64 {
        self.threshold.unwrap_or(0.95)
    }

    pub(crate) fn weight(&self) -> f64 {
        self.weight.unwrap_or(match self.kind {
            ObjectiveKind::MeanTeacher => 10.0,
            _ => 1.0,
        })
    }

    pub(crate) fn decay(&self) -> f64 {
        self.decay.unwrap_or(0.99)
    }

    pub(crate) fn share(&self) -> f64 {
        self.share.unwrap_or(match self.kind {
            ObjectiveKind::MaskedLanguage => 0.15,
            _ => 0.75,
        })
    }

    /// How many samples without a label go with one that has one.
    pub(crate) fn unlabelled(&self) -> usize {
        self.unlabelled.unwrap_or(4)
    }

    pub(crate) fn d_decoder(&self) -> usize {
        self.d_decoder.unwrap_or(64)
    }

    pub(crate) fn decoder_layers(&self) -> usize {
        self.decoder_layers.unwrap_or(match self.kind {
            ObjectiveKind::MaskedModalities => 2,
            _ => 1,
        })
    }

    pub(crate) fn d_embed(&self) -> usize {
        self.d_embed.unwrap_or(64)
    }

    pub(crate) fn temperature(&self) -> f64 {
        self.temperature.unwrap_or(match self.kind {
            ObjectiveKind::SimClr => 0.5,
            ObjectiveKind::Distillation => 2.0,
            _ => 0.07,
        })
    }

    /// Refuses an objective that cannot do with the encoders of a recipe.
    pub(crate) fn validate_for(&self, encoders: &EncoderConfigs) -> Result<(), String> {
        let kind = self.kind.name();
        let modalities = encoders.modalities();
        let names: Vec<&str> = modalities.iter().map(|m| m.name()).collect();
        let tables = serde_json::to_value(encoders).unwrap_or_default();
        let own = |name: &str| tables[name].get("from").is_none();
        let wrong = |what: String| Err(format!("objective.kind = {kind:?} {what}"));
        let stem = names.iter().find(|name| tables[name].get("stem").is_some());
        if let Some(name) = stem.filter(|_| self.kind.hides_patches()) {
            return wrong(format!(
                "hides patches, and what the convolutions of encoders.{name}.stem give has seen what is hidden: take encoders.{name}.stem away"
            ));
        }
        match self.kind {
            kind if kind.task() == Task::Joint => self.validate_joint(&names, own),
            ObjectiveKind::Distillation if self.teacher.is_none() => {
                wrong("needs a run that teaches: name its folder in objective.teacher".to_owned())
            }
            ObjectiveKind::MaskedLanguage if names != ["text"] => wrong(format!(
                "learns from texts alone: it needs [encoders.text] and no other, not {}",
                names.join(", ")
            )),
            ObjectiveKind::MaskedAutoencoder
                if names.len() != 1 || !MASKABLE.contains(&names[0]) =>
            {
                wrong(format!(
                    "needs one encoder, of {}, not {}",
                    MASKABLE.join(" or "),
                    names.join(", ")
                ))
            }
            ObjectiveKind::MaskedLanguage | ObjectiveKind::MaskedAutoencoder if !own(names[0]) => {
                wrong(format!(
                    "needs an encoder that is the recipe's own: take encoders.{}.from away",
                    names[0]
                ))
            }
            ObjectiveKind::SimClr if names.len() != 1 => wrong(format!(
                "compares two views of one modality, and the recipe has {}",
                names.join(", ")
            )),
            ObjectiveKind::Contrastive | ObjectiveKind::SigmoidContrastive if names.len() < 2 => {
                wrong(format!(
                    "compares modalities: it needs two encoders at least, and the recipe has {}",
                    names.join(", ")
                ))
            }
            _ => match &self.anchor {
                Some(anchor) if !names.contains(&anchor.as_str()) => {
                    let near =
                        nearest(anchor, &names).map(|near| format!("; did you mean {near:?}?"));
                    Err(format!(
                        "objective.anchor = {anchor:?} is none of the recipe's modalities, {}{}",
                        names.join(", "),
                        near.unwrap_or_default()
                    ))
                }
                _ => Ok(()),
            },
        }
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        self.check_keys()?;
        self.validate_delta()?;
        let within = |key: &str, value: Option<f64>, below: f64| match value {
            Some(value) if !(0.0..below).contains(&value) => Err(format!(
                "objective.{key} = {value} must be at least 0 and below {below}"
            )),
            _ => Ok(()),
        };
        within("label_smoothing", self.label_smoothing, 1.0)?;
        within("gamma", self.gamma, 100.0)?;
        within("class_balance", self.class_balance, 1.0)?;
        within("threshold", self.threshold, 1.0)?;
        within("weight", self.weight, 1e6)?;
        within("decay", self.decay, 1.0)?;
        within("truth", self.truth, 1.0)?;
        for (key, share) in [("share", self.share), ("word_share", self.word_share)] {
            within(key, share, 1.0)?;
            if share == Some(0.0) {
                return Err(format!(
                    "objective.{key} = 0 hides nothing: there would be nothing to learn"
                ));
            }
        }
        if let Some(t) = self.temperature.filter(|t| !(0.01..=100.0).contains(t)) {
            return Err(format!("objective.temperature = {t} must be 0.01 to 100"));
        }
        for (key, value) in [("d_decoder", self.d_decoder), ("d_embed", self.d_embed)] {
            if let Some(n) = value.filter(|n| !(1..=65_536).contains(n)) {
                return Err(format!("objective.{key} = {n} must be 1 to 65536"));
            }
        }
        if let Some(n) = self.decoder_layers.filter(|n| !(1..=256).contains(n)) {
            return Err(format!("objective.decoder_layers = {n} must be 1 to 256"));
        }
        if let Some(d) = self.d_decoder.filter(|d| !d.is_multiple_of(4)) {
            return Err(format!("objective.d_decoder = {d} must be a multiple of 4"));
        }
        match self.unlabelled {
            Some(n) if !(1..=1024).contains(&n) => {
                Err(format!("objective.unlabelled = {n} must be 1 to 1024"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a key that has no effect with the kind.
    fn check_keys(&self) -> Result<(), String> {
        let Ok(Value::Table(table)) = Value::try_from(self) else {
            return Ok(());
        };
        no_effect(&table, self.kind).map_or(Ok(()), Err)
    }
}

fn no_effect(table: &Table, kind: ObjectiveKind) -> Option<String> {
    let mut keys = table.keys().filter(|key| *key != "kind");
    let key = keys.find(|key| !kind.keys().contains(&key.as_str()))?;
    let others = ObjectiveKind::ALL.into_iter();
    let others: Vec<&str> = others
        .filter(|other| other.keys().contains(&key.as_str()))
        .map(ObjectiveKind::name)
        .collect();
    Some(format!(
        "objective.{key} has no effect with objective.kind = {:?}: remove it, or use {}",
        kind.name(),
        others.join(" or ")
    ))
}
