//! Several modalities hide and help each other: all of it trains, and padding, absence and neighbours change nothing.

use std::collections::BTreeMap;

use burn::nn::{Embedding, EmbeddingConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Int;
use sensorium_core::seed;
use sensorium_testkit::{
    assert_close, check_gradients, check_same_on_all, devices, floats, parameter_snapshot, random,
};
use sensorium_train::{Learned, PatchMask};

use super::*;
use crate::*;

const TEXT: Modality = Modality("text");
const ROWS: Modality = Rows::MODALITY;
const WORDS: usize = 7;
const MASK: i64 = 6;

/// Words that see each other.
#[derive(Module, Debug)]
struct Words {
    embedding: Embedding,
    transformer: Transformer,
}

impl Words {
    fn new(device: &Device) -> Self {
        let mut transformer = TransformerConfig::new(6, 2, 1).with_d_ff(8).init(device);
        without_key_bias(&mut transformer);
        Self {
            embedding: EmbeddingConfig::new(WORDS, 6).init(device),
            transformer,
        }
    }

    fn encode(&self, (ids, pad): (Tensor<2, Int>, Tensor<2, burn::tensor::Bool>)) -> Tokens {
        let embeds = self.embedding.forward(ids);
        self.transformer.forward(Tokens::new(embeds, pad))
    }
}

/// Both encoders and what they learn from.
#[derive(Module, Debug)]
struct Both {
    rows: Rows,
    words: Words,
    head: MaskedModalities,
}

impl Both {
    fn new(class: bool, device: &Device) -> Self {
        let rows = Rows::new(3, [2, 3], class, device).trainable();
        let config = MaskedModalitiesConfig::new(8, 2, 2)
            .with_share(0.5)
            .with_patches(&rows)
            .with_words(TEXT, 6, WORDS);
        let mut head = config.init(device);
        without_key_bias(&mut head.transformer);
        Self {
            rows,
            words: Words::new(device),
            head,
        }
    }

    fn learn(&self, rows: Option<(Tokens, &PatchMasks)>, texts: Option<Texts>) -> Learned {
        self.head.learn(self.glimpses(rows, texts))
    }

    fn glimpses(
        &self,
        rows: Option<(Tokens, &PatchMasks)>,
        texts: Option<Texts>,
    ) -> BTreeMap<Modality, Glimpse> {
        let rows = rows
            .map(|(batch, masks)| (ROWS, self.head.patches_hidden_by(&self.rows, batch, masks)));
        let texts = texts.map(|texts| {
            let tokens = self.words.encode((texts.ids, texts.pad));
            (TEXT, self.head.words(TEXT, tokens, texts.hidden))
        });
        rows.into_iter().chain(texts).collect()
    }
}

#[derive(Clone)]
struct Texts {
    ids: Tensor<2, Int>,
    pad: Tensor<2, burn::tensor::Bool>,
    hidden: Tensor<2, Int>,
}

/// Three texts of four, two and no words, padded to five.
fn texts(device: &Device) -> Texts {
    let ids = [[1, MASK, 2, 3, 5], [MASK, 4, 5, 5, 5], [5; 5]];
    let hidden = [[-1, 4, -1, -1, 3], [2, -1, 1, -1, -1], [3; 5]];
    let (t, f) = (true, false);
    Texts {
        ids: Tensor::from_data(ids, device),
        pad: Tensor::from_data([[f, f, f, f, t], [f, f, t, t, t], [t; 5]], device),
        hidden: Tensor::from_data(hidden, device),
    }
}

/// Those samples, and the first tokens of them.
fn some(texts: &Texts, range: std::ops::Range<usize>, tokens: usize) -> Texts {
    let part = |x: &Tensor<2, Int>| x.clone().slice([range.clone(), 0..tokens]);
    Texts {
        ids: part(&texts.ids),
        pad: texts.pad.clone().slice([range.clone(), 0..tokens]),
        hidden: part(&texts.hidden),
    }
}

/// Three samples of six patches, three and none.
fn rows(device: &Device) -> (Tokens, Vec<PatchMask>) {
    let mask = |kept: &[usize], n: usize| PatchMask {
        kept: kept.to_vec(),
        masked: (0..n).map(|place| !kept.contains(&place)).collect(),
    };
    (
        ragged(&[6, 3, 0], 6, 3, device),
        vec![mask(&[1, 2, 4], 6), mask(&[0], 3), mask(&[], 0)],
    )
}

fn terms(learned: &Learned) -> BTreeMap<&str, f32> {
    let terms = learned.loss.terms.iter();
    terms
        .map(|(name, term)| (name.as_str(), floats(term)[0]))
        .collect()
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        for class in [false, true] {
            let (batch, masks) = rows(&device);
            let masks = PatchMasks::new(&masks, 6, &device);
            check_gradients(Both::new(class, &device), |both| {
                let learned = both.learn(Some((batch, &masks)), Some(texts(&device)));
                assert_eq!(
                    terms(&learned).into_keys().collect::<Vec<_>>(),
                    ["rows", "text"]
                );
                learned.loss.total
            });
        }
    }
}

