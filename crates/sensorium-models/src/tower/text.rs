//! Text towers of all families as one encoder of texts.

use burn::module::{Module, ParamGroup};
use burn::tensor::{Device, Tensor};
use sensorium_core::{
    Encoder, Modality, NoTap, Processor, SampleRng, Source, Tap, Tokens, one_of, present,
};
use sensorium_hub::Checkpoint;
use sensorium_text::{AugmentConfig, TEXT, TextBatch, TextProcessor, TextSample};

use super::{Output, Tower, projects, takes_other, weights};
use crate::bert::{BertModel, SentenceConfig, SentenceEncoder, SentenceProcessor};
use crate::clap::{ClapTextConfig, ClapTextModel, ClapTextModelWithProjection};
use crate::clip::{ClipTextConfig, ClipTextModel, ClipTextModelWithProjection};
use crate::published::{described, tower};
use crate::ready::{sentence_processor, text_processor, unit_rows};
use crate::siglip::{SiglipTextConfig, SiglipTextModel};
use crate::{Error, Family};

/// A published model's text tower, without what has no part in its output.
#[derive(Module, Debug)]
pub struct TextTower {
    tower: AnyText,
    #[module(skip)]
    output: Output,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "modules cannot be boxed, and a model has one of these"
)]
enum AnyText {
    Bert(BertModel),
    Sentence(SentenceEncoder),
    Clip(ClipTextModel),
    ClipProjected(ClipTextModelWithProjection),
    Siglip(SiglipTextModel),
    Clap(ClapTextModel),
    ClapProjected(ClapTextModelWithProjection),
}

one_of!(AnyText {
    Bert,
    Sentence,
    Clip,
    ClipProjected,
    Siglip,
    Clap,
    ClapProjected
});

impl TextTower {
    /// What prepares a checkpoint's texts.
    ///
    /// # Errors
    /// If the model takes no texts, or a file is missing, broken or does not fit.
    pub fn processor(checkpoint: &Checkpoint) -> Result<TextPreparation, Error> {
        const FILE: &str = "config.json";
        let (_, config) = described(checkpoint)?;
        Ok(match Family::of(checkpoint.name(), &config)? {
            Family::Bert => TextPreparation::Sentence(sentence_processor(checkpoint)?),
            Family::Clip | Family::ClipText => {
                let config = ClipTextConfig::parse(FILE, &config)?;
                let (longest, vocab_size) = (config.max_tokens, config.vocab_size);
                TextPreparation::Plain(text_processor(checkpoint, longest, vocab_size)?)
            }
            Family::Siglip | Family::SiglipText => {
                let config = SiglipTextConfig::parse(FILE, &config)?;
                let length = config.max_tokens;
                let processor = text_processor(checkpoint, length, config.vocab_size)?;
                // Its padding is read like any token, and is always there.
                TextPreparation::Plain(processor.with_fixed_length(length))
            }
            Family::Clap | Family::ClapText => {
                let config = ClapTextConfig::parse(FILE, &config)?;
                let (longest, vocab_size) = (config.max_tokens(), config.vocab_size);
                TextPreparation::Plain(text_processor(checkpoint, longest, vocab_size)?)
            }
            family => return Err(takes_other(checkpoint, family, "texts")),
        })
    }

    /// A head that has no part in the output is not to be trained.
    fn without_idle_head(self) -> Self {
        let head = match (&self.tower, self.output) {
            (AnyText::Siglip(_), Output::Tokens) => r"^tower\.head\.",
            (AnyText::Clap(_), Output::Tokens) => r"^tower\.bert\.pooler\.",
            _ => return self,
        };
        self.freeze_group(ParamGroup::from_regex(head).expect("a sound pattern"))
    }

    /// The model's own embedding, not normalised unless the model does it itself: `[batch, d]`. Sentence encoders give what
    /// their `modules.json` says, a plain BERT the mean over the tokens that are no padding, CLIP its projected and SigLIP
    /// its pooled embedding, CLAP its projected one, of length one. Unspecified where a text is absent.
    ///
    /// # Panics
    /// If the tower was opened for its tokens.
    pub fn embed(&self, batch: TextBatch) -> Tensor<2> {
        self.embed_with(batch, &mut NoTap)
    }

    fn embed_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tensor<2> {
        match &self.tower {
            AnyText::Bert(_) => panic!("a BERT that is opened for its tokens has no embedding"),
            AnyText::Sentence(encoder) => encoder.embed_with(batch, tap),
            AnyText::Clip(tower) => tower.embed_with(batch, tap),
            AnyText::ClipProjected(tower) => tower.embed_with(batch, tap),
            AnyText::Siglip(tower) => tower.embed_with(batch, tap),
            AnyText::Clap(tower) => tower.embed_with(batch, tap),
            AnyText::ClapProjected(tower) => unit_rows(tower.embed_with(batch, tap)),
        }
    }
}

fn bert(
    checkpoint: &Checkpoint,
    output: Output,
    pretrained: bool,
    device: &Device,
) -> Result<AnyText, Error> {
    let encoder = match pretrained {
        true => SentenceEncoder::load(checkpoint, device)?.0,
        false => SentenceConfig::of(checkpoint)?.init(device),
    };
    Ok(match output {
        Output::Tokens => AnyText::Bert(encoder.bert),
        Output::Embedding => AnyText::Sentence(encoder),
    })
}

