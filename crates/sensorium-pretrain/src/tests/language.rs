//! The language head trains all of it, and padding, neighbours and what is not hidden change nothing.

use burn::tensor::Int;
use sensorium_testkit::{
    assert_close, check_gradients, devices, max_difference, parameter_snapshot, random,
};
use sensorium_train::{Learner, MaskedTokens, Objective};

use super::*;
use crate::*;

const WORDS: usize = 11;

fn encoder(device: &Device) -> Rows {
    Rows::new(3, [6, 1], false, device)
}

fn head(device: &Device) -> LanguageHead {
    LanguageHeadConfig::new(8, WORDS)
        .with_next_sentence(true)
        .init(device)
}

fn words(device: &Device) -> Tensor<2, Int> {
    Tensor::from_data([[-1, 4, -1, 10, -1], [0, -1, -1, -1, -1], [-1; 5]], device)
}

#[test]
fn logits_are_one_for_each_word_and_only_hidden_ones_count() {
    for device in devices() {
        let (encoder, head) = (encoder(&device), head(&device));
        let batch = ragged(&[5, 3, 4], 5, 3, &device);
        let tokens = encoder.encode(batch.clone());
        let logits = head.logits(tokens.embeds.clone(), None);
        assert_eq!(logits.dims(), [3, 5, WORDS]);
        // All logits, and the objective that looks for the hidden ones among them.
        let expected = MaskedTokens::new()
            .loss(logits.clone(), words(&device))
            .total;
        let learned = head.learn_tokens(tokens, None, words(&device).into());
        assert_close(&learned.loss.total, &expected, 1e-6);
        assert_close(&learned.loss.terms[0].1, &expected, 1e-6);
        let loss = head.loss(&encoder, batch, words(&device)).total;
        assert_close(&loss, &expected, 1e-6);

        let tally = learned.tally.unwrap();
        assert_eq!(tally.counted.into_scalar::<f32>(), 3.0);
        let guess = logits.argmax(2).squeeze_dim::<2>(2);
        let right = guess.equal(words(&device)).float().sum();
        assert_close(&tally.correct, &right, 0.0);
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        let batch = ragged(&[5, 3, 4], 6, 3, &device);
        let targets = LanguageTargets {
            words: Tensor::cat(vec![words(&device), words(&device).narrow(1, 2, 1)], 1),
            next: Some(Tensor::from_data([1, 0, -1], &device)),
        };
        let both = Pretraining::new(encoder(&device).trainable(), head(&device));
        check_gradients(both, |both| both.learn((batch, targets)).loss.total);

        // A table that is given trains as well.
        let tied = LanguageHeadConfig::new(8, WORDS)
            .with_tied(true)
            .init(&device);
        let table = Param::from_tensor(random::<2>([WORDS, 8], 5, &device));
        check_gradients((tied, table), |(tied, table)| {
            let tokens = Tokens::dense(random([3, 5, 8], 6, &device));
            let table = Some(table.val());
            tied.learn_tokens(tokens, table, words(&device).into())
                .loss
                .total
        });
    }
}

#[test]
fn padding_and_neighbours_change_nothing() {
    for device in devices() {
        let (encoder, head) = (encoder(&device), head(&device));
        let targets = |range: std::ops::Range<usize>, tokens| LanguageTargets {
            words: words(&device)
                .narrow(0, range.start, range.len())
                .narrow(1, 0, tokens),
            next: Some(Tensor::<1, Int>::from_data([1, 0, -1], &device).slice([range])),
        };
        let batch = ragged(&[5, 3, 4], 5, 3, &device);
        let learn = |batch: Tokens, targets| {
            let loss = head.learn(&encoder, batch, targets).loss;
            let terms = loss.terms.into_iter();
            terms
                .map(|(_, term)| term.into_scalar::<f32>())
                .collect::<Vec<_>>()
        };
        let together = learn(batch.clone(), targets(0..3, 5));
        let first = learn(part(&batch, 0..1, 5), targets(0..1, 5));
        let second = learn(part(&batch, 1..2, 3), targets(1..2, 3));
        let expected = [
            (2.0 * first[0] + second[0]) / 3.0,
            (first[1] + second[1]) / 2.0,
        ];
        for (found, expected) in together.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        // What a target says of padding does not count.
        let mut careless = targets(0..3, 5);
        careless.words = careless
            .words
            .slice_assign([1..2, 4..5], Tensor::from_data([[7]], &device));
        assert_eq!(learn(batch, careless), together);
    }
}

#[test]
fn an_absent_text_and_a_batch_without_hidden_words_have_no_say() {
    for device in devices() {
        let (encoder, head) = (encoder(&device), head(&device));
        let batch = ragged(&[5, 0], 5, 3, &device);
        let two = words(&device).narrow(0, 0, 2);
        let next = Some(Tensor::from_data([1, 1], &device));
        let found = head.learn(
            &encoder,
            batch.clone(),
            LanguageTargets { words: two, next },
        );
        let words = words(&device).narrow(0, 0, 1);
        let next = Some(Tensor::from_data([1], &device));
        let alone = part(&batch, 0..1, 5);
        let expected = head.learn(&encoder, alone, LanguageTargets { words, next });
        assert_close(&found.loss.total, &expected.loss.total, 1e-6);

        let nothing = Tensor::<2, Int>::full([2, 5], -1, &device);
        let none = head.learn(&encoder, batch, nothing.into());
        assert_eq!(none.loss.total.into_scalar::<f32>(), 0.0);
        assert_eq!(none.tally.unwrap().counted.into_scalar::<f32>(), 0.0);
    }
}

#[test]
#[should_panic(expected = "the head has no table of its own; give it the encoder's")]
fn a_tied_head_without_a_table_is_a_mistake() {
    let device = &devices()[0];
    let tied = LanguageHeadConfig::new(8, WORDS)
        .with_tied(true)
        .init(device);
    tied.logits(random::<3>([1, 2, 8], 1, device), None);
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    for (config, expected) in [
        (
            LanguageHeadConfig::new(0, 5),
            "d_model: 0 must be 1 to 65536",
        ),
        (
            LanguageHeadConfig::new(8, 0),
            "vocab_size: 0 must be 1 to 16777216",
        ),
        (
            LanguageHeadConfig::new(8, 5).with_norm_epsilon(f64::NAN),
            "norm_epsilon: NaN must be above 0 and below 1",
        ),
    ] {
        assert_eq!(config.validate().unwrap_err().to_string(), expected);
    }
}

#[test]
fn parameter_paths_are_api() {
    let snapshot = parameter_snapshot(&head(&devices()[0]));
    let expected = "transform.weight [8, 8]\ntransform.bias [8]\nnorm.layer.gamma [8]\n\
        norm.layer.beta [8]\ndecoder.weight [8, 11]\nbias [11]\nnext_sentence.pool.weight [8, 8]\n\
        next_sentence.pool.bias [8]\nnext_sentence.output.weight [8, 2]\n\
        next_sentence.output.bias [2]";
    assert_eq!(snapshot.trim(), expected);
}

#[test]
fn the_first_token_tells_whether_a_text_follows() {
    for device in devices() {
        let next = NextSentence::new(8, &device);
        let tokens = Tokens::dense(random([2, 3, 8], 1, &device));
        let whole = next.logits(tokens.clone());
        assert_close(&whole, &next.logits(part(&tokens, 0..2, 1)), 1e-6);
        let last = Tokens::dense(tokens.embeds.flip([1]));
        assert!(max_difference(&whole, &next.logits(last)) > 1e-4);
    }
}
