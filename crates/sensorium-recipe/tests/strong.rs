//! Much changed copies of a row: what each modality's table says, its own encoder's or a published tower's.

use std::collections::BTreeMap;
use std::path::Path;

use sensorium_core::{Modality, seed};
use sensorium_recipe::modalities::{EncoderConfigs, Processors, Samples};
use sensorium_recipe::{OwnOrTower, Source};

fn processors(table: &str) -> Processors {
    let configs: EncoderConfigs = toml::from_str(table).expect("tables");
    configs.validate().expect("can work");
    let texts = ["one two three four five six", "six five four three"].map(Source::text);
    configs
        .fit(|_| None, |_| texts.iter().cloned())
        .expect("processors")
}

fn row(processors: &Processors) -> Samples {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let picture = fixtures.join("sensorium-models/tests/fixtures/ready/wide.png");
    let sound = fixtures.join("sensorium-audio/tests/fixtures/tone.wav");
    let inputs = BTreeMap::from([
        (
            Modality("text"),
            Source::text("one two three four five six"),
        ),
        (Modality("image"), Source::path(picture)),
        (Modality("audio"), Source::path(sound)),
    ]);
    processors.process(&inputs).expect("a row")
}

fn shown(samples: &Samples) -> [String; 3] {
    [
        format!("{:?}", samples.text),
        format!("{:?}", samples.image),
        format!("{:?}", samples.audio),
    ]
}

#[test]
fn a_row_is_changed_strongly_in_each_modality_and_the_same_again() {
    let processors = processors("[text]\n[image]\n[audio]");
    let row = row(&processors);
    let strongly = |n| {
        let copy = processors.augment_strongly(row.clone(), &mut seed::rng(7, &[n]));
        shown(&copy)
    };
    assert_eq!(strongly(1), strongly(1));
    for modality in 0..3 {
        let plain = &shown(&row)[modality];
        assert!((0..20).any(|n| strongly(n)[modality] != *plain));
        let copies: std::collections::BTreeSet<_> =
            (0..20).map(|n| strongly(n)[modality].clone()).collect();
        assert!(copies.len() > 5, "{modality}: {} copies", copies.len());
    }
    let usual = processors.augment(row.clone(), &mut seed::rng(7, &[1]));
    assert_eq!(shown(&usual), shown(&row));
}

#[test]
fn a_tower_s_samples_are_changed_as_the_modality_s_tables_say() {
    let from = "from = \"tiny-clip\"\nstrong = ";
    let table = format!(
        "[text]\n{from}{{ drop_token = 0.5 }}\n[image]\n{from}{{ rand_augment = {{ n = 3, m = 20 }} }}"
    );
    let processors = processors(&table);
    assert!(matches!(processors.image, Some(OwnOrTower::Tower(_))));
    let row = row(&processors);
    let strongly = |n| processors.augment_strongly(row.clone(), &mut seed::rng(7, &[n]));
    assert!((0..10).any(|n| shown(&strongly(n))[0] != shown(&row)[0]));
    assert!((0..10).any(|n| shown(&strongly(n))[1] != shown(&row)[1]));

    // Written down in a run's folder, and read again.
    let configs: EncoderConfigs = toml::from_str(&table).expect("tables");
    let written = toml::to_string(&configs).expect("can be written");
    let again: EncoderConfigs = toml::from_str(&written).expect("can be read");
    assert_eq!(toml::to_string(&again).expect("can be written"), written);
    assert!(written.contains("m = 20"), "{written}");
}

#[test]
fn a_strong_table_that_cannot_work_is_refused_with_its_modality() {
    let check = |table: &str, modality: &str, expected: &str| {
        let configs: EncoderConfigs = toml::from_str(table).expect("tables");
        let (name, refusal) = configs.validate().expect_err("refused");
        assert_eq!(name, modality);
        assert!(refusal.to_string().starts_with(expected), "{refusal}");
    };
    check("[image.strong]\ncrop = 2", "image", "strong.crop: 2; use");
    check(
        "[audio]\nstrong = { speed = 0.6 }",
        "audio",
        "strong.speed: 0.6; use 0 (off) to 0.5",
    );
    check(
        "[text]\nstrong = { drop_token = 1 }",
        "text",
        "strong.drop_token: 1 must",
    );
    check(
        "[image]\nfrom = \"tiny-clip\"\nstrong = { hue = 0.9 }",
        "image",
        "strong.hue: 0.9; use 0 (off) to 0.5",
    );
}
