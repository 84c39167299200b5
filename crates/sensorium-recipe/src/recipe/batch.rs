//! The table `[batch]` of a recipe.

use std::collections::BTreeSet;

use sensorium_core::Modality;
use serde::{Deserialize, Serialize};

use crate::how::Room;
use crate::parse::nearest;

/// `[batch]`: how samples become batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Samples a step.
    pub size: usize,
    /// Samples at once when nothing is learned.
    pub eval_size: usize,
    /// The modality by whose length training rows are put together, so that less of a batch is padding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket_by: Option<String>,
    /// The chance that a training sample loses a modality it has; at least one always stays.
    pub modality_dropout: f64,
    /// Threads that decode and prepare; 0 = one per core.
    pub threads: usize,
    /// The most prepared rows kept in memory, over all parts; those beyond it are decoded anew each epoch.
    pub cache_rows: usize,
    /// The most memory that they take, in MiB.
    pub cache_mib: usize,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            size: 32,
            eval_size: 128,
            bucket_by: None,
            modality_dropout: 0.0,
            threads: 0,
            cache_rows: 20_000,
            cache_mib: 2048,
        }
    }
}

impl BatchConfig {
    pub(super) fn validate(&self, modalities: &BTreeSet<Modality>) -> Result<(), String> {
        let known: Vec<&str> = modalities.iter().map(|m| m.name()).collect();
        if let Some(name) = self
            .bucket_by
            .as_deref()
            .filter(|name| !known.contains(name))
        {
            let near = nearest(name, &known).map(|near| format!("; did you mean {near:?}?"));
            return Err(format!(
                "batch.bucket_by = {name:?} is no modality of the recipe: it has {}{}",
                known.join(", "),
                near.unwrap_or_default()
            ));
        }
        for (key, value) in [("size", self.size), ("eval_size", self.eval_size)] {
            if value == 0 || value > 65_536 {
                return Err(format!("batch.{key} = {value} must be between 1 and 65536"));
            }
        }
        if !(0.0..1.0).contains(&self.modality_dropout) {
            return Err(format!(
                "batch.modality_dropout = {} must be at least 0 and below 1",
                self.modality_dropout
            ));
        }
        Ok(())
    }

    /// The memory that prepared rows may take.
    pub fn room(&self) -> Room {
        Room {
            rows: self.cache_rows,
            bytes: self.cache_mib.saturating_mul(1 << 20),
        }
    }

    /// How many threads decode and prepare.
    pub fn n_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n.min(256),
        }
    }
}