#[test]
fn devices_agree() {
    // Drawn on the host, so that weights are the same everywhere.
    let both = Both::new(true, &devices()[0]);
    check_same_on_all(1e-4, |device| {
        let (batch, masks) = rows(device);
        let masks = PatchMasks::new(&masks, 6, device);
        let both = both.clone().fork(device);
        both.learn(Some((batch, &masks)), Some(texts(device)))
            .loss
            .total
    });
}

#[test]
fn padding_and_neighbours_change_nothing() {
    for device in devices() {
        let both = Both::new(true, &device);
        let (batch, masks) = rows(&device);
        let texts = texts(&device);
        let learn = |range: std::ops::Range<usize>, patches, words| {
            let masks = PatchMasks::new(&masks[range.clone()], patches, &device);
            let rows = part(&batch, range.clone(), patches);
            both.learn(Some((rows, &masks)), Some(some(&texts, range, words)))
        };
        let together = learn(0..3, 6, 5);
        let (first, second) = (learn(0..1, 6, 4), learn(1..2, 3, 2));
        let (all, first, second) = (terms(&together), terms(&first), terms(&second));
        // Three patches of the first are hidden and two of the second; one word of each.
        let rows = (3.0 * first["rows"] + 2.0 * second["rows"]) / 5.0;
        let text = (first["text"] + second["text"]) / 2.0;
        assert!((all["rows"] - rows).abs() < 1e-5, "{all:?} {rows}");
        assert!((all["text"] - text).abs() < 1e-5, "{all:?} {text}");
        assert_eq!(floats(&together.tally.unwrap().counted), [2.0]);
    }
}

#[test]
fn who_is_absent_has_no_say_whether_left_out_or_padded() {
    for device in devices() {
        let both = Both::new(true, &device);
        let (batch, masks) = rows(&device);
        let texts = texts(&device);
        let two = PatchMasks::new(&masks[..2], 6, &device);
        let padded = both.learn(
            Some((part(&batch, 0..2, 6), &two)),
            Some(Texts {
                pad: Tensor::full([2, 5], true, &device),
                ..some(&texts, 0..2, 5)
            }),
        );
        let alone = both.learn(Some((part(&batch, 0..2, 6), &two)), None);
        assert_close(&padded.loss.total, &alone.loss.total, 1e-5);
        assert_eq!(terms(&padded)["text"], 0.0);

        // The second sample has no patches: gathered and spread, or all padding.
        let one = PatchMasks::new(&masks[..1], 6, &device);
        let mut glimpses = both.glimpses(
            Some((part(&batch, 0..1, 6), &one)),
            Some(some(&texts, 0..2, 5)),
        );
        let place = Tensor::<1, Int>::from_data([0, 1], &device);
        let spread = glimpses.remove(&ROWS).unwrap().spread(place);
        glimpses.insert(ROWS, spread);
        let gathered = both.head.learn(glimpses);
        let (first, none) = (masks[0].clone(), masks[2].clone());
        let absent = PatchMasks::new(&[first, none], 6, &device);
        let first = part(&batch, 0..1, 6);
        let nothing = part(&batch, 2..3, 6);
        let rows = Tokens::new(
            Tensor::cat(vec![first.embeds, nothing.embeds], 0),
            Tensor::cat(vec![first.pad, nothing.pad], 0),
        );
        let padded = both.learn(Some((rows, &absent)), Some(some(&texts, 0..2, 5)));
        for (name, term) in terms(&padded) {
            let found = terms(&gathered)[name];
            assert!((found - term).abs() < 1e-5, "{name}: {found} {term}");
        }
    }
}

#[test]
fn words_that_are_gathered_are_those_that_are_there() {
    for device in devices() {
        let both = Both::new(false, &device);
        let texts = texts(&device);
        let mut first = both.glimpses(None, Some(some(&texts, 0..2, 5)));
        let place = Tensor::<1, Int>::from_data([0, 2, 1], &device);
        let spread = first.remove(&TEXT).unwrap().spread(place);
        let spread = both.head.learn([(TEXT, spread)].into());
        let plain = both.learn(None, Some(some(&texts, 0..2, 5)));
        assert_close(&spread.loss.total, &plain.loss.total, 1e-5);
    }
}