impl Tower for TextTower {
    fn build(
        checkpoint: &Checkpoint,
        output: Output,
        pretrained: bool,
        device: &Device,
    ) -> Result<Self, Error> {
        let (_, config) = described(checkpoint)?;
        let family = Family::of(checkpoint.name(), &config)?;
        if family == Family::Bert {
            let tower = bert(checkpoint, output, pretrained, device)?;
            return Ok(Self { tower, output });
        }
        let weights = weights(checkpoint, pretrained)?;
        let weights = weights.as_ref();
        let tower = match family {
            Family::Clip | Family::ClipText
                if output == Output::Embedding && projects(family, &config, weights) =>
            {
                let init = |config: &ClipTextConfig| Ok(config.init_with_projection(device));
                AnyText::ClipProjected(tower(checkpoint, weights, init)?)
            }
            Family::Clip | Family::ClipText => {
                let init = |config: &ClipTextConfig| Ok(config.init(device));
                AnyText::Clip(tower(checkpoint, weights, init)?)
            }
            Family::Siglip | Family::SiglipText => {
                let init = |config: &SiglipTextConfig| Ok(config.init(device));
                AnyText::Siglip(tower(checkpoint, weights, init)?)
            }
            Family::Clap | Family::ClapText
                if output == Output::Embedding && projects(family, &config, weights) =>
            {
                let init = |config: &ClapTextConfig| Ok(config.init_with_projection(device));
                AnyText::ClapProjected(tower(checkpoint, weights, init)?)
            }
            Family::Clap | Family::ClapText => {
                let init = |config: &ClapTextConfig| Ok(config.init(device));
                AnyText::Clap(tower(checkpoint, weights, init)?)
            }
            family => return Err(takes_other(checkpoint, family, "texts")),
        };
        Ok(Self { tower, output }.without_idle_head())
    }
}

impl Encoder for TextTower {
    const MODALITY: Modality = TEXT;
    type Batch = TextBatch;

    fn d_output(&self) -> usize {
        match (&self.tower, self.output) {
            (AnyText::Bert(tower), _) => tower.d_output(),
            (AnyText::Sentence(tower), _) => tower.d_output(),
            (AnyText::Clip(tower), _) => tower.d_output(),
            (AnyText::ClipProjected(tower), _) => tower.d_output(),
            (AnyText::Clap(tower), _) => tower.d_output(),
            (AnyText::ClapProjected(tower), _) => tower.d_output(),
            (AnyText::Siglip(tower), Output::Tokens) => tower.d_output(),
            (AnyText::Siglip(tower), Output::Embedding) => {
                let [_, d_embed] = tower.head.weight.shape().dims();
                d_embed
            }
        }
    }

    /// `[batch, tokens]` → `[batch, tokens, d]`, or `[batch, 1, d]` where the embedding is handed on.
    ///
    /// # Panics
    /// If there are more tokens than positions.
    fn encode_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tokens {
        if self.output == Output::Embedding {
            let present = present(batch.pad.clone());
            let embedding = self.embed_with(batch, tap);
            return Tokens::with_presence(embedding.unsqueeze_dim(1), present); // [B, D] -> [B, 1, D]
        }
        match &self.tower {
            AnyText::Bert(tower) => tower.encode_with(batch, tap),
            AnyText::Sentence(tower) => tower.encode_with(batch, tap),
            AnyText::Clip(tower) => tower.encode_with(batch, tap),
            AnyText::ClipProjected(tower) => tower.encode_with(batch, tap),
            AnyText::Siglip(tower) => tower.encode_with(batch, tap),
            AnyText::Clap(tower) => tower.encode_with(batch, tap),
            AnyText::ClapProjected(tower) => tower.encode_with(batch, tap),
        }
    }
}

/// Prepares texts as a published model takes them.
#[derive(Clone, Debug)]
pub enum TextPreparation {
    /// Trimmed and cut as a sentence encoder's files say.
    Sentence(SentenceProcessor),
    /// As its tokenizer's files say.
    Plain(TextProcessor),
}

impl TextPreparation {
    /// Changes texts in training.
    ///
    /// # Errors
    /// As [`TextProcessor::with_augment`].
    pub fn with_augment(self, augment: AugmentConfig) -> Result<Self, sensorium_text::Error> {
        Ok(match self {
            Self::Sentence(processor) => Self::Sentence(processor.with_augment(augment)?),
            Self::Plain(processor) => Self::Plain(processor.with_augment(augment)?),
        })
    }

    /// What a strongly changed copy is.
    ///
    /// # Errors
    /// As [`TextProcessor::with_strong`].
    pub fn with_strong(self, strong: Option<AugmentConfig>) -> Result<Self, sensorium_text::Error> {
        Ok(match self {
            Self::Sentence(processor) => Self::Sentence(processor.with_strong(strong)?),
            Self::Plain(processor) => Self::Plain(processor.with_strong(strong)?),
        })
    }
}

impl Processor for TextPreparation {
    type Sample = TextSample;
    type Batch = TextBatch;
    type Error = sensorium_text::Error;

    fn process(&self, source: &Source) -> Result<TextSample, Self::Error> {
        match self {
            Self::Sentence(processor) => processor.process(source),
            Self::Plain(processor) => processor.process(source),
        }
    }

    fn augment(&self, sample: TextSample, rng: &mut SampleRng) -> TextSample {
        match self {
            Self::Sentence(processor) => processor.augment(sample, rng),
            Self::Plain(processor) => processor.augment(sample, rng),
        }
    }

    fn augment_strongly(&self, sample: TextSample, rng: &mut SampleRng) -> TextSample {
        match self {
            Self::Sentence(processor) => processor.augment_strongly(sample, rng),
            Self::Plain(processor) => processor.augment_strongly(sample, rng),
        }
    }

    fn collate(&self, samples: &[Option<&TextSample>], device: &Device) -> TextBatch {
        match self {
            Self::Sentence(processor) => processor.collate(samples, device),
            Self::Plain(processor) => processor.collate(samples, device),
        }
    }
}
