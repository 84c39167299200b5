//! Whether every fusion computes what its paper says, or another implementation: `tools/parity/fusion.py` made what is compared with.

use std::path::Path;

use sensorium_core::Recorder;
use sensorium_testkit::{PARITY, Reference, assert_close, devices};

use super::*;

fn open(name: &str) -> Reference {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    Reference::open(&fixtures.join(name))
}

fn given(reference: &Reference, name: &str, device: &Device) -> Tokens {
    Tokens::new(
        reference.tensor(&format!("input.{name}"), device),
        reference.pad(&format!("mask.{name}"), device),
    )
}

/// As the script makes them.
fn table(kind: FusionKind) -> FusionConfig {
    FusionConfig {
        d_ff: (kind != FusionKind::Perceiver).then_some(12),
        d_factor: if kind == FusionKind::Tensor { 3 } else { 4 },
        rank: 3,
        n_layers: if kind == FusionKind::QFormer { 3 } else { 2 },
        ..small(kind)
    }
}

#[test]
fn every_kind_computes_what_the_reference_does() {
    for device in devices() {
        for kind in FusionKind::ALL {
            let reference = open(kind.name());
            let held = |(m, _): &&Width| reference.has(&format!("input.{}", m.name()));
            let widths: Vec<Width> = WIDTHS.iter().filter(held).copied().collect();
            let fusion = reference.fill(table(*kind).build(&widths, &device).unwrap());
            let parts = widths
                .iter()
                .map(|(m, _)| (*m, given(&reference, m.name(), &device)));
            let mut tap = Recorder::default();
            let found = fusion.fuse_with(parts.collect(), &mut tap);
            // What stands in padding is no one's business.
            let expected = Tokens::new(reference.tensor("output", &device), found.pad.clone());
            let (found, expected) = (found.zero_padding(), expected.zero_padding());
            println!("{}", kind.name());
            assert_close(&found.embeds, &expected.embeds, PARITY);
            for layer in 0..2 {
                let loss = format!("balance.{layer}");
                if reference.has(&loss) {
                    let (shape, values) =
                        tap.get(&format!("blocks.{layer}.experts.balance")).unwrap();
                    reference.check_values(&loss, shape, values);
                }
            }
        }
    }
}

#[test]
fn features_are_projected_and_spliced_as_llava_does() {
    for device in devices() {
        let reference = open("prefix");
        let module = reference.fill(PrefixSpliceConfig::new(4, 8).init(&device));
        let places = reference.pad("places", &device).bool_not();
        let text = Tokens::dense(reference.tensor("input.text", &device));
        let features = given(&reference, "image", &device);
        let found = module.forward(text, &places, features).unwrap();
        reference.check("output", &found.embeds);
    }
}
