//! The classification head.

use burn::tensor::Device;
use sensorium_core::Head;
use sensorium_testkit::{check_gradients, devices};

use super::*;

#[test]
fn the_head_answers_and_trains() {
    for device in devices().into_iter().map(Device::autodiff) {
        let config = HeadConfig {
            pool: PoolKind::Attention,
            d_hidden: Some(5),
            dropout: 0.0,
        };
        let head = config.build(8, 3, &device);
        let fused = Tokens::dense(random([2, 4, 8], 1, &device));
        let w = random([2, 3], 2, &device);
        assert_eq!(head.forward(fused.clone()).dims(), [2, 3]);
        check_gradients(head, |h| (h.forward(fused) * w).sum());
    }
}

#[test]
fn what_is_wrong_is_named() {
    let wrong = HeadConfig {
        dropout: 1.0,
        ..HeadConfig::default()
    };
    assert_eq!(
        wrong.validate().unwrap_err().to_string(),
        "dropout: 1 must be at least 0 and below 1"
    );
}
