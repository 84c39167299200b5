//! Texts cut in two, half of them with another text's second part: does the second part follow the first?

use rand::RngExt;
use rand::seq::IndexedRandom;
use sensorium_core::SampleRng;
use sensorium_text::TextProcessor;

use crate::Error;
use crate::prepare::Prepared;

/// How the second part of a text stands to the first, as `LanguageTargets` has it.
pub(super) const FOLLOWS: i64 = 0;
pub(super) const DOES_NOT: i64 = 1;
pub(super) const UNKNOWN: i64 = -1;

/// Cuts texts where a sentence ends, and joins parts by the separator that the tokenizer ends texts with.
#[derive(Debug)]
pub(super) struct NextSentences {
    rows: Prepared,
    /// Of each id, whether a sentence may end with its token.
    ends: Vec<bool>,
    special: Vec<u32>,
    most: usize,
    /// Rows of two sentences at least.
    of_two: Vec<usize>,
}

/// A text: what stands around it, its own tokens, and before which of these it may be cut.
struct Text<'a> {
    start: &'a [u32],
    own: &'a [u32],
    end: &'a [u32],
    cuts: Vec<usize>,
}

impl NextSentences {
    pub(super) fn new(rows: &Prepared, processor: &TextProcessor) -> Result<Self, Error> {
        let tokenizer = processor.tokenizer();
        let ids: Vec<u32> = (0..tokenizer.vocab_size() as u32).collect();
        let tokens = tokenizer.tokens(&ids);
        let ends = |token: &String| token.ends_with(['.', '!', '?', '…', '。', '！', '？']);
        let mut next = Self {
            rows: rows.clone(),
            ends: tokens.iter().map(ends).collect(),
            special: tokenizer.special_ids(),
            most: processor.max_tokens(),
            of_two: Vec::new(),
        };
        for row in 0..rows.len() {
            if !next.text(&next.ids(row)?).cuts.is_empty() {
                next.of_two.push(row);
            }
        }
        Ok(next)
    }

    /// How many texts have two parts.
    pub(super) fn of_two(&self) -> usize {
        self.of_two.len()
    }

    /// A text in two parts, and how the second stands to the first; as it is, where it has but one.
    pub(super) fn pair(
        &self,
        row: usize,
        ids: &[u32],
        rng: &mut SampleRng,
    ) -> Result<(Vec<u32>, i64), Error> {
        let text = self.text(ids);
        let others = self.of_two.iter().filter(|other| **other != row);
        let others: Vec<usize> = others.copied().collect();
        let (Some(cut), false) = (text.cuts.choose(rng), others.is_empty()) else {
            return Ok((ids.to_vec(), UNKNOWN));
        };
        let (first, second) = text.own.split_at(*cut);
        if rng.random_bool(0.5) {
            return Ok((self.joined(&text, first, second), FOLLOWS));
        }
        let other = others.choose(rng).copied().unwrap_or(row);
        let other = self.ids(other)?;
        let other = self.text(&other);
        match other.cuts.choose(rng) {
            Some(cut) => Ok((self.joined(&text, first, &other.own[*cut..]), DOES_NOT)),
            // It could be read when it was counted, and no longer can.
            None => Ok((self.joined(&text, first, second), FOLLOWS)),
        }
    }

    /// Both parts with the separator between them, the longer cut at its end until all has room.
    fn joined(&self, text: &Text<'_>, first: &[u32], second: &[u32]) -> Vec<u32> {
        let separator = &text.end[..text.end.len().min(1)];
        let around = text.start.len() + separator.len() + text.end.len();
        let room = self.most.saturating_sub(around);
        let (mut a, mut b) = (first.len(), second.len());
        while a + b > room {
            match a > b {
                true => a -= 1,
                false => b -= 1,
            }
        }
        [text.start, &first[..a], separator, &second[..b], text.end].concat()
    }

