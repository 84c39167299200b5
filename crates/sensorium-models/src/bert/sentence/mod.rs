//! Sentence encoders: a BERT, pooling, and what is written to follow it (arXiv 1908.10084).

mod config;
mod dense;
mod files;
mod pooling;
mod processor;
#[cfg(test)]
mod tests;

pub use config::SentenceConfig;
pub(crate) use config::tower_folder;
pub use dense::{Dense, DenseActivation, DenseConfig};
pub(crate) use files::{MODULES, join};
pub use pooling::Pooling;
pub use processor::SentenceProcessor;

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sensorium_core::tap::in_layer;
use sensorium_core::{Encoder, Modality, NoTap, Tap, Tokens, present};
use sensorium_hub::{Allow, Checkpoint, KeyMap, LoadReport};
use sensorium_text::{TEXT, TextBatch};

use super::{BertInput, BertModel};
use crate::published::copy_files;
use crate::{Error, Published};

/// Texts to one vector each.
#[derive(Module, Debug)]
pub struct SentenceEncoder {
    /// The tower, without a pooler.
    pub bert: BertModel,
    /// What is applied to the pooled vector.
    pub dense: Vec<Dense>,
    #[module(skip)]
    pooling: Vec<Pooling>,
    #[module(skip)]
    normalize: bool,
    #[module(skip)]
    d_output: usize,
}

impl SentenceEncoder {
    fn new(config: &SentenceConfig, dense: Vec<Dense>, device: &Device) -> Self {
        Self {
            bert: config.bert.init(device),
            dense,
            pooling: config.pooling.clone(),
            normalize: config.normalize,
            d_output: config.d_output(),
        }
    }

    /// The encoder of a checkpoint, put together as its `modules.json` says; without one, the mean over a tower's tokens.
    ///
    /// # Errors
    /// If a file is missing or broken, or a tensor does not fit.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<(Self, SentenceConfig), Error> {
        let config = SentenceConfig::of(checkpoint)?;
        let tower = checkpoint.weights_of(&config.bert_path)?;
        // Nothing follows the tokens but what `modules.json` names: a pooler of the tower's is not for them.
        let map = config.bert.tower_map();
        let rest = Allow::nothing().unused();
        let mut encoder = config.init(device);
        (encoder.bert, _) = sensorium_hub::load(encoder.bert, &tower, &map, &rest)?;
        for (dense, (path, _)) in encoder.dense.iter_mut().zip(&config.dense) {
            let weights = checkpoint.weights_of(path)?;
            (*dense, _) =
                sensorium_hub::load(dense.clone(), &weights, &KeyMap::new(), &Allow::nothing())?;
        }
        Ok((encoder, config))
    }

    /// Writes the encoder into a folder as Python reads it, with the files beside it that the `checkpoint` has which it was
    /// loaded from. Names stand under what they stood under there, and a pooler that the tower has there stays.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn save(
        &self,
        config: &SentenceConfig,
        checkpoint: &Checkpoint,
        folder: &Path,
    ) -> Result<(), Error> {
        const WEIGHTS: &str = "model.safetensors";
        let weights = checkpoint.weights_of(&config.bert_path)?;
        let device = self.bert.embeddings.word.weight.device();
        let mut tower = BertModel::load_as(config.bert.clone(), &weights, &device)?;
        copy_files(checkpoint, folder)?;
        let pooler = tower.model.pooler.take();
        tower.model = self.bert.clone();
        tower.model.pooler = pooler;
        let path = folder.join(join(&config.bert_path, WEIGHTS));
        tower.write(&path)?;
        for (dense, (path, _)) in self.dense.iter().zip(&config.dense) {
            let path = folder.join(join(path, WEIGHTS));
            sensorium_hub::save(dense, &KeyMap::new(), &path)?;
        }
        Ok(())
    }

    /// Compares a checkpoint with what its files say, without loading it; what is told is the tower's.
    pub(crate) fn fit(checkpoint: &Checkpoint, device: &Device) -> Result<LoadReport, Error> {
        let config = SentenceConfig::of(checkpoint)?;
        let encoder = config.init(device);
        for (dense, (path, _)) in encoder.dense.iter().zip(&config.dense) {
            let weights = checkpoint.weights_of(path)?;
            sensorium_hub::check(dense, &weights, &KeyMap::new(), &Allow::nothing())?;
        }
        let weights = checkpoint.weights_of(&config.bert_path)?;
        let map = config.bert.tower_map();
        let rest = Allow::nothing().unused();
        Ok(sensorium_hub::check(&encoder.bert, &weights, &map, &rest)?)
    }

    /// One vector per text: `[batch, d_output]`.
    ///
    /// # Panics
    /// If there are more tokens than the tower has positions.
    pub fn embed(&self, input: impl Into<BertInput>) -> Tensor<2> {
        self.embed_with(input, &mut NoTap)
    }

    /// The same, showing the tower's intermediates under `bert`, `pooled`, and `sentence`.
    ///
    /// # Panics
    /// If there are more tokens than the tower has positions.
    pub fn embed_with<T: Tap>(&self, input: impl Into<BertInput>, tap: &mut T) -> Tensor<2> {
        let tokens = in_layer(tap, "bert", |tap| self.bert.forward_with(input, tap));
        let pooled = tap.tensor("pooled", pooling::pool(tokens, &self.pooling));
        let vector = self.dense.iter().fold(pooled, |x, dense| dense.forward(x));
        let vector = if self.normalize { unit(vector) } else { vector };
        tap.tensor("sentence", vector)
    }
}

/// Vectors of length 1; a vector of zeros stays.
fn unit(x: Tensor<2>) -> Tensor<2> {
    let length = x.clone().square().sum_dim(1).sqrt(); // [B, 1]
    x / length.clamp_min(1e-12)
}

impl Encoder for SentenceEncoder {
    const MODALITY: Modality = TEXT;
    type Batch = TextBatch;

    fn d_output(&self) -> usize {
        self.d_output
    }

    /// One token per text.
    fn encode_with<T: Tap>(&self, batch: TextBatch, tap: &mut T) -> Tokens {
        let present = present(batch.pad.clone());
        let vector = self.embed_with(batch, tap);
        let [n, d] = vector.dims();
        Tokens::with_presence(vector.reshape([n, 1, d]), present) // [B, D] -> [B, 1, D]
    }
}
