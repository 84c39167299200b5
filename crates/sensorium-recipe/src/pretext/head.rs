//! What an objective without labels puts on the encoders.

use burn::tensor::Device;
use sensorium_core::{Encoder, Modality, one_of};
use sensorium_fusion::{AnyFusion, ClassHead};
use sensorium_pretrain::{
    AlignBy, Alignment, AlignmentConfig, LanguageHead, LanguageHeadConfig, MaskedAutoencoder,
    MaskedModalities, MaskedModalitiesConfig, Matching, ProjectionHeadConfig, TwoViews,
};
use sensorium_text::TEXT;

use crate::modalities::{Encoders, KNOWN, Processors};
use crate::objective::{ObjectiveConfig, ObjectiveKind};
use crate::registry::Width;
use crate::{Error, Recipe};

/// Attention heads of what paints and guesses.
pub(crate) const HEADS: usize = 4;

/// Whichever of them a recipe names.
#[allow(
    clippy::large_enum_variant,
    reason = "a run has one head, which is not moved while it learns"
)]
#[derive(Clone, Debug)]
pub enum PretextHead {
    /// Paints what is hidden of a picture or a sound.
    Autoencoder(MaskedAutoencoder),
    /// Guesses hidden words.
    Language(LanguageHead),
    /// Guesses what is hidden of several modalities.
    Joint(MaskedModalities),
    /// Says whether two inputs belong together.
    Matching(Matching<AnyFusion, ClassHead>),
    /// Tells two views of a sample from those of others.
    TwoViews(TwoViews),
    /// Brings modalities into one space.
    Alignment(Alignment),
}

one_of!(PretextHead {
    Autoencoder,
    Language,
    Joint,
    Matching,
    TwoViews,
    Alignment
});

impl PretextHead {
    pub(super) fn build(
        recipe: &Recipe,
        encoders: &Encoders,
        processors: &Processors,
        device: &Device,
    ) -> Result<Self, Error> {
        let (config, widths) = (&recipe.objective, encoders.widths());
        let refuse = |reason: sensorium_pretrain::Error| Error::Modality {
            what: "objective".to_owned(),
            reason: reason.into(),
        };
        Ok(match config.kind {
            ObjectiveKind::MaskedAutoencoder => {
                let painter = encoders
                    .painter(config.share(), config.d_decoder(), config.decoder_layers())
                    .expect("a recipe is checked for an encoder that can be masked");
                painter.validate().map_err(refuse)?;
                Self::Autoencoder(painter.init(device))
            }
            ObjectiveKind::MaskedLanguage => {
                let (d_model, words) =
                    words(encoders, processors).expect("a recipe is checked for texts");
                let head = LanguageHeadConfig::new(d_model, words)
                    .with_next_sentence(config.next_sentence.unwrap_or(false));
                head.validate().map_err(refuse)?;
                Self::Language(head.init(device))
            }
            ObjectiveKind::MaskedModalities => {
                let (d_model, layers) = (config.d_decoder(), config.decoder_layers());
                let mut joint = MaskedModalitiesConfig::new(d_model, layers, HEADS);
                joint = encoders.hide_patches(joint.with_share(config.share()));
                if let Some((d_text, words)) = words(encoders, processors) {
                    joint = joint.with_words(TEXT, d_text, words);
                }
                joint.validate().map_err(refuse)?;
                Self::Joint(joint.init(device))
            }
            ObjectiveKind::SimClr => {
                let head = ProjectionHeadConfig::new(widths[0].1, config.d_embed());
                head.validate().map_err(refuse)?;
                Self::TwoViews(TwoViews::new(head.init(device), config.temperature()))
            }
            ObjectiveKind::Matching => {
                let alignment = alignment(config, &widths);
                alignment.validate().map_err(refuse)?;
                let (fusion, head) = recipe.fused(&widths, 2, device)?;
                Self::Matching(Matching::new(alignment.init(device), fusion, head))
            }
            _ => {
                let alignment = alignment(config, &widths);
                alignment.validate().map_err(refuse)?;
                Self::Alignment(alignment.init(device))
            }
        })
    }
}

/// One space for modalities of these widths.
fn alignment(config: &ObjectiveConfig, widths: &[Width]) -> AlignmentConfig {
    let alignment = AlignmentConfig::new(widths, config.d_embed())
        .with_anchor(config.anchor.as_deref().and_then(known));
    match config.kind {
        ObjectiveKind::SigmoidContrastive => alignment.with_by(AlignBy::Sigmoid),
        _ => alignment.with_temperature(config.temperature()),
    }
}

/// How wide tokens of texts are, and how many words there are.
fn words(encoders: &Encoders, processors: &Processors) -> Option<(usize, usize)> {
    let encoder = encoders.text.as_ref()?;
    let processor = processors.text.as_ref()?.own()?;
    Some((encoder.d_output(), processor.tokenizer().vocab_size()))
}

fn known(name: &str) -> Option<Modality> {
    KNOWN
        .iter()
        .copied()
        .find(|modality| modality.name() == name)
}
