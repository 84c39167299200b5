//! Texts are changed in training by what a table says, strongly by another, and by the sample's generator alone.

use sensorium_core::{ModalityKit, Processor, SampleRng, Source, seed};

use crate::{AugmentConfig, TextConfig, TextKit, TextProcessor, TextSample, Tokenizer};

const TEXT: &str = "one two three four five six seven eight nine ten";

fn tokenizer() -> Tokenizer {
    Tokenizer::fit(std::iter::repeat_n(TEXT, 3), 200).unwrap()
}

/// The same with a `[MASK]`, or what it is called.
fn with_mask(name: &str) -> Tokenizer {
    let dir = tempfile::tempdir().unwrap();
    tokenizer().save(dir.path()).unwrap();
    let text = std::fs::read_to_string(dir.path().join("tokenizer.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["model"]["vocab"][name] = tokenizer().vocab_size().into();
    Tokenizer::from_bytes("masked", json.to_string().as_bytes()).unwrap()
}

fn processor(augment: AugmentConfig) -> TextProcessor {
    let processor = TextProcessor::new(with_mask("[MASK]"), 32);
    processor.with_augment(augment).unwrap()
}

fn sample() -> TextSample {
    let plain = processor(AugmentConfig::default());
    plain.process(&Source::text(TEXT)).unwrap()
}

fn rng(n: u64) -> SampleRng {
    seed::rng(1, &[n])
}

const DROP: AugmentConfig = AugmentConfig {
    drop_token: 0.3,
    mask_token: 0.0,
};
const MASK: AugmentConfig = AugmentConfig {
    drop_token: 0.0,
    mask_token: 0.3,
};

#[test]
fn masked_tokens_are_drawn_by_the_sample_and_leave_the_frame() {
    let mask = with_mask("[MASK]").id("[MASK]").unwrap();
    let (processor, original) = (processor(MASK), sample());
    let last = original.ids.len() - 1;
    let mut masked = 0;
    for n in 0..40 {
        let changed = processor.augment(original.clone(), &mut rng(n));
        assert_eq!(changed, processor.augment(original.clone(), &mut rng(n)));
        assert_eq!(changed.ids.len(), original.ids.len());
        for (place, (new, old)) in changed.ids.iter().zip(&original.ids).enumerate() {
            assert!(new == old || *new == mask && place > 0 && place < last);
            masked += usize::from(new != old);
        }
    }
    let share = masked as f64 / (40 * (last - 1)) as f64;
    assert!((0.2..0.4).contains(&share), "{share}");
}

#[test]
fn one_setting_leaves_the_other_s_draws_alone() {
    let both = AugmentConfig {
        mask_token: 0.3,
        ..DROP
    };
    let mask = with_mask("[MASK]").id("[MASK]").unwrap();
    for n in 0..20 {
        let ids = |config| processor(config).augment(sample(), &mut rng(n)).ids;
        let (dropped, masked, all) = (ids(DROP), ids(MASK), ids(both));
        assert_eq!(all.len(), dropped.len());
        // Each that is left is what dropping alone leaves, or masked.
        let kept = all.iter().zip(&dropped);
        assert!(kept.into_iter().all(|(a, b)| a == b || *a == mask));
        let hidden = |ids: &[u32]| ids.iter().filter(|id| **id == mask).count();
        assert!(hidden(&all) <= hidden(&masked));
    }
    let mut one = rng(1);
    let first = processor(MASK).augment(sample(), &mut one);
    assert_ne!(first, processor(MASK).augment(sample(), &mut one));
}

#[test]
fn a_strong_copy_is_what_its_table_says_or_stronger_than_the_usual() {
    let plain = processor(AugmentConfig::default());
    let fifth = AugmentConfig {
        drop_token: 0.2,
        ..AugmentConfig::default()
    };
    let said = processor(DROP).with_strong(Some(MASK)).unwrap();
    for n in 0..20 {
        let found = plain.augment_strongly(sample(), &mut rng(n));
        assert_eq!(found, processor(fifth).augment(sample(), &mut rng(n)));
        assert_eq!(plain.augment(sample(), &mut rng(n)), sample());
        // What the usual changes drop more of stays dropped.
        let found = processor(DROP).augment_strongly(sample(), &mut rng(n));
        assert_eq!(found, processor(DROP).augment(sample(), &mut rng(n)));
        // Instead of them, not on top.
        let found = said.augment_strongly(sample(), &mut rng(n));
        assert_eq!(found, processor(MASK).augment(sample(), &mut rng(n)));
    }
}

#[test]
fn texts_of_one_token_or_none_stay() {
    let both = AugmentConfig {
        mask_token: 0.9,
        drop_token: 0.9,
    };
    for ids in [vec![], vec![3], vec![3, 4]] {
        let sample = TextSample { ids };
        for n in 0..10 {
            let changed = processor(both).augment_strongly(sample.clone(), &mut rng(n));
            assert_eq!(changed, sample);
        }
    }
}

#[test]
fn a_tokenizer_without_a_mask_cannot_mask() {
    let plain = || TextProcessor::new(tokenizer(), 32);
    let error = plain().with_augment(MASK).unwrap_err().to_string();
    assert!(error.starts_with("augment.mask_token: the tokenizer has"));
    let error = plain().with_strong(Some(MASK)).unwrap_err().to_string();
    assert!(error.starts_with("strong.mask_token: the tokenizer has"));
    plain().with_augment(DROP).unwrap();
    let roberta = TextProcessor::new(with_mask("<mask>"), 32);
    roberta.with_augment(MASK).unwrap();

    let config = TextConfig {
        augment: MASK,
        ..TextConfig::default()
    };
    let error = TextKit::fit(&config, &mut [Source::text(TEXT)].into_iter()).unwrap_err();
    assert!(error.to_string().starts_with("augment.mask_token: "));
}

#[test]
fn what_is_wrong_is_named_with_its_table() {
    let check = |augment, strong, expected: &str| {
        let config = TextConfig {
            augment,
            strong,
            ..TextConfig::default()
        };
        let error = TextKit::validate(&config).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let drop = AugmentConfig {
        drop_token: 1.0,
        ..DROP
    };
    let mask = AugmentConfig {
        mask_token: f64::NAN,
        ..DROP
    };
    check(
        drop,
        None,
        "augment.drop_token: 1 must be at least 0 and below 1",
    );
    check(
        DROP,
        Some(drop),
        "strong.drop_token: 1 must be at least 0 and below 1",
    );
    check(
        DROP,
        Some(mask),
        "strong.mask_token: NaN must be at least 0 and below 1",
    );
    let read: TextConfig = serde_json::from_str(r#"{"strong": {"drop_token": 0.4}}"#).unwrap();
    assert_eq!(read.strong.unwrap().drop_token, 0.4);
    let plain = serde_json::to_string(&TextConfig::default()).unwrap();
    assert!(!plain.contains("strong"), "{plain}");
}
