//! Objectives of several modalities that are joined: what they need, and what they take where nothing is said.

use serde::{Deserialize, Serialize};

use super::{ObjectiveConfig, ObjectiveKind};
use crate::modalities::MASKABLE;

/// The modality whose tokens are words.
const WORDS: &str = "text";

/// Which wrong pairs a model is asked about in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Negatives {
    /// The likelier the more alike both sides are.
    #[default]
    Hard,
    /// All as likely.
    Uniform,
}

impl ObjectiveConfig {
    /// The share of a text's tokens that is hidden beside patches: BERT's.
    pub(crate) fn word_share(&self) -> f64 {
        self.word_share.unwrap_or(0.15)
    }

    /// Refuses encoders that cannot be joined so; `own` says whether one of this name is the recipe's own.
    pub(super) fn validate_joint(
        &self,
        names: &[&str],
        own: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let kind = self.kind.name();
        let wrong = |what: String| Err(format!("objective.kind = {kind:?} {what}"));
        if self.kind == ObjectiveKind::Matching {
            return match names.len() {
                2 => Ok(()),
                _ => wrong(format!(
                    "tells pairs of two modalities: it needs two encoders, and the recipe has {}",
                    names.join(", ")
                )),
            };
        }
        if let [one] = names {
            let alone = match *one {
                WORDS => ObjectiveKind::MaskedLanguage,
                _ => ObjectiveKind::MaskedAutoencoder,
            };
            return wrong(format!(
                "guesses one modality from another, and the recipe has {one} alone: use {:?}",
                alone.name()
            ));
        }
        let hides = |name: &&str| *name == WORDS || MASKABLE.contains(name);
        if let Some(strange) = names.iter().find(|name| !hides(name)) {
            return wrong(format!(
                "hides tokens of {WORDS}, {}, not of {strange}: take encoders.{strange} away",
                MASKABLE.join(", ")
            ));
        }
        match names.iter().find(|name| !own(name)) {
            Some(name) => wrong(format!(
                "needs encoders that are the recipe's own: take encoders.{name}.from away"
            )),
            None => Ok(()),
        }
    }
}
