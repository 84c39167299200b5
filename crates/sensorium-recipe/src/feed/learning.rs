//! What is learned from: rows in an order that derives from a seed, each changed in a way that does too.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::seq::IteratorRandom;
use sensorium_core::{Modality, SampleRng, seed};

use super::Drawing;
use crate::Error;
use crate::modalities::Samples;
use crate::prepare::Prepared;

/// What batches for training are drawn from.
#[derive(Clone, Debug)]
pub struct Learning {
    /// The rows to learn from.
    pub rows: Prepared,
    /// Samples a step; where some have no label, those that have one.
    pub size: usize,
    /// The chance that a sample loses a modality.
    pub modality_dropout: f64,
    /// What order, augmentation and dropping derive from.
    pub seed: u64,
    /// Which rows an epoch draws, and how they come together.
    pub drawing: Drawing,
}

/// A row, and how often all rows have been drawn before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draw {
    pub row: usize,
    pub pass: u64,
}

/// How a sample is changed before it is learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// As the recipe's `augment` says, with modalities dropped.
    Learned,
    /// The same changes and nothing dropped, to be looked at.
    Whole,
    /// Changed once more, with other luck.
    Again,
    /// As `strong` says, with modalities dropped.
    Strong,
    /// The same once more, with other luck.
    StrongAgain,
}

impl View {
    /// What its randomness derives from besides seed, pass and row.
    fn purpose(self) -> &'static str {
        match self {
            Self::Learned => "augment",
            Self::Whole => "augment whole",
            Self::Again => "augment again",
            Self::Strong => "augment strongly",
            Self::StrongAgain => "augment strongly again",
        }
    }
}

impl Learning {
    /// A sample as it is learned from; nothing, if it can no longer be read and such rows are skipped.
    pub(crate) fn sample(&self, draw: Draw, view: View) -> Result<Option<Samples>, Error> {
        let samples = self.rows.samples(draw.row)?;
        Ok(samples.map(|samples| self.changed(samples, draw, view)))
    }

    /// Two views of a sample, which is read once.
    pub(crate) fn views(
        &self,
        draw: Draw,
        views: [View; 2],
    ) -> Result<Option<[Samples; 2]>, Error> {
        let samples = self.rows.samples(draw.row)?;
        Ok(samples.map(|samples| views.map(|view| self.changed(samples.clone(), draw, view))))
    }

    fn changed(&self, mut samples: Samples, draw: Draw, view: View) -> Samples {
        let path = [seed::of_name(view.purpose()), draw.pass, draw.row as u64];
        let mut rng = seed::rng(self.seed, &path);
        if view != View::Whole {
            drop_modalities(&mut samples, self.modality_dropout, &mut rng);
        }
        let processors = &self.rows.processors;
        match view {
            View::Strong | View::StrongAgain => processors.augment_strongly(samples, &mut rng),
            _ => processors.augment(samples, &mut rng),
        }
    }
}

/// Leaves out each modality with probability `chance`; if none would be left, one drawn evenly stays.
fn drop_modalities(samples: &mut Samples, chance: f64, rng: &mut SampleRng) {
    if chance <= 0.0 {
        return;
    }
    let present = samples.modalities();
    let mut keep: BTreeSet<Modality> = present
        .iter()
        .copied()
        .filter(|_| !rng.random_bool(chance))
        .collect();
    if keep.is_empty() {
        keep.extend(present.into_iter().choose(rng));
    }
    samples.keep(&keep);
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_text::TextSample;
    use sensorium_vision::ImageSample;

    /// What is kept of rows with a text and a picture, and of every third with a text alone.
    fn kept(chance: f64, epoch: u64) -> Vec<BTreeSet<Modality>> {
        let row = |row: u64| {
            let mut samples = Samples {
                text: Some(TextSample { ids: vec![1] }),
                image: (!row.is_multiple_of(3)).then(|| ImageSample::new(1, 1, 1, vec![0.5])),
                audio: None,
            };
            let mut rng = seed::rng(7, &[seed::of_name("augment"), epoch, row]);
            drop_modalities(&mut samples, chance, &mut rng);
            samples.modalities()
        };
        (0..3000).map(row).collect()
    }

    #[test]
    fn modalities_are_dropped_as_often_as_asked_and_one_stays() {
        assert_eq!(kept(0.3, 0), kept(0.3, 0), "a row's draw can be had again");
        assert_ne!(kept(0.3, 0), kept(0.3, 1), "epochs draw anew");
        for chance in [0.0, 0.3, 0.9] {
            let kept = kept(chance, 0);
            let (alone, both): (Vec<_>, Vec<_>) =
                kept.iter().enumerate().partition(|(row, _)| row % 3 == 0);
            assert!(alone.iter().all(|(_, kept)| kept.len() == 1));
            assert!(both.iter().all(|(_, kept)| !kept.is_empty()));
            // Each of two is lost with p; where both were, one drawn evenly stays.
            let expected = chance - chance * chance / 2.0;
            for modality in [sensorium_text::TEXT, sensorium_vision::IMAGE] {
                let lost = both.iter().filter(|(_, kept)| !kept.contains(&modality));
                let share = lost.count() as f64 / both.len() as f64;
                // Four deviations of a share over 2,000 rows.
                assert!((share - expected).abs() < 0.045, "{chance}: {share}");
            }
        }
    }
}
