//! Masked language modelling: words are hidden, and a model guesses them from the others.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use rand::RngExt;
use sensorium_core::{SampleRng, assert_shape};

use crate::{CrossEntropy, Loss, Objective};

/// How tokens are hidden (BERT, arXiv 1810.04805, section 3.1): 15 % are chosen; of these 80 % become the mask token, 10 %
/// a random one, and 10 % stay, so that a model cannot know which of the tokens it sees are true.
///
/// This happens on the host, with the sample's own generator: derive it from the seed, the epoch and the sample
/// (`sensorium_core::seed::rng`), and each epoch hides other tokens, the same ones in each run.
///
/// ```
/// use sensorium_core::seed;
/// use sensorium_train::MaskTokens;
/// let hide = MaskTokens::new(103, 30_522);
/// let ids = [101, 2023, 2003, 1037, 2733, 102]; // [CLS] this is a test [SEP]
/// let special = [true, false, false, false, false, true];
/// let hidden = hide.mask(&ids, &special, None, &mut seed::rng(7, &[0, 3]));
/// let guessed: Vec<usize> = (0..6).filter(|place| hidden.targets[*place] >= 0).collect();
/// assert_eq!(guessed.len(), 1); // 15 % of 4, at least one
/// assert_eq!(hidden.targets[guessed[0]], ids[guessed[0]]);
/// ```
#[derive(Clone, Debug)]
pub struct MaskTokens {
    mask_id: i64,
    vocab_size: usize,
    share: f64,
}

/// Ids with some hidden, and what those were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenMask {
    /// What the model sees.
    pub ids: Vec<i64>,
    /// What it should guess: the true id where one was chosen, -1 elsewhere.
    pub targets: Vec<i64>,
}

impl MaskTokens {
    /// With the mask token's id and the size of the vocabulary; 15 %.
    ///
    /// # Panics
    /// If the vocabulary is empty.
    pub fn new(mask_id: i64, vocab_size: usize) -> Self {
        assert!(vocab_size > 0, "the vocabulary is empty");
        Self {
            mask_id,
            vocab_size,
            share: 0.15,
        }
    }

    /// With another share of chosen tokens.
    ///
    /// # Panics
    /// If it lies outside of 0 to 1.
    #[must_use]
    pub fn with_share(mut self, share: f64) -> Self {
        self.share = super::super::checked_share(share);
        self
    }

    /// Hides tokens of a text. Exactly the share of those that are not `special` (marks of beginning and end, padding) is
    /// chosen, rounded, and at least one if there is any: as BERT's own code does it. (Others throw a die for each token.)
    ///
    /// With `words`, the word that each token belongs to (as tokenizers give it; what is special may say anything), whole
    /// words are chosen: all tokens of a word or none, as long as they fit into the share; a first word that is longer
    /// than that is chosen all the same. Tokens of a word are replaced one by one.
    ///
    /// # Panics
    /// If lengths differ.
    pub fn mask(
        &self,
        ids: &[i64],
        special: &[bool],
        words: Option<&[usize]>,
        rng: &mut SampleRng,
    ) -> TokenMask {
        assert_eq!(ids.len(), special.len(), "a mark for each token is needed");
        let open: Vec<usize> = (0..ids.len()).filter(|place| !special[*place]).collect();
        let mut hidden = TokenMask {
            ids: ids.to_vec(),
            targets: vec![-1; ids.len()],
        };
        let wanted = (open.len() as f64 * self.share).round() as usize;
        // Without a share nothing is asked for.
        let wanted = if self.share > 0.0 { wanted.max(1) } else { 0 };
        for place in choose(units(&open, words, ids.len()), wanted, rng) {
            hidden.targets[place] = ids[place];
            hidden.ids[place] = match rng.random_range(0..10) {
                0..8 => self.mask_id,
                8 => rng.random_range(0..self.vocab_size as i64),
                _ => ids[place],
            };
        }
        hidden
    }
}

/// What is chosen as one: a token, or all tokens of a word.
fn units(open: &[usize], words: Option<&[usize]>, tokens: usize) -> Vec<Vec<usize>> {
    let Some(words) = words else {
        return open.iter().map(|place| vec![*place]).collect();
    };
    assert_eq!(words.len(), tokens, "a word for each token is needed");
    let mut by_word = std::collections::BTreeMap::<usize, Vec<usize>>::new();
    for place in open {
        by_word.entry(words[*place]).or_default().push(*place);
    }
    by_word.into_values().collect()
}

/// Units in random order as long as they fit into so many tokens.
fn choose(mut units: Vec<Vec<usize>>, wanted: usize, rng: &mut SampleRng) -> Vec<usize> {
    shuffle(&mut units, rng);
    let mut chosen = Vec::new();
    for unit in units {
        let first = chosen.is_empty() && wanted > 0;
        if first || chosen.len() + unit.len() <= wanted {
            chosen.extend(unit);
        }
    }
    chosen
}

/// Fisher and Yates's shuffle.
pub(super) fn shuffle<T>(items: &mut [T], rng: &mut SampleRng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.random_range(0..=last));
    }
}

/// Masked language modelling: cross-entropy of the tokens that were chosen, averaged over them. A batch in which none was
/// chosen has loss 0.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use sensorium_train::{MaskedTokens, Objective};
/// # let device = Device::flex();
/// let logits = Tensor::zeros([1, 3, 8], &device); // a text of three tokens, eight in the vocabulary
/// let targets = Tensor::from_data([[-1, 5, -1]], &device);
/// let loss = MaskedTokens::new().loss(logits, targets).total.into_scalar::<f32>();
/// assert!((loss - 8f32.ln()).abs() < 1e-6);
/// ```
#[derive(Module, Debug, Default)]
pub struct MaskedTokens {
    #[module(skip)]
    cross_entropy: CrossEntropy,
}

