//! What an objective without labels puts on the encoders.

use burn::tensor::Device;
use sensorium_core::{Encoder, Modality, one_of};
use sensorium_pretrain::{
    AlignBy, Alignment, AlignmentConfig, LanguageHead, LanguageHeadConfig, MaskedAutoencoder,
    ProjectionHeadConfig, TwoViews,
};

use crate::Error;
use crate::modalities::{Encoders, KNOWN, Processors};
use crate::objective::{ObjectiveConfig, ObjectiveKind};

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
    /// Tells two views of a sample from those of others.
    TwoViews(TwoViews),
    /// Brings modalities into one space.
    Alignment(Alignment),
}

one_of!(PretextHead {
    Autoencoder,
    Language,
    TwoViews,
    Alignment
});

impl PretextHead {
    pub(super) fn build(
        config: &ObjectiveConfig,
        encoders: &Encoders,
        processors: &Processors,
        device: &Device,
    ) -> Result<Self, Error> {
        let widths = encoders.widths();
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
                let (encoder, processor) = encoders
                    .text
                    .as_ref()
                    .zip(processors.text.as_ref().and_then(|text| text.own()))
                    .expect("a recipe is checked for texts");
                let words = processor.tokenizer().vocab_size();
                let head = LanguageHeadConfig::new(encoder.d_output(), words);
                head.validate().map_err(refuse)?;
                Self::Language(head.init(device))
            }
            ObjectiveKind::SimClr => {
                let head = ProjectionHeadConfig::new(widths[0].1, config.d_embed());
                head.validate().map_err(refuse)?;
                Self::TwoViews(TwoViews::new(head.init(device), config.temperature()))
            }
            _ => {
                let by = match config.kind {
                    ObjectiveKind::SigmoidContrastive => AlignBy::Sigmoid,
                    _ => AlignBy::Softmax,
                };
                let mut alignment = AlignmentConfig::new(&widths, config.d_embed())
                    .with_by(by)
                    .with_anchor(config.anchor.as_deref().and_then(known));
                if by == AlignBy::Softmax {
                    alignment = alignment.with_temperature(config.temperature());
                }
                alignment.validate().map_err(refuse)?;
                Self::Alignment(alignment.init(device))
            }
        })
    }
}

fn known(name: &str) -> Option<Modality> {
    KNOWN
        .iter()
        .copied()
        .find(|modality| modality.name() == name)
}
