//! The encoders that a run left behind, asked for vectors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{PoolConfig, PoolKind};
use sensorium_core::{EncoderSet, Fusion, Modality, NoTap, Source};
use sensorium_models::ready::unit_rows;
use sensorium_pretrain::Alignment;

use crate::folder::ModelConfig;
use crate::labels::LabelSet;
use crate::modalities::{Processors, Samples};
use crate::model::{RecipeModel, build};
use crate::pretext::{PretextHead, PretextModel, WORDS};
use crate::writing::TextModel;
use crate::{Error, ZeroShotConfig};

use super::Exported;

/// A trained run that makes a vector of an input of one modality: that of a common space, where its encoders were brought into
/// one; else the mean of what its encoder, or its fusion, gives.
#[derive(Debug)]
pub struct RunEmbedder {
    /// What it was built from.
    pub config: ModelConfig,
    pub(super) trained: Trained,
    pub(super) processors: Arc<Processors>,
    pub(super) device: Device,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // There is one of it.
pub(super) enum Trained {
    Answering(RecipeModel),
    Pretext(PretextModel),
    Writing(TextModel),
}

/// What inputs are held against: labels in words, in the common space.
#[derive(Clone, Debug)]
pub struct Described {
    /// `[labels, d_embed]`, of length 1.
    vectors: Tensor<2>,
}

impl RunEmbedder {
    /// Opens the model of a run's folder.
    ///
    /// # Errors
    /// If the run is not complete, or its model is broken.
    pub fn open(run: &Path, device: &Device) -> Result<Self, Error> {
        let Exported {
            config,
            labels,
            processors,
            weights,
        } = Exported::open(run)?;
        let recipe = &config.recipe;
        let trained = match labels {
            Some(LabelSet::Texts(texts)) => {
                let model = TextModel::build(recipe, &processors, &texts, device)?;
                Trained::Writing(sensorium_train::import_weights(&model, &weights)?)
            }
            Some(labels) => {
                let model = build(recipe, &processors, labels.width(), device)?;
                Trained::Answering(sensorium_train::import_weights(&model, &weights)?)
            }
            None => {
                let model = PretextModel::build(recipe, &processors, device)?;
                Trained::Pretext(sensorium_train::import_weights(&model, &weights)?)
            }
        };
        Ok(Self {
            trained,
            processors: Arc::new(processors),
            device: device.clone(),
            config,
        })
    }

    /// The modalities it makes vectors of.
    pub fn takes(&self) -> BTreeSet<Modality> {
        self.config.recipe.encoders.modalities()
    }

    /// The modality of this name, if it takes it.
    ///
    /// # Errors
    /// If it does not.
    pub fn modality(&self, name: &str) -> Result<Modality, Error> {
        self.config.takes(name)
    }

    /// Decodes and prepares an input; may be called from many threads.
    ///
    /// # Errors
    /// If it cannot be read or decoded.
    pub fn prepare(&self, modality: Modality, input: &Source) -> Result<Samples, Error> {
        let inputs = BTreeMap::from([(modality, input.clone())]);
        let samples = self.processors.process(&inputs);
        samples.map_err(|(_, reason)| Error::Modality {
            what: input.describe(),
            reason,
        })
    }

    /// A vector for each sample, all of the same modality: `[batch, d]`.
    ///
    /// # Panics
    /// If there is no sample, or one of a modality that it does not take.
    pub fn embed(&self, samples: &[Samples]) -> Tensor<2> {
        let batch = self.processors.collate(samples, &self.device);
        let tokens = match &self.trained {
            Trained::Pretext(model) => match model.embed(batch.clone()).into_iter().next() {
                Some((_, embedded)) => return embedded.vectors,
                None => model.tokens(batch),
            },
            Trained::Writing(model) => model.context_with(batch, &mut NoTap),
            Trained::Answering(model) => {
                let parts = model.encoders.encode_with(batch, &mut NoTap);
                model.fusion.fuse(parts)
            }
        };
        let width = tokens.dims()[2];
        let pool = PoolConfig::new(PoolKind::Mean, width).init(&self.device);
        pool.forward(tokens)
    }

    /// Labels in words, each the mean of what it may be described as: by `template`, or by those of the recipe, or by its name
    /// alone.
    ///
    /// # Errors
    /// If the run did not bring words and others into one space, or there is no label.
    pub fn describe(&self, labels: &[String], template: Option<&str>) -> Result<Described, Error> {
        let unfit = |reason: String| Error::Modality {
            what: "labels".to_owned(),
            reason: reason.into(),
        };
        let words = self.takes().into_iter().find(|m| m.name() == WORDS);
        let (Some(words), Some(_)) = (words, self.alignment()) else {
            return Err(unfit(format!(
                "the run brought no words and others into one space (objective.kind = {:?}): labels in words need \"contrastive\" and                  [encoders.text]",
                self.config.recipe.objective.kind.name()
            )));
        };
        if labels.is_empty() {
            return Err(unfit("there is none to choose".to_owned()));
        }
        let own = ZeroShotConfig::templates_of(self.config.recipe.zero_shot.as_ref());
        let templates = template.map_or(own, |template| vec![template.to_owned()]);
        let vectors = labels
            .iter()
            .map(|label| {
                let told = templates
                    .iter()
                    .map(|t| Source::text(t.replace("{}", label)));
                let told: Result<Vec<Samples>, Error> =
                    told.map(|text| self.prepare(words, &text)).collect();
                Ok(unit_rows(self.embed(&told?).mean_dim(0)))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Described {
            vectors: Tensor::cat(vectors, 0),
        })
    }

    /// How well each label fits each sample, 0 to 1: `[batch, labels]`, which sum to 1 where [each fits or
    /// not](Self::each_alone) is not asked.
    ///
    /// # Panics
    /// As [`embed`](Self::embed).
    pub fn scores(&self, samples: &[Samples], labels: &Described) -> Tensor<2> {
        let alignment = self
            .alignment()
            .expect("labels were described in a common space");
        alignment.likelihood(self.embed(samples), labels.vectors.clone())
    }

    /// Whether each label fits or not, on its own.
    pub fn each_alone(&self) -> bool {
        self.alignment()
            .is_some_and(|alignment| alignment.sigmoid.is_some())
    }

    fn alignment(&self) -> Option<&Alignment> {
        match &self.trained {
            Trained::Pretext(PretextModel {
                head: PretextHead::Alignment(alignment),
                ..
            }) => Some(alignment),
            _ => None,
        }
    }
}
