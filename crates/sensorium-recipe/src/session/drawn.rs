//! How a run draws its rows, and what a person is told of it.

use std::sync::Arc;

use sensorium_core::{Modality, seed};
use serde::Serialize;

use super::Parts;
use crate::dataset::Dataset;
use crate::feed::{Drawing, Learning, Mix, lengths};
use crate::{Error, Observer, Recipe};

/// How much an epoch draws of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DrawnFrom {
    /// What the data set is called.
    pub name: String,
    /// How many rows it has to learn from.
    pub rows: usize,
    /// How many an epoch draws of them, again and again if it has fewer.
    pub drawn: usize,
}

/// Which share of what is computed is padding, in one modality.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Padding {
    /// The modality that rows are put together by.
    pub modality: String,
    /// Its share in batches of rows that are about as long.
    pub share: f64,
    /// What it would be if rows were not put together by their length.
    pub shuffled: f64,
}

/// How rows are drawn, and what is known of it beforehand.
pub(super) struct Drawn {
    pub(super) drawing: Drawing,
    pub(super) sources: Vec<DrawnFrom>,
    pub(super) padding: Option<Padding>,
}

impl Drawn {
    /// As a recipe asks of these rows.
    pub(super) fn of(recipe: &Recipe, data: &Dataset, parts: &Parts) -> Result<Self, Error> {
        let (config, rows) = (&recipe.data, &parts.train);
        let own = (data.name.clone(), data.splits.train.len());
        let sets: Vec<(String, usize)> = [own].into_iter().chain(data.others.clone()).collect();
        let counts: Vec<usize> = sets.iter().map(|(_, count)| *count).collect();
        let mix = (!config.weights.is_empty())
            .then(|| Arc::new(Mix::new(&config.weights, &counts, rows)));
        let by = recipe.batch.bucket_by.as_deref();
        let by: Option<Modality> = by.and_then(|name| {
            let modalities = recipe.encoders.modalities();
            modalities.into_iter().find(|m| m.name() == name)
        });
        let lengths = by.map(|by| lengths(rows, by, recipe.batch.n_threads()));
        let drawing = Drawing {
            epoch_rows: config.epoch_rows,
            buffer: config.shuffle.map(|shuffle| shuffle.buffer),
            mix,
            lengths: lengths.transpose()?,
        };
        let learning = learning(recipe, parts, drawing.clone());
        let all: Vec<usize> = (0..rows.len()).collect();
        let padding = by.zip(learning.padding(&all));
        let padding = padding.map(|(by, [share, shuffled])| Padding {
            modality: by.name().to_owned(),
            share,
            shuffled,
        });
        let mut sources = Vec::new();
        if let Some(mix) = &drawing.mix {
            let there = mix.parted(&all);
            let mut drawn = vec![0; sets.len()];
            for draw in learning.drawn(&all, 0, learning.epoch_rows(all.len())) {
                drawn[mix.source(draw.row)] += 1;
            }
            let each = sets.into_iter().zip(there).zip(drawn);
            sources.extend(each.map(|(((name, _), there), drawn)| DrawnFrom {
                name,
                rows: there.len(),
                drawn,
            }));
        }
        Ok(Self {
            drawing,
            sources,
            padding,
        })
    }

    /// Says it to a person.
    pub(super) fn tell(&self, observer: &mut dyn Observer) {
        if !self.sources.is_empty() {
            let all: usize = self.sources.iter().map(|source| source.drawn).sum();
            let each = self.sources.iter().map(|DrawnFrom { name, rows, drawn }| {
                format!("{drawn} from the {rows} of {name}")
            });
            let each: Vec<String> = each.collect();
            observer.note(&format!("an epoch draws {all} rows: {}", each.join(", ")));
        }
        if let Some(padding) = &self.padding {
            observer.note(&format!(
                "{:.1} % of {} is padding, of batches whose rows are about as long; {:.1} % of batches drawn at random",
                100.0 * padding.share,
                padding.modality,
                100.0 * padding.shuffled
            ));
        }
    }
}

/// What is learned from, drawn so.
pub(super) fn learning(recipe: &Recipe, parts: &Parts, drawing: Drawing) -> Learning {
    Learning {
        rows: parts.train.clone(),
        size: recipe.batch.size,
        modality_dropout: recipe.batch.modality_dropout,
        seed: seed::derive(recipe.train.seed, &[seed::of_name("feed")]),
        drawing,
    }
}
