//! The sigmoid loss never takes the memory of all pairs of a batch, its gradient included. In a process of its own: memory
//! is counted for all of it. That of a GPU is not counted.

use burn::tensor::Tensor;
use peak_alloc::PeakAlloc;
use sensorium_testkit::{devices, floats, random};
use sensorium_train::{Objective, Pairs, SigmoidContrastive};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes taken above what was there, at the most.
fn peak(work: impl FnOnce()) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    work();
    MEMORY.peak_usage() - before
}

#[test]
fn memory_grows_with_the_batch_and_not_with_its_square() {
    let block = 32;
    for device in devices().into_iter().map(|device| device.autodiff()) {
        let objective = SigmoidContrastive::new(&device).with_block(block);
        let used = |batch: usize| {
            let sides = [1, 2].map(|seed| random::<2>([batch, 8], seed, &device).require_grad());
            peak(|| {
                let [first, second]: [Tensor<2>; 2] = sides.clone();
                let loss = objective.loss(Pairs::new(first, second), None);
                let grads = loss.total.backward();
                let grad = floats(&sides[0].grad(&grads).unwrap());
                assert!(grad.iter().any(|grad| *grad != 0.0));
            })
        };
        used(64); // what is taken once
        let (small, large) = (used(1024), used(4096));
        let matrix = 4 * 4096 * 4096;
        assert!(
            large < matrix / 4,
            "{large} bytes; all pairs would be {matrix}"
        );
        // Four times the batch: with its square it would be sixteen times as much.
        assert!(large < 6 * small, "{small} bytes, then {large}");
    }
}
