//! Features among a decoder's tokens: the same four questions as to every fusion, and what does not fit.

use burn::tensor::{Bool, Device, Tensor};
use sensorium_testkit::{assert_close, check_gradients, devices, floats};

use super::*;

const T: bool = true;
const F: bool = false;

/// Three texts of five tokens with places, and three features each of which some are padding.
fn batch(device: &Device) -> (Tokens, Tensor<2, Bool>, Tokens) {
    let places = [[F, T, T, F, T], [F, F, F, F, F], [T, F, F, F, F]];
    let text_pad = [[F; 5], [F, F, F, T, T], [F, F, F, F, T]];
    let pad = [[F, F, F], [T, T, T], [T, F, T]];
    (
        Tokens::new(
            random([3, 5, 4], 1, device),
            Tensor::from_data(text_pad, device),
        ),
        Tensor::from_data(places, device),
        Tokens::new(random([3, 3, 6], 2, device), Tensor::from_data(pad, device)),
    )
}

fn splicer(device: &Device) -> PrefixSplice {
    PrefixSpliceConfig::new(6, 4).init(device)
}

#[test]
fn features_stand_in_their_places_and_the_text_in_its_own() {
    for device in devices() {
        let (text, places, features) = batch(&device);
        let module = splicer(&device);
        let projected = module.project(features.clone()).embeds;
        let found = module.forward(text.clone(), &places, features).unwrap();
        assert_eq!(found.dims(), [3, 5, 4]);
        let row =
            |t: &Tensor<3>, b: usize, i: usize| floats(&t.clone().narrow(0, b, 1).narrow(1, i, 1));
        for (place, feature) in [(1, 0), (2, 1), (4, 2)] {
            assert_eq!(row(&found.embeds, 0, place), row(&projected, 0, feature));
        }
        assert_eq!(row(&found.embeds, 2, 0), row(&projected, 2, 1));
        for (b, i) in [(0, 0), (0, 3), (1, 0), (1, 4), (2, 1)] {
            assert_eq!(row(&found.embeds, b, i), row(&text.embeds, b, i));
        }
        assert_eq!(
            sensorium_testkit::bools(&found.pad),
            sensorium_testkit::bools(&text.pad)
        );
    }
}

#[test]
fn padding_and_neighbours_change_nothing() {
    for device in devices() {
        let (text, places, features) = batch(&device);
        let module = splicer(&device);
        let together = module
            .forward(text.clone(), &places, features.clone())
            .unwrap();
        let garbage = Tokens::new(
            random([3, 2, 6], 5, &device).mul_scalar(50.0),
            Tensor::full([3, 2], true, &device),
        );
        let longer = Tokens::concat(vec![garbage, features.clone()]);
        let longer = module.forward(text.clone(), &places, longer).unwrap();
        assert_close(&together.embeds, &longer.embeds, 1e-6);
        for i in 0..3 {
            let one = |t: &Tokens| {
                Tokens::new(
                    t.embeds.clone().narrow(0, i, 1),
                    t.pad.clone().narrow(0, i, 1),
                )
            };
            let alone = module.forward(one(&text), &places.clone().narrow(0, i, 1), one(&features));
            assert_close(&alone.unwrap().embeds, &one(&together).embeds, 1e-6);
        }
    }
}

#[test]
fn every_parameter_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        let (text, places, features) = batch(&device);
        let w = random([3, 5, 4], 9, &device);
        check_gradients(splicer(&device), |module| {
            let spliced = module.forward(text, &places, features).unwrap();
            (spliced.embeds * w).sum()
        });
    }
}

#[test]
fn places_and_features_must_match_in_number() {
    for device in devices() {
        let (text, _, features) = batch(&device);
        let places = [[F, T, T, F, T], [F, F, F, F, F], [T, F, T, T, F]];
        let places = Tensor::from_data(places, &device);
        let error = splicer(&device)
            .forward(text, &places, features)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "sample 2 of the batch: places for features in its text: 3 (in a row: 2 times); features of its media: 1; they do not belong together"
        );
    }
}