/// Six patches whose signs are thrown, and six words that tell them.
fn told(batch: usize, seed: u64, device: &Device) -> (Tokens, Texts, PatchMasks) {
    let signs: Tensor<2> = random([batch, 6], seed, device).sign();
    let pattern = Tensor::<3>::from_data([[[1.0, -1.0, 0.5]]], device);
    let texts = Texts {
        ids: signs.clone().greater_elem(0.0).int(),
        pad: Tensor::full([batch, 6], false, device),
        hidden: Tensor::full([batch, 6], -1, device),
    };
    let contents = signs.unsqueeze_dim::<3>(2) * pattern;
    let rngs = (0..batch as u64).map(|sample| seed::rng(seed, &[sample]));
    let masks = PatchMasks::random(texts.pad.clone(), 0.5, rngs);
    (Tokens::dense(contents), texts, masks)
}

/// What `told` teaches, with the texts or without.
fn lesson(both: &Both, told: (Tokens, Texts, PatchMasks), with_texts: bool) -> Learned {
    let (batch, texts, masks) = told;
    let device = batch.device();
    let glimpse = both.head.patches_hidden_by(&both.rows, batch, &masks);
    let mut glimpses = BTreeMap::from([(ROWS, glimpse)]);
    if with_texts {
        // Each word with its place.
        let embeds = both.words.embedding.forward(texts.ids) + random([1, 6, 6], 9, &device);
        let tokens = Tokens::new(embeds, texts.pad);
        let tokens = both.words.transformer.forward(tokens);
        glimpses.insert(TEXT, both.head.words(TEXT, tokens, texts.hidden));
    }
    both.head.learn(glimpses)
}

/// The loss of patches after some steps.
fn after_learning(with_texts: bool, device: &Device) -> f32 {
    let on = device.clone().autodiff();
    // Begun on the host, where weights are drawn by the seed; other tests may draw at the same time.
    let host = &devices()[0];
    let mut both = seed::drawn(host, 3, || Both::new(false, host).fork(&on)).train();
    let mut optimizer = AdamConfig::new().init();
    for step in 0..300 {
        let loss = lesson(&both, told(32, step, &on), with_texts).loss.total;
        let grads = GradientsParams::from_grads(loss.backward(), &both);
        both = optimizer.step(1e-2, both, grads);
    }
    let learned = lesson(&both.valid(), told(256, 1 << 20, device), with_texts);
    terms(&learned)["rows"]
}

#[test]
fn the_other_modality_tells_what_is_hidden() {
    for device in devices() {
        let [with, without] = [true, false].map(|texts| after_learning(texts, &device));
        // Nothing but the words tells a sign: the best guess without them is 0, and its error 2/3, as large as what is painted.
        assert!(without > 0.6, "{without}");
        assert!(with < 0.5 * without, "{with} {without}");
    }
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let device = &devices()[0];
    let rows = Rows::new(3, [2, 3], false, device);
    let config =
        |d_model, n_layers| MaskedModalitiesConfig::new(d_model, n_layers, 2).with_patches(&rows);
    for (config, expected) in [
        (
            config(8, 1),
            "modalities: one modality has no other to be guessed from: it needs two at least",
        ),
        (
            config(8, 1).with_patches(&rows),
            "modalities: a modality is named twice",
        ),
        (
            config(6, 1).with_words(TEXT, 6, 7),
            "d_model: 6 is not a multiple of 4; use 8",
        ),
        (
            config(8, 1).with_words(TEXT, 6, 7).with_share(1.0),
            "share: 1 must be at least 0 and below 1",
        ),
        (
            config(8, 1).with_words(TEXT, 6, 0),
            "vocab_size: 0 must be 1 to 16777216",
        ),
    ] {
        assert_eq!(config.validate().unwrap_err().to_string(), expected);
    }
}

#[test]
fn parameter_paths_are_api() {
    let snapshot = parameter_snapshot(&Both::new(false, &devices()[0]).head);
    let ours = snapshot
        .lines()
        .filter(|line| !line.starts_with("transformer."));
    let expected = "painters.rows.embed.weight [8, 8]\npainters.rows.embed.bias [8]\n\
        painters.rows.mask_token [8]\npainters.rows.position.weight [6, 8]\n\
        painters.rows.modality [8]\npainters.rows.predict.weight [8, 3]\n\
        painters.rows.predict.bias [3]\nguessers.text.embed.weight [6, 8]\n\
        guessers.text.embed.bias [8]\nguessers.text.modality [8]\n\
        guessers.text.head.transform.weight [8, 8]\nguessers.text.head.transform.bias [8]\n\
        guessers.text.head.norm.layer.gamma [8]\nguessers.text.head.norm.layer.beta [8]\n\
        guessers.text.head.decoder.weight [8, 7]\nguessers.text.head.bias [7]";
    assert_eq!(ours.collect::<Vec<_>>().join("\n"), expected);
    assert!(snapshot.contains("transformer.blocks.1.attention.query.weight [8, 8]"));
}