impl MaskedTokens {
    /// The loss.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Objective for MaskedTokens {
    type Output = Tensor<3>;
    type Target = Tensor<2, Int>;

    /// # Shapes
    /// `logits` `[batch, tokens, vocabulary]`, `targets` `[batch, tokens]`, -1 where nothing is to be guessed.
    fn loss(&self, logits: Tensor<3>, targets: Tensor<2, Int>) -> Loss {
        let [batch, tokens, vocabulary] = logits.dims();
        assert_shape!(targets, [batch, tokens]);
        let logits = logits.reshape([batch * tokens, vocabulary]); // [B · T, V]
        self.cross_entropy
            .loss(logits, targets.reshape([batch * tokens]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use sensorium_core::seed;
    use sensorium_testkit::{check_gradients, devices, random};

    const MASK: i64 = 999_999;

    fn many(seed: u64) -> (Vec<i64>, TokenMask) {
        let ids: Vec<i64> = (0..100_000).collect();
        let hide = MaskTokens::new(MASK, 500);
        let special: Vec<bool> = ids.iter().map(|id| id % 5 == 0).collect();
        let hidden = hide.mask(&ids, &special, None, &mut seed::rng(seed, &[]));
        (ids, hidden)
    }

    #[test]
    fn fifteen_of_a_hundred_are_chosen_and_become_what_bert_makes_of_them() {
        let (ids, hidden) = many(1);
        let chosen: Vec<usize> = (0..ids.len())
            .filter(|place| hidden.targets[*place] >= 0)
            .collect();
        assert_eq!(chosen.len(), 12_000);
        let (mut masked, mut kept) = (0, 0);
        for (place, id) in ids.iter().enumerate() {
            match hidden.targets[place] {
                -1 => assert_eq!(hidden.ids[place], *id),
                target => {
                    assert_eq!(target, *id);
                    assert!(place % 5 != 0, "a special token was hidden");
                    masked += usize::from(hidden.ids[place] == MASK);
                    kept += usize::from(hidden.ids[place] == target);
                }
            }
        }
        // Within four standard errors of 80 and 10 %.
        assert!(
            masked.abs_diff(9600) < 176 && kept.abs_diff(1200) < 132,
            "{masked} {kept}"
        );
        let random = chosen
            .iter()
            .filter(|place| (0..500).contains(&hidden.ids[**place]));
        assert!(random.count() > 1000);
        assert_eq!(many(1), many(1));
        assert_ne!(many(1).1, many(2).1);
    }

    #[test]
    fn words_are_hidden_whole() {
        // Words of 1, 2, 3, 1, 2, 3, ... tokens.
        let lengths = (0..200).map(|word| word % 3 + 1);
        let words: Vec<usize> = lengths
            .enumerate()
            .flat_map(|(word, n)| vec![word; n])
            .collect();
        let ids: Vec<i64> = (0..words.len() as i64).collect();
        let mut special = vec![false; ids.len()];
        special[0] = true; // its word has no other token
        for sample in 0..20 {
            let mut rng = seed::rng(4, &[sample]);
            let hidden = MaskTokens::new(MASK, 10).mask(&ids, &special, Some(&words), &mut rng);
            let chosen = |place: &usize| hidden.targets[*place] >= 0;
            for word in 0..200 {
                let mut places = (0..ids.len()).filter(|place| words[*place] == word);
                let first = places.next().unwrap();
                assert!(
                    places.all(|place| chosen(&place) == chosen(&first)),
                    "{word}"
                );
            }
            let count = (0..ids.len()).filter(chosen).count();
            let most = ((ids.len() - 1) as f64 * 0.15).round() as usize;
            assert!(
                !chosen(&0) && count <= most && count + 1 >= most,
                "{count} of {most}"
            );
        }
    }

    #[test]
    fn short_texts_lose_one_token_and_empty_ones_none() {
        let hide = MaskTokens::new(MASK, 10);
        let mut rng = seed::rng(1, &[]);
        let one = hide.mask(&[1, 7, 2], &[true, false, true], None, &mut rng);
        assert_eq!(one.targets, [-1, 7, -1]);
        let long = hide.mask(&[5, 6, 7], &[false; 3], Some(&[0, 0, 0]), &mut rng);
        assert_eq!(long.targets, [5, 6, 7]);
        let none = hide.mask(&[1, 2], &[true, true], None, &mut rng);
        assert_eq!(none.targets, [-1, -1]);
        assert!(hide.mask(&[], &[], None, &mut rng).ids.is_empty());
        let hide = hide.with_share(0.0);
        assert_eq!(hide.mask(&[5], &[false], None, &mut rng).targets, [-1]);
        let all = hide
            .with_share(1.0)
            .mask(&[5, 6], &[false; 2], None, &mut rng);
        assert_eq!(all.targets, [5, 6]);
    }

    #[test]
    fn the_gradient_reaches_the_logits() {
        for device in devices() {
            let logits = Param::from_tensor(random([2, 3, 4], 7, &device));
            let targets =
                Tensor::<2, Int>::from_data([[-1, 2, -1], [0, -1, 3]], &device.autodiff());
            check_gradients(logits, |logits| {
                MaskedTokens::new().loss(logits.val(), targets).total
            });
        }
    }
}
