//! The contrastive losses never take the memory of all pairs of a batch, their gradients included. In a process of its own:
//! memory is counted for all of it. That of a GPU is not counted.

use burn::tensor::{Device, Int, Tensor};
use peak_alloc::PeakAlloc;
use sensorium_testkit::{devices, floats, random};
use sensorium_train::{Contrastive, Objective, Pairs, SigmoidContrastive};

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
        let sigmoid = SigmoidContrastive::new(&device).with_block(block);
        check(&device, |pairs| sigmoid.loss(pairs, None).total);
        let softmax = Contrastive::new(&device).with_block(block);
        check(&device, |pairs| softmax.loss(pairs, None).total);
        let groups = |rows| Tensor::<1, Int>::arange(0..rows as i64, &device).div_scalar(3);
        check(&device, |pairs| {
            let groups = groups(pairs.first.dims()[0]);
            softmax.loss_of_groups(pairs, None, Some(groups)).total
        });
    }
}

fn check(device: &Device, loss: impl Fn(Pairs) -> Tensor<1>) {
    let used = |batch: usize| {
        let sides = [1, 2].map(|seed| random::<2>([batch, 8], seed, device).require_grad());
        peak(|| {
            let [first, second]: [Tensor<2>; 2] = sides.clone();
            let grads = loss(Pairs::new(first, second)).backward();
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