    fn text<'a>(&self, ids: &'a [u32]) -> Text<'a> {
        let special = |id: &&u32| self.special.contains(id);
        let start = ids.iter().take_while(special).count();
        let end = ids[start..].iter().rev().take_while(special).count();
        let own = &ids[start..ids.len() - end];
        let ends = |place: &usize| self.ends.get(own[*place - 1] as usize) == Some(&true);
        Text {
            start: &ids[..start],
            own,
            end: &ids[ids.len() - end..],
            cuts: (1..own.len()).filter(ends).collect(),
        }
    }

    /// A row's tokens as they are; none, if it can no longer be read.
    fn ids(&self, row: usize) -> Result<Vec<u32>, Error> {
        let samples = self.rows.samples(row)?;
        let text = samples.and_then(|samples| samples.text);
        Ok(text.map(|text| text.ids).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::encoder::OwnOrTower;
    use crate::how::{How, Room, Wanted};
    use crate::modalities::Processors;
    use crate::prepare::prepare;
    use crate::{Silent, Source};
    use sensorium_core::seed;
    use sensorium_data::{OnError, Row};
    use sensorium_text::Tokenizer;

    const TEXTS: [&str; 4] = ["aa bb. cc dd", "ee ff! gg. hh", "just one", "ii. jj kk"];

    fn next(most: usize) -> NextSentences {
        let tokenizer = Tokenizer::fit(TEXTS.into_iter(), 60).unwrap();
        let processor = TextProcessor::new(tokenizer, most);
        let processors = Processors {
            text: Some(OwnOrTower::Own(processor.clone())),
            ..Processors::default()
        };
        let row = |(i, text): (usize, &str)| Row {
            id: format!("{i}"),
            label: None,
            split: None,
            group: None,
            inputs: [("text", Source::text(text))].into(),
            meta: Default::default(),
            place: Default::default(),
        };
        let rows = TEXTS.into_iter().enumerate().map(row).collect();
        let how = How {
            on_error: OnError::Fail,
            when: Default::default(),
            threads: 1,
            room: Room::ENDLESS,
        };
        let processors = Arc::new(processors);
        let rows = prepare(rows, &processors, Wanted::Nothing, how, &mut Silent).unwrap();
        NextSentences::new(&rows.prepared, &processor).unwrap()
    }

    /// Both parts as words, and how they stand to each other.
    fn pair(next: &NextSentences, row: usize, seed: u64) -> (Vec<String>, i64) {
        let ids = next.ids(row).unwrap();
        let (ids, follows) = next.pair(row, &ids, &mut seed::rng(seed, &[])).unwrap();
        assert!(ids.len() <= next.most);
        let processors = &next.rows.processors;
        let tokens = processors.text.as_ref().unwrap().own().unwrap();
        let text = tokens.tokenizer().tokens(&ids).concat().replace("##", "");
        let parts = text.strip_prefix("[CLS]").unwrap().strip_suffix("[SEP]");
        let parts = parts.unwrap().split("[SEP]").map(str::to_owned);
        (parts.collect(), follows)
    }

    #[test]
    fn half_of_the_texts_go_on_with_another() {
        let next = next(32);
        assert_eq!(next.of_two(), 3);
        let mut follows = 0;
        for seed in 0..400 {
            let (parts, how) = pair(&next, 1, seed);
            let [first, second] = &parts[..] else {
                panic!("{parts:?}")
            };
            let whole = format!("{first}{second}");
            match how {
                FOLLOWS => {
                    assert_eq!(whole, "eeff!gg.hh");
                    follows += 1;
                }
                DOES_NOT => {
                    assert!(["eeff!", "eeff!gg."].contains(&first.as_str()), "{first}");
                    assert!(["ccdd", "jjkk"].contains(&second.as_str()), "{second}");
                }
                other => panic!("{other}"),
            }
        }
        // Four deviations of a share of one half.
        assert!((160..=240).contains(&follows), "{follows}");
        assert_eq!(pair(&next, 1, 7), pair(&next, 1, 7));
    }

    #[test]
    fn one_sentence_stays_as_it_is_and_the_longer_part_makes_room() {
        let all = next(32);
        assert_eq!(pair(&all, 2, 1), (vec!["justone".to_owned()], UNKNOWN));
        let text = all.text(&[]);
        assert_eq!(all.joined(&text, &[9; 40], &[8, 8]).len(), 32);
        let small = next(7);
        let text = Text {
            start: &[3],
            own: &[],
            end: &[2],
            cuts: Vec::new(),
        };
        let joined = small.joined(&text, &[9, 9, 9], &[8, 8]);
        assert_eq!(joined, [3, 9, 9, 2, 8, 8, 2]);
    }
}
